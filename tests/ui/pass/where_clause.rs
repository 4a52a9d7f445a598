// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A `where` clause, and one in the author's own destructor.

use kernel::{
    device::Device, devres_lazy, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice,
};

struct Table<T>(T);

#[devres_lazy]
#[pin_data(PinnedDrop)]
struct Queue<T>
where
    T: Copy + Default + Send + Sync + 'static,
    Option<T>: PartialEq,
{
    dev: ARef<Device>,

    #[lazy(
        fn table -> Table<T>,
        device = &self.dev,
        init = Table(T::default()),
        peek = table_if_mapped,
        try_access = try_table,
    )]
    table: Table<T>,
}

#[devres_lazy]
#[pinned_drop]
impl<T> PinnedDrop for Queue<T>
where
    T: Copy + Default + Send + Sync + 'static,
    Option<T>: PartialEq,
{
    fn drop(self: Pin<&mut Self>) {
        assert!(self.try_table().is_none());
    }
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let queue = KBox::pin_init(
        try_pin_init!(Queue::<u64> {
            dev,
            table <- new_lazy!(),
        }),
        GFP_KERNEL,
    )?;

    assert_eq!(queue.table(&bound)?.0, 0);
    assert_eq!(queue.table_if_mapped(&bound)?.map(|table| table.0), Some(0));
    drop(queue);
    bound.unbind();
    Ok(())
}
