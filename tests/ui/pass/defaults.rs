// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Defaults of type and const parameters.

use kernel::{
    device::Device, devres_lazy, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice,
};

struct Table<T>(T);

#[devres_lazy]
#[pin_data]
struct Queue<T: Default + Send + Sync + 'static = u32> {
    dev: ARef<Device>,

    #[lazy(
        fn table -> Table<T>,
        device = &self.dev,
        init = Table(T::default()),
    )]
    table: Table<T>,
}

#[devres_lazy]
#[pin_data]
struct Ring<T: Copy + Default + Send + Sync + 'static = u8, const N: usize = { 2 + 2 }> {
    dev: ARef<Device>,

    #[lazy(
        fn ring -> [T; N],
        device = &self.dev,
        init = [T::default(); N],
    )]
    ring: [T; N],
}

fn queue(dev: ARef<Device>) -> Result<Pin<KBox<Queue>>> {
    KBox::pin_init(
        try_pin_init!(Queue {
            dev,
            table <- new_lazy!(),
        }),
        GFP_KERNEL,
    )
}

fn ring(dev: ARef<Device>) -> Result<Pin<KBox<Ring>>> {
    KBox::pin_init(
        try_pin_init!(Ring {
            dev,
            ring <- new_lazy!(),
        }),
        GFP_KERNEL,
    )
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;

    let queue = queue(bound.device())?;
    let table: &Table<u32> = queue.table(&bound)?;
    assert_eq!(table.0, 0);

    let ring = ring(bound.device())?;
    assert_eq!(ring.ring(&bound)?, &[0; 4]);

    bound.unbind();
    Ok(())
}
