// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The edition of a file: that of its package, as rustfmt has to be told it.

use std::{
    fs,
    path::{
        self,
        Path, //
    },
};
use toml::{
    Table,
    Value, //
};

/// The edition of the file at `path`: what the manifest of its package says, or that of the
/// workspace; without a manifest, what the kernel is written in.
pub(crate) fn of(path: &Path) -> String {
    of_package(path).unwrap_or_else(|| "2021".to_owned())
}

fn of_package(path: &Path) -> Option<String> {
    let path = path::absolute(path).ok()?;
    let mut manifests = path.ancestors().skip(1).filter_map(|directory| {
        let manifest = fs::read_to_string(directory.join("Cargo.toml")).ok()?;
        manifest.parse::<Table>().ok()
    });

    let own = manifests
        .by_ref()
        .find(|manifest| manifest.contains_key("package"))?;
    match own.get("package")?.get("edition") {
        Some(Value::String(edition)) => Some(edition.clone()),
        // `edition.workspace = true`
        Some(_) => [own]
            .into_iter()
            .chain(manifests)
            .find_map(|manifest| of_workspace(&manifest)),
        // As cargo has it.
        None => Some("2015".to_owned()),
    }
}

fn of_workspace(manifest: &Table) -> Option<String> {
    let edition = manifest.get("workspace")?.get("package")?.get("edition")?;

    edition.as_str().map(ToOwned::to_owned)
}
