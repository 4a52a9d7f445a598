// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The cases in `tests/ui`: programs that compile and run, and mistakes with rustc's messages.
//!
//! `tests/ui/pass/<case>.rs` is run. `cli/tests/runs.rs` runs the printed form of the same case.
//! `tests/ui/<topic>/<case>.rs` of every other topic fails to compile, with the messages in
//! `<case>.stderr`. `cargo xtask bless` rewrites the messages.

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
