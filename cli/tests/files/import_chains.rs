// SPDX-License-Identifier: Apache-2.0 OR MIT
//@ edition: 2024

//! Imports of imports, by name and by `*`, and types and expressions that are odd.

extern crate kernel as dl;

use dl::{device::Device, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice};
mod prelude_of_ours {
    pub use dl::devres_lazy;
    pub use dl::device::Bound;
}
mod other {
    pub(crate) use crate::prelude_of_ours::*;
}
mod third { pub(super) use super::other::devres_lazy; pub(super) use super::other::Bound; }
use third::*;

/** A queue. */
#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,
    #[lazy(fn table -> fn(u32) -> u32, device = match self { Queue { dev, .. } => dev }, init = (|a| if let Some(b) = Some(a) && b > 1 { b } else { 0 }) as fn(u32) -> u32)]
    table: fn(u32) -> u32,
}

mod lint {
    #![allow(unused_imports)]
    use super::*;
    use super::third::{devres_lazy as lazy_fields, *};
    pub(in crate::lint) use super::prelude_of_ours::devres_lazy as another;

    #[devres_lazy]
    #[pin_data]
    pub(super) struct Queue { pub(super) dev: ARef<Device>, #[lazy(pub(super) fn table -> u32, device = &self.dev, init = { let Some(a) = Some(3) else { panic!() }; a })] pub(super) table: u32 }
}

fn takes(_: &Device<Bound>) {}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    takes(&bound);
    let dev = bound.device();
    let queue = KBox::pin_init(try_pin_init!(Queue { dev, table <- new_lazy!() }), GFP_KERNEL)?;
    println!("{}", queue.table(&bound)?(5));
    {
        use lint::Queue;
        let dev = bound.device();
        let queue = KBox::pin_init(try_pin_init!(Queue { dev, table <- new_lazy!() }), GFP_KERNEL)?;
        println!("{}", queue.table(&bound)?);
    }
    bound.unbind();
    Ok(())
}
