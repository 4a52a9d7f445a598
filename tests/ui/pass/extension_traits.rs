// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Extension traits that take everything by value, with the names of all that generated code calls.

use kernel::{
    device::{Bound, Device},
    devres::{Map, Mapped},
    devres_lazy, new_lazy,
    prelude::*,
    sync::aref::ARef,
    testing::TestDevice,
};
use std::ptr::NonNull;

macro_rules! by_value {
    ($($name:ident)*) => {
        /// On everything, with and without a parameter that fits.
        pub trait Methods: Sized {
            $(fn $name(self, _: &Device<Bound>) -> Option<Self> {
                unreachable!("{}", stringify!($name))
            })*
        }

        impl<T> Methods for T {}
    };
}

mod by_value {
    use super::*;

    by_value! {
        as_mut as_ref deref drop fill get into lock map_unchecked_mut new populate populate_with
        project retire revoke same_device table_device_is table_slow teardown teardown_first
        try_access view_device_is view_slow
    }
}

use by_value::Methods as _;

struct View;

// SAFETY: The value is a field of the owner, on whose destructor `#[devres_lazy]` stands.
unsafe impl Map<Owner> for View {
    type Target = u32;
    type Keep = ();

    fn keep(_: &Owner) {}

    fn map(owner: &Owner, _: &Device<Bound>) -> Result<NonNull<u32>> {
        Ok(NonNull::from(&owner.value))
    }

    unsafe fn unmap(_: &Owner, _: &(), _: NonNull<u32>) {}
}

#[devres_lazy]
#[pin_data(PinnedDrop)]
struct Owner {
    dev: ARef<Device>,
    value: u32,

    #[lazy(
        fn table -> u32,
        device = &self.dev,
        init = 7,
        peek = table_if_mapped,
        try_access = try_table,
        revoke = unmap_table,
    )]
    table: u32,

    #[lazy(
        fn view -> u32,
        device = &self.dev,
        map = View,
        peek = view_if_mapped,
        try_access = try_view,
        revoke = unmap_view,
    )]
    view: Mapped<Self, View>,
}

#[devres_lazy]
#[pinned_drop]
impl PinnedDrop for Owner {
    fn drop(self: Pin<&mut Self>) {
        assert!(Owner::try_table(&self).is_none());
    }
}

#[devres_lazy]
#[pin_data]
struct Ring {
    dev: ARef<Device>,

    #[lazy(fn table -> u32, device = &self.dev, init = 9, revoke = unmap_table)]
    table: u32,
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let mut owner = KBox::try_pin_init(
        try_pin_init!(Owner {
            dev,
            value: 8,
            table <- new_lazy!(),
            view <- new_lazy!(),
        }),
        GFP_KERNEL,
    )?;
    let dev = bound.device();
    let mut ring = KBox::try_pin_init(
        try_pin_init!(Ring {
            dev,
            table <- new_lazy!(),
        }),
        GFP_KERNEL,
    )?;

    assert_eq!(owner.table_if_mapped(&bound), Ok(None));
    assert_eq!(owner.table(&bound), Ok(&7));
    assert_eq!(owner.view(&bound), Ok(&8));
    assert_eq!(owner.view_if_mapped(&bound), Ok(Some(&8)));
    assert_eq!(ring.table(&bound), Ok(&9));
    assert!(Owner::try_table(&owner).is_some());
    assert!(Owner::try_view(&owner).is_some());
    Pin::as_mut(&mut owner).unmap_table();
    Pin::as_mut(&mut owner).unmap_view();
    assert!(Owner::try_view(&owner).is_none());
    assert_eq!(owner.table(&bound), Ok(&7));
    Pin::as_mut(&mut ring).unmap_table();
    assert_eq!(ring.table(&bound), Ok(&9));
    Ok(())
}
