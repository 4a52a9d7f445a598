// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `cargo xtask bless`: tests write down what they see instead of comparing it.

use anyhow::Result;
use xshell::{
    cmd,
    Shell, //
};

/// Rewrites `tests/expand/*.expanded.rs`, the printed examples, and `tests/ui/**/*.stderr`.
pub(crate) fn run(shell: &Shell) -> Result<()> {
    cmd!(
        shell,
        "cargo test --package devres-lazy-workspace --test expand --test ui"
    )
    .env("BLESS", "1")
    .env("TRYBUILD", "overwrite")
    .run()?;
    cmd!(
        shell,
        "cargo run --package cargo-devres-lazy -- expand --write"
    )
    .run()?;
    cmd!(shell, "git status --short examples tests").run()?;

    Ok(())
}
