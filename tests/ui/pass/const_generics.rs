// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Const parameters, in the type of the resource and in the expressions.

use kernel::{
    device::Device, devres_lazy, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice,
};

struct Table<const N: usize>([u32; N]);

#[devres_lazy]
#[pin_data]
struct Queue<const N: usize, const FILL: u32> {
    dev: ARef<Device>,

    #[lazy(
        fn table -> Table<N>,
        device = &self.dev,
        init = Table([FILL; N]),
        revoke = unmap_table,
    )]
    table: Table<N>,

    #[lazy(
        fn shadow -> [u32; N],
        device = &self.dev,
        init = {
            let mut shadow = [FILL; N];
            shadow[N - 1] = 0;
            shadow
        },
    )]
    shadow: [u32; N],
}

impl<const N: usize, const FILL: u32> Queue<N, FILL> {
    fn new(dev: ARef<Device>) -> Result<Pin<KBox<Self>>> {
        KBox::pin_init(
            try_pin_init!(Self {
                dev,
                table <- new_lazy!("Queue::table"),
                shadow <- new_lazy!("Queue::shadow"),
            }),
            GFP_KERNEL,
        )
    }
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let mut queue = Queue::<3, 7>::new(bound.device())?;

    assert_eq!(queue.table(&bound)?.0, [7; 3]);
    assert_eq!(queue.shadow(&bound)?, &[7, 7, 0]);
    queue.as_mut().unmap_table();
    assert_eq!(queue.table(&bound)?.0, [7; 3]);
    bound.unbind();
    Ok(())
}
