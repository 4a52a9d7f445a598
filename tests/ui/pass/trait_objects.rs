// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The target is a trait object: what the field derefs to, and not what the field itself would be as
//! a trait object. It may have a `+` and parentheses.

#![deny(warnings)]

use kernel::{
    device::Device, devres_lazy, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice,
};
use std::{ops::Deref, sync::Arc};

trait Ops {
    fn id(&self) -> u32;
}

struct Real;

impl Ops for Real {
    fn id(&self) -> u32 {
        42
    }
}

/// What a box is taken for must not be asked.
impl<T: Ops + ?Sized> Ops for Box<T> {
    fn id(&self) -> u32 {
        panic!("the box was asked");
    }
}

trait Safe: Send + Sync {
    fn name(&self) -> &'static str;
}

impl Safe for Real {
    fn name(&self) -> &'static str {
        "real"
    }
}

type Alias = Box<dyn Ops + Send + Sync>;

type Object = dyn Ops + Send + Sync;

/// Derefs to a trait object without being a pointer.
struct Handle(Alias);

impl Deref for Handle {
    type Target = dyn Ops + Send + Sync;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(fn plus -> dyn Ops + Send + Sync, device = &self.dev, init = Box::new(Real) as Alias)]
    plus: Box<dyn Ops + Send + Sync>,

    #[lazy(fn parens -> (dyn Ops + Send + Sync), device = &self.dev, init = Box::new(Real) as Alias)]
    parens: Box<dyn Ops + Send + Sync>,

    #[lazy(fn named -> Object, device = &self.dev, init = Arc::new(Box::new(Real) as Alias))]
    named: Arc<Box<Object>>,

    #[lazy(fn trailing -> dyn Safe +, device = &self.dev, init = &Real as &dyn Safe)]
    trailing: &'static dyn Safe,

    #[lazy(fn bare -> dyn Safe, device = &self.dev, init = Box::new(Real) as Box<dyn Safe>)]
    bare: Box<dyn Safe>,

    #[lazy(
        fn twice -> dyn Ops + Send + Sync,
        device = &self.dev,
        init = Arc::new(Box::new(Real) as Alias),
    )]
    twice: Arc<Box<dyn Ops + Send + Sync>>,

    #[lazy(
        fn pinned -> dyn Ops + Send + Sync,
        device = &self.dev,
        init = Box::into_pin(Box::new(Real) as Alias),
        peek = pinned_if_mapped,
    )]
    pinned: Pin<Box<dyn Ops + Send + Sync>>,

    #[lazy(
        fn handle -> dyn Ops + Send + Sync,
        device = &self.dev,
        init = Handle(Box::new(Real)),
    )]
    handle: Handle,

    #[lazy(
        fn function -> dyn Fn(u32) -> u32 + Send + Sync,
        device = &self.dev,
        init = Box::new(|x: u32| x + 1) as Box<dyn Fn(u32) -> u32 + Send + Sync>,
    )]
    function: Box<dyn Fn(u32) -> u32 + Send + Sync>,

    // Without what the accessor does not promise.
    #[lazy(fn fewer -> dyn Safe, device = &self.dev, init = Box::new(Real) as Box<dyn Safe + Unpin>)]
    fewer: Box<dyn Safe + Unpin>,
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;

    let dev = bound.device();
    let queue = KBox::pin_init(
        try_pin_init!(Queue {
            dev,
            plus <- new_lazy!(),
            parens <- new_lazy!(),
            named <- new_lazy!(),
            trailing <- new_lazy!(),
            bare <- new_lazy!(),
            twice <- new_lazy!(),
            pinned <- new_lazy!(),
            handle <- new_lazy!(),
            function <- new_lazy!(),
            fewer <- new_lazy!(),
        }),
        GFP_KERNEL,
    )?;
    assert!(queue.pinned_if_mapped(&bound)?.is_none());
    assert_eq!(queue.plus(&bound)?.id(), 42);
    assert_eq!(queue.parens(&bound)?.id(), 42);
    assert_eq!(queue.named(&bound)?.id(), 42);
    assert_eq!(queue.trailing(&bound)?.name(), "real");
    assert_eq!(queue.bare(&bound)?.name(), "real");
    assert_eq!(queue.twice(&bound)?.id(), 42);
    assert_eq!(queue.pinned(&bound)?.id(), 42);
    assert_eq!(queue.pinned_if_mapped(&bound)?.map(Ops::id), Some(42));
    assert_eq!(queue.handle(&bound)?.id(), 42);
    assert_eq!(queue.function(&bound)?(1), 2);
    assert_eq!(queue.fewer(&bound)?.name(), "real");
    bound.unbind();
    Ok(())
}
