// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The objects that are measured on the host, and the progress of that.

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

/// Something with a fast path.
pub(super) struct Object {
    /// As `benches/access` calls it.
    pub(super) name: &'static str,
    /// As the tables do.
    pub(super) title: &'static str,
}

/// The object that times are compared with.
pub(super) const BY_HAND: &str = "by_hand";

/// All objects. The first one is ours.
pub(super) const OBJECTS: [Object; 4] = [
    Object {
        name: "generated",
        title: "`#[devres_lazy]`",
    },
    Object {
        name: BY_HAND,
        title: "by hand",
    },
    Object {
        name: "once_lock",
        title: "`OnceLock`",
    },
    Object {
        name: "once_cell",
        title: "`OnceCell`",
    },
];

/// A bar for `len` steps of something.
pub(super) fn progress(what: &'static str, len: u64) -> Result<ProgressBar> {
    let style = ProgressStyle::with_template("{prefix:12} {bar:40} {pos:>4}/{len} {msg}")?;

    println!("measuring {what}");
    Ok(ProgressBar::new(len).with_style(style).with_prefix(what))
}
