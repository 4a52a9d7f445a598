// SPDX-License-Identifier: Apache-2.0 OR MIT

//! One name for the attribute and for a module, and comments in attributes.

use crate::{attributes::devres_lazy, modules::devres_lazy};
use devres_lazy::THREE;
use ::kernel::{device::Device, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice};

mod attributes {
    pub use ::kernel::devres_lazy;
}
mod modules {
    pub mod devres_lazy {
        pub const THREE: u32 = 3;
    }
}

# /* a */ [ /* b */ devres_lazy /* c */ ] /* d */
#[cfg_attr(all(), /* e */ pin_data /* f */, allow(dead_code))] // g
struct Queue<'a /* h */, T /* i */ = u32> where /* j */ T: Copy + Send + Sync + 'static /* k */ {
    dev: ARef<Device>,
    what: &'a u32,
    # /* l */ [lazy(fn table -> T, device = &self.dev, /* m */ init = self.t, )]
    table: T,
    t: T,
}

#[devres_lazy]
#[cfg_attr(all(), cfg_attr(all(), pin_data(PinnedDrop)))]
struct Ring {
    dev: ARef<Device>,
    #[lazy(pub(in /* here */ crate) fn table -> u32, device = &self.dev, init = 4)]
    table: u32,
}

#[cfg_attr(all(), allow(unused))]
#[devres_lazy]
#[pinned_drop]
impl PinnedDrop for Ring {
    fn drop(self: Pin<&mut Self>) { println!("ring") }
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let queue = KBox::pin_init(try_pin_init!(Queue { dev, what: &1, t: THREE + devres_lazy::THREE, table <- new_lazy!() }), GFP_KERNEL)?;
    println!("{} {}", queue.table(&bound)?, queue.what);
    let dev = bound.device();
    let ring = KBox::pin_init(try_pin_init!(Ring { dev, table <- new_lazy!() }), GFP_KERNEL)?;
    println!("{}", ring.table(&bound)?);
    drop(ring);
    bound.unbind();
    Ok(())
}
