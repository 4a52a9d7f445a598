// SPDX-License-Identifier: Apache-2.0 OR MIT

//! As `destructor_incomplete`, with generics and a view: one mistake, one message.

use kernel::{
    device::{Bound, Device},
    devres::{Map, Mapped},
    devres_lazy,
    prelude::*,
    sync::aref::ARef,
};
use std::ptr::NonNull;

struct View;

// SAFETY: The value is a field of the owner, on whose destructor `#[devres_lazy]` should stand.
unsafe impl<T: Send + Sync + 'static, const N: usize> Map<Queue<T, N>> for View {
    type Target = [T; N];
    type Keep = ();

    fn keep(_: &Queue<T, N>) {}

    fn map(queue: &Queue<T, N>, _: &Device<Bound>) -> Result<NonNull<[T; N]>> {
        Ok(NonNull::from(&queue.values))
    }

    unsafe fn unmap(_: &Queue<T, N>, _: &(), _: NonNull<[T; N]>) {}
}

#[devres_lazy]
#[pin_data(PinnedDrop)]
struct Queue<T, const N: usize>
where
    T: Send + Sync + 'static,
{
    dev: ARef<Device>,
    values: [T; N],

    #[lazy(
        fn view -> [T; N],
        device = &self.dev,
        map = View,
    )]
    view: Mapped<Self, View>,

    #[lazy(
        fn again -> [T; N],
        device = &self.dev,
        map = View,
    )]
    again: Mapped<Self, View>,

    #[lazy(
        fn table -> u32,
        device = &self.dev,
        init = 0,
    )]
    table: u32,
}

#[pinned_drop]
impl<T: Send + Sync + 'static, const N: usize> PinnedDrop for Queue<T, N> {
    fn drop(self: Pin<&mut Self>) {}
}

fn main() {}
