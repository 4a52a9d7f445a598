// SPDX-License-Identifier: Apache-2.0 OR MIT

//! How to test unbind against a callback: an interrupt handler uses a lazily mapped resource when
//! unbind starts. Unbind waits for the handler, and then drops the resource.

use kernel::{
    device::Device,
    devres, devres_lazy, new_lazy,
    prelude::*,
    sync::{aref::ARef, Arc},
    testing::TestDevice,
};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::{channel, Sender};
use std::thread::{self, JoinHandle};

/// Set when the ring buffer is dropped.
static DROPPED: AtomicBool = AtomicBool::new(false);

struct Ring([u32; 4]);

impl Drop for Ring {
    fn drop(&mut self) {
        DROPPED.store(true, SeqCst);
    }
}

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(fn ring, device = &self.dev, init = Ring([1, 2, 3, 4]))]
    ring: Ring,
}

/// The registration of the handler. Dropping it waits for a handler that is running.
struct Irq(Option<(Sender<()>, JoinHandle<()>)>);

impl Drop for Irq {
    fn drop(&mut self) {
        if let Some((unbinding, handler)) = self.0.take() {
            drop(unbinding);
            handler.join().expect("the handler has found nothing wrong");
        }
    }
}

fn main() -> Result {
    let mut dev = TestDevice::new(c"queue0")?;
    let bound = dev.bind()?;
    let device = bound.device();
    let init = pin_init!(Queue { dev: device, ring <- new_lazy!() });
    let queue = Arc::pin_init(init, GFP_KERNEL)?;

    let (using, is_using) = channel();
    let (unbinding, has_begun) = channel();
    let handler = thread::spawn(move || {
        // SAFETY: `Irq`, which unbind drops, waits for this thread.
        let ring = queue.ring(unsafe { queue.dev.as_bound() }).expect("bound");
        let _ = using.send(());
        // Until `Irq` is dropped.
        let _ = has_begun.recv();
        assert!(!DROPPED.load(SeqCst), "dropped in use");
        assert_eq!(ring.0[3], 4);
    });
    devres::register(&bound, Irq(Some((unbinding, handler))), GFP_KERNEL)?;
    is_using.recv().map_err(|_| EIO)?;

    bound.unbind();
    assert!(DROPPED.load(SeqCst));
    println!("unbind has waited for the handler, and dropped the ring");
    Ok(())
}

#[test]
fn it_holds() -> Result {
    main()
}
