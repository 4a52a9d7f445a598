// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `#[clippy::pin_data]` says that there is a destructor, and does nothing for it.

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
    #[clippy::pin_data(PinnedDrop)]
    #[pin_data]
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
    #[pinned_drop]
    impl PinnedDrop for Owner {
        fn drop(self: Pin<&mut Self>) {}
    }
}

fn main() {}
