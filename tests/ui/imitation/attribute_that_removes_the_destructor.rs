// SPDX-License-Identifier: Apache-2.0 OR MIT

//! An attribute macro could remove the destructor that the teardown was put into, and leave the promise.

mod library {
    use super::user::Owner;
    use kernel::{
        device::{Bound, Device},
        devres::Map,
        prelude::*,
    };
    use std::ptr::NonNull;

    pub trait HasBuf {
        fn buf(&self) -> &u64;
    }

    pub struct View;

    // SAFETY: The value is in a box of the owner, and `#[devres_lazy]` stands on its destructor.
    unsafe impl Map<Owner> for View {
        type Target = u64;
        type Keep = ();

        fn keep(_: &Owner) {}

        fn map(owner: &Owner, _: &Device<Bound>) -> Result<NonNull<u64>> {
            Ok(NonNull::from(owner.buf()))
        }

        unsafe fn unmap(owner: &Owner, _: &(), buf: NonNull<u64>) {
            assert_eq!(NonNull::from(owner.buf()), buf);
        }
    }
}

mod user {
    #![forbid(unsafe_code)]

    use super::library::*;
    use kernel::{device::Device, devres::Mapped, devres_lazy, prelude::*, sync::aref::ARef};

    #[devres_lazy]
    #[pin_data(PinnedDrop)]
    pub struct Owner {
        dev: ARef<Device>,
        buf: KBox<u64>,

        #[lazy(pub fn view -> u64, device = &self.dev, map = View)]
        view: Mapped<Self, View>,
    }

    impl HasBuf for Owner {
        fn buf(&self) -> &u64 {
            &self.buf
        }
    }

    #[devres_lazy]
    #[rustversion::nightly]
    #[cfg_attr(all(), rustversion::nightly)]
    #[pinned_drop]
    impl PinnedDrop for Owner {
        fn drop(self: Pin<&mut Self>) {}
    }
}

fn main() {}
