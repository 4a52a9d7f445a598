// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A runtime that is imitated, up to what only the real one can make: a mapping asked for in the
//! place of another slot is refused before anything is mapped, and one whose proof is not returned is
//! unmapped.

use kernel::{
    device::{Bound, Device},
    devres::{Lazy, Map, Mapped},
    devres_lazy, new_lazy,
    prelude::*,
    sync::aref::ARef,
    testing::TestDevice,
};
use std::{
    ptr::NonNull,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

static MAPPED: AtomicU32 = AtomicU32::new(0);

struct View;

// SAFETY: The value is a field of the owner, whose destructor is that of `#[devres_lazy]`.
unsafe impl Map<Owner> for View {
    type Target = u32;
    type Keep = ();

    fn keep(_: &Owner) {}

    fn map(owner: &Owner, _: &Device<Bound>) -> Result<NonNull<u32>> {
        MAPPED.fetch_add(1, Relaxed);
        Ok(NonNull::from(&owner.value))
    }

    unsafe fn unmap(_: &Owner, _: &(), _: NonNull<u32>) {
        MAPPED.fetch_sub(1, Relaxed);
    }
}

mod imitation {
    pub use kernel::{device, error, prelude};

    pub mod devres {
        use crate::{Owner, View};
        use kernel::{
            device::Device,
            error::{code::EIO, Result},
            sync::aref::ARef,
        };
        use std::cell::Cell;

        pub use kernel::devres::*;

        type Resource = Mapped<Owner, View>;

        thread_local! {
            /// The slot that is populated in the place of the one that is asked for.
            pub static OTHER: Cell<Option<(&'static Lazy<Resource>, ARef<Device>)>> =
                const { Cell::new(None) };
            /// Whether the proof is forgotten.
            pub static FAIL: Cell<bool> = const { Cell::new(false) };
        }

        pub struct Vacant;

        impl Vacant {
            pub fn populate_with<'a>(
                slot: kernel::devres::Vacant<'a, Resource>,
                init: impl for<'p> FnOnce(Place<'p, Resource>) -> Result<Placed<'p, Resource>>,
            ) -> Result<&'a Resource> {
                match OTHER.take() {
                    Some((other, dev)) => {
                        // SAFETY: The test keeps the device bound meanwhile.
                        let dev = unsafe { dev.as_bound() };
                        match other.entry(dev)? {
                            Entry::Vacant(other) => other.populate_with(init).map(|_| ())?,
                            Entry::Populated(_) => (),
                        }
                        Err(EIO)
                    }
                    None if FAIL.take() => slot.populate_with(|place| {
                        std::mem::forget(init(place)?);
                        Err(EIO)
                    }),
                    None => slot.populate_with(init),
                }
            }
        }
    }
}

#[devres_lazy(crate = imitation)]
#[pin_data]
struct Owner {
    dev: ARef<Device>,
    value: u32,

    #[lazy(fn view -> u32, device = &self.dev, map = View)]
    view: Mapped<Self, View>,

    /// A slot of the same type, which `teardown()` does not know.
    #[pin]
    other: Lazy<Mapped<Self, View>>,
}

impl Owner {
    fn new(dev: &Device) -> Result<Pin<KBox<Self>>> {
        KBox::try_pin_init(
            try_pin_init!(Self {
                dev: dev.into(),
                value: 42,
                view <- new_lazy!(),
                other <- new_lazy!(),
            }),
            GFP_KERNEL,
        )
    }
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let owner: &'static Owner = Pin::get_ref(Box::leak(Box::new(Owner::new(&bound)?)).as_ref());
    let stranger = KBox::pin_init(new_lazy!(), GFP_KERNEL)?;
    let stranger: &'static _ = Pin::get_ref(Box::leak(Box::new(stranger)).as_ref());

    for other in [&owner.other, stranger] {
        imitation::devres::OTHER.set(Some((other, bound.device())));
        assert_eq!(owner.view(&bound).err(), Some(EINVAL));
        assert_eq!(MAPPED.load(Relaxed), 0);
        assert!(other.get(&bound).is_none());
    }

    imitation::devres::FAIL.set(true);
    assert_eq!(owner.view(&bound).err(), Some(EIO));
    assert_eq!(MAPPED.load(Relaxed), 0);

    // Where it forwards the place that it was given, it may.
    assert_eq!(owner.view(&bound)?, &42);
    assert_eq!(MAPPED.load(Relaxed), 1);
    bound.unbind();
    assert_eq!(MAPPED.load(Relaxed), 0);
    Ok(())
}
