// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The runtime behind a facade, with an own destructor; as in a subsystem that re-exports it, and
//! in that subsystem itself.

mod subsystem {
    pub mod kernel {
        pub use kernel::*;
    }

    pub mod queue {
        use crate::subsystem::kernel::{
            device::Device, devres_lazy, new_lazy, prelude::*, sync::aref::ARef,
        };

        pub struct Table(pub u32);

        #[devres_lazy(crate = crate::subsystem::kernel,)]
        #[pin_data(PinnedDrop)]
        pub struct Queue {
            dev: ARef<Device>,

            #[lazy(
                pub fn table -> Table,
                device = &self.dev,
                init = Table(42),
                try_access = try_table,
            )]
            table: Table,
        }

        #[devres_lazy(crate = super::kernel)]
        #[pinned_drop]
        impl PinnedDrop for Queue {
            fn drop(self: Pin<&mut Self>) {
                assert!(self.try_table().is_none());
            }
        }

        impl Queue {
            pub fn new(dev: ARef<Device>) -> Result<Pin<KBox<Self>>> {
                KBox::pin_init(
                    try_pin_init!(Self {
                        dev,
                        table <- new_lazy!(),
                    }),
                    GFP_KERNEL,
                )
            }
        }
    }
}

use subsystem::kernel::{
    device::Device, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice,
};

macro_rules! ring {
    () => {
        #[subsystem::kernel::devres_lazy(crate = $crate::subsystem::kernel)]
        #[pin_data]
        struct Ring {
            dev: ARef<Device>,

            #[lazy(
                fn ring -> u32,
                device = &self.dev,
                init = 43,
                peek = ring_if_mapped,
                try_access = try_ring,
                revoke = unmap_ring,
            )]
            ring: u32,
        }
    };
}

ring!();

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let queue = subsystem::queue::Queue::new(bound.device())?;

    assert_eq!(queue.table(&bound)?.0, 42);
    drop(queue);

    let dev = bound.device();
    let mut ring = KBox::pin_init(
        try_pin_init!(Ring {
            dev,
            ring <- new_lazy!(),
        }),
        GFP_KERNEL,
    )?;
    assert!(ring.ring_if_mapped(&bound)?.is_none());
    assert_eq!(ring.ring(&bound)?, &43);
    ring.as_mut().unmap_ring();
    assert!(ring.try_ring().is_none());
    bound.unbind();
    Ok(())
}
