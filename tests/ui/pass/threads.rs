// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Threads that race get the same one; the object goes where its parts go.

use kernel::{
    device::Device, devres_lazy, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice,
};
use std::{
    ptr,
    sync::{
        atomic::{AtomicU32, Ordering::Relaxed},
        Barrier,
    },
    thread,
};

static MADE: AtomicU32 = AtomicU32::new(0);

struct Table(u32);

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(
        fn table -> Table,
        device = &self.dev,
        init = Table(MADE.fetch_add(1, Relaxed)),
    )]
    table: Table,
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let queue = KBox::pin_init(
        try_pin_init!(Queue {
            dev,
            table <- new_lazy!(),
        }),
        GFP_KERNEL,
    )?;

    let start = Barrier::new(4);
    let racer = || {
        start.wait();
        queue.table(&bound).map(|table| ptr::from_ref(table).addr())
    };
    let addresses: Vec<_> = thread::scope(|scope| {
        let racers: Vec<_> = (0..4).map(|_| scope.spawn(racer)).collect();
        racers
            .into_iter()
            .map(|racer| racer.join().unwrap())
            .collect()
    });

    let table = queue.table(&bound)?;
    assert!(addresses
        .iter()
        .all(|address| *address == Ok(ptr::from_ref(table).addr())));
    assert_eq!((table.0, MADE.load(Relaxed)), (0, 1));

    // To the thread that drops it.
    thread::spawn(move || drop(queue)).join().unwrap();
    bound.unbind();
    Ok(())
}
