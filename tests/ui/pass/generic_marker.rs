// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A marker for any owner whose destructor begins with the teardown, whoever writes that.

use core::ptr::NonNull;
use kernel::{
    device::{Bound, Device},
    devres::{Map, Mapped, TeardownFirst},
    devres_lazy, new_lazy,
    prelude::*,
    sync::aref::ARef,
    testing::TestDevice,
};

trait HasValue {
    type Value: Send + Sync + 'static;

    fn value(&self) -> &Self::Value;
}

struct View;

// SAFETY: The value is kept by the owner, whose destructor begins with the teardown.
unsafe impl<O: TeardownFirst + HasValue> Map<O> for View {
    type Target = O::Value;
    type Keep = ();

    fn keep(_: &O) {}

    fn map(owner: &O, _: &Device<Bound>) -> Result<NonNull<O::Value>> {
        Ok(NonNull::from(owner.value()))
    }

    unsafe fn unmap(owner: &O, _: &(), value: NonNull<O::Value>) {
        assert_eq!(NonNull::from(owner.value()), value);
    }
}

#[devres_lazy]
#[pin_data]
struct Generated<T: Send + Sync + 'static> {
    dev: ARef<Device>,
    value: KBox<T>,

    #[lazy(fn view -> T, device = &self.dev, map = View)]
    view: Mapped<Self, View>,
}

impl<T: Send + Sync + 'static> HasValue for Generated<T> {
    type Value = T;

    fn value(&self) -> &T {
        &self.value
    }
}

#[devres_lazy]
#[pin_data(PinnedDrop)]
struct Own<T>
where
    T: Send + Sync + 'static,
{
    dev: ARef<Device>,
    value: KBox<T>,

    #[lazy(fn view -> T, device = &self.dev, map = View)]
    view: Mapped<Self, View>,

    #[lazy(fn again -> T, device = &self.dev, map = View)]
    again: Mapped<Self, View>,
}

impl<T: Send + Sync + 'static> HasValue for Own<T> {
    type Value = T;

    fn value(&self) -> &T {
        &self.value
    }
}

#[devres_lazy]
#[pinned_drop]
impl<T> PinnedDrop for Own<T>
where
    T: Send + Sync + 'static,
{
    fn drop(self: Pin<&mut Self>) {}
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let generated = KBox::try_pin_init(
        try_pin_init!(Generated {
            dev,
            value: KBox::new(1_u32, GFP_KERNEL)?,
            view <- new_lazy!(),
        }),
        GFP_KERNEL,
    )?;
    let dev = bound.device();
    let own = KBox::try_pin_init(
        try_pin_init!(Own {
            dev,
            value: KBox::new(2_u64, GFP_KERNEL)?,
            view <- new_lazy!(),
            again <- new_lazy!(),
        }),
        GFP_KERNEL,
    )?;

    assert_eq!(generated.view(&bound)?, &1);
    assert_eq!(own.view(&bound)?, own.again(&bound)?);
    drop(own);
    bound.unbind();
    Ok(())
}
