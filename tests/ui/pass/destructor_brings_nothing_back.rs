// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What an own destructor does with the slot, it cannot populate it again: the resource would
//! outlive other parts of the object.

use kernel::{
    device::{Bound, Device},
    devres_lazy, new_lazy,
    prelude::*,
    sync::aref::ARef,
    testing::TestDevice,
};
use std::sync::{Arc, Mutex};

/// What the destructor has seen.
type Seen = Arc<Mutex<Vec<Result<u32>>>>;

#[devres_lazy]
#[pin_data(PinnedDrop)]
struct Queue {
    dev: ARef<Device>,
    bound: &'static Device<Bound>,
    seen: Seen,

    #[lazy(
        fn number -> u32,
        device = &self.dev,
        init = 42,
        peek = number_if_made,
        revoke = unmake_number,
    )]
    number: u32,
}

#[devres_lazy]
#[pinned_drop]
impl PinnedDrop for Queue {
    fn drop(mut self: Pin<&mut Self>) {
        let (bound, seen) = (self.bound, self.seen.clone());

        seen.lock().unwrap().push(self.number(bound).copied());
        self.as_mut().unmake_number();
        seen.lock().unwrap().push(self.number(bound).copied());
        assert!(self.number_if_made(bound).is_ok_and(|number| number.is_none()));
    }
}

fn main() -> Result {
    // A device that stays bound for ever: only so has a destructor one that is bound.
    let gpu: &'static mut TestDevice = Box::leak(Box::new(TestDevice::new(c"gpu0")?));
    let bound: &'static Device<Bound> = Box::leak(Box::new(gpu.bind()?));
    let seen = Seen::default();
    let of_queue = seen.clone();

    let queue = KBox::try_pin_init(
        try_pin_init!(Queue {
            dev: bound.into(),
            bound,
            seen: of_queue,
            number <- new_lazy!(),
        }),
        GFP_KERNEL,
    )?;
    assert_eq!(queue.number(bound), Ok(&42));

    drop(queue);
    assert_eq!(*seen.lock().unwrap(), [Err(ENXIO), Err(ENXIO)]);
    Ok(())
}
