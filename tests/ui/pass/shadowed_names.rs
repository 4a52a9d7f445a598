// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A module with its own idea of all names that generated code could be careless with.

mod hostile {
    use ::kernel::{device::Device, devres_lazy, prelude::pin_data, sync::aref::ARef};

    pub mod core {}
    pub mod std {}
    pub mod alloc {}
    pub mod kernel {}

    pub struct Result;
    pub struct Option;
    pub struct Error;
    pub struct Ok;
    pub struct Err;
    pub struct Some;
    pub struct None;
    pub struct Lazy;
    pub struct Bound;
    pub struct PinnedDrop;
    pub struct LazyOwner;
    pub struct TeardownFirst;
    pub trait Send {}
    pub trait Sync {}
    pub trait Sized {}
    pub trait Drop {}
    pub trait FnOnce {}

    /// Tempting methods on everything.
    pub trait Tempting {
        fn get(&self, _: u32) {}
        fn lock(&self, _: u32) {}
        fn populate(&self, _: u32) {}
        fn as_mut(&self, _: u32) {}
        fn teardown(&self, _: u32) {}
        fn try_access(&self, _: u32) {}
    }

    impl<T: ?::core::marker::Sized> Tempting for T {}

    #[allow(unused_macros)]
    macro_rules! panic {
        () => {};
    }

    pub struct Table(pub u32);

    #[devres_lazy]
    #[pin_data]
    pub struct Queue {
        pub dev: ARef<Device>,

        #[lazy(
            pub fn table -> Table,
            device = &self.dev,
            init = Table(42),
            peek = table_if_mapped,
            try_access = try_table,
            revoke = unmap_table,
        )]
        pub table: Table,
    }
}

use hostile::Queue;
use kernel::{new_lazy, prelude::*, testing::TestDevice};

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    // Not in there, as the `try_pin_init!` of pinned-init 0.0.10 uses the `Ok` that it finds.
    let mut queue = KBox::pin_init(
        try_pin_init!(Queue {
            dev,
            table <- new_lazy!("hostile"),
        }),
        GFP_KERNEL,
    )?;

    assert!(queue.table_if_mapped(&bound)?.is_none());
    assert_eq!(queue.table(&bound)?.0, 42);
    assert!(queue.try_table().is_some());
    queue.as_mut().unmap_table();
    assert!(queue.try_table().is_none());
    bound.unbind();
    Ok(())
}
