// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `cargo xtask bless`: tests write down what they see instead of comparing it.

use anyhow::Result;
use xshell::{cmd, Shell};

/// Rewrites the printed snapshots and examples, `tests/ui/**/*.stderr` and
/// `cli/tests/bad/*.stderr`.
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
    cmd!(shell, "cargo test --package cargo-devres-lazy --test cli")
        .env("BLESS", "1")
        .run()?;
    cmd!(shell, "git status --short cli docs examples tests").run()?;

    Ok(())
}
