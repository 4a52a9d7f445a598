// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Resources that borrow the device, in a struct that a macro writes: one `dev` is the macro's, and
//! the other one its caller's.

#![deny(warnings)]

use kernel::{
    device::{Bound, Device},
    devres_lazy, new_lazy,
    prelude::*,
    sync::aref::ARef,
    testing::TestDevice,
    types::ForLt,
};

struct Pair<'a> {
    ours: &'a Device<Bound>,
    theirs: &'a Device<Bound>,
}

macro_rules! owner {
    ($name:ident, $device:expr, $init:expr, $ty:ty) => {
        #[devres_lazy]
        #[pin_data]
        struct $name {
            dev: ARef<Device>,

            #[lazy(fn theirs -> &Device<Bound>, device = $device, init = $init)]
            theirs: $ty,

            #[lazy(fn own -> &Device<Bound>, device = &self.dev, init = dev)]
            own: ForLt!(&Device<Bound>),

            #[lazy(fn pair -> Pair<'_>, device = &self.dev, init = Pair { ours: dev, theirs: $init })]
            pair: ForLt!(Pair<'_>),
        }
    };
}

owner!(ByMacro, &self.dev, dev, ForLt!(&Device<Bound>));

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let owner = KBox::pin_init(
        pin_init!(ByMacro {
            dev,
            theirs <- new_lazy!(),
            own <- new_lazy!(),
            pair <- new_lazy!(),
        }),
        GFP_KERNEL,
    )?;

    let raw = bound.as_raw();
    assert_eq!(owner.theirs(&bound)?.as_raw(), raw);
    assert_eq!(owner.own(&bound)?.as_raw(), raw);
    let pair = owner.pair(&bound)?;
    assert_eq!((pair.ours.as_raw(), pair.theirs.as_raw()), (raw, raw));
    Ok(())
}
