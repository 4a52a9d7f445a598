// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `cargo xtask prose`: finds sentences that have to be read twice, by textlint and the rules of
//! `verify/prose/lint.mjs`.

use crate::exit::Exit;
use anyhow::{bail, ensure, Result};
use clap::Parser;
use std::process::Command;
use xshell::{cmd, Shell};

#[derive(Parser)]
pub(crate) struct Options {
    /// Reads the comments of all Rust files as well, but for the inputs of tests.
    #[arg(long)]
    comments: bool,
}

/// The files that are always read.
const PAGES: [&str; 2] = ["README.md", "docs/*.md"];

/// With comments: all Rust files, without those whose text is an input of a test.
const COMMENTS: [&str; 5] = [
    "*.rs",
    ":!tests/ui",
    ":!tests/expand",
    ":!cli/tests/files",
    ":!verify/fuzz/corpus",
];

/// Prints the sentences and how many there are of each kind, and fails if there is one.
pub(crate) fn run(shell: &Shell, options: &Options) -> Result<()> {
    if cmd!(shell, "npm --version")
        .quiet()
        .ignore_stderr()
        .read()
        .is_err()
    {
        bail!(Exit::Skipped(
            "there is no npm: `apt-get install nodejs npm`".to_owned()
        ));
    }
    // Does nothing if they are there.
    let install = cmd!(shell, "npm install --prefix verify/prose --no-save").args([
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
    ]);
    if install.run().is_err() {
        bail!(Exit::Skipped("textlint cannot be downloaded".to_owned()));
    }

    let comments: &[&str] = if options.comments { &COMMENTS } else { &[] };
    let files = cmd!(shell, "git ls-files -- {PAGES...} {comments...}").read()?;
    let files = files.lines();
    let lint = cmd!(shell, "node verify/prose/lint.mjs {files...}");
    // An error of `run()` would repeat all files.
    let status = Command::from(lint).status()?;
    ensure!(
        status.success(),
        "rewrite the sentences above, or list them in verify/prose/exceptions.json with a reason"
    );
    Ok(())
}
