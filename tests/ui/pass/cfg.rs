// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A field that is configured on, and one that is configured off: its type does not even exist.
//! pinned-init 0.0.10 takes no `#[cfg]` in an initialiser, so there are two constructors.

use kernel::{
    device::Device, devres_lazy, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice,
};

struct Table(u32);

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(
        fn table -> Table,
        device = &self.dev,
        init = Table(1),
    )]
    table: Table,

    /// On.
    #[cfg(all())]
    #[lazy(
        fn shadow -> Table,
        device = &self.dev,
        init = Table(2),
        peek = shadow_if_mapped,
        try_access = try_shadow,
        revoke = unmap_shadow,
    )]
    shadow: Table,

    /// Off. Its accessor may have the name of another one.
    #[cfg(any())]
    #[lazy(
        fn table -> Nowhere,
        device = &self.nowhere,
        init = Nowhere::new(),
        peek = shadow_if_mapped,
        try_access = try_shadow,
        revoke = unmap_shadow,
    )]
    nothing: Nowhere,
}

impl Queue {
    #[cfg(all())]
    fn new(dev: ARef<Device>) -> Result<Pin<KBox<Self>>> {
        KBox::pin_init(
            try_pin_init!(Self {
                dev,
                table <- new_lazy!(),
                shadow <- new_lazy!(),
            }),
            GFP_KERNEL,
        )
    }

    #[cfg(any())]
    fn new(dev: ARef<Device>) -> Result<Pin<KBox<Self>>> {
        KBox::pin_init(
            try_pin_init!(Self {
                dev,
                table <- new_lazy!(),
                nothing <- new_lazy!(),
            }),
            GFP_KERNEL,
        )
    }
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let mut queue = Queue::new(bound.device())?;

    assert_eq!(queue.table(&bound)?.0, 1);
    assert_eq!(queue.shadow(&bound)?.0, 2);
    assert!(queue.shadow_if_mapped(&bound)?.is_some());
    assert!(queue.try_shadow().is_some());
    queue.as_mut().unmap_shadow();
    assert!(queue.try_shadow().is_none());

    bound.unbind();
    drop(queue);
    Ok(())
}
