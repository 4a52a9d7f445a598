// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A `Lazy` that is one type for the field, and another one where its parameter is not named.

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
    use fake::devres::Found;
    use kernel::{device::Device, devres::Mapped, devres_lazy, prelude::*, sync::aref::ARef};

    pub mod fake {
        pub use kernel::{device, error, prelude};
        pub mod devres {
            pub use kernel::devres::*;

            use kernel::{
                device::{Bound, Device},
                prelude::*,
            };

            pub trait Choose {
                type Slot;
            }

            impl Choose for Mapped<super::super::Owner, super::super::View> {
                type Slot = kernel::devres::Lazy<Self>;
            }

            impl Choose for () {
                type Slot = Nothing;
            }

            pub type Lazy<T> = <T as Choose>::Slot;

            pub struct Nothing;

            type Real = kernel::devres::Lazy<Mapped<super::super::Owner, super::super::View>>;

            /// What is found in `_`.
            pub trait Found {
                fn get<'a>(slot: &'a Real, dev: &'a Device<Bound>) -> Option<&'a u64> {
                    slot.get(dev).map(|view| &**view)
                }

                fn entry<'a>(
                    slot: &'a Real,
                    dev: &'a Device<Bound>,
                ) -> Result<Entry<'a, Mapped<super::super::Owner, super::super::View>>> {
                    slot.entry(dev)
                }

                fn retire(_: Pin<&mut Real>) {}
            }

            impl<T: ?Sized> Found for T {}
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
