// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The attribute is imported in bodies: of functions, methods, constants, and of the destructor that
//! it stands on.

#![deny(unused_imports)]

use kernel::{device::{Bound, Device}, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice};

fn in_a_function(bound: &Device<Bound>) -> Result<u32> {
    use kernel::devres_lazy;

    #[devres_lazy]
    #[pin_data]
    struct Queue {
        dev: ARef<Device>,
        #[lazy(fn table -> u32, device = &self.dev, init = 1)]
        table: u32,
    }

    let dev: &Device = bound;
    let queue = KBox::pin_init(try_pin_init!(Queue { dev: dev.into(), table <- new_lazy!() }), GFP_KERNEL)?;
    let table = *queue.table(bound)?;
    Ok(table)
}

struct Owner;

impl Owner {
    fn in_a_method(&self, bound: &Device<Bound>) -> Result<u32> {
        let dev: &Device = bound;
        if true {
            use { kernel::{devres_lazy} };
            #[devres_lazy] #[pin_data] struct Queue { dev: ARef<Device>, #[lazy(fn table -> u32, device = &self.dev, init = 2)] table: u32 }
            let queue = KBox::pin_init(try_pin_init!(Queue { dev: dev.into(), table <- new_lazy!() }), GFP_KERNEL)?;
            return Ok(*queue.table(bound)?);
        }
        Ok(0)
    }
}

const IN_A_CONSTANT: usize = {
    use ::kernel::devres_lazy;

    #[devres_lazy]
    #[pin_data]
    struct Queue {
        dev: ARef<Device>,
        #[lazy(fn table -> u8, device = &self.dev, init = 0)]
        table: u8,
    }

    const fn needs_drop<T>() -> usize {
        core::mem::needs_drop::<T>() as usize
    }
    needs_drop::<Queue>()
};

mod destructor {
    use kernel::{devres_lazy, device::Device, prelude::*, sync::aref::ARef};

    #[devres_lazy]
    #[pin_data(PinnedDrop)]
    pub struct Queue {
        pub dev: ARef<Device>,
        #[lazy(pub fn table -> u32, device = &self.dev, init = 3)]
        pub table: u32,
    }

    #[devres_lazy]
    #[pinned_drop]
    impl PinnedDrop for Queue {
        fn drop(self: Pin<&mut Self>) {
            // Of no use here.
            #[allow(unused_imports)]
            use kernel::devres_lazy;
            use std::fmt::Write; // In use.
            let mut text = String::new();
            let _ = write!(text, "dropped");
            println!("{text}");
        }
    }
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;

    println!("{}", in_a_function(&bound)?);
    println!("{}", Owner.in_a_method(&bound)?);
    println!("{}", IN_A_CONSTANT);
    use destructor::Queue;
    let dev = bound.device();
    let queue = KBox::pin_init(try_pin_init!(Queue { dev, table <- new_lazy!() }), GFP_KERNEL)?;
    println!("{}", queue.table(&bound)?);
    drop(queue);
    bound.unbind();
    Ok(())
}
