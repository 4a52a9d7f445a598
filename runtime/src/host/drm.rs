// SPDX-License-Identifier: Apache-2.0 OR MIT

//! DRM devices and what all GEM objects have in common, as in `rust/kernel/drm/`.
//!
//! C headers: `include/drm/drm_device.h`, `include/drm/drm_drv.h`, `include/drm/drm_gem.h`. As much
//! as is needed to write a buffer object and its driver; registration, files and ioctls are left
//! out, and a device has one context instead of several. Uses [`bindings`] and [`device`].

use crate::{
    bindings,
    device::{
        self,
        Bound, //
    },
    error::{
        code::ENOMEM,
        from_err_ptr,
        Error,
        Result, //
    },
    page::PAGE_SIZE,
    pin_init::PinInit,
    sync::aref::{
        ARef,
        AlwaysRefCounted, //
    },
    types::{
        Opaque,
        ScopeGuard, //
    },
};
use core::{
    alloc::Layout,
    mem::{
        align_of,
        offset_of, //
    },
    ops::Deref,
    ptr::NonNull, //
};

/// What a DRM driver is made of.
///
/// # Examples
///
/// ```
/// use devres_lazy::drm;
///
/// struct Gpu;
///
/// impl drm::Driver for Gpu {
///     type Data = u32;
/// }
/// ```
pub trait Driver {
    /// What the driver keeps in its [`Device`]. Dropped with the last reference to that.
    ///
    /// It must not own objects of its own device that hold a reference to the device, as shmem
    /// objects do: that is a cycle of references, which is never freed. Registration data is the
    /// place for such objects.
    type Data: Sync + Send;
}

/// A DRM device of the driver `T`: a `struct drm_device` and the driver's data.
///
/// Reference-counted: hold on to it by [`ARef`]. It holds a reference to its parent device, which
/// unbinding that device's driver does not change. A `struct drm_gem_object` does *not* hold a
/// reference to it. An object around it that has none of its own may return a `&Device` that was
/// freed: using that is a loud failure ([`bindings::warn`]), and never reads memory that is not
/// there.
///
/// # Invariants
///
/// - `dev` is a DRM device that [`bindings::__drm_dev_alloc`] made, freed or not.
/// - `data` is initialised until `dev` is freed.
#[repr(C)]
pub struct Device<T: Driver> {
    dev: Opaque<bindings::drm_device>,
    // Opaque, as references to the device are legal when this was dropped.
    data: Opaque<T::Data>,
}

impl<T: Driver> Device<T> {
    const VTABLE: bindings::drm_driver = bindings::drm_driver {
        release: Some(Self::release),
    };

    /// For as long as there is no data to be dropped.
    const VTABLE_WITHOUT_DATA: bindings::drm_driver = bindings::drm_driver { release: None };

    /// Makes a DRM device for `parent`, with `data` in it.
    ///
    /// Stands for `UnregisteredDevice::new()`, and `drm_dev_alloc()` in C.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, and what `data` fails with.
    ///
    /// # Context
    ///
    /// May sleep.
    ///
    /// # Examples
    ///
    /// ```
    /// use devres_lazy::{
    ///     drm,
    ///     testing::TestDevice, //
    /// };
    ///
    /// struct Gpu;
    ///
    /// impl drm::Driver for Gpu {
    ///     type Data = u32;
    /// }
    ///
    /// let mut dev = TestDevice::new(c"gpu0")?;
    /// let bound = dev.bind()?;
    /// let drm = drm::Device::<Gpu>::new(&bound, Ok(42))?;
    ///
    /// assert_eq!(**drm, 42);
    /// # Ok::<(), devres_lazy::error::Error>(())
    /// ```
    pub fn new(
        parent: &device::Device<Bound>,
        data: impl PinInit<T::Data, Error>,
    ) -> Result<ARef<Self>> {
        // Nothing is aligned to more than a page.
        const { assert!(align_of::<Self>() <= PAGE_SIZE) };
        // `kmalloc()` aligns to the size if that is a multiple of the alignment.
        let layout = Layout::new::<Self>().pad_to_align();

        // SAFETY:
        // - `parent` is alive.
        // - The driver is a constant.
        // - `Self` contains a DRM device at that offset.
        let this = unsafe {
            bindings::__drm_dev_alloc(
                parent.as_raw(),
                const { &Self::VTABLE_WITHOUT_DATA },
                layout.size(),
                offset_of!(Self, dev),
            )
        };
        let this = NonNull::new(from_err_ptr(this)?)
            .ok_or(ENOMEM)?
            .cast::<Self>();
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

        undo.dismiss();
        // INVARIANT: `data` is initialised, and is dropped by the callback of this driver.
        // SAFETY: Nobody else knows of the device yet.
        unsafe { (*drm).driver = const { &Self::VTABLE } };

        // SAFETY: This takes over the first reference.
        Ok(unsafe { ARef::from_raw(this) })
    }

    /// Returns the `struct drm_device`.
    ///
    /// Private to the `kernel` crate there; what lives inside of that lives outside of this one.
    #[inline]
    pub fn as_raw(&self) -> *mut bindings::drm_device {
        self.dev.get()
    }

    /// Lends the device that a `struct drm_device` is part of.
    ///
    /// # Safety
    ///
    /// - `ptr` points to the DRM device in a `Device<T>` that [`Device::new`] made.
    /// - Somebody keeps a reference to it during `'a`.
    ///
    /// A GEM object cannot promise the second. Where that goes wrong on the host, what is lent is a
    /// device that was freed, see [`Device`].
    #[inline]
    pub unsafe fn from_raw<'a>(ptr: *const bindings::drm_device) -> &'a Self {
        const { assert!(offset_of!(Self, dev) == 0) };

        // SAFETY: The DRM device comes first. Its memory is never given back.
        unsafe { &*ptr.cast() }
    }

    #[inline]
    fn references(&self) -> i32 {
        // SAFETY: By the type's invariants; the field is atomic.
        unsafe { &(*self.as_raw()).ref_ }.read()
    }

    /// Reports a device that was freed.
    #[inline]
    #[track_caller]
    fn check(&self, who: &str) -> bool {
        // SAFETY: By the type's invariants.
        unsafe { bindings::drm_dev_check(self.as_raw(), who) }
    }

    extern "C" fn release(ptr: *mut bindings::drm_device) {
        // SAFETY: This is the callback of drivers that are set by `new()` only.
        let this = unsafe { Self::from_raw(ptr) };

        // SAFETY: Initialised by the type's invariants, and called once, when there are no
        // references any more.
        unsafe { this.data.get().drop_in_place() };
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

impl<T: Driver> AsRef<device::Device> for Device<T> {
    #[inline]
    #[track_caller]
    fn as_ref(&self) -> &device::Device {
        self.check("drm::Device::as_ref");

        // SAFETY: By the type's invariants. The field never changes.
        let parent = unsafe { (*self.as_raw()).dev };
        // SAFETY: A DRM device holds a reference to its parent, on the host also when it was freed.
        unsafe { device::Device::from_raw(parent) }
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
        // SAFETY: By the requirement of this function.
        let drm = unsafe { &raw mut (*obj.as_ptr()).dev }.cast();
        // SAFETY: The caller gives up a reference.
        unsafe { bindings::drm_dev_put(drm) };
    }
}

// SAFETY: The last reference may go on any thread, and the data is `Send`.
unsafe impl<T: Driver> Send for Device<T> {}
// SAFETY: What the C functions change is atomic, and the data is `Sync`.
unsafe impl<T: Driver> Sync for Device<T> {}

pub mod gem {
    //! GEM objects: buffers of a DRM device, as in `rust/kernel/drm/gem/mod.rs`.

    use super::Driver;
    use crate::{
        bindings,
        error::Error,
        pin_init::PinInit, //
    };

    pub use crate::impl_aref_for_gem_obj;

    /// A driver's part of a GEM object.
    pub trait DriverObject: Sync + Send + Sized + 'static {
        /// The driver that it belongs to.
        type Driver: Driver;

        /// What [`new`](Self::new) is passed besides device and size.
        type Args;

        /// Makes the driver's part of an object of `size` bytes.
        fn new(
            dev: &super::Device<Self::Driver>,
            size: usize,
            args: Self::Args,
        ) -> impl PinInit<Self, Error>;
    }

    /// A type with a `struct drm_gem_object` inside.
    pub trait IntoGEMObject: Sized {
        /// Returns that `struct drm_gem_object`, which lives as long as `self`.
        fn as_raw(&self) -> *mut bindings::drm_gem_object;

        /// Lends the object around a `struct drm_gem_object`.
        ///
        /// # Safety
        ///
        /// - `self_ptr` points to the `struct drm_gem_object` inside of a `Self`.
        /// - That lives, and is not borrowed mutably, during `'a`.
        unsafe fn from_raw<'a>(self_ptr: *mut bindings::drm_gem_object) -> &'a Self;
    }

    /// What every GEM object can do.
    pub trait BaseObject: IntoGEMObject {
        /// Returns the size of the object in bytes, a multiple of
        /// [`PAGE_SIZE`](crate::page::PAGE_SIZE). It never changes.
        fn size(&self) -> usize {
            // SAFETY: `as_raw()` points to an object.
            unsafe { (*self.as_raw()).size }
        }
    }

    impl<T: IntoGEMObject> BaseObject for T {}

    /// What abstractions need of every GEM object.
    ///
    /// Private to the `kernel` crate there; what lives inside of that lives outside of this one.
    pub trait BaseObjectPrivate: IntoGEMObject {
        /// Returns the object's reservation object, which may be another object's.
        fn raw_dma_resv(&self) -> *mut bindings::dma_resv {
            // SAFETY: `as_raw()` points to an object.
            unsafe { (*self.as_raw()).resv }
        }
    }

    impl<T: IntoGEMObject> BaseObjectPrivate for T {}
}

/// Implements [`AlwaysRefCounted`] for a type of GEM object,
/// by [`drm_gem_object_get`](crate::bindings::drm_gem_object_get) and
/// [`drm_gem_object_put`](crate::bindings::drm_gem_object_put).
///
/// Every value of the type has to be counted like that. Private to the `kernel` crate there.
///
/// # Examples
///
/// ```
/// use devres_lazy::{
///     bindings,
///     container_of,
///     drm::gem::{
///         DriverObject,
///         IntoGEMObject, //
///     },
///     impl_aref_for_gem_obj,
///     types::Opaque, //
/// };
///
/// #[repr(C)]
/// struct Object<T: DriverObject> {
///     obj: Opaque<bindings::drm_gem_object>,
///     inner: T,
/// }
///
/// impl<T: DriverObject> IntoGEMObject for Object<T> {
///     fn as_raw(&self) -> *mut bindings::drm_gem_object {
///         self.obj.get()
///     }
///
///     unsafe fn from_raw<'a>(self_ptr: *mut bindings::drm_gem_object) -> &'a Self {
///         // SAFETY: `self_ptr` is inside of a `Self`.
///         unsafe { &*container_of!(Opaque::cast_from(self_ptr), Self, obj) }
///     }
/// }
///
/// impl_aref_for_gem_obj! {
///     impl<T> for Object<T>
///     where
///         T: DriverObject
/// }
/// # fn counted<T: devres_lazy::sync::aref::AlwaysRefCounted>() {}
/// # fn all_are<T: DriverObject>() { counted::<Object<T>>() }
/// ```
#[macro_export]
macro_rules! impl_aref_for_gem_obj {
    (
        impl $( <$( $param:ident ),+ $(,)?> )? for $object:ty
        $( where $( $bound:path : $by:path ),+ $(,)? )?
    ) => {
        // SAFETY: GEM objects are counted, and live until the last reference is put.
        unsafe impl $( <$( $param ),+> )? $crate::sync::aref::AlwaysRefCounted for $object
        where
            Self: $crate::drm::gem::IntoGEMObject,
            $( $( $bound: $by ),+ )?
        {
            fn inc_ref(&self) {
                let obj = <Self as $crate::drm::gem::IntoGEMObject>::as_raw(self);
                // SAFETY: `self` is alive, so that there is a reference to it.
                unsafe { $crate::bindings::drm_gem_object_get(obj) };
            }

            unsafe fn dec_ref(obj: ::core::ptr::NonNull<Self>) {
                // SAFETY: The caller has a reference, so that the object is alive.
                let this = unsafe { obj.as_ref() };
                let obj = <Self as $crate::drm::gem::IntoGEMObject>::as_raw(this);
                // SAFETY: The caller gives that reference up.
                unsafe { $crate::bindings::drm_gem_object_put(obj) };
            }
        }
    };
}

/// Finds the struct around a field: `container_of()` of `include/linux/container_of.h`.
///
/// Takes a pointer to the field, the type of the struct, and the field's name. The result has the
/// mutability of the pointer.
///
/// # Safety
///
/// Goes into an `unsafe` block: the pointer has to be to that field of such a struct, and be valid
/// for all of it.
///
/// # Examples
///
/// ```
/// use devres_lazy::container_of;
///
/// struct Pair {
///     left: u8,
///     right: u32,
/// }
///
/// let mut pair = Pair { left: 1, right: 2 };
/// let outer = &raw mut pair;
/// // SAFETY: `outer` is valid.
/// let right = unsafe { &raw mut (*outer).right };
/// // SAFETY: `right` is that field of a `Pair`.
/// let found = unsafe { container_of!(right, Pair, right) };
///
/// assert_eq!(found, outer);
/// # assert_eq!(pair.left, 1);
/// ```
///
/// A pointer to something else than the field's type does not compile:
///
/// ```compile_fail,E0308
/// use devres_lazy::container_of;
///
/// struct Pair {
///     left: u8,
///     right: u32,
/// }
///
/// let mut pair = Pair { left: 1, right: 2 };
/// let left = &raw mut pair.left;
/// // SAFETY: It is not compiled.
/// let found = unsafe { container_of!(left, Pair, right) };
/// ```
#[macro_export]
macro_rules! container_of {
    ($field:expr, $Container:ty, $( $path:tt )+) => {{
        fn same_type<T>(_: T, _: T) {}

        let field = $field;
        let container = field
            .byte_sub(::core::mem::offset_of!($Container, $( $path )+))
            .cast::<$Container>();
        same_type(field, (&raw const (*container).$( $path )+).cast_mut());
        container
    }};
}

#[cfg(test)]
mod tests {
    use super::{
        gem::*,
        *, //
    };
    use crate::{
        alloc::{
            flags::GFP_KERNEL,
            KBox, //
        },
        bindings::collect_warnings,
        error::code::EIO,
        init::InPlaceInit,
        testing::{
            fail_nth,
            TestDevice, //
        },
    };
    use std::{
        panic::{
            catch_unwind,
            AssertUnwindSafe, //
        },
        sync::Arc,
    };

    struct Gpu;

    impl Driver for Gpu {
        type Data = Arc<&'static str>;
    }

    #[repr(C)]
    struct Buffer {
        obj: Opaque<bindings::drm_gem_object>,
        dropped: Arc<()>,
    }

    // SAFETY: GEM objects may be used from any thread.
    unsafe impl Send for Buffer {}
    // SAFETY: As above.
    unsafe impl Sync for Buffer {}

    impl Buffer {
        const FUNCS: bindings::drm_gem_object_funcs = bindings::drm_gem_object_funcs {
            free: Some(Self::free),
        };

        fn new(drm: &Device<Gpu>, size: usize, dropped: Arc<()>) -> Result<ARef<Self>> {
            let obj = bindings::drm_gem_object {
                funcs: const { &Self::FUNCS },
                ..Default::default()
            };
            let this = KBox::init(
                Self {
                    obj: Opaque::new(obj),
                    dropped,
                },
                GFP_KERNEL,
            )?;
            // SAFETY: The object is new.
            let ret = unsafe { bindings::drm_gem_object_init(drm.as_raw(), this.as_raw(), size) };
            crate::error::to_result(ret)?;
            // SAFETY: This takes over the first reference.
            Ok(unsafe { ARef::from_raw(NonNull::new(KBox::into_raw(this)).unwrap()) })
        }

        extern "C" fn free(obj: *mut bindings::drm_gem_object) {
            // SAFETY: The callback is of this type's objects.
            let this = unsafe { container_of!(Opaque::cast_from(obj), Self, obj) }.cast_mut();
            // SAFETY: Nobody uses it any more.
            unsafe { bindings::drm_gem_object_release(obj) };
            // SAFETY: Allocated like this.
            drop(unsafe { KBox::from_raw(this) });
        }
    }

    impl IntoGEMObject for Buffer {
        fn as_raw(&self) -> *mut bindings::drm_gem_object {
            self.obj.get()
        }

        unsafe fn from_raw<'a>(self_ptr: *mut bindings::drm_gem_object) -> &'a Self {
            // SAFETY: By the requirement of this function.
            let this = unsafe { container_of!(Opaque::cast_from(self_ptr), Self, obj) };
            // SAFETY: As before.
            unsafe { &*this }
        }
    }

    impl_aref_for_gem_obj! {
        impl for Buffer
    }

    #[test]
    fn data_goes_with_the_last_reference() {
        let mut dev = TestDevice::new(c"gpu0").unwrap();
        let data = Arc::new("data");
        let parent = dev.device();
        let bound = dev.bind().unwrap();

        let drm = Device::<Gpu>::new(&bound, Ok(data.clone())).unwrap();
        let other = drm.clone();
        let device: &device::Device = (*drm).as_ref();
        assert_eq!(device.as_raw(), parent.as_raw());
        drop(drm);
        assert_eq!(**other, data);
        drop(other);
        assert_eq!(Arc::strong_count(&data), 1);
    }

    #[test]
    fn a_failed_device_leaves_nothing() {
        let mut dev = TestDevice::new(c"gpu0").unwrap();
        let bound = dev.bind().unwrap();
        let data = Arc::new("data");

        let fault = fail_nth(1);
        let result = Device::<Gpu>::new(&bound, Ok(data.clone()));
        assert_eq!(result.err(), Some(ENOMEM));
        drop(fault);
        assert_eq!(Arc::strong_count(&data), 1);

        // SAFETY: An initialiser may fail at once.
        let failing = unsafe { crate::pin_init::pin_init_from_closure(|_| Err(EIO)) };
        assert_eq!(Device::<Gpu>::new(&bound, failing).err(), Some(EIO));

        // SAFETY: Or not come back.
        let panicking = unsafe { crate::pin_init::pin_init_from_closure(|_| panic!("init")) };
        let caught = catch_unwind(AssertUnwindSafe(|| {
            Device::<Gpu>::new(&bound, panicking).is_ok()
        }));
        assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"init"));
    }

    #[test]
    fn a_freed_device_is_loud() {
        let mut dev = TestDevice::new(c"gpu0").unwrap();
        let parent = dev.device();
        let bound = dev.bind().unwrap();
        let drm = Device::<Gpu>::new(&bound, Ok(Arc::new("data"))).unwrap();
        let raw = drm.as_raw();
        drop(drm);

        // SAFETY: The memory of a DRM device is never given back.
        let freed = unsafe { Device::<Gpu>::from_raw(raw) };
        let (device, warnings) = collect_warnings(|| {
            let device: &device::Device = freed.as_ref();
            device.as_raw()
        });
        assert_eq!(device, parent.as_raw());
        assert!(warnings[0].starts_with("BUG: use after free in drm::Device::as_ref()"));
        assert!(warnings[0].contains("gpu0"));

        let ((), warnings) = collect_warnings(|| drop(ARef::from(freed)));
        assert_eq!(warnings.len(), 2);

        // There is no going on without the data.
        let (caught, _) = collect_warnings(|| catch_unwind(AssertUnwindSafe(|| freed.len())));
        assert!(caught.is_err());
        assert!(catch_unwind(AssertUnwindSafe(|| freed.len())).is_err());
    }

    #[test]
    fn objects_are_counted() {
        let mut dev = TestDevice::new(c"gpu0").unwrap();
        let bound = dev.bind().unwrap();
        let drm = Device::<Gpu>::new(&bound, Ok(Arc::new("data"))).unwrap();
        let dropped = Arc::new(());

        let buffer = Buffer::new(&drm, 2 * PAGE_SIZE, dropped.clone()).unwrap();
        assert_eq!(buffer.size(), 2 * PAGE_SIZE);
        assert!(!buffer.raw_dma_resv().is_null());
        // SAFETY: The object is alive.
        let again: ARef<Buffer> = unsafe { Buffer::from_raw(buffer.as_raw()) }.into();
        drop(buffer);
        assert_eq!(Arc::strong_count(&again.dropped), 2);
        drop(again);
        assert_eq!(Arc::strong_count(&dropped), 1);
    }

    #[test]
    fn an_object_without_references_is_loud() {
        let mut obj = bindings::drm_gem_object::default();
        // SAFETY: The object is as new, and the device is not used but in names.
        unsafe { bindings::drm_gem_private_object_init(core::ptr::null_mut(), &mut obj, 0) };
        obj.funcs = const { &bindings::drm_gem_object_funcs { free: None } };
        let obj = &raw mut obj;

        let ((), warnings) = collect_warnings(|| {
            // SAFETY: The object is alive; that there are no references left is the point.
            unsafe { bindings::drm_gem_object_put(obj) };
            // SAFETY: As above.
            unsafe { bindings::drm_gem_object_get(obj) };
            // SAFETY: As above.
            unsafe { bindings::drm_gem_object_put(obj) };
        });
        assert_eq!(warnings.len(), 3, "{warnings:?}");
        assert!(warnings[0].starts_with("WARN_ON(!obj->funcs->free)"));
        assert!(warnings[1].starts_with("refcount_t: addition on 0; use-after-free: GEM object"));
        assert!(warnings[2].starts_with("refcount_t: underflow; use-after-free: GEM object"));
    }
}
