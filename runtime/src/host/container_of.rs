// SPDX-License-Identifier: Apache-2.0 OR MIT

//! From a field to the struct around it. Stands for a part of `rust/kernel/lib.rs`.

/// Finds the struct around a field: `container_of()` of `include/linux/container_of.h`.
///
/// Takes a pointer to the field, the type of the struct, and the field's name. The result has the
/// mutability of the pointer.
///
/// # Safety
///
/// Goes into an `unsafe` block: the pointer has to be to that field of such a struct, and be valid
/// for all of it.
///
/// # Examples
///
/// ```
/// use kernel::container_of;
///
/// struct Pair {
///     left: u8,
///     right: u32,
/// }
///
/// let mut pair = Pair { left: 1, right: 2 };
/// let outer = &raw mut pair;
/// // SAFETY: `outer` is valid.
/// let right = unsafe { &raw mut (*outer).right };
/// // SAFETY: `right` is that field of a `Pair`.
/// let found = unsafe { container_of!(right, Pair, right) };
///
/// assert_eq!(found, outer);
/// # assert_eq!(pair.left, 1);
/// ```
///
/// A pointer to something else than the field's type does not compile:
///
/// ```compile_fail,E0308
/// use kernel::container_of;
///
/// struct Pair {
///     left: u8,
///     right: u32,
/// }
///
/// let mut pair = Pair { left: 1, right: 2 };
/// let left = &raw mut pair.left;
/// // SAFETY: It is not compiled.
/// let found = unsafe { container_of!(left, Pair, right) };
/// ```
#[macro_export]
macro_rules! container_of {
    ($field:expr, $Container:ty, $( $path:tt )+) => {{
        fn same_type<T>(_: T, _: T) {}

        let field = $field;
        let container = field
            .byte_sub(::core::mem::offset_of!($Container, $( $path )+))
            .cast::<$Container>();
        same_type(field, (&raw const (*container).$( $path )+).cast_mut());
        container
    }};
}
