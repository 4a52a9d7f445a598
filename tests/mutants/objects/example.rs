// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The head of the annotated object, and the kernel's suite of the contract over it. A module of the
//! copy: the text of the example from its imports to its `main()` follows.

mod resv;
mod sg_table;
// Its kernel mappings are those of the library's object.
#[path = "../vmap.rs"]
mod vmap;

#[path = "../../../../../../../kernel/tree/rust/kernel/drm/gem/shmem/contract_kunit.rs"]
mod contract_kunit;

use super::BaseObject;
use crate::drm::driver::AllocImpl;
use resv::DmaResvGuard;

impl<T: DriverObject> AllocImpl for Object<T> {
    type Driver = T::Driver;
}

