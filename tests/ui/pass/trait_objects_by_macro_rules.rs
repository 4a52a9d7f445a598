// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The target is a trait object, and comes through a `$t:ty`.

#![deny(warnings)]

use kernel::{
    device::Device, devres_lazy, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice,
};

trait Ops {
    fn id(&self) -> u32;
}

trait Safe: Send + Sync {
    fn name(&self) -> &'static str;
}

struct Real;

impl Ops for Real {
    fn id(&self) -> u32 {
        42
    }
}

impl Safe for Real {
    fn name(&self) -> &'static str {
        "real"
    }
}

type Alias = Box<dyn Ops + Send + Sync>;

macro_rules! object {
    ($name:ident, $target:ty, $resource:ty, $init:expr) => {
        #[devres_lazy]
        #[pin_data]
        struct $name {
            dev: ARef<Device>,
            #[lazy(
                fn ops -> $target,
                device = &self.dev,
                init = $init,
                peek = ops_if_mapped,
                try_access = try_ops,
                revoke = unmap,
            )]
            ops: $resource,
        }
    };
}

object!(Plus, dyn Ops + Send + Sync, Box<dyn Ops + Send + Sync>, Box::new(Real) as Alias);
object!(Aliased, dyn Ops + Send + Sync, Alias, Box::new(Real) as Alias);
object!(Bare, dyn Safe, Box<dyn Safe>, Box::new(Real) as Box<dyn Safe>);

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;

    let dev = bound.device();
    let mut plus = KBox::pin_init(try_pin_init!(Plus { dev, ops <- new_lazy!() }), GFP_KERNEL)?;
    assert_eq!(plus.ops(&bound)?.id(), 42);
    assert_eq!(plus.ops_if_mapped(&bound)?.map(Ops::id), Some(42));
    assert!(plus.try_ops().is_some());
    plus.as_mut().unmap();
    assert!(plus.try_ops().is_none());

    let dev = bound.device();
    let mut aliased = KBox::pin_init(try_pin_init!(Aliased { dev, ops <- new_lazy!() }), GFP_KERNEL)?;
    assert_eq!(aliased.ops(&bound)?.id(), 42);
    assert!(aliased.ops_if_mapped(&bound)?.is_some() && aliased.try_ops().is_some());
    aliased.as_mut().unmap();

    let dev = bound.device();
    let mut bare = KBox::pin_init(try_pin_init!(Bare { dev, ops <- new_lazy!() }), GFP_KERNEL)?;
    assert_eq!(bare.ops(&bound)?.name(), "real");
    assert!(bare.ops_if_mapped(&bound)?.is_some() && bare.try_ops().is_some());
    bare.as_mut().unmap();

    bound.unbind();
    Ok(())
}
