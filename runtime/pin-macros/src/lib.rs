// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The attribute macros of pin-init, as the prelude of `devres-lazy` offers them, and what else of
//! the kernel's crate `macros` a driver uses: [`#[vtable]`](macro@vtable),
//! [`#[kunit_tests]`](macro@kunit_tests) and [`ForLt!`](macro@ForLt).
//!
//! The attribute macros of the published crate `pinned-init` expand to paths that start with
//! `::pinned_init`, so a crate that uses them has to depend on `pinned-init` by that name. The
//! macros here hand the same input to the same `macro_rules!` of `pinned-init`, by a path through
//! `devres-lazy`. A driver then depends on `devres-lazy` alone, as it depends on `kernel` alone in
//! a kernel tree.
//!
//! The runtime requires one exact version of `pinned-init`, since these `macro_rules!` are not part
//! of its public interface.

mod for_lt;
mod generics;
mod kunit;
mod pin_data;
mod pinned_drop;
mod projection;
mod vtable;
mod zeroable;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Result};

/// Declares a struct that is initialised in place, with its fields pinned where they have `#[pin]`.
///
/// `pin_init!` and `try_pin_init!` make initialisers for such a struct. With
/// `#[pin_data(PinnedDrop)]` the struct has a destructor, which is an implementation of
/// `PinnedDrop` under [`#[pinned_drop]`](macro@pinned_drop).
///
/// The struct gets a function `project(self: Pin<&mut Self>)`, as visible as the struct. It returns
/// a struct with exclusive references to all fields, which are pinned where they have `#[pin]`.
///
/// The crate that uses this macro depends on `devres-lazy` by that name. Under another name, say
/// `runtime`, it has `extern crate runtime as kernel;` at its root.
#[proc_macro_attribute]
pub fn pin_data(
    args: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    or_error(pin_data::expand(args.into(), item.into()))
}

/// Implements the destructor of a struct under [`#[pin_data(PinnedDrop)]`](macro@pin_data).
#[proc_macro_attribute]
pub fn pinned_drop(
    _args: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    or_error(pinned_drop::expand(item.into()))
}

/// Implements `Zeroable` for a struct or a union, if all of its fields are `Zeroable`.
#[proc_macro_derive(Zeroable)]
pub fn zeroable(item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    or_error(zeroable::expand(item.into()))
}

/// Says which functions of a trait a driver implements: the trait gets a constant `HAS_<NAME>` for
/// each function, which is true where an implementation has the function.
///
/// It stands on the trait and on each implementation. An implementation without it does not compile.
/// Code that fills a table of C functions from the trait leaves out functions whose constant is
/// false.
///
/// The kernel's macro also adds the type `OwnerModule`. There are no modules here.
#[proc_macro_attribute]
pub fn vtable(
    _args: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    or_error(vtable::expand(item.into()))
}

/// Makes a type that is generic over a lifetime, which implements the trait of the same name.
///
/// The input is a type. Lifetimes that are left out (`'_`, `&T`) are the one that it is generic
/// over; or that is named, as in `for<'a> Type<'a>`.
#[proc_macro]
#[allow(non_snake_case)]
pub fn ForLt(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    or_error(for_lt::expand(input.into(), false))
}

/// As [`ForLt!`](macro@ForLt), for a type that is covariant over the lifetime. Another one does not
/// compile.
///
/// Where the syntax does not say that it is covariant, as it does of `&T`, the compiler is asked.
/// The compiler cannot answer for a type that names generic parameters.
#[proc_macro]
#[allow(non_snake_case)]
pub fn CovariantForLt(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    or_error(for_lt::expand(input.into(), true))
}

/// Makes the tests of a module those of a KUnit suite: `#[kunit_tests(suite)] mod tests { .. }`.
///
/// On the host each is a test of Rust's as well. It takes no arguments, and returns nothing or a
/// `Result`.
#[proc_macro_attribute]
pub fn kunit_tests(
    args: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    or_error(kunit::expand(args.into(), item.into()))
}

/// The path to `pinned-init` in a crate that depends on `devres-lazy`.
fn pinned_init() -> TokenStream {
    quote!(::kernel::init::__pin_init)
}

/// Whether this is the attribute called `name`, by whatever path.
fn is_called(attr: &Attribute, name: &str) -> bool {
    let last = attr.path().segments.last();
    last.is_some_and(|last| last.ident == name)
}

/// The expansion, or the error for rustc to report.
fn or_error(expansion: Result<TokenStream>) -> proc_macro::TokenStream {
    expansion
        .unwrap_or_else(|error| error.into_compile_error())
        .into()
}
