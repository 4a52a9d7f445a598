// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Statics, constants, unit structs and constant parameters that are called as the locals of what is
//! generated, and as the field: to rustc a pattern of that name is no local.
//!
//! None is called `slot`, which `#[pin_data]` of pinned-init 0.0.10 does not bear.

#![allow(non_camel_case_types, non_upper_case_globals)]

use kernel::{
    device::Device, devres_lazy, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice,
};

struct Table(u32);

static local: u32 = 1;
const place: u32 = 2;
static mut populate: u32 = 3;
struct owner;
struct owner2(#[allow(dead_code)] u32);
static other: u32 = 4;
const table: u32 = 5;
static table_is_send_and_sync: u32 = 6;
static begins_with_teardown: u32 = 7;
const N: usize = 2;
const N1: usize = 1;
enum Kind {
    view,
}
use Kind::view;

#[devres_lazy]
#[pin_data]
struct Queue<const view2: usize> {
    dev: ARef<Device>,

    #[lazy(
        fn table -> [u32],
        device = &self.dev,
        init = vec![local, place, other, table, table_is_send_and_sync, begins_with_teardown],
        peek = table_if_mapped,
        try_access = try_table,
        revoke = unmap_table,
    )]
    table: Vec<u32>,

    #[lazy(fn first -> [u32; view2], device = &self.dev, init = [local; view2], peek = peek)]
    view2: [u32; view2],

    #[lazy(fn view, device = &self.dev, init = Table(place))]
    view: Table,
}

#[devres_lazy]
#[pin_data(PinnedDrop)]
struct Ring<const slot2: usize> {
    dev: ARef<Device>,

    #[lazy(fn owner, device = &self.dev, init = Table(local), revoke = revoke)]
    owner: Table,
}

#[devres_lazy]
#[pinned_drop]
impl<const slot2: usize> PinnedDrop for Ring<slot2> {
    fn drop(self: Pin<&mut Self>) {}
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let mut queue = KBox::pin_init(
        try_pin_init!(Queue::<N> {
            dev,
            table <- new_lazy!(),
            view2 <- new_lazy!(),
            view <- new_lazy!(),
        }),
        GFP_KERNEL,
    )?;

    assert_eq!(queue.table(&bound)?, [1, 2, 4, 5, 6, 7]);
    assert!(queue.table_if_mapped(&bound)?.is_some() && queue.try_table().is_some());
    queue.as_mut().unmap_table();
    assert_eq!(queue.first(&bound)?, &[1, 1]);
    assert!(queue.peek(&bound)?.is_some());
    assert_eq!(queue.view(&bound)?.0, 2);

    let dev = bound.device();
    let mut ring = KBox::pin_init(
        try_pin_init!(Ring::<N1> { dev, owner <- new_lazy!() }),
        GFP_KERNEL,
    )?;
    assert_eq!(ring.owner(&bound)?.0, 1);
    ring.as_mut().revoke();

    // They are all used.
    let _ = (
        owner,
        owner2(1),
        matches!(view, Kind::view),
        &raw const populate,
    );
    bound.unbind();
    Ok(())
}
