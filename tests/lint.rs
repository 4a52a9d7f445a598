// SPDX-License-Identifier: Apache-2.0 OR MIT

//! One struct for each form and option, under every lint that could fire in generated code.
//!
//! Clippy does not see the cases of `tests/ui`. A kernel build enables the lints in the workspace's
//! `Cargo.toml`. The groups here are stricter, for driver authors who enable more lints.

#![deny(
    future_incompatible,
    keyword_idents,
    let_underscore,
    missing_debug_implementations,
    nonstandard_style,
    refining_impl_trait,
    rust_2021_compatibility,
    rust_2024_compatibility,
    trivial_casts,
    trivial_numeric_casts,
    unnameable_types,
    unused,
    unused_import_braces,
    unused_lifetimes,
    unused_qualifications,
    unused_results,
    variant_size_differences
)]
#![deny(
    clippy::pedantic,
    clippy::nursery,
    clippy::allow_attributes_without_reason,
    clippy::as_conversions,
    clippy::clone_on_ref_ptr,
    clippy::default_numeric_fallback,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_const_for_fn,
    clippy::missing_inline_in_public_items,
    clippy::multiple_inherent_impl,
    clippy::needless_pass_by_ref_mut,
    clippy::option_if_let_else,
    clippy::panic,
    clippy::redundant_clone,
    clippy::renamed_function_params,
    clippy::same_name_method,
    clippy::semicolon_inside_block,
    clippy::shadow_reuse,
    clippy::shadow_same,
    clippy::shadow_unrelated,
    clippy::str_to_string,
    clippy::try_err,
    clippy::unreachable,
    clippy::unseparated_literal_suffix,
    clippy::unwrap_used,
    clippy::use_self
)]
#![allow(
    clippy::expl_impl_clone_on_copy,
    reason = "`#[pin_data]` of pinned-init 0.0.10 writes such a `Clone`"
)]

use core::{
    fmt::{self, Debug},
    ops::Deref,
    ptr::NonNull,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};
use kernel::{
    device::{Bound, Device},
    devres::{Map, Mapped},
    devres_lazy, new_evictable_lazy, new_lazy,
    prelude::*,
    sync::aref::ARef,
    testing::TestDevice,
};

/// A table of `N` entries.
#[derive(Debug)]
pub struct Table<const N: usize>([u32; N]);

impl<const N: usize> Table<N> {
    /// All entries are `first`, if that is even.
    const fn new(first: u32) -> Result<Self> {
        if first % 2 == 0 {
            Ok(Self([first; N]))
        } else {
            Err(EINVAL)
        }
    }
}

impl<const N: usize> Deref for Table<N> {
    type Target = [u32; N];

    #[inline]
    fn deref(&self) -> &[u32; N] {
        &self.0
    }
}

/// An `init` field with every key that it can have.
#[devres_lazy]
#[pin_data]
pub struct Everything<'a, T: Copy + Into<u32>, const N: usize> {
    dev: &'a Device,
    first: T,

    /// The whole table.
    #[lazy(
        pub fn table -> Table<N>,
        device = self.dev,
        init = Table::new(self.first.into())?,
        peek = table_if_mapped,
        try_access = try_table,
        revoke = unmap_table,
    )]
    table: Table<N>,

    /// The entries only.
    #[lazy(
        pub(crate) fn entries -> [u32; N],
        device = self.dev,
        init = Table::new(self.first.into()),
        peek = entries_if_mapped,
    )]
    entries: Table<N>,

    #[lazy(fn owned, device = self.dev, init = { let _: &Device<Bound> = dev; KBox::new(7, GFP_KERNEL)? })]
    owned: KBox<u32>,

    /// Unmapped while the owner is shared.
    #[lazy(
        pub fn evictable -> Table<N>,
        device = self.dev,
        init = Table::new(self.first.into())?,
        peek = evictable_if_mapped,
        revoke = unmap_evictable,
        evict = evict_evictable,
    )]
    evictable: Table<N>,

    /// The entries only, pinned.
    #[lazy(
        pub(crate) fn pinned -> [u32; N],
        device = self.dev,
        init = KBox::new([self.first.into(); N], GFP_KERNEL)?,
        evict = evict_pinned,
    )]
    pinned: KBox<[u32; N]>,

    /// Configured off.
    #[cfg(any())]
    #[lazy(fn nothing, device = self.dev, init = Nothing)]
    nothing: Nothing,
}

impl<'a, T: Copy + Into<u32>, const N: usize> Everything<'a, T, N> {
    fn new(dev: &'a Device, first: T) -> Result<Pin<KBox<Self>>> {
        KBox::pin_init(
            try_pin_init!(Self {
                dev,
                first,
                table <- new_lazy!("Everything::table"),
                entries <- new_lazy!("Everything::entries"),
                owned <- new_lazy!("Everything::owned"),
                evictable <- new_evictable_lazy!("Everything::evictable"),
                pinned <- new_evictable_lazy!("Everything::pinned"),
            }),
            GFP_KERNEL,
        )
    }
}

impl<T: Copy + Into<u32>, const N: usize> Debug for Everything<'_, T, N> {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Everything")
    }
}

/// A `map` field, with an own destructor.
#[devres_lazy]
#[pin_data(PinnedDrop)]
pub struct View {
    dev: ARef<Device>,
    window: AtomicU32,
    mapped: AtomicU32,

    /// The window.
    #[lazy(
        pub fn window -> AtomicU32,
        device = &self.dev,
        map = Window,
        peek = window_if_mapped,
        try_access = try_window,
        revoke = unmap_window,
    )]
    mapping: Mapped<Self, Window>,
}

#[devres_lazy]
#[pinned_drop]
impl PinnedDrop for View {
    fn drop(self: Pin<&mut Self>) {
        assert_eq!(self.mapped.load(Relaxed), 0);
    }
}

impl Debug for View {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("View")
    }
}

/// Maps the window of a [`View`].
#[derive(Debug)]
pub struct Window;

// SAFETY: `window` is a field of the owner, which outlives the mapping and does not move.
unsafe impl Map<View> for Window {
    type Target = AtomicU32;
    type Keep = ();

    #[inline]
    fn keep(_: &View) {}

    #[inline]
    fn map(owner: &View, _: &Device<Bound>) -> Result<NonNull<AtomicU32>> {
        let _ = owner.mapped.fetch_add(1, Relaxed);
        Ok(NonNull::from(&owner.window))
    }

    #[inline]
    unsafe fn unmap(owner: &View, (): &(), _: NonNull<AtomicU32>) {
        let _ = owner.mapped.fetch_sub(1, Relaxed);
    }
}

/// All lazy fields are configured off.
#[devres_lazy]
#[pin_data]
#[derive(Debug)]
pub struct Nothing {
    nothing: u32,

    #[cfg(any())]
    #[lazy(fn table, device = &self.dev, init = Table)]
    table: Table,
}

/// The operations of an entry.
pub trait Ops: Send + Sync {
    /// The number of the entry.
    fn number(&self) -> u32;
}

impl Ops for u32 {
    #[inline]
    fn number(&self) -> u32 {
        *self
    }
}

fn new_ops(number: u32) -> Box<dyn Ops + Send + Sync> {
    Box::new(number)
}

/// Trait objects, and fields with attributes of their own.
#[devres_lazy]
#[pin_data]
#[allow(non_snake_case, reason = "as the hardware's manual has it")]
pub struct Objects {
    dev: ARef<Device>,

    #[lazy(
        pub fn ops -> dyn Ops + Send + Sync,
        device = &self.dev,
        init = new_ops(7),
        peek = ops_if_mapped,
        try_access = try_ops,
        revoke = unmap_OPS,
    )]
    ops: Box<dyn Ops + Send + Sync>,

    /// The entries in the old layout.
    #[deprecated = "use `ops`"]
    #[doc(hidden)]
    #[doc(alias = "table")]
    #[lazy(pub fn table -> [u32], device = &self.dev, init = vec![1], peek = table_if_mapped)]
    old: Vec<u32>,

    #[cfg_attr(all(), cfg(all()))]
    #[lazy(fn nothing_yet, device = &self.dev, init = return Err(ENODEV))]
    nothing: u32,
}

impl Debug for Objects {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Objects")
    }
}

/// The runtime by another path.
#[devres_lazy(crate = kernel)]
#[pin_data]
pub(crate) struct Elsewhere {
    dev: ARef<Device>,

    #[lazy(fn table -> [u32], device = &*self.dev, init = vec![1, 2, 3])]
    table: Vec<u32>,
}

#[test]
fn init_field() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();

    let mut everything = Everything::<_, 3>::new(&dev, 4_u16)?;
    assert!(everything.table_if_mapped(&bound)?.is_none());
    assert_eq!(everything.table(&bound)?.0, [4; 3]);
    assert_eq!(everything.try_table().map(|table| table.0), Some([4; 3]));
    assert_eq!(everything.entries(&bound)?, &[4; 3]);
    assert_eq!(everything.entries_if_mapped(&bound)?, Some(&[4; 3]));
    assert_eq!(**everything.owned(&bound)?, 7);
    everything.as_mut().unmap_table();
    assert!(everything.try_table().is_none());
    assert_eq!(everything.evictable(&bound)?.0, [4; 3]);
    assert!(everything.evictable_if_mapped(&bound)?.is_some());
    assert!(everything.evict_evictable()?);
    everything.as_mut().unmap_evictable();
    assert_eq!(*everything.pinned(&bound)?, [4; 3]);
    assert!(everything.evict_pinned()?);

    let odd = Everything::<_, 3>::new(&dev, 5_u16)?;
    assert_eq!(odd.table(&bound).err(), Some(EINVAL));
    assert_eq!(odd.entries(&bound).err(), Some(EINVAL));

    bound.unbind();
    assert!(everything.try_table().is_none());
    Ok(())
}

#[test]
fn map_field() -> Result {
    let mut gpu = TestDevice::new(c"gpu1")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let mut view = KBox::pin_init(
        try_pin_init!(View {
            dev,
            window: AtomicU32::new(7),
            mapped: AtomicU32::new(0),
            mapping <- new_lazy!(),
        }),
        GFP_KERNEL,
    )?;

    assert!(view.window_if_mapped(&bound)?.is_none());
    assert_eq!(view.window(&bound)?.load(Relaxed), 7);
    assert!(view.try_window().is_some());
    assert_eq!(view.mapped.load(Relaxed), 1);
    view.as_mut().unmap_window();
    assert_eq!(view.mapped.load(Relaxed), 0);
    assert_eq!(view.window(&bound)?.load(Relaxed), 7);
    drop(view);
    bound.unbind();
    Ok(())
}

#[test]
#[allow(deprecated, reason = "it still has to work")]
fn objects() -> Result {
    let mut gpu = TestDevice::new(c"gpu3")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let mut objects = KBox::pin_init(
        try_pin_init!(Objects {
            dev,
            ops <- new_lazy!(),
            old <- new_lazy!(),
            nothing <- new_lazy!(),
        }),
        GFP_KERNEL,
    )?;

    assert!(objects.ops_if_mapped(&bound)?.is_none());
    assert_eq!(objects.ops(&bound)?.number(), 7);
    assert!(objects.try_ops().is_some());
    objects.as_mut().unmap_OPS();
    assert!(objects.try_ops().is_none());
    assert_eq!(objects.table(&bound)?, [1]);
    assert!(objects.table_if_mapped(&bound)?.is_some());
    assert_eq!(objects.nothing_yet(&bound).err(), Some(ENODEV));
    bound.unbind();
    Ok(())
}

#[test]
fn others() -> Result {
    let mut gpu = TestDevice::new(c"gpu2")?;
    let bound = gpu.bind()?;
    let dev = bound.device();

    let elsewhere = KBox::pin_init(
        try_pin_init!(Elsewhere {
            dev,
            table <- new_lazy!(),
        }),
        GFP_KERNEL,
    )?;
    assert_eq!(elsewhere.table(&bound)?, [1, 2, 3]);

    let nothing = KBox::pin_init(try_pin_init!(Nothing { nothing: 7 }), GFP_KERNEL)?;
    assert_eq!(nothing.nothing, 7);
    bound.unbind();
    Ok(())
}
