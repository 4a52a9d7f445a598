// SPDX-License-Identifier: GPL-2.0

//! `Devres::access()` fails when the data was revoked: what is added to `rust/kernel/devres.rs` and
//! `rust/kernel/revocable.rs`. Each part is taken from here by name: the documentation and the
//! statements of `access()`, the function of `Revocable`, and the test.

impl<T> Revocable<T> {
    /// Returns whether the wrapped object has been revoked.
    ///
    /// If it has not, it may be revoked right after this, unless the caller rules that out.
    pub(crate) fn is_revoked(&self) -> bool {
        !self.is_available.load(Relaxed)
    }
}

impl<T: Send + 'static> Devres<T> {
    /// [`ENXIO`] is returned if the resource has been revoked: `dev` has been unbound since this
    /// [`Devres`] instance was created, and may have been bound again.
    ///
    fn access<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a T> {
        // `dev` may have been unbound, which revokes the data, and bound again.
        if self.data().is_revoked() {
            return Err(ENXIO);
        }

        // SAFETY: `self.data` has not been revoked, as checked above. `dev` is the device of this
        // `Devres`, and the returned reference does not outlive it. Unbind revokes `self.data` once
        // `dev` has ended, except in a callback that unbind itself still lends a bound device.
        Ok(unsafe { self.data().access() })
    }
}

#[kunit_tests(rust_devres)]
mod tests {
    use super::*;
    use crate::faux;

    // Binding the device again does not bring back what unbinding it has revoked.
    #[test]
    fn access_after_rebind() -> Result {
        let reg = faux::Registration::new(c"devres-rebind", None)?;
        let dev: &Device<Bound> = reg.as_ref().as_ref();
        let devres = Devres::new(dev, 42)?;
        let before = devres.access(dev).copied();

        // SAFETY: The device is registered, and nobody holds its lock.
        unsafe { bindings::device_release_driver(dev.as_raw()) };
        // SAFETY: The device is registered, and nobody holds its lock.
        let attached = unsafe { bindings::device_attach(dev.as_raw()) };
        let after = devres.access(dev).err();
        drop(reg);

        assert_eq!(before, Ok(42));
        assert_eq!(attached, 1);
        assert_eq!(after, Some(ENXIO));
        Ok(())
    }
}
