// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The snapshots in `tests/expand` are programs. They compile as source, under lints that skip a
//! macro's output, such as those about undocumented `unsafe` and unused imports.
//! `cargo fmt --check` covers the snapshots, too.

// No test constructs them.
#![allow(dead_code)]

// A module's name cannot contain the `.expanded` of a snapshot's name.
#[path = "expand/all_cfg.expanded.rs"]
pub mod all_cfg;
#[path = "expand/attributes.expanded.rs"]
pub mod attributes;
#[path = "expand/borrowed.expanded.rs"]
pub mod borrowed;
#[path = "expand/cfg.expanded.rs"]
pub mod cfg;
#[path = "expand/crate_path.expanded.rs"]
pub mod crate_path;
#[path = "expand/evict.expanded.rs"]
pub mod evict;
#[path = "expand/generics.expanded.rs"]
pub mod generics;
#[path = "expand/init_field.expanded.rs"]
pub mod init_field;
#[path = "expand/lifetimes.expanded.rs"]
pub mod lifetimes;
#[path = "expand/map_field.expanded.rs"]
pub mod map_field;
#[path = "expand/own_destructor.expanded.rs"]
pub mod own_destructor;
#[path = "expand/peek.expanded.rs"]
pub mod peek;
#[path = "expand/raw_identifiers.expanded.rs"]
pub mod raw_identifiers;
#[path = "expand/revoke.expanded.rs"]
pub mod revoke;
#[path = "expand/several_fields.expanded.rs"]
pub mod several_fields;
#[path = "expand/target_left_out.expanded.rs"]
pub mod target_left_out;
#[path = "expand/trait_object.expanded.rs"]
pub mod trait_object;
#[path = "expand/try_access.expanded.rs"]
pub mod try_access;
#[path = "expand/undocumented.expanded.rs"]
pub mod undocumented;
#[path = "expand/visibility.expanded.rs"]
pub mod visibility;

use anyhow::{ensure, Result};
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
