// SPDX-License-Identifier: Apache-2.0 OR MIT

//! DRM devices, and what is known about them where a reference is used. Stands for
//! `rust/kernel/drm/device.rs`. C header: `include/drm/drm_device.h`.

use super::{driver, Driver};
use crate::{
    bindings,
    device::{self, AsBusDevice},
    drm,
    error::from_err_ptr,
    page::PAGE_SIZE,
    prelude::*,
    sync::aref::{ARef, AlwaysRefCounted},
    types::{NotThreadSafe, Opaque, ScopeGuard},
};
use core::{
    alloc::Layout, cell::UnsafeCell, marker::PhantomData, mem::offset_of, ops::Deref, ptr::NonNull,
};

mod private {
    /// Keeps the contexts to those of this module.
    pub trait Sealed {}

    impl Sealed for super::Ioctl {}
    impl Sealed for super::Normal {}
    impl Sealed for super::Registered {}
}

/// The facts that hold for a [`Device`] while a reference to it exists.
///
/// [`Ioctl`] and [`Registered`] dereference to [`Normal`].
pub trait DeviceContext: private::Sealed + Send + Sync + 'static {}

/// Nothing is known but that the device exists. Only this one can be reference-counted.
pub struct Normal;

/// The device is registered, and its parent is bound. A [`RegistrationGuard`] shows it.
pub struct Registered;

/// The device was registered, and may be no more: what an ioctl knows.
/// [`registration_guard()`](Device::registration_guard) finds out.
pub struct Ioctl;

impl DeviceContext for Normal {}
impl DeviceContext for Registered {}
impl DeviceContext for Ioctl {}

/// A new [`Device`], which user space cannot know of yet.
///
/// It is for what has to be done before the device is registered, by
/// [`Registration::new()`](drm::Registration::new), and belongs to one thread. It may also be kept
/// unregistered, as an [`ARef`].
///
/// # Invariants
///
/// The device was not registered.
///
/// # Examples
///
/// ```
/// # use kernel::{device, prelude::*};
/// use kernel::{drm, sync::aref::ARef, testing::TestDevice};
/// # #[pin_data]
/// # struct Buffer {}
/// # impl drm::gem::DriverObject for Buffer {
/// #     type Driver = Gpu;
/// #     type Args = ();
/// #     fn new(_: &drm::Device<Gpu>, _: usize, _: ()) -> impl PinInit<Self, Error> {
/// #         try_pin_init!(Self {})
/// #     }
/// # }
/// # struct File;
/// # impl drm::file::DriverFile for File {
/// #     type Driver = Gpu;
/// #     fn open(_: &drm::Device<Gpu>) -> Result<Pin<KBox<Self>>> {
/// #         Ok(KBox::new(Self, GFP_KERNEL)?.into())
/// #     }
/// # }
/// # struct Gpu;
/// # #[vtable]
/// # impl drm::Driver for Gpu {
/// #     type Data = u32;
/// #     type RegistrationData<'a> = ();
/// #     type Object = drm::gem::Object<Buffer>;
/// #     type File = File;
/// #     type ParentDevice<Ctx: device::DeviceContext> = device::Device<Ctx>;
/// #     const INFO: drm::DriverInfo = drm::DriverInfo {
/// #         major: 1, minor: 0, patchlevel: 0, name: c"gpu", desc: c"gpu",
/// #     };
/// #     const IOCTLS: &'static [drm::ioctl::DrmIoctlDescriptor] = &[];
/// # }
///
/// let mut gpu = TestDevice::new(c"gpu0")?;
/// let bound = gpu.bind()?;
/// let drm = drm::UnregisteredDevice::<Gpu>::new(&bound, Ok(42))?;
///
/// let drm: ARef<drm::Device<Gpu>> = (&*drm).into();
/// assert_eq!(**drm, 42);
/// # Ok::<(), Error>(())
/// ```
pub struct UnregisteredDevice<T: Driver>(ARef<Device<T, Normal>>, NotThreadSafe);

impl<T: Driver> Deref for UnregisteredDevice<T> {
    type Target = Device<T, Normal>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<T: Driver> UnregisteredDevice<T> {
    const VTABLE: bindings::drm_driver = bindings::drm_driver {
        release: Some(Device::<T>::release),
        ..Self::VTABLE_WITHOUT_DATA
    };

    /// For as long as there is no data to be dropped.
    const VTABLE_WITHOUT_DATA: bindings::drm_driver = bindings::drm_driver {
        open: Some(drm::File::<T::File>::open_callback),
        postclose: Some(drm::File::<T::File>::postclose_callback),
        release: None,
        major: T::INFO.major,
        minor: T::INFO.minor,
        patchlevel: T::INFO.patchlevel,
        name: T::INFO.name.as_ptr().cast_mut(),
        desc: T::INFO.desc.as_ptr().cast_mut(),
        driver_features: Self::FEATURES,
        ioctls: T::IOCTLS.as_ptr(),
        // CAST: No driver has that many.
        num_ioctls: T::IOCTLS.len() as c_int,
    };

    const FEATURES: u32 = if T::FEAT_RENDER {
        driver::FEAT_GEM | driver::FEAT_RENDER
    } else {
        driver::FEAT_GEM
    };

    /// Makes a DRM device for `dev`, with `data` in it: `__drm_dev_alloc()`.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, and what `data` fails with.
    ///
    /// # Context
    ///
    /// May sleep.
    pub fn new(
        dev: &T::ParentDevice<device::Bound>,
        data: impl PinInit<T::Data, Error>,
    ) -> Result<Self> {
        // Nothing is aligned to more than a page.
        const { assert!(align_of::<Device<T>>() <= PAGE_SIZE) };
        // `kmalloc()` aligns to the size if that is a multiple of the alignment.
        let layout = Layout::new::<Device<T>>().pad_to_align();

        // SAFETY:
        // - `dev` is alive.
        // - The driver is a constant.
        // - `Device<T>` contains a DRM device at that offset.
        let this = unsafe {
            bindings::__drm_dev_alloc(
                dev.as_ref().as_raw(),
                const { &Self::VTABLE_WITHOUT_DATA },
                layout.size(),
                offset_of!(Device<T>, dev),
            )
        };
        let this = NonNull::new(from_err_ptr(this)?)
            .ok_or(ENOMEM)?
            .cast::<Device<T>>();
        // SAFETY: Allocated above.
        let drm = unsafe { &raw mut (*this.as_ptr()).dev }.cast();

        // Without `data` the device goes again, be it for an error or for a panic.
        // SAFETY: There is one reference, and nobody else knows of it.
        let undo = ScopeGuard::new(move || unsafe { bindings::drm_dev_put(drm) });

        // SAFETY: Allocated above.
        let slot = unsafe { &raw mut (*this.as_ptr()).data };
        // SAFETY:
        // - `slot` is valid for writing, and is not read on error.
        // - It does not move: devices are never moved.
        unsafe { data.__pinned_init(slot.cast()) }?;

        // SAFETY: Allocated above.
        let registration_data = unsafe { &raw mut (*this.as_ptr()).registration_data };
        // SAFETY: It is valid for writing.
        unsafe { registration_data.write(UnsafeCell::new(NonNull::dangling())) };

        undo.dismiss();
        // INVARIANT: `data` is initialised, and is dropped by the callback of this driver.
        // SAFETY: Nobody else knows of the device yet.
        unsafe { (*drm).driver = const { &Self::VTABLE } };

        // INVARIANT: It was made above, and is not registered.
        // SAFETY: This takes over the first reference.
        Ok(Self(unsafe { ARef::from_raw(this) }, NotThreadSafe))
    }
}

/// A DRM device of the driver `T`: a `struct drm_device` and the driver's data.
///
/// `C` says what is known about it for as long as a reference lives: see [`DeviceContext`].
///
/// Reference-counted: hold on to it by [`ARef`]. It holds a reference to its parent device, which
/// unbinding that device's driver does not change. A `struct drm_gem_object` does *not* hold a
/// reference to it. An object around one, without a reference of its own, may return a `&Device`
/// that was freed. Using that is a loud failure ([`bindings::warn`]), and never reads memory that
/// is not there.
///
/// # Invariants
///
/// - `dev` is a DRM device that [`bindings::__drm_dev_alloc`] made, freed or not.
/// - `data` is initialised until `dev` is freed.
/// - While the device is registered, `registration_data` points to the registration's data.
/// - The promises of `C` hold.
#[repr(C)]
pub struct Device<T: Driver, C: DeviceContext = Normal> {
    dev: Opaque<bindings::drm_device>,
    // Opaque, as references to the device are legal when this was dropped.
    data: Opaque<T::Data>,
    pub(super) registration_data: UnsafeCell<NonNull<T::RegistrationData<'static>>>,
    _ctx: PhantomData<C>,
}

impl<T: Driver, C: DeviceContext> Device<T, C> {
    /// Returns the `struct drm_device`.
    ///
    /// Private to the `kernel` crate there; what lives inside of that lives outside of this one.
    #[inline]
    pub fn as_raw(&self) -> *mut bindings::drm_device {
        self.dev.get()
    }

    /// Returns the device that a `struct drm_device` is part of.
    ///
    /// # Safety
    ///
    /// - `ptr` points to the DRM device in a `Device<T>` that [`UnregisteredDevice::new`] made.
    /// - There is a reference to it during `'a`.
    /// - The promises of `C` hold during `'a`.
    ///
    /// A GEM object cannot promise the second. If that goes wrong on the host, this returns a
    /// device that was freed, see [`Device`].
    #[inline]
    pub unsafe fn from_raw<'a>(ptr: *const bindings::drm_device) -> &'a Self {
        const { assert!(offset_of!(Self, dev) == 0) };

        // SAFETY: The DRM device comes first. Its memory is never given back.
        unsafe { &*ptr.cast() }
    }

    /// Returns the same device in another context.
    ///
    /// # Safety
    ///
    /// The promises of `NewCtx` hold while the reference exists.
    pub(crate) unsafe fn assume_ctx<NewCtx: DeviceContext>(&self) -> &Device<T, NewCtx> {
        // SAFETY: The context changes nothing about the layout.
        unsafe { &*(&raw const *self).cast() }
    }

    /// Returns the parent device.
    #[track_caller]
    pub(super) fn parent(&self) -> &device::Device {
        self.check("drm::Device::as_ref");

        // SAFETY: By the type's invariants. The field never changes.
        let parent = unsafe { (*self.as_raw()).dev };
        // SAFETY: A DRM device holds a reference to its parent, on the host also when it was freed.
        unsafe { device::Device::from_raw(parent) }
    }

    #[inline]
    fn references(&self) -> i32 {
        // SAFETY: By the type's invariants; the field is atomic.
        unsafe { &(*self.as_raw()).ref_.refcount }.read()
    }

    /// Reports a device that was freed.
    #[inline]
    #[track_caller]
    fn check(&self, who: &str) -> bool {
        // SAFETY: By the type's invariants.
        unsafe { bindings::drm_dev_check(self.as_raw(), who) }
    }
}

impl<T: Driver> Device<T> {
    extern "C" fn release(ptr: *mut bindings::drm_device) {
        // SAFETY: This is the callback of drivers that are set by `new()` only.
        let this = unsafe { Self::from_raw(ptr) };

        // SAFETY: Initialised by the type's invariants, and called once, when there are no
        // references any more.
        unsafe { this.data.get().drop_in_place() };
    }
}

impl<T: Driver> Device<T, Ioctl> {
    /// Keeps the device registered, and its parent bound, for as long as the guard exists:
    /// `drm_dev_enter()`. [`None`] if it is registered no more.
    ///
    /// # Context
    ///
    /// Does not sleep. Code under the guard may.
    #[must_use]
    pub fn registration_guard(&self) -> Option<RegistrationGuard<'_, T>> {
        let mut idx = 0;

        // SAFETY: The device is alive.
        unsafe { bindings::drm_dev_enter(self.as_raw(), &mut idx) }.then(|| {
            // INVARIANT: `drm_dev_enter()` has succeeded. Unplugging, which the registration does
            // before its parent is unbound, waits for the section.
            RegistrationGuard {
                // SAFETY: While the guard exists, unplugging waits, so the device stays registered
                // and its parent bound.
                dev: unsafe { self.assume_ctx() },
                idx,
                _not_send: NotThreadSafe,
            }
        })
    }
}

/// Keeps a DRM device registered, and its parent bound: the section between `drm_dev_enter()` and
/// `drm_dev_exit()`.
///
/// Dropping the [`Registration`](drm::Registration) waits for it. On the host, dropping it on the
/// thread that has the guard is a loud failure.
///
/// # Invariants
///
/// `idx` comes from `drm_dev_enter()`, on this thread.
#[must_use]
pub struct RegistrationGuard<'a, T: Driver> {
    dev: &'a Device<T, Registered>,
    idx: c_int,
    _not_send: NotThreadSafe,
}

impl<T: Driver> Deref for RegistrationGuard<'_, T> {
    type Target = Device<T, Registered>;

    #[inline]
    fn deref(&self) -> &Self::Target {
        self.dev
    }
}

impl<T: Driver> Drop for RegistrationGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type's invariants, and this is the only call.
        unsafe { bindings::drm_dev_exit(self.idx) };
    }
}

impl<T: Driver> Device<T, Registered> {
    /// Runs `f` on the data of the registration.
    ///
    /// # Context
    ///
    /// Does not sleep, unless `f` does.
    #[inline]
    pub fn registration_data_with<R, F>(&self, f: F) -> R
    where
        F: for<'a> FnOnce(&'a T::RegistrationData<'a>) -> R,
    {
        // SAFETY: The device is not unregistered while it is known to be registered, and the field
        // changes only before and after that.
        let data = unsafe { *self.registration_data.get() };

        // SAFETY: By the type's invariants the data is there. `f` works for any lifetime, and so
        // also for the one that the data has.
        f(unsafe { data.cast().as_ref() })
    }
}

/// # Panics
///
/// If the device was freed: there is no data any more.
impl<T: Driver> Deref for Device<T> {
    type Target = T::Data;

    #[inline]
    #[track_caller]
    fn deref(&self) -> &Self::Target {
        // The data goes when there are no references any more, a little before the device does.
        assert!(
            self.check("drm::Device::deref") && self.references() != 0,
            "use after free: the data of a DRM device"
        );

        // SAFETY: By the type's invariants, since the device was not freed.
        unsafe { &*self.data.get() }
    }
}

impl<T: Driver> Deref for Device<T, Registered> {
    type Target = Device<T>;

    #[inline]
    fn deref(&self) -> &Self::Target {
        // SAFETY: `Normal` promises nothing.
        unsafe { self.assume_ctx() }
    }
}

impl<T: Driver> Deref for Device<T, Ioctl> {
    type Target = Device<T>;

    #[inline]
    fn deref(&self) -> &Self::Target {
        // SAFETY: `Normal` promises nothing.
        unsafe { self.assume_ctx() }
    }
}

impl<T: Driver> AsRef<T::ParentDevice<device::Normal>> for Device<T> {
    #[inline]
    #[track_caller]
    fn as_ref(&self) -> &T::ParentDevice<device::Normal> {
        // SAFETY: `UnregisteredDevice::new()` got the parent as part of a `T::ParentDevice`.
        unsafe { AsBusDevice::from_device(self.parent()) }
    }
}

impl<T: Driver> AsRef<T::ParentDevice<device::Bound>> for Device<T, Registered> {
    #[inline]
    #[track_caller]
    fn as_ref(&self) -> &T::ParentDevice<device::Bound> {
        // SAFETY: The parent of a registered device is bound.
        let parent = unsafe { self.parent().as_bound() };

        // SAFETY: `UnregisteredDevice::new()` got the parent as part of a `T::ParentDevice`.
        unsafe { AsBusDevice::from_device(parent) }
    }
}

// SAFETY: All of them are counted, by the two C functions.
unsafe impl<T: Driver> AlwaysRefCounted for Device<T> {
    #[inline]
    fn inc_ref(&self) {
        // SAFETY: By the type's invariants.
        unsafe { bindings::drm_dev_get(self.as_raw()) };
    }

    #[inline]
    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: The caller promises that `obj` points to a device.
        let drm = unsafe { &raw mut (*obj.as_ptr()).dev }.cast();
        // SAFETY: The caller gives up a reference.
        unsafe { bindings::drm_dev_put(drm) };
    }
}

// SAFETY: The last reference may go on any thread, and the data is `Send`.
unsafe impl<T: Driver, C: DeviceContext> Send for Device<T, C> {}
// SAFETY: The C functions change atomic fields only, and the data is `Sync`.
unsafe impl<T: Driver, C: DeviceContext> Sync for Device<T, C> {}
