// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The device is borrowed from something that only the expression holds; `dev` is a name like
//! others in it.

use kernel::{
    device::{Bound, Device},
    devres::{Map, Mapped},
    devres_lazy, new_lazy,
    prelude::*,
    sync::aref::ARef,
    testing::TestDevice,
};
use std::{cell::RefCell, ptr::NonNull, sync::Mutex};

struct Table(u32);

/// Holds a reference to the device.
struct Parent(ARef<Device>);

impl AsRef<Device> for Parent {
    fn as_ref(&self) -> &Device {
        &self.0
    }
}

/// What is in scope under the name of the accessor's parameter.
fn dev() -> u32 {
    3
}

struct View;

// SAFETY: The value is a field of the owner, whose destructor is that of `#[devres_lazy]`.
unsafe impl Map<Queue> for View {
    type Target = u32;
    type Keep = ();

    fn keep(_: &Queue) {}

    fn map(queue: &Queue, _: &Device<Bound>) -> Result<NonNull<u32>> {
        Ok(NonNull::from(&queue.value))
    }

    unsafe fn unmap(_: &Queue, _: &(), _: NonNull<u32>) {}
}

#[devres_lazy]
#[pin_data]
struct Queue {
    device: ARef<Device>,
    locked: Mutex<ARef<Device>>,
    value: u32,

    #[lazy(
        fn table -> Table,
        device = self.parent().as_ref(),
        init = Table(42),
        peek = table_if_mapped,
    )]
    table: Table,

    #[lazy(
        fn view -> u32,
        device = &self.locked.lock().unwrap(),
        map = View,
        peek = view_if_mapped,
    )]
    view: Mapped<Self, View>,

    #[lazy(
        fn ring,
        device = RefCell::new({
            assert_eq!(dev(), 3);
            self.parent()
        })
        .borrow()
        .as_ref(),
        init = Table(43),
    )]
    ring: Table,
}

impl Queue {
    fn parent(&self) -> Parent {
        Parent(self.device.clone())
    }
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let mut other = TestDevice::new(c"gpu1")?;
    let bound = gpu.bind()?;
    let other = other.bind()?;
    let device = bound.device();
    let queue = KBox::pin_init(
        try_pin_init!(Queue {
            locked: Mutex::new(device.clone()),
            device,
            value: 44,
            table <- new_lazy!(),
            view <- new_lazy!(),
            ring <- new_lazy!(),
        }),
        GFP_KERNEL,
    )?;

    assert_eq!(queue.table(&other).err(), Some(EINVAL));
    assert_eq!(queue.view(&other).err(), Some(EINVAL));
    assert_eq!(queue.ring(&other).err(), Some(EINVAL));
    assert_eq!(queue.table_if_mapped(&other).err(), Some(EINVAL));
    assert!(queue.view_if_mapped(&bound)?.is_none());
    assert_eq!(queue.table(&bound)?.0, 42);
    assert_eq!(queue.ring(&bound)?.0, 43);
    assert_eq!(queue.view(&bound)?, &44);
    other.unbind();
    bound.unbind();
    Ok(())
}
