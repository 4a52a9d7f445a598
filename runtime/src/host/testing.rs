// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Test support that only the host has: devices that are bound and unbound at will, and ways to
//! make things fail.
//!
//! The kernel has nothing of this module. Tests of driver code use it, and driver code does not:
//!
//! - [`TestDevice`] and [`Binding`]: a device, and the time during which a driver is bound to it.
//!   [`Device::as_bound()`] is for threads and callbacks;
//! - [`Driver`]: a driver with callbacks;
//! - [`PciDevice`] and [`PciModule`]: a PCI device, and the module that a driver's file declares;
//! - [`install_firmware()`]: a file that drivers request as firmware;
//! - [`fail_nth()`]: the n-th allocation of this thread fails;
//! - [`Task`]: a thread to which other threads send signals;
//! - [`collect_warnings()`]: the warnings of the kernel as text, in place of a panic;
//! - [`collect_printed()`]: the output of `dev_*!` and `pr_*!`;
//! - [`ledger()`]: the DMA mappings of a device;
//! - [`rcu_grace_periods()`]: the number of grace periods that threads have waited for.

use crate::{
    alloc::flags::GFP_KERNEL,
    bindings,
    device::{Bound, Core, Device},
    error::{
        code::{EBUSY, EINVAL, ENODEV, ENOMEM},
        from_err_ptr, to_result, Result,
    },
    str::CStr,
    sync::aref::ARef,
};
use core::{
    ffi::{c_int, c_void},
    fmt,
    marker::PhantomData,
    mem::ManuallyDrop,
    ops::Deref,
    pin::Pin,
    ptr::{self, NonNull},
};
use std::{
    any::Any,
    ffi::CString,
    sync::{Arc, Mutex, PoisonError},
};

pub use super::{
    drm_file::DrmFile,
    pci_device::{DriverData, PciBinding, PciConfig, PciDevice},
    pci_module::{name_of_module, ModuleData, ModuleInfo, PciModule},
};
pub use crate::{
    bindings::{collect_printed, collect_warnings, install_firmware, ledger, Ledger, Printed},
    fault::{fail_nth, FailNth},
    signal::Task,
    sync::rcu::rcu_grace_periods,
};

/// A device that a test binds and unbinds.
///
/// A `TestDevice` is one `struct device` with one address, however often it is bound. Dropping the
/// `TestDevice` unbinds the driver, if one is bound. The `struct device` lives until the last
/// reference is put.
///
/// # Examples
///
/// ```
/// use kernel::{prelude::*, testing::TestDevice};
///
/// let mut gpu = TestDevice::new(c"gpu0")?;
///
/// let bound = gpu.bind()?;
/// assert_eq!(bound.name(), c"gpu0");
/// bound.unbind();
///
/// // The same device again.
/// let rebound = gpu.bind()?;
/// # drop(rebound);
/// # Ok::<(), Error>(())
/// ```
pub struct TestDevice {
    dev: ARef<Device>,
    /// The driver that was bound last, which the device may still have.
    driver: Option<Arc<dyn Any + Send + Sync>>,
}

impl TestDevice {
    /// Makes a device with this name. No driver is bound to the device, which reaches all memory by
    /// DMA.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if there is no memory.
    ///
    /// # Context
    ///
    /// May sleep.
    pub fn new(name: &CStr) -> Result<Self> {
        // SAFETY: `name` is a C string.
        let dev = from_err_ptr(unsafe { bindings::root_device_register(name.as_ptr()) })?;

        // CAST: `Device` is a transparent wrapper.
        // SAFETY: It is not an error pointer, and not null, as the function does not return that.
        let dev = unsafe { NonNull::new_unchecked(dev.cast::<Device>()) };

        // SAFETY: The function has returned the reference that the device was made with.
        Ok(Self::of(unsafe { ARef::from_raw(dev) }))
    }

    /// Returns a device of a bus. No driver is bound, and no other code binds one.
    pub(super) fn of(dev: ARef<Device>) -> Self {
        Self { dev, driver: None }
    }

    /// Binds a driver, for as long as the result exists.
    ///
    /// The driver does nothing in its `probe` and `unbind`.
    ///
    /// # Errors
    ///
    /// - `EBUSY` if a driver is bound, because an earlier result was forgotten and not dropped.
    /// - `EBUSY`, with a warning, if the device has managed resources left over.
    /// - `EPROBE_DEFER` if the device has a link to a supplier that has no driver.
    /// - `ENODEV` if [`set_driver_override()`](Self::set_driver_override) has named another driver.
    ///
    /// # Context
    ///
    /// May sleep.
    #[track_caller]
    pub fn bind(&mut self) -> Result<Binding<'_>> {
        self.probe(|_| Ok(()))
    }

    /// Binds a driver with this `probe` function, for as long as the result exists. `probe` returns
    /// the driver's private data.
    ///
    /// As in the kernel, `probe` is called with the device's lock held, and may register resources
    /// with the device. If `probe` fails, these resources are released, and the slots that `probe`
    /// has populated are revoked.
    ///
    /// # Unbind
    ///
    /// Unbind drops the data first, and then releases the device's managed resources.
    ///
    /// # Errors
    ///
    /// The error that `probe` returns, `ENOMEM` if there is no memory for the data, and the errors
    /// of [`bind()`](Self::bind). The device is then unbound, and keeps nothing that `probe` has
    /// registered.
    ///
    /// # Panics
    ///
    /// If `probe` panics, or if releasing a resource after `probe` has failed panics. The device is
    /// then unbound, too.
    ///
    /// # Context
    ///
    /// May sleep.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::{devres::Devres, prelude::*, testing::TestDevice};
    ///
    /// struct Data {
    ///     registers: Devres<[u32; 4]>,
    /// }
    ///
    /// let mut gpu = TestDevice::new(c"gpu0")?;
    /// let bound = gpu.probe(|dev| {
    ///     Ok(Data {
    ///         registers: Devres::new(dev, [0, 1, 2, 3])?,
    ///     })
    /// })?;
    /// assert_eq!(bound.data().registers.access(&bound)?[2], 2);
    /// bound.unbind();
    ///
    /// let failed = gpu.probe(|_| Err::<(), _>(EPROBE_DEFER));
    /// assert_eq!(failed.err(), Some(EPROBE_DEFER));
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn probe<D: Send + 'static>(
        &mut self,
        probe: impl FnOnce(&Device<Core<'_>>) -> Result<D>,
    ) -> Result<Binding<'_, D>> {
        self.attach(Driver::new(probe))
    }

    /// As [`probe()`](Self::probe), with a driver that also has an `unbind` callback, or a name.
    ///
    /// # Errors
    ///
    /// As for [`probe()`](Self::probe).
    ///
    /// # Panics
    ///
    /// As for [`probe()`](Self::probe).
    ///
    /// # Context
    ///
    /// May sleep.
    #[track_caller]
    pub fn attach<D: Send + 'static>(&mut self, driver: Driver<'_, D>) -> Result<Binding<'_, D>> {
        let Driver {
            name,
            probe,
            unbind,
        } = driver;
        let mut probe = Some(probe);
        let dev = self.dev.as_raw();

        // SAFETY: The device is valid, and is unlocked before this function returns.
        let lock = unsafe { bindings::device_guard(dev) };
        // SAFETY: The device is valid.
        if !unsafe { bindings::device_get_driver(dev) }.is_null() {
            return Err(EBUSY);
        }
        let driver = Arc::new(Callbacks {
            driver: bindings::device_driver {
                name: name.as_ptr(),
                probe: Some(Callbacks::<D>::probe),
                remove: Some(Callbacks::<D>::remove),
                p_cb: bindings::device_driver__bindgen_ty_1 {
                    post_unbind_rust: Some(Callbacks::<D>::post_unbind),
                },
            },
            _name: name,
            probe: Mutex::new(NonNull::from(&mut probe).cast()),
            unbind: Mutex::new(unbind),
        });
        // CAST: The driver is the first field of `Callbacks`.
        let drv = Arc::as_ptr(&driver).cast();
        // The device has no driver, so no code uses the driver that is dropped here.
        self.driver = Some(driver);

        // SAFETY: Both are valid.
        if !unsafe { bindings::driver_match_device(drv, dev) } {
            return Err(ENODEV);
        }
        // SAFETY: The lock is held. `self` owns the driver until the device is unbound, and its
        // functions are made for data of type `D` and for `probe`, which is there for the call.
        let ret = unsafe { bindings::driver_probe_device(drv, dev) };
        drop(lock);
        // Errors of the driver are positive.
        to_result(-ret.abs())?;

        // INVARIANT: It is bound, and its private data is a `D`.
        Ok(Binding {
            device: self,
            _data: PhantomData,
        })
    }

    /// Names the only driver that may bind the device, or with [`None`] allows all: stands for
    /// `driver_override` in sysfs.
    ///
    /// A bound driver stays bound. A driver is called `test` unless [`Driver::name()`] gives it
    /// another name.
    pub fn set_driver_override(&self, name: Option<&CStr>) {
        let name = name.unwrap_or_default();
        let (s, len) = (name.as_ptr(), name.count_bytes());

        // SAFETY: The device is valid, and the name is a C string.
        unsafe { bindings::__device_set_driver_override(self.dev.as_raw(), s, len) };
    }

    /// Returns a reference to the device, which may outlive a binding. [`Binding::device()`] does
    /// the same while a driver is bound.
    pub fn device(&self) -> ARef<Device> {
        self.dev.clone()
    }

    /// Lets the device reach addresses of up to `bits` bits by DMA, 1 to 64, from now on.
    ///
    /// With 24 bits the device reaches no memory, and mapping fails with `EIO`. The first failure
    /// raises a warning.
    ///
    /// # Panics
    ///
    /// If `bits` is out of range.
    pub fn set_dma_mask(&self, bits: u32) {
        assert!((1..=64).contains(&bits), "a DMA mask has 1 to 64 bits");

        // SAFETY: The device is valid.
        unsafe { bindings::dma_set_mask(self.dev.as_raw(), u64::MAX >> (64 - bits)) };
    }
}

impl fmt::Debug for TestDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestDevice")
            .field("dev", &self.dev)
            .finish_non_exhaustive()
    }
}

impl Drop for TestDevice {
    fn drop(&mut self) {
        // SAFETY: The device is valid, as `self` owns a reference. `&mut self` shows that there is
        // no `Binding`, and so no `Device<Bound>` that is still borrowed.
        unsafe { bindings::device_del(self.dev.as_raw()) };
    }
}

/// The `probe` function of a driver.
type Probe<'p, D> = Box<dyn FnOnce(&Device<Core<'_>>) -> Result<D> + 'p>;

/// The `unbind` callback of a driver.
type Unbind<D> = Box<dyn FnOnce(&Device<Core<'_>>, Pin<&D>) + Send>;

/// A driver, for [`TestDevice::attach()`]. `D` is its private data.
///
/// # Examples
///
/// ```
/// use kernel::{
///     prelude::*,
///     testing::{Driver, TestDevice},
/// };
///
/// let mut gpu = TestDevice::new(c"gpu0")?;
/// let driver = Driver::new(|_dev| Ok(5)).unbind(|dev, data| {
///     assert_eq!(dev.name(), c"gpu0");
///     assert_eq!(*data, 5);
/// });
/// gpu.attach(driver)?.unbind();
/// # Ok::<(), Error>(())
/// ```
#[must_use = "a driver does nothing until it is attached"]
pub struct Driver<'p, D> {
    name: CString,
    probe: Probe<'p, D>,
    unbind: Option<Unbind<D>>,
}

impl<'p, D: Send + 'static> Driver<'p, D> {
    /// Makes a driver that has only this `probe` function: see [`TestDevice::probe()`].
    pub fn new(probe: impl FnOnce(&Device<Core<'_>>) -> Result<D> + 'p) -> Self {
        Self {
            name: c"test".to_owned(),
            probe: Box::new(probe),
            unbind: None,
        }
    }

    /// Names the driver, for [`TestDevice::set_driver_override()`].
    pub fn name(mut self, name: &CStr) -> Self {
        self.name = name.to_owned();
        self
    }

    /// Adds the callback that unbind calls first, with the device's lock held: the `unbind()` of a
    /// Rust driver, `remove` in C.
    pub fn unbind(
        mut self,
        unbind: impl FnOnce(&Device<Core<'_>>, Pin<&D>) + Send + 'static,
    ) -> Self {
        self.unbind = Some(Box::new(unbind));
        self
    }
}

impl<D> fmt::Debug for Driver<'_, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A [`Driver`] in the form that the driver core uses.
#[repr(C)]
struct Callbacks<D> {
    /// The first field: the code casts a pointer to it to a pointer to the struct.
    driver: bindings::device_driver,
    _name: CString,
    /// Points to an `Option<Probe<'_, D>>`, which is there while the driver core probes.
    probe: Mutex<NonNull<c_void>>,
    unbind: Mutex<Option<Unbind<D>>>,
}

// SAFETY: `probe` is used by the thread only that calls `attach()`, during that call. The rest may
// be used on any thread.
unsafe impl<D> Send for Callbacks<D> {}

// SAFETY: The fields that change have locks; see above for what `probe` points to.
unsafe impl<D> Sync for Callbacks<D> {}

impl<D: Send + 'static> Callbacks<D> {
    /// Returns the callbacks of the driver that a device has.
    ///
    /// # Safety
    ///
    /// `dev` must be valid, and its driver must be that of a `Callbacks<D>`, and stay for `'a`.
    unsafe fn of<'a>(dev: *mut bindings::device) -> &'a Self {
        // SAFETY: The caller promises that `dev` is valid.
        let driver = unsafe { bindings::device_get_driver(dev) };

        // CAST: `driver` is the first field of a `Callbacks<D>`.
        // SAFETY: The caller promises that it is there for `'a`.
        unsafe { &*driver.cast() }
    }

    unsafe extern "C-unwind" fn probe(dev: *mut bindings::device) -> c_int {
        // SAFETY: The driver core calls this for the device of the driver that it probes.
        let this = unsafe { Self::of(dev) };
        let probe = this.probe.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: `attach()` is waiting for this call, and has stored a pointer to its variable.
        let probe = unsafe { probe.cast::<Option<Probe<'_, D>>>().as_mut() }.take();
        // SAFETY: The device is in a callback of its driver, and its lock is held.
        let dev = unsafe { Device::<Core<'_>>::from_raw(dev) };

        let data = probe
            .ok_or(EINVAL)
            .and_then(|probe| probe(dev))
            .and_then(|data| {
                // A type without a size needs no memory.
                if size_of::<D>() != 0 {
                    GFP_KERNEL.try_alloc()?;
                }
                Ok(Box::new(data))
            });
        match data {
            Ok(data) => {
                let data = Box::into_raw(data).cast();
                // SAFETY: The device is valid, and the other two callbacks expect a box of a `D`.
                unsafe { bindings::dev_set_drvdata(dev.as_raw(), data) };
                0
            }
            Err(error) => error.to_errno(),
        }
    }

    unsafe extern "C-unwind" fn remove(dev: *mut bindings::device) -> c_int {
        // SAFETY: The driver core calls this for the device of the driver that it unbinds.
        let this = unsafe { Self::of(dev) };
        let unbind = this
            .unbind
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        // SAFETY: The device is in a callback of its driver, and its lock is held.
        let dev = unsafe { Device::<Core<'_>>::from_raw(dev) };
        // SAFETY: The device is valid.
        let data = unsafe { bindings::dev_get_drvdata(dev.as_raw()) }.cast::<D>();

        if let Some(unbind) = unbind {
            // SAFETY: `probe()` has succeeded and stored it, and it is dropped after this.
            let data = unsafe { &*data };
            // SAFETY: The data stays where it is until it is dropped.
            unbind(dev, unsafe { Pin::new_unchecked(data) });
        }
        0
    }

    unsafe extern "C-unwind" fn post_unbind(dev: *mut bindings::device) {
        // SAFETY: The device is valid.
        let data = unsafe { bindings::dev_get_drvdata(dev) }.cast::<D>();
        // SAFETY: The device is valid, and its driver's other callbacks have returned.
        unsafe { bindings::dev_set_drvdata(dev, ptr::null_mut()) };

        // There is none if the probe has failed.
        if !data.is_null() {
            // SAFETY: `probe()` has got the pointer from `into_raw()`.
            drop(unsafe { Box::from_raw(data) });
        }
    }
}

/// The time during which a driver is bound to a [`TestDevice`].
///
/// A `Binding` gives access to the `Device<Bound>` and to the driver's private data, `D`. Dropping
/// the `Binding` unbinds the driver, as `__device_release_driver()` does:
///
/// 1. The drivers of the device's [consumers](Consumer) are unbound.
/// 2. The driver's `unbind` callback is called.
/// 3. The driver's private data is dropped.
/// 4. The device's managed resources are released, the newest first.
/// 5. DMA mappings that are left are reported.
///
/// The borrow checker ensures that no `&Device<Bound>` exists at that point:
///
/// ```compile_fail,E0505
/// # use kernel::{device::{Bound, Device}, testing::TestDevice};
/// let mut gpu = TestDevice::new(c"gpu0").unwrap();
/// let bound = gpu.bind().unwrap();
///
/// let dev: &Device<Bound> = &bound;
/// bound.unbind();
/// println!("{dev:?}"); // too late
/// ```
///
/// In the right order, the code compiles:
///
/// ```
/// # use kernel::{device::{Bound, Device}, testing::TestDevice};
/// let mut gpu = TestDevice::new(c"gpu0").unwrap();
/// let bound = gpu.bind().unwrap();
///
/// let dev: &Device<Bound> = &bound;
/// println!("{dev:?}");
/// bound.unbind();
/// ```
///
/// A `&Device<Bound>` does not outlive a rebind either, also if the binding was forgotten:
///
/// ```compile_fail,E0499
/// # use kernel::{device::{Bound, Device}, testing::TestDevice};
/// let mut gpu = TestDevice::new(c"gpu0").unwrap();
///
/// let dev: &Device<Bound> = &*Box::leak(Box::new(gpu.bind().unwrap()));
/// let rebound = gpu.bind().unwrap();
/// println!("{dev:?}"); // of the first binding
/// ```
///
/// An `ARef<Device>`, which does not claim that a driver is bound, may outlive the binding:
///
/// ```
/// # use kernel::testing::TestDevice;
/// let mut gpu = TestDevice::new(c"gpu0").unwrap();
///
/// let dev = gpu.bind().unwrap().device();
/// let rebound = gpu.bind().unwrap();
/// println!("{dev:?}");
/// assert_eq!(dev.as_raw(), rebound.as_raw());
/// ```
///
/// # Invariants
///
/// A driver is bound to the device as long as `self` exists, and the driver's private data is a box
/// of a `D`.
#[must_use = "the driver is unbound immediately when the binding is unused"]
pub struct Binding<'a, D = ()> {
    device: &'a mut TestDevice,
    _data: PhantomData<Box<D>>,
}

impl<'a, D> Binding<'a, D> {
    /// Returns the driver's private data, which its `probe` has returned.
    pub fn data(&self) -> &D {
        // SAFETY: The device is valid.
        let data = unsafe { bindings::dev_get_drvdata(self.as_raw()) };

        // SAFETY: By the type invariant the data is a `D`, which unbind drops. The result borrows
        // `self`, and if the binding was forgotten, the device stays borrowed.
        unsafe { &*data.cast() }
    }

    /// Makes another device a consumer of this device, by a managed device link. Unbinding this
    /// device then unbinds the consumer first. Unbinding the consumer deletes the link.
    ///
    /// # Errors
    ///
    /// `EINVAL` if this device is a consumer of the other device, or if there is no memory. The
    /// other device is then unbound.
    pub fn add_consumer<'c, C>(&'c self, consumer: Binding<'c, C>) -> Result<Consumer<'c, C>> {
        // SAFETY: Both are valid. `Consumer` shows the consumer as bound only while `self` is
        // borrowed, and so while this device is not unbound.
        let link = unsafe {
            bindings::device_link_add(
                consumer.as_raw(),
                self.as_raw(),
                bindings::DL_FLAG_AUTOREMOVE_CONSUMER,
            )
        };
        if link.is_null() {
            return Err(EINVAL);
        }

        Ok(Consumer(ManuallyDrop::new(consumer)))
    }

    /// Opens a group of managed resources. All resources registered from now on are in the group.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if there is no memory.
    pub fn open_group(&self) -> Result<Group> {
        // SAFETY: The device is valid. With a null identity, the group gets one.
        let id = unsafe { bindings::devres_open_group(self.as_raw(), ptr::null_mut(), 0) };

        if id.is_null() {
            return Err(ENOMEM);
        }
        Ok(Group(id))
    }

    /// Closes a group. Resources registered from now on are not in the group.
    ///
    /// # Panics
    ///
    /// If the group is closed already, or is not a group of this binding.
    #[track_caller]
    pub fn close_group(&self, group: &Group) {
        // SAFETY: The device is valid.
        unsafe { bindings::devres_close_group(self.as_raw(), group.0) };
    }

    /// Releases the resources in a group, the newest first, and returns their number. The device
    /// stays bound.
    ///
    /// # Panics
    ///
    /// If the group is not a group of this binding. If releasing a resource panics, the other
    /// resources are released first. If the device has no resources, a group of another binding is
    /// not detected, as in C.
    ///
    /// # Context
    ///
    /// May sleep.
    #[track_caller]
    pub fn release_group(&mut self, group: Group) -> usize {
        // SAFETY: The device is valid. `&mut self` shows that no code has a `Device<Bound>`, and so
        // a reference that ends when the device is unbound.
        let count = unsafe { bindings::devres_release_group(self.as_raw(), group.0) };

        usize::try_from(count).unwrap_or(0)
    }

    /// Removes a group, and keeps its resources.
    ///
    /// # Panics
    ///
    /// If the group is not a group of this binding.
    #[track_caller]
    pub fn remove_group(&self, group: Group) {
        // SAFETY: The device is valid.
        unsafe { bindings::devres_remove_group(self.as_raw(), group.0) };
    }

    /// Unbinds the driver, as dropping does.
    ///
    /// # Context
    ///
    /// May sleep: unbind waits for an RCU grace period for each [`Devres`](crate::devres::Devres),
    /// and for threads that are dropping a resource.
    ///
    /// # Panics
    ///
    /// - If the driver's `unbind` callback, the drop of its data, or a release function panics. The
    ///   other steps of unbind are done first.
    /// - If a DMA mapping of the device is left.
    /// - If the thread holds the RCU read lock. The device then stays bound, unless the thread is
    ///   panicking already.
    #[track_caller]
    pub fn unbind(self) {}

    /// Returns a reference to the device, which may outlive the binding.
    pub fn device(&self) -> ARef<Device> {
        self.device.device()
    }

    /// As [`TestDevice::set_dma_mask()`].
    ///
    /// # Panics
    ///
    /// If `bits` is out of range.
    pub fn set_dma_mask(&self, bits: u32) {
        self.device.set_dma_mask(bits);
    }
}

impl<D> fmt::Debug for Binding<'_, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Binding")
            .field("device", &self.device)
            .finish_non_exhaustive()
    }
}

impl<D> Deref for Binding<'_, D> {
    type Target = Device<Bound>;

    #[inline]
    fn deref(&self) -> &Device<Bound> {
        // SAFETY: By the type invariant the device is bound as long as `self` exists, which the
        // result borrows. If `self` is forgotten meanwhile, no code unbinds the device: the
        // `TestDevice` is borrowed as well.
        unsafe { self.device.dev.as_bound() }
    }
}

impl<D> AsRef<Device<Bound>> for Binding<'_, D> {
    #[inline]
    fn as_ref(&self) -> &Device<Bound> {
        self
    }
}

impl<D> Drop for Binding<'_, D> {
    fn drop(&mut self) {
        // SAFETY: The device is valid, as the `TestDevice` owns a reference. All code that relies
        // on the device being bound has borrowed `self`, and so has a `Consumer` of this device.
        unsafe { bindings::device_release_driver(self.device.dev.as_raw()) };
    }
}

/// A group of managed resources: see [`Binding::open_group()`].
#[derive(Debug)]
pub struct Group(*mut c_void);

/// The time during which a driver is bound to a device that is a consumer of another one: see
/// [`Binding::add_consumer()`].
///
/// Dropping a `Consumer` leaves the driver bound. The driver is unbound when the supplier is
/// unbound, before the supplier's `unbind` callback is called, or when the device is dropped.
pub struct Consumer<'a, D = ()>(ManuallyDrop<Binding<'a, D>>);

impl<D> Consumer<'_, D> {
    /// Unbinds the driver, and deletes the link to the supplier.
    ///
    /// # Context
    ///
    /// May sleep.
    ///
    /// # Panics
    ///
    /// As for [`Binding::unbind()`].
    #[track_caller]
    pub fn unbind(self) {
        ManuallyDrop::into_inner(self.0).unbind();
    }
}

impl<'a, D> Deref for Consumer<'a, D> {
    type Target = Binding<'a, D>;

    #[inline]
    fn deref(&self) -> &Binding<'a, D> {
        &self.0
    }
}

impl<D> fmt::Debug for Consumer<'_, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Consumer").field(&*self.0).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        devres::{self, Devres},
        prelude::*,
        sync::rcu,
    };
    use std::{
        ffi::CString,
        mem,
        panic::{catch_unwind, AssertUnwindSafe},
        sync::{atomic::Ordering::Relaxed, Arc},
        thread,
    };

    #[test]
    fn a_rebound_device_keeps_its_address() {
        let mut dev = TestDevice::new(c"dev0").unwrap();
        let raw = dev.device().as_raw();

        for _ in 0..3 {
            let bound = dev.bind().unwrap();
            assert_eq!(bound.as_raw(), raw);
            assert_eq!(AsRef::<Device<Bound>>::as_ref(&bound).as_raw(), raw);
            bound.unbind();
        }
    }

    #[test]
    fn a_forgotten_binding_stays_until_the_device_goes() {
        let value = Arc::new(());
        let mut dev = TestDevice::new(c"dev1").unwrap();

        let bound = dev.bind().unwrap();
        devres::register(&bound, value.clone(), GFP_KERNEL).unwrap();
        let kept = Devres::new(&bound, value.clone()).unwrap();
        mem::forget(bound);

        assert_eq!(dev.bind().err(), Some(EBUSY));
        assert!(kept.try_access().is_some());
        assert_eq!(Arc::strong_count(&value), 3);

        drop(dev);
        assert!(kept.try_access().is_none());
        assert_eq!(Arc::strong_count(&value), 1);
    }

    #[test]
    fn devices_and_bindings_go_to_other_threads() {
        let mut dev = TestDevice::new(c"dev2").unwrap();
        let bound = dev.bind().unwrap();

        thread::scope(|s| {
            let shared: &Device<Bound> = &bound;
            s.spawn(move || assert_eq!(shared.name(), c"dev2"));
        });
        thread::scope(|s| {
            s.spawn(move || bound.unbind());
        });
        thread::spawn(move || drop(dev)).join().unwrap();
    }

    #[test]
    fn unbinding_under_rcu_is_loud_and_undoes_nothing() {
        let mut dev = TestDevice::new(c"dev5").unwrap();
        let bound = dev.bind().unwrap();
        let value = Devres::new(&bound, 5).unwrap();
        {
            let _guard = rcu::read_lock();
            let report = catch_unwind(AssertUnwindSafe(|| bound.unbind())).unwrap_err();
            let report = report.downcast_ref::<String>().unwrap();
            assert!(report.contains("device_release_driver()"), "{report}");
        }
        assert_eq!(value.try_access().map(|v| *v), Some(5));
        assert_eq!(dev.bind().err(), Some(EBUSY));
        drop(dev);
        assert!(value.try_access().is_none());
    }

    /// Panics when it is dropped, and says before that it was.
    struct Bomb(Arc<()>);

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("told to panic, {} left", Arc::strong_count(&self.0) - 1);
        }
    }

    /// Runs `f`, which has to panic with `text`.
    #[track_caller]
    fn panics(text: &str, f: impl FnOnce()) {
        let report = catch_unwind(AssertUnwindSafe(f)).unwrap_err();
        let report = report
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| report.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        assert!(
            report.as_ref().is_some_and(|report| report.contains(text)),
            "{report:?}"
        );
    }

    /// Asserts that nothing is left of `value`, and that the device can be bound.
    #[track_caller]
    fn usable(dev: &mut TestDevice, value: &Arc<()>) {
        assert_eq!(Arc::strong_count(value), 1);
        // SAFETY: The device is valid.
        let status = unsafe { &*dev.dev.as_raw() }.links.status.load(Relaxed);
        assert_eq!(status, bindings::dl_dev_state_DL_DEV_NO_DRIVER);
        dev.bind().unwrap().unbind();
    }

    #[test]
    fn a_probe_that_panics_leaves_nothing() {
        let value = Arc::new(());
        let mut dev = TestDevice::new(c"dev6").unwrap();

        panics("in probe", || {
            let _ = dev.probe(|dev| -> Result {
                devres::register(dev, value.clone(), GFP_KERNEL)?;
                panic!("in probe");
            });
        });
        usable(&mut dev, &value);
    }

    #[test]
    fn an_unbind_that_panics_leaves_nothing() {
        type Step = fn(&mut TestDevice, Arc<()>);

        let steps: [Step; 3] = [
            // The driver's callback; its data and its resources go all the same.
            |dev, value| {
                let driver = Driver::new(|dev| {
                    devres::register(dev, value.clone(), GFP_KERNEL)?;
                    Ok(value.clone())
                })
                .unbind(|_, _| panic!("told to panic"));
                dev.attach(driver).unwrap().unbind();
            },
            // The drop of its data.
            |dev, value| {
                let bound = dev
                    .probe(|dev| {
                        devres::register(dev, value.clone(), GFP_KERNEL)?;
                        Ok(Bomb(value.clone()))
                    })
                    .unwrap();
                bound.unbind();
            },
            // A release, between two others.
            |dev, value| {
                let bound = dev
                    .probe(|dev| {
                        devres::register(dev, value.clone(), GFP_KERNEL)?;
                        devres::register(dev, Bomb(value.clone()), GFP_KERNEL)?;
                        devres::register(dev, value.clone(), GFP_KERNEL)
                    })
                    .unwrap();
                bound.unbind();
            },
        ];
        for step in steps {
            let value = Arc::new(());
            let mut dev = TestDevice::new(c"dev7").unwrap();
            panics("told to panic", || step(&mut dev, value.clone()));
            usable(&mut dev, &value);
        }

        // A release after a probe that has failed.
        let value = Arc::new(());
        let mut dev = TestDevice::new(c"dev7").unwrap();
        panics("told to panic", || {
            let _ = dev.probe(|dev| -> Result {
                devres::register(dev, value.clone(), GFP_KERNEL)?;
                devres::register(dev, Bomb(value.clone()), GFP_KERNEL)?;
                Err(EIO)
            });
        });
        usable(&mut dev, &value);
    }

    #[test]
    fn no_memory_for_driver_data() {
        let value = Arc::new(());
        let mut dev = TestDevice::new(c"dev8").unwrap();

        let fault = fail_nth(1);
        let failed = dev.probe(|_| Ok(value.clone()));
        assert_eq!(failed.err(), Some(ENOMEM));
        assert!(fault.tripped());
        drop(fault);
        usable(&mut dev, &value);
    }

    #[test]
    fn callbacks_run_under_the_lock_of_the_device() {
        let mut dev = TestDevice::new(c"dev9").unwrap();
        let kept = dev.device();
        let other = kept.clone();

        let driver = Driver::new(|dev| {
            let raw = dev.as_raw();
            // SAFETY: The device is valid.
            panics("deadlock", || unsafe {
                bindings::device_release_driver(raw)
            });
            Ok(())
        })
        .unbind(move |_, _| {
            let raw = other.as_raw();
            // SAFETY: The device is valid.
            panics("deadlock", || unsafe {
                bindings::device_release_driver(raw)
            });
        });
        let bound = dev.attach(driver).unwrap();

        // Not while it is bound.
        let raw = kept.as_raw();
        // SAFETY: The device is valid, and unlocked below.
        unsafe { bindings::device_lock(raw) };
        // SAFETY: The device is valid, and this thread holds its lock.
        unsafe { bindings::device_unlock(raw) };
        bound.unbind();
    }

    #[test]
    fn consumers_are_unbound_first() {
        let log = Arc::new(std::sync::Mutex::new(Vec::new()));
        let noted = |name| {
            let log = log.clone();
            Driver::new(|_| Ok(())).unbind(move |_, _| log.lock().unwrap().push(name))
        };
        let mut devices = ["dev10", "dev11", "dev12"]
            .map(|name| TestDevice::new(&CString::new(name).unwrap()).unwrap());
        let [supplier, middle, last] = &mut devices;
        {
            let supplier = supplier.attach(noted(0)).unwrap();
            let middle = supplier
                .add_consumer(middle.attach(noted(1)).unwrap())
                .unwrap();
            let last = middle.add_consumer(last.attach(noted(2)).unwrap()).unwrap();
            assert_eq!(last.name(), c"dev12");
            supplier.unbind();
        }
        assert_eq!(*log.lock().unwrap(), [2, 1, 0]);
        for dev in &mut devices {
            dev.bind().unwrap().unbind();
        }
    }

    #[test]
    fn a_consumer_waits_for_its_supplier() {
        let mut supplier = TestDevice::new(c"dev13").unwrap();
        let mut consumer = TestDevice::new(c"dev14").unwrap();
        let link = |consumer: &TestDevice, supplier: &TestDevice| {
            let (consumer, supplier) = (consumer.dev.as_raw(), supplier.dev.as_raw());
            // SAFETY: Both are valid, and this test keeps no reference to a bound consumer when it
            // unbinds the supplier.
            unsafe { bindings::device_link_add(consumer, supplier, 0) }
        };
        assert!(!link(&consumer, &supplier).is_null());
        assert!(link(&supplier, &consumer).is_null(), "a cycle");

        let mut is_probed = false;
        let deferred = consumer.probe(|_| {
            is_probed = true;
            Ok(())
        });
        assert_eq!(deferred.err(), Some(EPROBE_DEFER));
        assert!(!is_probed);

        let bound = supplier.bind().unwrap();
        mem::forget(consumer.bind().unwrap());
        bound.unbind();
        // The link has stayed, and there is no supplier.
        assert_eq!(consumer.bind().err(), Some(EPROBE_DEFER));
        drop(supplier);
        consumer.bind().unwrap().unbind();
    }

    #[test]
    fn no_memory_no_device() {
        let _fault = fail_nth(1);
        assert_eq!(TestDevice::new(c"dev3").err(), Some(ENOMEM));
    }

    #[test]
    #[should_panic(expected = "1 to 64 bits")]
    fn a_mask_has_bits() {
        TestDevice::new(c"dev4").unwrap().set_dma_mask(0);
    }
}
