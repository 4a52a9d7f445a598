// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Fields, accessors and items that are called as the locals, parameters and functions of what is
//! generated.

use kernel::{
    device::Device, devres_lazy, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice,
};

struct T(u32);

/// Shadows nothing, and is shadowed by nothing.
fn slot() -> u32 {
    1
}

fn owner() -> u32 {
    2
}

#[devres_lazy]
#[pin_data]
struct Owner {
    dev: u32,
    owner_device: ARef<Device>,
    owner: u32,

    #[lazy(
        fn lock -> T,
        device = &self.owner_device,
        init = T(self.dev + self.owner + slot() + owner()),
        peek = get,
        try_access = populate,
        revoke = teardown_slot,
    )]
    slot: T,

    #[lazy(
        fn revoke -> T,
        device = {
            let slot = &self.owner_device;
            let owner_device = slot;
            owner_device
        },
        init = {
            let lock = dev.name();
            T(lock.to_bytes().len() as u32)
        },
        revoke = retire,
    )]
    revoke: T,

    #[lazy(fn this -> T, device = &self.owner_device, init = T(3))]
    this: T,
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let mut object = KBox::pin_init(
        try_pin_init!(Owner {
            dev: 10,
            owner_device: dev,
            owner: 20,
            slot <- new_lazy!(),
            revoke <- new_lazy!(),
            this <- new_lazy!(),
        }),
        GFP_KERNEL,
    )?;

    assert_eq!(object.lock(&bound)?.0, 33);
    assert_eq!(object.revoke(&bound)?.0, 4);
    assert_eq!(object.this(&bound)?.0, 3);
    assert!(Owner::get(&object, &bound)?.is_some());
    assert!(Owner::populate(&object).is_some());
    object.as_mut().teardown_slot();
    object.as_mut().retire();
    assert!(Owner::populate(&object).is_none());
    bound.unbind();
    Ok(())
}
