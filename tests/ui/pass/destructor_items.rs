// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What the author's destructor declares is not in the scope of the teardown in front of it.

use ::kernel as rt;
use core::ptr::NonNull;
use kernel::{
    device::{Bound, Device},
    devres::{Map, Mapped},
    devres_lazy, new_lazy,
    prelude::*,
    sync::aref::ARef,
    testing::TestDevice,
};
use std::sync::{Arc, Mutex};

struct View;

// SAFETY: The value is in a box of the owner, on whose destructor `#[devres_lazy]` stands.
unsafe impl Map<Owner> for View {
    type Target = u64;
    type Keep = ();

    fn keep(_: &Owner) {}

    fn map(owner: &Owner, _: &Device<Bound>) -> Result<NonNull<u64>> {
        Ok(NonNull::from(&*owner.buf))
    }

    unsafe fn unmap(owner: &Owner, _: &(), _: NonNull<u64>) {
        assert_eq!(*owner.buf, 0x5555);
        owner.log.lock().unwrap().push("unmapped");
    }
}

#[devres_lazy(crate = rt)]
#[pin_data(PinnedDrop)]
struct Owner {
    dev: ARef<Device>,
    log: Arc<Mutex<Vec<&'static str>>>,
    leave: bool,
    buf: KBox<u64>,

    #[lazy(fn view -> u64, device = &self.dev, map = View)]
    view: Mapped<Self, View>,
}

#[devres_lazy(crate = rt)]
#[pinned_drop]
impl PinnedDrop for Owner {
    fn drop(self: Pin<&mut Self>) {
        #![allow(unused_macros)]
        #![allow(dead_code)]

        use imitation as core;

        mod imitation {
            pub(super) struct LazyOwner;
        }

        mod rt {
            pub(super) mod devres {
                pub(crate) struct TeardownFirst;

                impl TeardownFirst {
                    pub(crate) fn teardown_first<T>(_: T) {}
                }
            }
        }

        macro_rules! rt {
            () => {};
        }

        let _ = core::LazyOwner;
        rt::devres::TeardownFirst::teardown_first(());
        // The lock of a log is released before the owner is.
        self.log.lock().unwrap().push("dropped");
        if self.leave {
            return;
        }
        self.log.lock().unwrap().push("left");
    }
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    for (leave, expected) in [
        (false, &["unmapped", "dropped", "left"][..]),
        (true, &["unmapped", "dropped"]),
    ] {
        let kept = Arc::<Mutex<Vec<_>>>::default();
        let log = Arc::clone(&kept);
        let dev = bound.device();
        let owner = KBox::try_pin_init(
            try_pin_init!(Owner {
                dev,
                log,
                leave,
                buf: KBox::new(0x5555, GFP_KERNEL)?,
                view <- new_lazy!(),
            }),
            GFP_KERNEL,
        )?;

        assert_eq!(owner.view(&bound)?, &0x5555);
        drop(owner);
        assert_eq!(*kept.lock().unwrap(), expected);
    }
    bound.unbind();
    Ok(())
}
