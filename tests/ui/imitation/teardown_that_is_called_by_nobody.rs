// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A `TeardownFirst` of one's own, whose `teardown_first()` does nothing.

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

    pub mod fake {
        pub use kernel::{device, error, prelude};
        pub mod devres {
            pub use kernel::devres::*;

            use kernel::prelude::*;

            pub trait TeardownFirst {}

            impl dyn TeardownFirst {
                pub fn teardown_first<O: ?Sized>(_: &mut Pin<&mut O>) {}
            }
        }
    }

    #[devres_lazy(crate = fake)]
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
}

fn main() {}
