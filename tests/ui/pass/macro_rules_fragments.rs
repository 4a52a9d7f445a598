// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A `macro_rules!` that is given the names, the types, the visibility and the expressions.

use kernel::{
    device::Device, devres_lazy, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice,
};

macro_rules! queue {
    (
        $(#[$attr:meta])*
        $vis:vis struct $name:ident<$param:ident: $bound:path> {
            $fvis:vis fn $accessor:ident -> $target:ty,
            $field:ident: $resource:ty,
            device: $dev:ident,
            init: $init:expr,
            $($option:ident = $function:ident,)*
        }
    ) => {
        $(#[$attr])*
        #[devres_lazy]
        #[pin_data]
        $vis struct $name<$param: $bound> {
            $dev: ARef<Device>,
            param: $param,

            #[lazy(
                $fvis fn $accessor -> $target,
                device = &self.$dev,
                init = $init,
                $($option = $function,)*
            )]
            $field: $resource,
        }

        impl<$param: $bound> $name<$param> {
            fn new($dev: ARef<Device>, param: $param) -> Result<Pin<KBox<Self>>> {
                KBox::pin_init(
                    try_pin_init!(Self {
                        $dev,
                        param,
                        $field <- new_lazy!(),
                    }),
                    GFP_KERNEL,
                )
            }
        }
    };
}

pub struct Table(u32);

queue! {
    /// A queue.
    pub struct Queue<T: Send> {
        pub(crate) fn table -> Table,
        storage: Table,
        device: parent,
        init: Table(6 * 7),
        peek = table_if_mapped,
        revoke = unmap_table,
    }
}

queue! {
    struct Ring<T: Copy> {
        fn ring -> [Table],
        storage: Box<[Table]>,
        device: parent,
        init: vec![Table(6 * 7)].into_boxed_slice(),
    }
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;

    let mut queue = Queue::new(bound.device(), String::from("queue"))?;
    assert_eq!(queue.table(&bound)?.0, 42);
    assert!(queue.table_if_mapped(&bound)?.is_some());
    queue.as_mut().unmap_table();
    assert!(queue.table_if_mapped(&bound)?.is_none());
    assert_eq!(queue.param, "queue");

    let ring = Ring::new(bound.device(), 7)?;
    assert_eq!(ring.ring(&bound)?[0].0, 42);
    assert_eq!(ring.param, 7);

    bound.unbind();
    assert_eq!(ring.storage.try_access().map(|ring| ring.len()), None);
    Ok(())
}
