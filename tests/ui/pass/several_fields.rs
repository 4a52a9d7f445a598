// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Several lazy fields: the last declared goes first when the object is dropped, and before any
//! other part of it; the last mapped goes first when the device is unbound.

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
#[pin_data]
struct Queue {
    dev: ARef<Device>,
    log: Log,

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
    )]
    second: Tell,

    #[lazy(
        fn third -> Tell,
        device = &self.dev,
        init = Tell("third", self.log.clone()),
    )]
    third: Tell,
}

impl Queue {
    fn new(dev: ARef<Device>, log: Log) -> Result<Pin<KBox<Self>>> {
        let other = Tell("other", log.clone());
        KBox::pin_init(
            try_pin_init!(Self {
                dev,
                log,
                first <- new_lazy!(),
                other,
                second <- new_lazy!(),
                third <- new_lazy!(),
            }),
            GFP_KERNEL,
        )
    }
}

fn main() -> Result {
    let log = Log::default();
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;

    // Whatever the order in which they were mapped.
    let queue = Queue::new(bound.device(), log.clone())?;
    queue.second(&bound)?;
    queue.third(&bound)?;
    queue.first(&bound)?;
    drop(queue);
    assert_eq!(take(&log), ["third", "second", "first", "other"]);

    // One that is not mapped is not dropped.
    let queue = Queue::new(bound.device(), log.clone())?;
    queue.third(&bound)?;
    queue.first(&bound)?;
    drop(queue);
    assert_eq!(take(&log), ["third", "first", "other"]);

    let queue = Queue::new(bound.device(), log.clone())?;
    queue.second(&bound)?;
    queue.third(&bound)?;
    queue.first(&bound)?;
    bound.unbind();
    assert_eq!(take(&log), ["first", "third", "second"]);
    drop(queue);
    assert_eq!(take(&log), ["other"]);
    Ok(())
}
