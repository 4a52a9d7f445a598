// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A crate that denies what a kernel build asks rustc for, and all else that an author may: none of
//! it fires in what is generated.
//!
//! Not here: `single_use_lifetimes`, which `#[pin_data]` of pinned-init 0.0.10 sets off by itself in
//! a struct with a lifetime, and what says nothing about generated code, such as
//! `unused_crate_dependencies`. Clippy's are in `tests/lint.rs`.

#![deny(
    // `rust_common_flags` of the kernel.
    missing_docs,
    non_ascii_idents,
    rust_2018_idioms,
    unreachable_pub,
    unsafe_op_in_unsafe_fn,
    // All groups.
    future_incompatible,
    keyword_idents,
    let_underscore,
    nonstandard_style,
    refining_impl_trait,
    rust_2021_compatibility,
    rust_2024_compatibility,
    unused,
    warnings,
    // What is in no group and off by default.
    elided_lifetimes_in_paths,
    explicit_outlives_requirements,
    macro_use_extern_crate,
    meta_variable_misuse,
    missing_abi,
    missing_copy_implementations,
    redundant_imports,
    redundant_lifetimes,
    trivial_casts,
    trivial_numeric_casts,
    unit_bindings,
    unnameable_types,
    unused_import_braces,
    unused_lifetimes,
    unused_qualifications,
    variant_size_differences
)]
#![forbid(unsafe_code)]

use kernel::{
    device::Device, devres_lazy, new_evictable_lazy, new_lazy, prelude::*, testing::TestDevice,
};

struct Table(u32);

#[devres_lazy]
#[pin_data(PinnedDrop)]
struct Queue<'dev, T: Clone + Into<u32>, const N: usize> {
    dev: &'dev Device,
    first: T,

    #[lazy(
        fn table -> [Table],
        device = self.dev,
        init = vec![Table(self.first.clone().into())],
        peek = table_if_mapped,
        try_access = try_table,
        revoke = unmap_table,
    )]
    table: Vec<Table>,

    /// The shadow of the table.
    #[lazy(fn shadow -> [u32; N], device = self.dev, init = [0; N])]
    shadow: [u32; N],

    /// What is unmapped while the queue is shared.
    #[lazy(
        fn ring -> [Table],
        device = self.dev,
        init = vec![Table(self.first.clone().into())],
        peek = ring_if_mapped,
        revoke = unmap_ring,
        evict = evict_ring,
    )]
    ring: Vec<Table>,
}

#[devres_lazy]
#[pinned_drop]
impl<T: Clone + Into<u32>, const N: usize> PinnedDrop for Queue<'_, T, N> {
    fn drop(self: Pin<&mut Self>) {}
}

impl<'dev, T: Clone + Into<u32>, const N: usize> Queue<'dev, T, N> {
    fn new(dev: &'dev Device, first: T) -> Result<Pin<KBox<Self>>> {
        KBox::pin_init(
            try_pin_init!(Self {
                dev,
                first,
                table <- new_lazy!("Queue::table"),
                shadow <- new_lazy!("Queue::shadow"),
                ring <- new_evictable_lazy!("Queue::ring"),
            }),
            GFP_KERNEL,
        )
    }
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let mut queue = Queue::<_, 2>::new(&dev, 42u8)?;

    assert!(queue.table_if_mapped(&bound)?.is_none());
    assert_eq!(queue.table(&bound)?[0].0, 42);
    assert_eq!(queue.shadow(&bound)?, &[0, 0]);
    assert!(queue.try_table().is_some());
    queue.as_mut().unmap_table();
    assert!(queue.try_table().is_none());
    assert_eq!(queue.ring(&bound)?[0].0, 42);
    assert!(queue.ring_if_mapped(&bound)?.is_some());
    assert_eq!(queue.evict_ring(), Ok(true));
    queue.as_mut().unmap_ring();
    bound.unbind();
    Ok(())
}
