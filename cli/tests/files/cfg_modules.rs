// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Modules, imports and functions around annotated items that are configured.

use kernel::{device::{Bound, Device}, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice};
#[cfg(with_queues)]
use kernel::devres_lazy;
#[cfg(not(with_queues))]
use kernel::devres_lazy;

#[cfg(with_queues)]
mod queue {
    use super::*;

    #[devres_lazy]
    #[pin_data]
    pub struct Queue {
        pub dev: ARef<Device>,
        #[lazy(pub fn table -> u32, device = &self.dev, init = 1)]
        pub table: u32,
    }
}

#[cfg(not(with_queues))]
mod queue {
    use super::*;

    #[cfg_attr(all(), doc = "Another one.")]
    #[devres_lazy]
    #[pin_data]
    pub struct Queue {
        pub dev: ARef<Device>,
        #[lazy(pub fn table -> u32, device = &self.dev, init = 2, revoke = unmap_table)]
        pub table: u32,
    }
}

fn in_a_function(bound: &Device<Bound>) -> Result<u32> {
    #[cfg(with_queues)]
    #[devres_lazy]
    #[pin_data]
    struct Ring {
        dev: ARef<Device>,
        #[lazy(fn table -> u32, device = &self.dev, init = 3)]
        table: u32,
    }

    #[cfg(not(with_queues))]
    #[devres_lazy]
    #[pin_data]
    struct Ring {
        dev: ARef<Device>,
        #[lazy(fn table -> u32, device = &self.dev, init = 4)]
        table: u32,
    }

    let dev: &Device = bound;
    let ring = KBox::pin_init(try_pin_init!(Ring { dev: dev.into(), table <- new_lazy!() }), GFP_KERNEL)?;
    let table = *ring.table(bound)?;
    Ok(table)
}

fn main() -> Result {
    use queue::Queue;

    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let queue = KBox::pin_init(try_pin_init!(Queue { dev, table <- new_lazy!() }), GFP_KERNEL)?;
    println!("{}", queue.table(&bound)?);
    println!("{}", in_a_function(&bound)?);
    bound.unbind();
    Ok(())
}
