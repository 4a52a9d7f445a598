// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `#[vtable]`: which functions of a trait are implemented.

use kernel::prelude::*;

/// The operations of a driver.
#[vtable]
trait Operations {
    /// Each driver can.
    fn open(&self) -> u32;

    /// Some drivers can.
    fn read(&self) -> Result<u32> {
        Err(ENOSYS)
    }

    /// A raw name, and one that is not always there.
    #[cfg(test)]
    fn r#move(&self) -> u32 {
        0
    }
}

struct OpenOnly;

#[vtable]
impl Operations for OpenOnly {
    fn open(&self) -> u32 {
        1
    }
}

struct All;

#[vtable]
impl Operations for All {
    fn open(&self) -> u32 {
        2
    }

    fn read(&self) -> Result<u32> {
        Ok(3)
    }

    #[cfg(test)]
    fn r#move(&self) -> u32 {
        4
    }
}

/// The constants of a driver.
fn has<T: Operations>() -> [bool; 3] {
    [T::HAS_OPEN, T::HAS_READ, T::HAS_MOVE]
}

#[test]
fn constants_say_what_is_implemented() {
    assert_eq!(has::<OpenOnly>(), [true, false, false]);
    assert_eq!(has::<All>(), [true, true, true]);
    assert_eq!(
        (OpenOnly.open(), OpenOnly.read(), OpenOnly.r#move()),
        (1, Err(ENOSYS), 0)
    );
    assert_eq!((All.open(), All.read(), All.r#move()), (2, Ok(3), 4));
}
