// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What compiles and works, and what does not compile and how that is said: `tests/ui`.
//!
//! `tests/ui/pass/<case>.rs` is run; `cli/tests/runs.rs` runs it as `cargo devres-lazy expand` prints
//! it. `tests/ui/<topic>/<case>.rs` of every other topic fails to compile, with the messages in
//! `<case>.stderr`. `cargo xtask bless` rewrites those.

use anyhow::{ensure, Result};
use std::{fs, path::PathBuf};
use trybuild::TestCases;

/// The topics, in order.
fn topics() -> Result<Vec<PathBuf>> {
    let mut topics = Vec::new();
    for entry in fs::read_dir("tests/ui")? {
        let path = entry?.path();
        if path.is_dir() {
            topics.push(path);
        }
    }
    topics.sort();

    Ok(topics)
}

#[test]
fn ui() -> Result<()> {
    let topics = topics()?;
    ensure!(!topics.is_empty(), "there are no cases");

    let cases = TestCases::new();
    for topic in topics {
        let all = topic.join("*.rs");
        if topic.ends_with("pass") {
            cases.pass(all);
        } else {
            cases.compile_fail(all);
        }
    }
    Ok(())
}
