// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Every visibility an accessor can have; what else the field has got has that of the accessor.

use kernel::{
    device::{Bound, Device},
    devres_lazy, new_lazy,
    prelude::*,
    sync::aref::ARef,
    testing::TestDevice,
};

mod driver {
    use super::*;

    pub struct Table;

    pub mod queue {
        use super::*;

        #[devres_lazy]
        #[pin_data]
        pub struct Queue {
            dev: ARef<Device>,

            #[lazy(
                pub fn a -> Table,
                device = &self.dev,
                init = Table,
                peek = a_if_mapped,
                try_access = try_a,
                revoke = unmap_a,
            )]
            a: Table,

            #[lazy(pub(crate) fn b -> Table, device = &self.dev, init = Table)]
            b: Table,

            #[lazy(pub(super) fn c -> Table, device = &self.dev, init = Table)]
            c: Table,

            #[lazy(pub(in super::super::driver) fn d -> Table, device = &self.dev, init = Table)]
            d: Table,

            #[lazy(pub(self) fn e -> Table, device = &self.dev, init = Table)]
            e: Table,

            #[lazy(fn f -> Table, device = &self.dev, init = Table)]
            f: Table,

            /// The field's own visibility is another matter.
            #[lazy(fn g -> Table, device = &self.dev, init = Table)]
            pub g: Table,
        }

        impl Queue {
            pub fn new(dev: ARef<Device>) -> Result<Pin<KBox<Self>>> {
                KBox::pin_init(
                    try_pin_init!(Self {
                        dev,
                        a <- new_lazy!(),
                        b <- new_lazy!(),
                        c <- new_lazy!(),
                        d <- new_lazy!(),
                        e <- new_lazy!(),
                        f <- new_lazy!(),
                        g <- new_lazy!(),
                    }),
                    GFP_KERNEL,
                )
            }

            pub fn here(&self, dev: &Device<Bound>) -> Result {
                self.e(dev)?;
                self.f(dev)?;
                self.g(dev)?;
                Ok(())
            }
        }
    }

    pub fn above(queue: &queue::Queue, dev: &Device<Bound>) -> Result {
        queue.c(dev)?;
        queue.d(dev)?;
        Ok(())
    }
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let mut queue = driver::queue::Queue::new(bound.device())?;

    queue.a(&bound)?;
    queue.b(&bound)?;
    driver::above(&queue, &bound)?;
    queue.here(&bound)?;
    assert!(queue.g.try_access().is_some());

    assert!(queue.a_if_mapped(&bound)?.is_some());
    assert!(queue.try_a().is_some());
    queue.as_mut().unmap_a();
    assert!(queue.a_if_mapped(&bound)?.is_none());
    bound.unbind();
    Ok(())
}
