// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What a KUnit suite of another crate compares its own instances of [`Object`] with.
//!
//! Stands for a file of the same name that is added to the kernel. The suite is that of the sample
//! driver, `kernel/tree/samples/rust/rust_devres_lazy.rs`.

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
    devres::Entry,
    drm::{
        self,
        gem::DriverObject, //
    },
    faux,
    lockdep,
    page::PAGE_SIZE,
    prelude::*,
    scatterlist::SGTable,
    sync::aref::ARef, //
};

/// How large the objects are.
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
        name: c"lazy-kunit",
        desc: c"KUnit driver for lazily mapped objects",
    };
    const IOCTLS: &'static [drm::ioctl::DrmIoctlDescriptor] = &[];
}

/// An object that this crate's code creates and uses, whoever asks it to.
pub struct KernelObject {
    // Goes before the parent of its DRM device.
    obj: ARef<Gem>,
    parent: faux::Registration,
    is_bound: bool,
}

impl KernelObject {
    /// Creates an object, and a device for it.
    ///
    /// # Errors
    ///
    /// `ENODEV` or `ENOMEM` if there is no memory.
    #[inline(never)]
    pub fn new() -> Result<Self> {
        let parent = faux::Registration::new(c"lazy-kunit", None)?;
        let drm = drm::UnregisteredDevice::<KunitDriver>::new(parent.as_ref(), Ok(()))?;

        Ok(Self {
            obj: Gem::new(&drm, SIZE, ObjectConfig::default(), ())?,
            parent,
            is_bound: true,
        })
    }

    /// Returns the device below, to which an object of another crate can belong, too.
    ///
    /// # Errors
    ///
    /// `ENODEV` if it is not bound.
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
        // SAFETY: The device is registered. Nobody borrows it as a bound one, since `self` is
        // exclusively borrowed.
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

/// A lock class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LockClass(lockdep::LockClass);

/// Returns the lock class of an object's slot, which is empty.
pub fn lock_class<T: DriverObject>(obj: &Object<T>, dev: &Device<Bound>) -> Option<LockClass> {
    let Ok(Entry::Vacant(_slot)) = obj.sgt.entry(dev) else {
        return None;
    };

    lockdep::last_class().map(LockClass)
}

/// Returns whether locks are checked, as they always are here.
pub fn lockdep_is_on() -> bool {
    true
}

/// Marks the running test as skipped, which then returns what this returns.
///
/// # Errors
///
/// `EINVAL` if this thread runs no test.
pub fn skip(why: &CStr) -> Result {
    // SAFETY: There are no requirements.
    let test = unsafe { bindings::kunit_get_current_test() };
    // SAFETY: A test that this thread runs is valid, and nobody else sets its status.
    let test = unsafe { test.as_mut() }.ok_or(EINVAL)?;

    test.status = bindings::kunit_status_KUNIT_SKIPPED;
    let len = test.status_comment.len() - 1;
    for (to, from) in test.status_comment[..len].iter_mut().zip(why.to_bytes()) {
        *to = *from;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        new_mutex,
        sync::Mutex, //
    };

    #[test]
    fn the_class_is_that_of_the_slot() -> Result {
        let object = KernelObject::new()?;
        let other: Pin<KBox<Mutex<()>>> = KBox::pin_init(new_mutex!(()), GFP_KERNEL)?;

        let _other = other.lock();
        let class = object.lock_class();
        assert!(class.is_some());
        // The slot is not held any more.
        assert_ne!(class, lockdep::last_class().map(LockClass));
        assert_eq!(class, KernelObject::new()?.lock_class());
        Ok(())
    }

    #[test]
    fn a_test_is_skipped() {
        let (result, why) = bindings::kunit::with(|| skip(c"not today"));

        assert_eq!(result, Ok(()));
        assert_eq!(why.as_deref(), Some("not today"));
        // No test runs.
        assert_eq!(skip(c"not today"), Err(EINVAL));
    }
}
