// SPDX-License-Identifier: Apache-2.0 OR MIT

//! An initialiser that never makes anything: it is not taken for one that makes `()`.

#![deny(warnings)]

use kernel::{
    device::Device, devres_lazy, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice,
};
use std::panic::{catch_unwind, AssertUnwindSafe};

#[allow(dead_code)]
struct Table(u32);

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,
    is_old: bool,

    #[lazy(fn returns -> Table, device = &self.dev, init = return Err(ENODEV))]
    returns: Table,

    #[lazy(fn nested -> [u32], device = &self.dev, init = {
        if self.is_old {
            return Err(EOPNOTSUPP);
        }
        todo!("the new layout")
    })]
    nested: Vec<u32>,

    #[lazy(fn branches, device = &self.dev, init = match self.is_old {
        true => return Err(EIO),
        false => unimplemented!(),
    })]
    branches: Table,

    #[lazy(fn fails -> Table, device = &self.dev, init = Err(ENOTTY)?)]
    fails: Table,

    #[lazy(fn fails_in_a_block -> Table, device = &self.dev, init = { Err(ENOTTY)? })]
    fails_in_a_block: Table,

    #[lazy(fn fails_by_type -> Table, device = &self.dev, init = Err::<Table, Error>(ENOTTY)?)]
    fails_by_type: Table,

    #[lazy(fn spins -> Table, device = &self.dev, init = loop {
        if !self.is_old {
            continue;
        }
        return Err(EBUSY);
    })]
    spins: Table,

    #[lazy(fn later -> Table, device = &self.dev, init = todo!(), peek = later_if_mapped)]
    later: Table,
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let queue = KBox::pin_init(
        try_pin_init!(Queue {
            dev,
            is_old: true,
            returns <- new_lazy!(),
            nested <- new_lazy!(),
            branches <- new_lazy!(),
            fails <- new_lazy!(),
            fails_in_a_block <- new_lazy!(),
            fails_by_type <- new_lazy!(),
            spins <- new_lazy!(),
            later <- new_lazy!(),
        }),
        GFP_KERNEL,
    )?;

    assert_eq!(queue.returns(&bound).err(), Some(ENODEV));
    assert_eq!(queue.nested(&bound).err(), Some(EOPNOTSUPP));
    assert_eq!(queue.branches(&bound).err(), Some(EIO));
    assert_eq!(queue.fails(&bound).err(), Some(ENOTTY));
    assert_eq!(queue.fails_in_a_block(&bound).err(), Some(ENOTTY));
    assert_eq!(queue.fails_by_type(&bound).err(), Some(ENOTTY));
    assert_eq!(queue.spins(&bound).err(), Some(EBUSY));
    std::panic::set_hook(Box::new(|_| ()));
    let later = catch_unwind(AssertUnwindSafe(|| queue.later(&bound).is_ok()));
    assert!(later.is_err());
    assert!(queue.later_if_mapped(&bound)?.is_none());
    bound.unbind();
    Ok(())
}
