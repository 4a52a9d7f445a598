// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A macro writes the item, and its caller some of the expressions: `self` and `dev` are the same in
//! all of them, and other names are as distinct as rustc has them.

#![deny(warnings)]

use kernel::{
    device::{Bound, Device},
    devres_lazy, new_lazy,
    prelude::*,
    sync::aref::ARef,
    testing::TestDevice,
};

struct Table(u32);

impl Table {
    fn new(_: &Device<Bound>, len: u32) -> Self {
        Self(len)
    }
}

/// The caller's initialiser.
macro_rules! init_of_caller {
    ($name:ident, $init:expr) => {
        #[devres_lazy]
        #[pin_data]
        struct $name {
            dev: ARef<Device>,
            len: u32,
            #[lazy(fn table -> Table, device = &self.dev, init = $init, peek = peek, revoke = unmap)]
            table: Table,
        }
    };
}

init_of_caller!(WithSelf, Table(self.len));
init_of_caller!(WithDev, Table::new(dev, 42));
init_of_caller!(WithBoth, {
    let len = || self.len;
    Table::new(dev, len())
});

/// The caller's device.
macro_rules! device_of_caller {
    ($name:ident, $device:expr) => {
        #[devres_lazy]
        #[pin_data]
        struct $name {
            dev: ARef<Device>,
            len: u32,
            #[lazy(fn table -> Table, device = $device, init = Table::new(dev, self.len))]
            table: Table,
        }
    };
}

device_of_caller!(Device2, &self.dev);

/// Both, and names of the macro's own that the caller's must not meet.
macro_rules! mixed {
    ($name:ident, $device:expr, $first:expr, $second:expr) => {
        #[devres_lazy]
        #[pin_data]
        struct $name {
            dev: ARef<Device>,
            len: u32,
            #[lazy(
                        fn table -> Table,
                        device = { let _ = &self.len; $device },
                        init = {
                            let first: u32 = $first;
                            // Not the caller's.
                            let dev = Table::new(dev, self.len);
                            let second: u32 = $second;
                            Table(dev.0 + first + second)
                        },
                    )]
            table: Table,
        }
    };
}

mixed!(Mixed, &self.dev, Table::new(dev, self.len).0, {
    // Not a receiver, and nobody's device.
    struct Pair {
        dev: u32,
    }
    impl Pair {
        fn sum(&self) -> u32 {
            self.dev
        }
    }
    Pair { dev: self.len }.sum() + Table::new(dev, 0).0
});

/// A macro in a macro.
macro_rules! outer {
    ($name:ident, $init:expr) => {
        init_of_caller!(
            $name,
            {
                let outer = self.len;
                outer + $init
            }
            .into_table()
        );
    };
}

trait IntoTable {
    fn into_table(self) -> Table;
}

impl IntoTable for u32 {
    fn into_table(self) -> Table {
        Table(self)
    }
}

outer!(Nested, Table::new(dev, self.len).0);

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;

    macro_rules! check {
        ($($name:ident = $len:expr),* $(,)?) => {
            $({
                let dev = bound.device();
                let object = KBox::pin_init(
                    try_pin_init!($name { dev, len: 42, table <- new_lazy!() }),
                    GFP_KERNEL,
                )?;
                assert_eq!(object.table(&bound)?.0, $len);
            })*
        };
    }
    check! {
        WithSelf = 42,
        WithDev = 42,
        WithBoth = 42,
        Device2 = 42,
        Mixed = 3 * 42,
        Nested = 2 * 42,
    }

    let dev = bound.device();
    let mut object = KBox::pin_init(
        try_pin_init!(WithSelf { dev, len: 1, table <- new_lazy!() }),
        GFP_KERNEL,
    )?;
    assert!(object.peek(&bound)?.is_none());
    object.as_mut().unmap();
    bound.unbind();
    Ok(())
}
