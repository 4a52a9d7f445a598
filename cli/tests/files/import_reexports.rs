// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The attribute is imported from modules of the file, which others use too, or which nobody needs.

#![deny(unused_imports)]

use ::kernel as runtime;
use attributes::{devres_lazy, other};
use runtime::{device::Device, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice};

/// Has more than the attribute.
mod attributes {
    pub use ::kernel::devres_lazy;

    pub mod other {
        pub const ONE: u32 = 1;
    }
}

/// Has nothing else.
mod attribute {
    pub(crate) use kernel::devres_lazy;
}

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,
    #[lazy(fn table -> u32, device = &self.dev, init = other::ONE)]
    table: u32,
}

/// Imports it from above, for itself.
mod from_above {
    use super::{devres_lazy, Device};
    use crate::runtime::{prelude::*, sync::aref::ARef};

    #[devres_lazy]
    #[pin_data]
    pub(crate) struct Queue {
        pub(crate) dev: ARef<Device>,
        #[lazy(pub(crate) fn table -> u32, device = &self.dev, init = 2)]
        pub(crate) table: u32,
    }
}

/// Imports everything from above.
mod all_from_above {
    use super::*;

    #[devres_lazy]
    #[pin_data]
    pub(crate) struct Queue {
        pub(crate) dev: ARef<Device>,
        #[lazy(pub(crate) fn table -> u32, device = &self.dev, init = 3)]
        pub(crate) table: u32,
    }
}

/// Imports the attribute, and nothing else.
mod all_of_one {
    use super::attribute::*;
    use super::{ARef, Device};
    use kernel::prelude::*;

    #[devres_lazy]
    #[pin_data]
    pub(crate) struct Queue {
        pub(crate) dev: ARef<Device>,
        #[lazy(pub(crate) fn table -> u32, device = &self.dev, init = 4)]
        pub(crate) table: u32,
    }
}

/// Names it by a path.
mod by_path {
    use super::{ARef, Device};
    use kernel::prelude::*;

    #[super::attribute::devres_lazy]
    #[pin_data]
    pub(crate) struct Queue {
        pub(crate) dev: ARef<Device>,
        #[lazy(pub(crate) fn table -> u32, device = &self.dev, init = 5)]
        pub(crate) table: u32,
    }
}

macro_rules! print {
    ($module:ident, $bound:ident) => {{
        use $module::Queue;
        let dev = $bound.device();
        let queue = KBox::pin_init(try_pin_init!(Queue { dev, table <- new_lazy!() }), GFP_KERNEL)?;
        println!("{}", queue.table(&$bound)?);
    }};
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;

    print!(crate, bound);
    print!(from_above, bound);
    print!(all_from_above, bound);
    print!(all_of_one, bound);
    print!(by_path, bound);
    bound.unbind();
    Ok(())
}
