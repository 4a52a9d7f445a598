// SPDX-License-Identifier: Apache-2.0 OR MIT

//! In a module in a module, and in the body of a function.

use kernel::{
    device::{Bound, Device},
    devres_lazy, new_lazy,
    prelude::*,
    sync::aref::ARef,
    testing::TestDevice,
};

mod a {
    pub mod b {
        pub struct Table(pub u32);

        #[kernel::devres_lazy]
        #[kernel::prelude::pin_data]
        pub struct Queue {
            pub dev: kernel::sync::aref::ARef<kernel::device::Device>,

            #[lazy(
                pub fn table -> self::Table,
                device = &self.dev,
                init = super::make(),
            )]
            pub table: Table,
        }
    }

    fn make() -> b::Table {
        b::Table(42)
    }
}

use a::b::Queue;

fn in_a_function(dev: ARef<Device>, bound: &Device<Bound>) -> Result<u32> {
    const FILL: u32 = 43;

    struct Table(u32);

    #[devres_lazy]
    #[pin_data]
    struct Ring {
        dev: ARef<Device>,

        #[lazy(
            fn table -> Table,
            device = &self.dev,
            init = Table(FILL),
            revoke = unmap_table,
        )]
        table: Table,
    }

    let mut ring = KBox::pin_init(
        try_pin_init!(Ring {
            dev,
            table <- new_lazy!(),
        }),
        GFP_KERNEL,
    )?;
    ring.table(bound)?;
    ring.as_mut().unmap_table();
    Ok(ring.table(bound)?.0)
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let queue = KBox::pin_init(
        try_pin_init!(Queue {
            dev,
            table <- new_lazy!(),
        }),
        GFP_KERNEL,
    )?;

    assert_eq!(queue.table(&bound)?.0, 42);
    assert_eq!(in_a_function(bound.device(), &bound)?, 43);
    bound.unbind();
    Ok(())
}
