// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The attribute is used elsewhere: for others, by another name, or as a path.

#![allow(unused_imports)]

use kernel::{device::Device, devres_lazy, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice};

pub mod prelude_of_ours {
    pub(crate) use super::devres_lazy;
    pub(crate) use super::{new_lazy as make, Device};
}

mod renamed {
    use self::inner::devres_lazy as attribute;
    mod inner {
        pub(super) use super::super::{devres_lazy};
    }
}

mod by_star {
    use super::*;
    use self::devres_lazy as also;
}

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,
    #[lazy(fn table -> u32, device = &self.dev, init = 42)]
    table: u32,
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let queue = KBox::pin_init(try_pin_init!(Queue { dev, table <- new_lazy!() }), GFP_KERNEL)?;
    println!("{}", queue.table(&bound)?);
    bound.unbind();
    Ok(())
}
