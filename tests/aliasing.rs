// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Views read their owner while it is exclusively borrowed: at teardown, when another slot is
//! revoked, and when unbind drops a view at the same time.
//!
//! Only Miri checks the exclusivity of references. `cargo xtask miri` runs these tests under both
//! of Miri's models, Stacked Borrows and Tree Borrows.

use kernel::{
    device::{Bound, Device},
    devres::{Map, Mapped},
    devres_lazy, new_lazy,
    prelude::*,
    sync::aref::ARef,
    testing::TestDevice,
};
use std::{ptr::NonNull, thread};

struct View;

// SAFETY: The box is a field of the owner, which is not written to. `#[devres_lazy]` writes the
// owner's destructor.
unsafe impl Map<Owner> for View {
    type Target = u32;
    type Keep = ();

    fn keep(_: &Owner) {}

    fn map(owner: &Owner, _: &Device<Bound>) -> Result<NonNull<u32>> {
        Ok(NonNull::from(&*owner.value))
    }

    unsafe fn unmap(owner: &Owner, (): &(), value: NonNull<u32>) {
        assert_eq!(NonNull::from(&*owner.value), value);
        assert_eq!(owner.size, 4);
    }
}

#[devres_lazy]
#[pin_data]
struct Owner {
    dev: ARef<Device>,
    size: usize,
    value: KBox<u32>,

    #[lazy(fn view -> u32, device = &self.dev, map = View, revoke = unmap_view)]
    view: Mapped<Self, View>,

    #[lazy(fn copy -> u32, device = &self.dev, init = *self.value, revoke = drop_copy)]
    copy: u32,
}

impl Owner {
    fn new(dev: ARef<Device>) -> Result<Pin<KBox<Self>>> {
        KBox::try_pin_init(
            try_pin_init!(Self {
                dev,
                size: 4,
                value: KBox::new(7, GFP_KERNEL)?,
                view <- new_lazy!(),
                copy <- new_lazy!(),
            }),
            GFP_KERNEL,
        )
    }
}

/// The owner's destructor drops the view.
#[test]
fn teardown() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let owner = Owner::new(bound.device())?;

    assert_eq!((owner.view(&bound)?, owner.copy(&bound)?), (&7, &7));
    drop(owner);
    Ok(())
}

/// Each slot is revoked in turn, while the other slot is populated.
#[test]
fn revoke() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let mut owner = Owner::new(bound.device())?;

    for _ in 0..2 {
        assert_eq!((owner.view(&bound)?, owner.copy(&bound)?), (&7, &7));
        owner.as_mut().drop_copy();
        assert_eq!(owner.view(&bound)?, &7);
        assert_eq!(owner.copy(&bound)?, &7);
        owner.as_mut().unmap_view();
    }
    Ok(())
}

/// Unbind drops the view while the owner revokes the other slot and is torn down.
#[test]
fn unbind() -> Result {
    for _ in 0..4 {
        let mut gpu = TestDevice::new(c"gpu0")?;
        let bound = gpu.bind()?;
        let mut owner = Owner::new(bound.device())?;
        assert_eq!((owner.view(&bound)?, owner.copy(&bound)?), (&7, &7));

        thread::scope(|scope| {
            scope.spawn(|| {
                owner.as_mut().drop_copy();
                drop(owner);
            });
            bound.unbind();
        });
    }
    Ok(())
}

/// The access that obligation S11 forbids. Stacked Borrows have to report it.
#[test]
#[ignore = "undefined under Stacked Borrows: cargo xtask miri"]
fn an_owner_is_projected_while_a_view_is_mapped() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let mut owner = Owner::new(bound.device())?;

    owner.view(&bound)?;
    assert_eq!(*owner.as_mut().project().size, 4);
    drop(owner);
    Ok(())
}
