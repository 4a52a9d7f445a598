// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Snapshots of the expansion: `tests/expand/<topic>.rs` is expanded to `<topic>.expanded.rs`, by
//! the printer of `cargo devres-lazy`.
//!
//! The printer is compiled from the macro's own modules. Its tests compare the printed tokens with
//! those that rustc gets from the macro. `cargo xtask bless` rewrites the snapshots.

use anyhow::{ensure, Context, Result};
use cargo_devres_lazy::{Committed, Options, Source};
use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// The topics, in order.
fn topics() -> Result<Vec<PathBuf>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/expand");
    let mut topics = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.to_string_lossy();
        if name.ends_with(".rs") && !name.ends_with(".expanded.rs") {
            topics.push(path);
        }
    }
    topics.sort();

    Ok(topics)
}

#[test]
fn snapshots() -> Result<()> {
    let bless = env::var_os("BLESS").is_some();
    let mut stale = Vec::new();
    let topics = topics()?;
    ensure!(!topics.is_empty(), "there is nothing to expand");

    for topic in topics {
        let snapshot = topic.with_extension("expanded.rs");
        let name = || topic.display().to_string();
        if bless {
            Committed::new(&Source::read(&topic)?, &snapshot, Options::default())
                .with_context(name)?
                .write()?;
            continue;
        }

        let snapshot = Committed::read(&snapshot).with_context(name)?;
        if snapshot.is_stale() {
            eprintln!("{}", snapshot.diff());
            stale.push(topic);
        }
    }

    ensure!(
        stale.is_empty(),
        "the snapshots of {stale:?} are stale: read the differences above, then `cargo xtask bless`"
    );
    Ok(())
}
