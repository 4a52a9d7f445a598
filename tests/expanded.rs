// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The snapshots in `tests/expand` are programs: each of them compiles, as source, under the lints
//! that rustc and Clippy do not apply to what a macro has written.

// Comments do not survive a token stream: why an `unsafe` is sound is in the documentation of its
// function.
#![allow(clippy::undocumented_unsafe_blocks)]
// The attribute is imported, and expanded.
#![allow(unused_imports)]
// Nobody constructs them.
#![allow(dead_code)]

// They are formatted by the expander.
#[rustfmt::skip]
#[path = "expand/all_cfg.expanded.rs"]
pub mod all_cfg;
#[rustfmt::skip]
#[path = "expand/cfg.expanded.rs"]
pub mod cfg;
#[rustfmt::skip]
#[path = "expand/crate_path.expanded.rs"]
pub mod crate_path;
#[rustfmt::skip]
#[path = "expand/form_a.expanded.rs"]
pub mod form_a;
#[rustfmt::skip]
#[path = "expand/form_b.expanded.rs"]
pub mod form_b;
#[rustfmt::skip]
#[path = "expand/generics.expanded.rs"]
pub mod generics;
#[rustfmt::skip]
#[path = "expand/lifetimes.expanded.rs"]
pub mod lifetimes;
#[rustfmt::skip]
#[path = "expand/own_destructor.expanded.rs"]
pub mod own_destructor;
#[rustfmt::skip]
#[path = "expand/peek.expanded.rs"]
pub mod peek;
#[rustfmt::skip]
#[path = "expand/raw_identifiers.expanded.rs"]
pub mod raw_identifiers;
#[rustfmt::skip]
#[path = "expand/revoke.expanded.rs"]
pub mod revoke;
#[rustfmt::skip]
#[path = "expand/several_fields.expanded.rs"]
pub mod several_fields;
#[rustfmt::skip]
#[path = "expand/target_left_out.expanded.rs"]
pub mod target_left_out;
#[rustfmt::skip]
#[path = "expand/try_access.expanded.rs"]
pub mod try_access;
#[rustfmt::skip]
#[path = "expand/undocumented.expanded.rs"]
pub mod undocumented;
#[rustfmt::skip]
#[path = "expand/visibility.expanded.rs"]
pub mod visibility;

use anyhow::{
    ensure,
    Result, //
};
use std::fs;

#[test]
fn all_are_here() -> Result<()> {
    let here = include_str!("expanded.rs");

    for entry in fs::read_dir("tests/expand")? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        ensure!(
            !name.ends_with(".expanded.rs") || here.contains(&format!("\"expand/{name}\"")),
            "`{name}` is not compiled"
        );
    }

    Ok(())
}
