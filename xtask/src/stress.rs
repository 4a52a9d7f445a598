// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `cargo xtask stress`: what objects and their devices go through, for very many bindings.
//!
//! `cargo test` has the same for a second, and `cargo xtask tsan` under ThreadSanitizer.

use anyhow::Result;
use clap::Parser;
use xshell::{cmd, Shell};

#[derive(Parser)]
pub(crate) struct Options {
    /// How often the two devices are bound and unbound, together.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    bindings: u64,
}

/// Runs it, and prints every half minute how far it has come.
pub(crate) fn run(shell: &Shell, options: &Options) -> Result<()> {
    let bindings = options.bindings.to_string();

    cmd!(shell, "cargo test --release --package devres-lazy-stress")
        .args(["--", "--exact", "slot", "--nocapture"])
        .env("DEVRES_LAZY_STRESS_BINDINGS", bindings)
        .run()?;
    Ok(())
}
