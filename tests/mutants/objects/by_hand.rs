// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The object by hand, and the kernel's suite of the contract over it. A module of the copy.

mod object;
mod resv;
// Its kernel mappings are those of the library's object.
#[path = "../vmap.rs"]
mod vmap;

#[path = "../../../../../../../kernel/tree/rust/kernel/drm/gem/shmem/contract_kunit.rs"]
mod contract_kunit;

use super::{BaseObject, DriverObject};
use crate::drm::driver::AllocImpl;
use object::{Object, ObjectConfig};
use resv::DmaResvGuard;

impl<T: DriverObject> AllocImpl for Object<T> {
    type Driver = T::Driver;
}
