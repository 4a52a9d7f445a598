// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Annotated items in annotated items: in the body of a destructor, and in an initialiser.

#![deny(unused_imports)]

use kernel::{device::{Bound, Device}, devres_lazy, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice};

struct Table(u32);

#[devres_lazy]
#[pin_data(PinnedDrop)]
struct Queue {
    dev: ARef<Device>,
    #[lazy(
        fn table -> Table,
        device = &self.dev,
        init = {
            // Made with the help of another one.
            use kernel::devres_lazy;

            #[devres_lazy]
            #[pin_data]
            struct Helper {
                dev: ARef<Device>,
                #[lazy(
                    fn number -> u32,
                    // The same one.
                    device = &self.dev,
                    init = 40,
                )]
                number: u32,
            }

            fn help(dev: &Device<Bound>) -> Result<u32> {
                let any: &Device = dev;
                let helper = KBox::pin_init(
                    try_pin_init!(Helper { dev: any.into(), number <- new_lazy!("helper") }),
                    GFP_KERNEL,
                )?;
                Ok(*helper.number(dev)?)
            }

            Table(help(dev)? + 2)
        },
    )]
    table: Table,
}

#[devres_lazy]
#[pinned_drop]
impl PinnedDrop for Queue {
    fn drop(self: Pin<&mut Self>) {
        #[devres_lazy]
        #[pin_data(PinnedDrop)]
        struct Last {
            dev: ARef<Device>,
            #[lazy(fn number -> u32, device = &self.dev, init = 43)]
            number: u32,
        }

        // Says that it is gone.
        #[devres_lazy]
        #[pinned_drop]
        impl PinnedDrop for Last {
            fn drop(self: Pin<&mut Self>) {
                println!("the last one is dropped");
            }
        }

        let dev = self.dev.clone();
        let last = KBox::pin_init(try_pin_init!(Last { dev, number <- new_lazy!() }), GFP_KERNEL);
        println!("dropped: {}", last.is_ok());
    }
}

mod inline {
    #![allow(dead_code)]
    //! With inner attributes.
    #![allow(unused_parens)]

    use super::*;

    #[devres_lazy]
    #[pin_data]
    pub(super) struct Ring {
        pub(super) dev: ARef<Device>,
        #[lazy(pub(super) fn table -> Table, device = (&self.dev), init = Table((44)))]
        pub(super) table: Table,
    }
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let queue = KBox::pin_init(try_pin_init!(Queue { dev, table <- new_lazy!() }), GFP_KERNEL)?;
    println!("{}", queue.table(&bound)?.0);
    use inline::Ring;
    let dev = bound.device();
    let ring = KBox::pin_init(try_pin_init!(Ring { dev, table <- new_lazy!() }), GFP_KERNEL)?;
    println!("{}", ring.table(&bound)?.0);
    drop(queue);
    bound.unbind();
    Ok(())
}
