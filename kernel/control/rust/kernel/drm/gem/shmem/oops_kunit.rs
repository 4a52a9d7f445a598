// SPDX-License-Identifier: GPL-2.0

//! A read through the reference that the accessor by hand returns after a rebind.

use super::contract_kunit::Gpu;
use crate::{
    devres::kunit_support::{
        ensure,
        ensure_ok, //
    },
    prelude::*, //
};

// A separate suite, to be run alone: the kernel does not survive it.
#[kunit_tests(rust_lazy_oops)]
mod tests {
    use super::*;

    /// As `rebind` of the contract, and then reads from the returned table. No code here is unsafe.
    #[test]
    fn read_after_rebind() -> Result {
        let mut gpu = Gpu::new()?;
        let obj = gpu.object()?;
        ensure_ok!(obj.sg_table(gpu.bound()?), "the first access");

        gpu.dev.unbind();
        gpu.rebind()?;

        let table = ensure_ok!(obj.sg_table(gpu.bound()?), "after a rebind");
        let entries = table.iter().count();
        ensure!(entries > 0, "the table has no entries");
        Ok(())
    }
}
