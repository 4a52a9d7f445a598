// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `init` has an error type of its own, which converts into the kernel's.

use core::{convert::Infallible, num::TryFromIntError};
use kernel::{
    device::Device, devres_lazy, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice,
};

struct Table(u8);

enum Broken {
    Table,
}

impl From<Broken> for Error {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Table => EIO,
        }
    }
}

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,
    len: i32,

    #[lazy(
        fn table -> Table,
        device = &self.dev,
        init = Err::<Table, Broken>(Broken::Table),
    )]
    table: Table,

    #[lazy(
        fn shadow -> Table,
        device = &self.dev,
        init = u8::try_from(self.len).map(Table) as Result<_, TryFromIntError>,
    )]
    shadow: Table,

    #[lazy(
        fn always -> Table,
        device = &self.dev,
        init = Ok::<Table, Infallible>(Table(1)),
    )]
    always: Table,
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let queue = KBox::pin_init(
        try_pin_init!(Queue {
            dev,
            len: 256,
            table <- new_lazy!(),
            shadow <- new_lazy!(),
            always <- new_lazy!(),
        }),
        GFP_KERNEL,
    )?;

    assert_eq!(queue.table(&bound).err(), Some(EIO));
    assert_eq!(queue.shadow(&bound).err(), Some(EINVAL));
    assert_eq!(queue.always(&bound)?.0, 1);
    bound.unbind();
    Ok(())
}
