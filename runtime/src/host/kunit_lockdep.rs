// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The lock validator's state, for the KUnit suites.
//!
//! Stands for a file of the same name that is added to the kernel.

pub(crate) use crate::lockdep::{last_class, LockClass};

/// Whether the validator reports nothing more after its first report.
#[cfg(test)]
pub(crate) const GIVES_UP: bool = false;

/// Returns whether locks are checked, as they always are here.
pub(crate) fn lockdep_is_on() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{drm::gem::shmem::crates_kunit::KernelObject, new_mutex, prelude::*, sync::Mutex};

    #[test]
    fn the_last_class_is_that_of_the_last_lock() -> Result {
        let object = KernelObject::new()?;
        let other: Pin<KBox<Mutex<()>>> = KBox::pin_init(new_mutex!(()), GFP_KERNEL)?;
        assert!(last_class().is_none());

        let _other = other.lock();
        let before = last_class();
        let class = object.lock_class();
        assert!(class.is_some());
        assert_eq!(class, KernelObject::new()?.lock_class());
        // The lock of the slot was dropped.
        assert!(before.is_some());
        assert_eq!(last_class(), before);
        Ok(())
    }
}
