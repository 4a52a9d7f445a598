// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The steps of a history.

use super::world::{Fault, Site};

/// The highest number of objects.
pub(crate) const OBJECTS: usize = 3;

/// The number of devices.
pub(crate) const DEVICES: usize = 2;

/// One step. Fields are numbered as if there were many; an object has fewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Creates an object for a device, in place of the one that has the number.
    Create {
        object: usize,
        device: usize,
    },
    Access {
        object: usize,
        field: usize,
        device: usize,
    },
    /// Calls the accessor, while the `nth` allocation fails.
    AccessWithoutMemory {
        object: usize,
        field: usize,
        device: usize,
        nth: u64,
    },
    Peek {
        object: usize,
        field: usize,
        device: usize,
    },
    TryAccess {
        object: usize,
        field: usize,
    },
    Revoke {
        object: usize,
        field: usize,
    },
    Free {
        object: usize,
    },
    Bind {
        device: usize,
    },
    Unbind {
        device: usize,
    },
    /// The code of the objects fails the next time that it comes to a place.
    Arm {
        site: Site,
        fault: Fault,
    },
}

impl Step {
    /// The step that these bytes stand for.
    pub(crate) fn from_bytes([what, whose, detail]: [u8; 3]) -> Self {
        let number = |shift: u32, end: usize| usize::from(whose >> shift) % end;
        let object = number(0, 4) % OBJECTS;
        let field = number(2, 4);
        let device = number(4, 4) % DEVICES;
        let nth = 1 + u64::from(detail % 8);

        match what % 32 {
            0..=3 => Self::Create { object, device },
            4..=12 => Self::Access {
                object,
                field,
                device,
            },
            13 | 14 => Self::AccessWithoutMemory {
                object,
                field,
                device,
                nth,
            },
            15..=17 => Self::Peek {
                object,
                field,
                device,
            },
            18 | 19 => Self::TryAccess { object, field },
            20 | 21 => Self::Revoke { object, field },
            22 | 23 => Self::Free { object },
            24..=26 => Self::Bind { device },
            27 | 28 => Self::Unbind { device },
            _ => Self::Arm {
                site: Site::ALL[usize::from(detail) % Site::ALL.len()],
                fault: if detail >= 128 {
                    Fault::Error
                } else {
                    Fault::Panic
                },
            },
        }
    }
}
