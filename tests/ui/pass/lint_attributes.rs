// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What the author lets pass on a field or on the struct is let pass in what is generated from it.

#![deny(warnings)]
#![deny(deprecated, non_snake_case, non_camel_case_types, unreachable_code)]

use kernel::{
    device::Device, devres_lazy, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice,
};

#[deprecated]
struct OldTable(u32);

#[allow(non_camel_case_types)]
struct table_of_hw(u32);

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[allow(deprecated)]
    #[lazy(
        fn old -> OldTable,
        device = &self.dev,
        init = OldTable(1),
        peek = old_if_mapped,
        try_access = try_old,
        revoke = unmap_old,
    )]
    old: OldTable,

    #[cfg_attr(all(), allow(non_snake_case))]
    #[lazy(fn PTE -> table_of_hw, device = &self.dev, init = table_of_hw(2), peek = PTE_if_mapped)]
    pte: table_of_hw,

    // The field meets the one expectation, and the accessor the other.
    #[expect(deprecated)]
    #[lazy(fn expected -> OldTable, device = &self.dev, init = OldTable(3))]
    expected: OldTable,

    #[expect(non_snake_case)]
    #[lazy(fn PDE -> u32, device = &self.dev, init = 5)]
    pde: u32,

    #[allow(unreachable_code, clippy::diverging_sub_expression)]
    #[lazy(fn never -> u32, device = &self.dev, init = { return Err(EIO); 4 })]
    never: u32,
}

/// The lints of the struct are those of its fields too.
#[devres_lazy]
#[pin_data]
#[allow(deprecated)]
struct Old {
    dev: ARef<Device>,
    #[lazy(fn table -> OldTable, device = &self.dev, init = OldTable(7))]
    table: OldTable,
}

/// An expectation that a field meets.
#[devres_lazy]
#[pin_data(PinnedDrop)]
#[expect(deprecated)]
struct Older {
    dev: ARef<Device>,
    #[lazy(fn table -> OldTable, device = &self.dev, init = OldTable(8))]
    table: OldTable,
}

#[devres_lazy]
#[pinned_drop]
impl PinnedDrop for Older {
    fn drop(self: Pin<&mut Self>) {}
}

/// As one is written.
#[allow(deprecated)]
mod allowed_outside {
    use super::*;

    #[devres_lazy]
    #[pin_data]
    #[deprecated = "use `Queue`"]
    pub(super) struct OldQueue {
        pub(super) dev: ARef<Device>,

        #[lazy(pub(super) fn table -> OldTable, device = &self.dev, init = OldTable(5))]
        pub(super) table: OldTable,
    }
}

#[devres_lazy]
#[pin_data]
#[allow(non_snake_case)]
struct Ring {
    dev: ARef<Device>,
    #[lazy(fn TABLE -> u32, device = &self.dev, init = 6, revoke = UNMAP)]
    table: u32,
}

#[allow(deprecated)]
use allowed_outside::OldQueue;

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let mut queue = KBox::pin_init(
        try_pin_init!(Queue {
            dev,
            old <- new_lazy!(),
            pte <- new_lazy!(),
            expected <- new_lazy!(),
            pde <- new_lazy!(),
            never <- new_lazy!(),
        }),
        GFP_KERNEL,
    )?;

    #[allow(deprecated)]
    {
        assert_eq!(queue.old(&bound)?.0, 1);
        assert_eq!(queue.expected(&bound)?.0, 3);
        assert!(queue.old_if_mapped(&bound)?.is_some() && queue.try_old().is_some());
    }
    queue.as_mut().unmap_old();
    assert_eq!(queue.PTE(&bound)?.0, 2);
    assert!(queue.PTE_if_mapped(&bound)?.is_some());
    assert_eq!(queue.PDE(&bound)?, &5);
    assert_eq!(queue.never(&bound).err(), Some(EIO));

    let dev = bound.device();
    let mut ring = KBox::pin_init(
        try_pin_init!(Ring { dev, table <- new_lazy!() }),
        GFP_KERNEL,
    )?;
    assert_eq!(ring.TABLE(&bound)?, &6);
    ring.as_mut().UNMAP();

    let dev = bound.device();
    let struct_ = KBox::pin_init(try_pin_init!(Old { dev, table <- new_lazy!() }), GFP_KERNEL)?;
    let dev = bound.device();
    let older = KBox::pin_init(
        try_pin_init!(Older { dev, table <- new_lazy!() }),
        GFP_KERNEL,
    )?;
    #[allow(deprecated)]
    {
        assert_eq!(struct_.table(&bound)?.0, 7);
        assert_eq!(older.table(&bound)?.0, 8);
    }

    let dev = bound.device();
    #[allow(deprecated)]
    let old = KBox::pin_init(
        try_pin_init!(OldQueue { dev, table <- new_lazy!() }),
        GFP_KERNEL,
    )?;
    #[allow(deprecated)]
    {
        assert_eq!(old.table(&bound)?.0, 5);
    }
    bound.unbind();
    Ok(())
}
