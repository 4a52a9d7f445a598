// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Resources that borrow the device, with what else a field and its struct may have.

#![deny(warnings)]
#![forbid(unsafe_code)]

use core::fmt::Debug;
use kernel::{
    device::{Bound, Device},
    new_lazy,
    prelude::*,
    sync::aref::ARef,
    testing::TestDevice,
    types::ForLt,
};

mod facade {
    pub(crate) use kernel;
}

/// A family of a generic type, which `ForLt!` cannot name.
#[pin_data]
pub struct Window<'a, T> {
    dev: &'a Device<Bound>,
    len: T,
}

impl<T: 'static> ForLt for Window<'static, T> {
    type Of<'a> = Window<'a, T>;
}

impl<'a, T> Window<'a, T> {
    fn new(dev: &'a Device<Bound>, len: T) -> impl PinInit<Self> {
        pin_init!(Self { dev, len })
    }
}

/// A queue.
#[kernel::devres_lazy(crate = crate::facade::kernel)]
#[pin_data(PinnedDrop)]
#[repr(C)]
pub struct Queue<'q, T>
where
    T: Clone + Debug + Send + Sync + 'static,
{
    dev: ARef<Device>,
    name: &'q str,
    len: T,

    /// Generic.
    #[lazy(
        pub(crate) fn window,
        device = &self.dev,
        init = Window::new(dev, self.len.clone()),
    )]
    window: Window<'_, T>,

    /// Not here.
    #[cfg(any())]
    #[lazy(fn nowhere -> Nowhere<'_>, device = &self.dev, init = Nowhere)]
    nowhere: ForLt!(Nowhere<'_>),

    #[cfg(all())]
    #[lazy(
        fn r#type -> &'_ Device<Bound>,
        device = &self.dev,
        init = {
            if self.name.is_empty() {
                return Err(ENODEV);
            }
            Ok(dev)
        },
        peek = r#try,
        revoke = r#yield,
    )]
    r#type: ForLt!(for<'r#fn> &'r#fn Device<Bound>),

    /// Reads from the object, and uses no device.
    #[deprecated]
    #[lazy(
        fn names -> (usize, &str),
        device = &self.dev,
        init = (self.dev.name().count_bytes(), "x"),
    )]
    names: ForLt!((usize, &'_ str)),

    #[lazy(fn never -> Window<'_, u8>, device = &self.dev, init = todo!())]
    never: Window<'_, u8>,
}

#[kernel::devres_lazy(crate = facade::kernel)]
#[pinned_drop]
impl<T> PinnedDrop for Queue<'_, T>
where
    T: Clone + Debug + Send + Sync + 'static,
{
    fn drop(self: Pin<&mut Self>) {
        let _ = self.name;
    }
}

impl<'q, T> Queue<'q, T>
where
    T: Clone + Debug + Send + Sync + 'static,
{
    fn new(dev: &Device, name: &'q str, len: T) -> Result<Pin<KBox<Self>>> {
        KBox::pin_init(
            pin_init!(Self {
                dev: dev.into(),
                name,
                len,
                window <- new_lazy!(),
                r#type <- new_lazy!(),
                names <- new_lazy!(),
                never <- new_lazy!(),
            }),
            GFP_KERNEL,
        )
    }
}

#[allow(deprecated)]
fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let name = String::from("queue");
    let mut queue = Queue::new(&bound.device(), &name, String::from("len"))?;

    let window: &Window<'_, String> = queue.window(&bound)?;
    assert_eq!((window.dev.name(), &*window.len), (c"gpu0", "len"));
    assert!(queue.r#try(&bound)?.is_none());
    assert_eq!(queue.r#type(&bound)?.as_raw(), bound.as_raw());
    queue.as_mut().r#yield();
    assert!(queue.r#try(&bound)?.is_none());
    assert_eq!(*queue.names(&bound)?, (4, "x"));
    Ok(())
}
