// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The marker does not implement `Map` for the owner, which is constructed and used.

use kernel::{
    device::{Bound, Device},
    devres::Mapped,
    devres_lazy, new_lazy,
    prelude::*,
    sync::aref::ARef,
};

mod markers {
    pub struct Marker<T>(T);
}

#[devres_lazy]
#[pin_data]
struct Queue<T: Send + Sync + 'static> {
    dev: ARef<Device>,
    value: T,

    #[lazy(
        fn table -> [u8],
        device = &self.dev,
        map = markers::Marker<T>,
        peek = peek,
        try_access = try_access,
        revoke = revoke,
    )]
    table: Mapped<Queue<T>, markers::Marker<T>>,

    #[lazy(fn again -> [u8], device = &self.dev, map = markers::Marker<T>)]
    again: Mapped<Self, markers::Marker<T>>,
}

impl<T: Send + Sync + 'static> Queue<T> {
    fn new(dev: &Device, value: T) -> Result<Pin<KBox<Self>>> {
        KBox::try_pin_init(
            try_pin_init!(Self {
                dev: dev.into(),
                value,
                table <- new_lazy!(),
                again <- new_lazy!(),
            }),
            GFP_KERNEL,
        )
    }

    fn first(self: Pin<&mut Self>, dev: &Device<Bound>) -> Result<Option<u8>> {
        let first = self.table(dev)?.first().copied();
        let _ = (self.peek(dev)?, self.try_access(), self.again(dev)?);
        self.revoke();
        Ok(first)
    }
}

fn main() {
    let _ = (Queue::<u32>::new, Queue::<u32>::first);
}
