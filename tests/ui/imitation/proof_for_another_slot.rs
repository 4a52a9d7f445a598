// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A `populate_with()` that gives the proof for one slot to another one, which stays empty.

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

            use kernel::{
                device::{Bound, Device},
                prelude::*,
            };

            pub struct Vacant<T>(T);

            impl<T: Send + Sync + 'static> Vacant<T> {
                pub fn populate_with<'a>(
                    slot: kernel::devres::Vacant<'a, T>,
                    init: impl for<'p> FnOnce(Place<'p, T>) -> Result<Placed<'p, T>>,
                ) -> Result<&'a T> {
                    let (other, dev): (&'a Lazy<T>, &'a Device<Bound>) = todo!();
                    slot.populate_with(|place| {
                        let mut proof = None;
                        if let Entry::Vacant(other) = other.entry(dev)? {
                            let _ = other.populate_with(|_| {
                                proof = Some(init(place)?);
                                proof.take().ok_or(EIO)
                            });
                        }
                        Err(EIO)
                    })
                }
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
