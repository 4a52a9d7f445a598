// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What the accessor returned, or a part of it, is kept beyond the binding.

use kernel::{
    device::{Bound, Device},
    devres_lazy, new_lazy,
    prelude::*,
    sync::aref::ARef,
    testing::TestDevice,
    types::ForLt,
};

struct Window<'a> {
    dev: &'a Device<Bound>,
}

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(fn window -> Window<'_>, device = &self.dev, init = Window { dev })]
    window: ForLt!(Window<'_>),
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let queue = KBox::pin_init(
        pin_init!(Queue {
            dev,
            window <- new_lazy!(),
        }),
        GFP_KERNEL,
    )?;

    let window = queue.window(&bound)?;
    bound.unbind();
    let _ = window.dev.name();

    let bound = gpu.bind()?;
    let dev: &Device<Bound> = queue.window(&bound)?.dev;
    bound.unbind();
    let _ = dev.name();
    Ok(())
}
