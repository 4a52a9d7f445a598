// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Objects for a KUnit suite of another crate, which compares its own instances of [`Object`] with
//! them.
//!
//! Each crate compiles its own instance of the generic function [`Object::new()`]. All instances
//! must use one lock class for the slot that they make. The suite is in
//! `samples/rust/rust_devres_lazy.rs`.

use super::{
    Object,
    ObjectConfig, //
};
use crate::{
    bindings,
    device::{
        Bound,
        Device,
        DeviceContext, //
    },
    devres::{
        kunit_lockdep,
        kunit_skip,
        Entry, //
    },
    drm::{
        self,
        gem::DriverObject, //
    },
    faux,
    page::PAGE_SIZE,
    prelude::*,
    scatterlist::SGTable,
    str::CString,
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            Relaxed, //
        }, //
    }, //
};

/// The size of the objects.
pub const SIZE: usize = 16 * PAGE_SIZE;

/// The driver of the objects that this crate makes.
struct KunitDriver;

/// The driver's part of an open file.
struct KunitFile;

/// The driver's part of an object.
#[pin_data]
struct KunitObject {}

type Gem = Object<KunitObject>;

impl drm::file::DriverFile for KunitFile {
    type Driver = KunitDriver;

    fn open(_dev: &drm::Device<KunitDriver>) -> Result<Pin<KBox<Self>>> {
        Ok(KBox::new(Self, GFP_KERNEL)?.into())
    }
}

impl DriverObject for KunitObject {
    type Driver = KunitDriver;
    type Args = ();

    fn new(
        _dev: &drm::Device<KunitDriver>,
        _size: usize,
        _args: Self::Args,
    ) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {})
    }
}

#[vtable]
impl drm::Driver for KunitDriver {
    type Data = ();
    type RegistrationData<'a> = ();
    type File = KunitFile;
    type Object = Gem;
    type ParentDevice<Ctx: DeviceContext> = faux::Device<Ctx>;

    const INFO: drm::DriverInfo = drm::DriverInfo {
        major: 0,
        minor: 0,
        patchlevel: 0,
        name: c"lazy-kunit-crates",
        desc: c"KUnit driver for objects of two crates",
    };
    const IOCTLS: &'static [drm::ioctl::DrmIoctlDescriptor] = &[];
}

/// An object that this crate's code creates and uses, whichever crate calls it.
pub struct KernelObject {
    // Dropped before the parent of its DRM device.
    obj: ARef<Gem>,
    parent: faux::Registration,
    is_bound: bool,
}

impl KernelObject {
    /// Creates an object, and a device for it that supports DMA.
    ///
    /// # Errors
    ///
    /// `ENODEV` or `ENOMEM` if there is no memory.
    #[inline(never)]
    pub fn new() -> Result<Self> {
        // Each device has another name. A test that oopses leaves its device registered, and the
        // next tests still register theirs.
        static COUNT: Atomic<u32> = Atomic::new(0);
        let number = COUNT.fetch_add(1, Relaxed);
        let name = CString::try_from_fmt(fmt!("lazy-kunit-crates.{number}"))?;

        let parent = faux::Registration::new(&name, None)?;
        let drm = drm::UnregisteredDevice::<KunitDriver>::new(parent.as_ref(), Ok(()))?;
        let dev: &Device<Bound> = parent.as_ref().as_ref();
        reach_all_memory(dev);

        Ok(Self {
            obj: Gem::new(&drm, SIZE, ObjectConfig::default(), ())?,
            parent,
            is_bound: true,
        })
    }

    /// Returns the device below, to which an object of another crate can belong as well.
    ///
    /// # Errors
    ///
    /// `ENODEV` if the device is not bound.
    pub fn parent(&self) -> Result<&faux::Device<Bound>> {
        if self.is_bound {
            Ok(self.parent.as_ref())
        } else {
            Err(ENODEV)
        }
    }

    /// Unbinds that device.
    pub fn unbind(&mut self) {
        let dev: &Device<Bound> = self.parent.as_ref().as_ref();
        let dev = dev.as_raw();

        self.is_bound = false;
        // SAFETY: The device is registered. `self` is borrowed exclusively, so no reference to the
        // bound device is left.
        unsafe { bindings::device_release_driver(dev) };
    }

    /// As [`Object::sg_table()`].
    ///
    /// # Errors
    ///
    /// `ENODEV` if the device is not bound, and those of [`Object::sg_table()`].
    #[inline(never)]
    pub fn sg_table(&self) -> Result<&SGTable> {
        self.obj.sg_table(self.parent()?.as_ref())
    }

    /// Returns whether the table is mapped.
    #[inline(never)]
    pub fn is_mapped(&self) -> bool {
        self.obj.try_sg_table().is_some()
    }

    /// As [`lock_class()`].
    #[inline(never)]
    pub fn lock_class(&self) -> Option<LockClass> {
        lock_class(&self.obj, self.parent().ok()?.as_ref())
    }
}

/// Lets a device reach all memory by DMA. A faux device has no mask by itself.
fn reach_all_memory(dev: &Device<Bound>) {
    let dev = dev.as_raw();

    // SAFETY: The device is valid, and new, so no other thread uses its mask.
    let mask = unsafe { &raw mut (*dev).coherent_dma_mask };
    // SAFETY: The device is valid, and no other thread uses its mask.
    unsafe { mask.write(u64::MAX) };
    // SAFETY: The device is valid, and no other thread uses its mask.
    unsafe { (*dev).dma_mask = mask };
}

/// A lock class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LockClass(kunit_lockdep::LockClass);

/// Returns the lock class of an object's slot, which is empty; [`None`] if lockdep is not on.
pub fn lock_class<T: DriverObject>(obj: &Object<T>, dev: &Device<Bound>) -> Option<LockClass> {
    let Ok(Entry::Vacant(_slot)) = obj.sgt.entry(dev) else {
        return None;
    };

    kunit_lockdep::last_class().map(LockClass)
}

/// Returns whether the kernel has lockdep, and lockdep has not turned itself off.
pub fn lockdep_is_on() -> bool {
    kunit_lockdep::lockdep_is_on()
}

/// Marks the running test as skipped. The test then returns the result of this function.
///
/// # Errors
///
/// `EINVAL` if this thread runs no test.
pub fn skip(why: &CStr) -> Result {
    kunit_skip::skip(why)
}
