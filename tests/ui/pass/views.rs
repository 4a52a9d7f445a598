// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Several views: by one marker under several conditions, by another one, by one whose name is an
//! alias, and of a type that is.

use core::ptr::NonNull;
use kernel::{
    device::{Bound, Device},
    devres::{self, Map, Mapped},
    devres_lazy, new_lazy,
    prelude::*,
    sync::aref::ARef,
    testing::TestDevice,
};

/// A part of the owner.
struct Part<const AT: usize>;

// SAFETY: The value is a field of the owner, whose destructor is that of `#[devres_lazy]`.
unsafe impl<const AT: usize> Map<Queue> for Part<AT> {
    type Target = Vec<u8>;
    type Keep = ();

    fn keep(_: &Queue) {}

    fn map(queue: &Queue, _: &Device<Bound>) -> Result<NonNull<Vec<u8>>> {
        Ok(NonNull::from(&queue.parts[AT]))
    }

    unsafe fn unmap(queue: &Queue, _: &(), part: NonNull<Vec<u8>>) {
        assert_eq!(NonNull::from(&queue.parts[AT]), part);
    }
}

type Last = Part<2>;
type View<T> = Mapped<Queue, T>;

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,
    parts: [Vec<u8>; 4],

    #[cfg(any(a, not(a)))]
    #[lazy(fn first -> [u8], device = &self.dev, map = Part<0>)]
    first: Mapped<Self, Part<0>>,

    #[cfg(all(a, not(a)))]
    #[lazy(fn never -> Vec<u8>, device = &self.dev, map = Part<0>)]
    never: Mapped<Self, Part<0>>,

    #[cfg_attr(all(a, not(a)), cfg(all(a, not(a))))]
    #[cfg_attr(any(a, not(a)), cfg(any(a, not(a))), allow(dead_code))]
    #[lazy(fn same -> Vec<u8>, device = &self.dev, map = Part<0>)]
    same: devres::Mapped<Queue, Part<0>>,

    #[cfg(all(a, not(a)))]
    #[lazy(fn never_second -> Vec<u8>, device = &self.dev, map = Part<1>)]
    never_second: Mapped<Self, Part<1>>,

    #[lazy(fn second -> Vec<u8>, device = &self.dev, map = Part<1>)]
    second: Mapped<Self, Part<1>>,

    #[lazy(fn third -> [u8], device = &self.dev, map = Last)]
    third: Mapped<Self, Last>,

    #[lazy(fn fourth -> [u8], device = &self.dev, map = Part<3>)]
    fourth: View<Part<3>>,

    #[cfg(all(a, not(a)))]
    #[lazy(fn never_fifth -> Vec<u8>, device = &self.dev, map = Part<4>)]
    never_fifth: Mapped<Self, Part<4>>,

    #[cfg_attr(any(a, not(a)), cfg(all(a, not(a))))]
    #[lazy(fn never_either -> Vec<u8>, device = &self.dev, map = Part<4>)]
    never_either: Mapped<Self, Part<4>>,
}

// There is no implementation for a marker whose fields are not there.
impl devres::HasView<Part<4>> for Queue {
    type Map = Part<3>;
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let queue = KBox::try_pin_init(
        try_pin_init!(Queue {
            dev,
            parts: [1, 2, 3, 4].map(|len| vec![0; len]),
            first <- new_lazy!(),
            same <- new_lazy!(),
            second <- new_lazy!(),
            third <- new_lazy!(),
            fourth <- new_lazy!(),
        }),
        GFP_KERNEL,
    )?;

    assert_eq!(queue.first(&bound)?, queue.same(&bound)?);
    assert_eq!(queue.second(&bound)?.len(), 2);
    assert_eq!(queue.third(&bound)?.len(), 3);
    assert_eq!(queue.fourth(&bound)?.len(), 4);
    bound.unbind();
    Ok(())
}
