// SPDX-License-Identifier: Apache-2.0 OR MIT

//! An own destructor begins with the teardown, whatever it is written like.

use kernel::{
    device::Device, devres_lazy, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice,
};
use std::sync::{Arc, Mutex};

/// What was dropped, in order.
type Log = Arc<Mutex<Vec<&'static str>>>;

/// Says when it is dropped.
struct Tell(&'static str, Log);

impl Drop for Tell {
    fn drop(&mut self) {
        self.1.lock().unwrap().push(self.0);
    }
}

fn take(log: &Log) -> Vec<&'static str> {
    std::mem::take(&mut log.lock().unwrap())
}

#[devres_lazy]
#[pin_data(PinnedDrop)]
struct Queue<T: 'static> {
    dev: ARef<Device>,
    log: Log,
    extra: Option<T>,

    #[lazy(
        fn first -> Tell,
        device = &self.dev,
        init = Tell("first", self.log.clone()),
    )]
    first: Tell,

    other: Tell,

    #[lazy(
        fn second -> Tell,
        device = &self.dev,
        init = Tell("second", self.log.clone()),
        peek = second_if_mapped,
    )]
    second: Tell,
}

#[devres_lazy]
#[pinned_drop]
impl<T: 'static> PinnedDrop for Queue<T> {
    #[inline]
    fn drop(mut self: Pin<&mut Self>) {
        self.log.lock().unwrap().push("own");
        drop(self.as_mut().extra().take());
    }
}

impl<T: 'static> Queue<T> {
    fn extra(self: Pin<&mut Self>) -> &mut Option<T> {
        // SAFETY: `extra` is not structurally pinned.
        unsafe { &mut self.get_unchecked_mut().extra }
    }
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let log = Log::default();
    let other = Tell("other", log.clone());
    let extra = Some(Tell("extra", log.clone()));
    let of_queue = log.clone();
    let queue = KBox::pin_init(
        try_pin_init!(Queue {
            dev,
            log: of_queue,
            extra,
            first <- new_lazy!(),
            other,
            second <- new_lazy!(),
        }),
        GFP_KERNEL,
    )?;

    queue.first(&bound)?;
    queue.second(&bound)?;
    drop(queue);
    assert_eq!(take(&log), ["second", "first", "own", "extra", "other"]);
    bound.unbind();
    Ok(())
}
