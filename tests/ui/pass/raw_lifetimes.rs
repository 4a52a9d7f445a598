// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Lifetimes called as a keyword, or written as one would be.

use kernel::{
    device::Device, devres_lazy, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice,
};

struct Table(u32);

#[devres_lazy]
#[pin_data]
struct Queue<'r#a, 'r#b: 'a, 'c> {
    dev: ARef<Device>,
    name: &'r#a str,
    other: &'b str,
    function: fn(&'r#c u32) -> &'c u32,
    #[lazy(
        fn table -> Table,
        device = &self.dev,
        init = Table(self.name.len() as u32),
        peek = table_if_mapped,
    )]
    table: Table,
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let queue = KBox::pin_init(
        try_pin_init!(Queue {
            dev,
            name: "queue",
            other: "other",
            function: |x| x,
            table <- new_lazy!(),
        }),
        GFP_KERNEL,
    )?;

    assert_eq!(queue.table(&bound)?.0, 5);
    assert!(queue.table_if_mapped(&bound)?.is_some());
    assert_eq!((queue.other, (queue.function)(&1)), ("other", &1));
    bound.unbind();
    Ok(())
}
