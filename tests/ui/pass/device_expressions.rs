// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `device` is a block, a call, a `match`, or something that derefs to a device.

use kernel::{
    device::Device, devres_lazy, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice,
};

struct Table(u32);

struct Parent {
    dev: ARef<Device>,
}

impl AsRef<Device> for Parent {
    fn as_ref(&self) -> &Device {
        &self.dev
    }
}

#[devres_lazy]
#[pin_data]
struct Queue {
    parent: Parent,
    override_: Option<ARef<Device>>,

    #[lazy(
        fn block -> Table,
        device = {
            let parent = &self.parent;
            &parent.dev
        },
        init = Table(1),
    )]
    block: Table,

    #[lazy(
        fn call -> Table,
        device = self.parent.as_ref(),
        init = Table(2),
        peek = call_if_mapped,
    )]
    call: Table,

    #[lazy(
        fn arms -> Table,
        device = match &self.override_ {
            Some(dev) => dev,
            None => self.device(),
        },
        init = Table(3),
    )]
    arms: Table,

    #[lazy(
        fn closure -> Table,
        device = self.override_.as_deref().unwrap_or_else(|| self.device()),
        init = Table(4),
    )]
    closure: Table,
}

impl Queue {
    fn device(&self) -> &Device {
        self.parent.as_ref()
    }
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let queue = KBox::pin_init(
        try_pin_init!(Queue {
            parent: Parent { dev },
            override_: None,
            block <- new_lazy!(),
            call <- new_lazy!(),
            arms <- new_lazy!(),
            closure <- new_lazy!(),
        }),
        GFP_KERNEL,
    )?;

    let mut other = TestDevice::new(c"gpu1")?;
    let other = other.bind()?;

    assert_eq!(queue.block(&other).err(), Some(EINVAL));
    assert_eq!(queue.call(&other).err(), Some(EINVAL));
    assert_eq!(queue.call_if_mapped(&other).err(), Some(EINVAL));
    assert_eq!(queue.arms(&other).err(), Some(EINVAL));
    assert_eq!(queue.closure(&other).err(), Some(EINVAL));

    assert_eq!(queue.block(&bound)?.0, 1);
    assert_eq!(queue.call(&bound)?.0, 2);
    assert_eq!(queue.arms(&bound)?.0, 3);
    assert_eq!(queue.closure(&bound)?.0, 4);
    bound.unbind();
    Ok(())
}
