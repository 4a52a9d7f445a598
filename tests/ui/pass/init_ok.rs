// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Initialisers that are an `Ok`, whose error nothing names; others whose error is another one.

#![deny(warnings)]

use core::{convert::Infallible, fmt::Debug};
use kernel::{
    device::Device, devres_lazy, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice,
};

#[derive(Debug, PartialEq)]
struct Table(u32);

#[devres_lazy]
#[pin_data]
struct Queue<T: Clone + Debug + Send + Sync + 'static> {
    dev: ARef<Device>,
    len: T,

    #[lazy(fn plain -> Table, device = &self.dev, init = Ok(Table(42)))]
    plain: Table,

    #[lazy(
        fn block -> T,
        device = &self.dev,
        init = {
            if dev.as_raw().is_null() {
                return Err(EINVAL);
            }
            Ok(self.len.clone())
        },
    )]
    block: T,

    #[lazy(fn named -> Table, device = &self.dev, init = Ok::<_, Infallible>(Table(4)))]
    named: Table,

    #[lazy(fn error -> Table, device = &self.dev, init = Err(ENODEV))]
    error: Table,
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let queue = KBox::try_pin_init(
        try_pin_init!(Queue {
            dev,
            len: 7_u8,
            plain <- new_lazy!(),
            block <- new_lazy!(),
            named <- new_lazy!(),
            error <- new_lazy!(),
        }),
        GFP_KERNEL,
    )?;

    assert_eq!(queue.plain(&bound)?, &Table(42));
    assert_eq!(queue.block(&bound)?, &7);
    assert_eq!(queue.named(&bound)?, &Table(4));
    assert_eq!(queue.error(&bound), Err(ENODEV));
    bound.unbind();
    Ok(())
}
