// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The macros of pin-init in the prelude: `Self`, all kinds of generics, attributes on a
//! destructor, items in a function, and projections.

use core::{
    cell::Cell,
    marker::{PhantomData, PhantomPinned},
};
use kernel::{init::Zeroable as ZeroableAtItsPath, prelude::*};

/// A type that its own fields and bounds refer to.
#[pin_data(PinnedDrop)]
#[derive(Debug)]
struct Node<'a, T: Copy + 'a = u8, const N: usize = 4>
where
    T: PartialEq<T>,
    Self: Sized,
{
    #[pin]
    values: [T; N],
    next: Option<&'a Self>,
    compare: fn(&Self, &Self) -> bool,
    dropped: &'a Cell<usize>,
}

/// Below a documentation comment.
#[pinned_drop]
/// Above another one.
#[allow(unused_variables)]
#[cfg(test)]
impl<T: Copy, const N: usize> PinnedDrop for Node<'_, T, N>
where
    T: PartialEq<T>,
{
    fn drop(self: Pin<&mut Self>) {
        let unused = self.next.is_some();
        self.dropped.set(self.dropped.get() + N);
    }
}

#[pinned_drop]
#[cfg(not(test))]
impl PinnedDrop for NotThere {
    fn drop(self: Pin<&mut Self>) {}
}

/// A bound with an arrow, a raw lifetime, and a field that depends on the configuration.
#[pin_data]
struct Filter<'r#for, F: Fn(&'r#for u32) -> bool, const N: usize = 2> {
    keeps: F,
    #[cfg(test)]
    values: &'r#for [u32; N],
    #[cfg(not(test))]
    values: (),
}

#[derive(Zeroable)]
struct Registers<T: Copy, U, const N: usize>
where
    U: PartialEq,
{
    values: [T; N],
    other: U,
}

#[derive(Zeroable)]
union Word {
    word: u32,
    bytes: [u8; 4],
}

/// A field of a type that need not be `Sized`, and fields that depend on the configuration.
#[pin_data]
struct Tail<T: ?Sized> {
    #[cfg(test)]
    #[pin]
    pinned: PhantomPinned,
    #[cfg(not(test))]
    pinned: NotThere,
    #[cfg_attr(test, cfg(not(test)))]
    not_there: NotThere,
    #[deprecated = "still a field"]
    r#type: u32,
    #[pin]
    tail: T,
}

mod private {
    use super::*;

    #[pin_data]
    pub(crate) struct Counter {
        #[pin]
        pin: PhantomPinned,
        pub(crate) count: u32,
    }

    impl Counter {
        pub(crate) fn new() -> impl PinInit<Self> {
            pin_init!(Self {
                pin: PhantomPinned,
                count: 0,
            })
        }

        pub(crate) fn pin(self: Pin<&mut Self>) -> Pin<&mut PhantomPinned> {
            self.project().pin
        }
    }
}

fn never<const N: usize>(_: &Node<'_, u16, N>, _: &Node<'_, u16, N>) -> bool {
    false
}

fn always<const N: usize>(_: &Node<'_, u16, N>, _: &Node<'_, u16, N>) -> bool {
    true
}

fn same_values(a: &Node<'_>, b: &Node<'_>) -> bool {
    a.values == b.values
}

fn is_zeroable<T: ZeroableAtItsPath>() {}

#[test]
fn a_struct_that_names_itself() -> Result {
    let dropped = &Cell::new(0);
    let node: Pin<KBox<Node<'_>>> = KBox::pin_init(
        try_pin_init!(Node {
            values: [1; 4],
            next: None,
            compare: same_values,
            dropped,
        }),
        GFP_KERNEL,
    )?;
    assert!((node.compare)(&node, &node));

    drop(node);
    assert_eq!(dropped.get(), 4);
    Ok(())
}

#[test]
fn a_struct_in_a_function() -> Result {
    #[pin_data(PinnedDrop)]
    struct Local<'a, T> {
        dropped: &'a Cell<usize>,
        value: PhantomData<T>,
    }

    #[pinned_drop]
    #[allow(clippy::needless_pass_by_ref_mut)]
    impl<T> PinnedDrop for Local<'_, T> {
        fn drop(self: Pin<&mut Self>) {
            self.dropped.set(100);
        }
    }

    let dropped = &Cell::new(0);
    let local: Pin<KBox<Local<'_, u32>>> = KBox::pin_init(
        try_pin_init!(Local {
            dropped,
            value: PhantomData,
        }),
        GFP_KERNEL,
    )?;
    let _: PhantomData<u32> = local.value;

    drop(local);
    assert_eq!(dropped.get(), 100);
    Ok(())
}

#[test]
fn a_bound_with_an_arrow() -> Result {
    let filter = KBox::pin_init(
        try_pin_init!(Filter {
            keeps: |value: &u32| *value > 1,
            values: &[1, 2],
        }),
        GFP_KERNEL,
    )?;

    let kept = filter.values.iter().filter(|value| (filter.keeps)(value));
    assert_eq!(kept.count(), 1);
    Ok(())
}

#[test]
fn zeroable() -> Result {
    let registers = KBox::<Registers<u16, u32, 3>>::zeroed(GFP_KERNEL)?;
    assert_eq!((registers.values, registers.other), ([0; 3], 0));

    let word = KBox::<Word>::zeroed(GFP_KERNEL)?;
    // SAFETY: All bytes of the value are initialised, to zero.
    assert_eq!(unsafe { word.word }, 0);
    // SAFETY: All bytes of the value are initialised, to zero.
    assert_eq!(unsafe { word.bytes }, [0; 4]);

    is_zeroable::<Registers<u8, u8, 1>>();
    Ok(())
}

#[test]
fn projection_of_generics() -> Result {
    let dropped = &Cell::new(0);
    let mut node: Pin<KBox<Node<'_, u16, 2>>> = KBox::pin_init(
        try_pin_init!(Node {
            values: [1; 2],
            next: None,
            compare: never,
            dropped,
        }),
        GFP_KERNEL,
    )?;

    let NodeProjection {
        mut values,
        next,
        compare,
        dropped: also_dropped,
        ..
    } = node.as_mut().project();
    values.set([2, 3]);
    *compare = always;
    assert!(next.is_none() && core::ptr::eq(*also_dropped, dropped));
    assert_eq!(node.values, [2, 3]);
    assert!((node.compare)(&node, &node));
    Ok(())
}

#[test]
fn projection_with_an_unsized_tail() -> Result {
    #[allow(deprecated)]
    let tail: Pin<KBox<Tail<[u32; 2]>>> = KBox::pin_init(
        try_pin_init!(Tail {
            pinned: PhantomPinned,
            r#type: 1,
            tail: [2, 3],
        }),
        GFP_KERNEL,
    )?;

    let mut tail = tail;
    let tail: Pin<&mut Tail<[u32]>> = tail.as_mut();
    let projection: TailProjection<'_, [u32]> = tail.project();
    let _: Pin<&mut PhantomPinned> = projection.pinned;
    *projection.r#type += 1;
    assert_eq!(*projection.r#type, 2);
    let elements: Pin<&mut [u32]> = projection.tail;
    assert_eq!(*elements, [2, 3]);
    Ok(())
}

#[test]
fn projection_is_as_visible_as_the_struct() -> Result {
    let mut counter = KBox::pin_init(private::Counter::new(), GFP_KERNEL)?;

    let projection: private::CounterProjection<'_> = counter.as_mut().project();
    *projection.count += 1;
    let _: Pin<&mut PhantomPinned> = counter.as_mut().pin();
    assert_eq!(counter.count, 1);
    Ok(())
}
