// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Files that forbid `unsafe`, which they leave to the macro: for print, lints are warnings.

use anyhow::Result;
use cargo_devres_lazy::Source;
use std::{fs, path::Path};

/// Reads a file as one that can be printed.
pub(crate) fn read(path: &Path) -> Result<(String, Source)> {
    let text = fs::read_to_string(path)?.replace("forbid(", "warn(");
    let source = Source::from_bytes(path, text.clone().into_bytes())?;

    Ok((text, source))
}
