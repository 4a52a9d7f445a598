// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `cargo xtask miri`: which references to an owner exclude which, under Miri.
//!
//! Both models of Miri have to accept the tests. The stricter one, Stacked Borrows, has to report
//! the one that is wrong.

use crate::exit::Exit;
use anyhow::{
    bail,
    Result, //
};
use xshell::{
    cmd,
    Cmd,
    Shell, //
};

/// The test that is undefined behaviour, as proof that this is reported.
const BROKEN: &str = "an_owner_is_projected_while_a_view_is_mapped";

/// What Miri says of that.
const REPORT: &str = "later invalidated at offsets";

/// The options that choose a model, and its name.
const MODELS: [(&str, &str); 2] = [
    ("", "Stacked Borrows"),
    ("-Zmiri-tree-borrows", "Tree Borrows"),
];

/// Runs the tests under both models, and then the one that has to be reported.
pub(crate) fn run(shell: &Shell) -> Result<()> {
    if cmd!(shell, "cargo +nightly miri --version")
        .quiet()
        .ignore_stderr()
        .read()
        .is_err()
    {
        bail!(Exit::Skipped(
            "Miri is not there: `rustup +nightly component add miri rust-src` installs it".into()
        ));
    }

    for (options, model) in MODELS {
        println!("{model}");
        miri(shell, options, &[]).run()?;
    }

    let output = miri(shell, "", &["--ignored", "--exact", BROKEN])
        .ignore_status()
        .output()?;
    if !String::from_utf8_lossy(&output.stderr).contains(REPORT) {
        bail!("Miri has not reported `{BROKEN}`, which is undefined behaviour");
    }

    println!("Miri reports `{BROKEN}`, as it has to, and nothing else");
    Ok(())
}

/// Runs tests under Miri with these options.
fn miri<'a>(shell: &'a Shell, options: &str, arguments: &[&str]) -> Cmd<'a> {
    cmd!(
        shell,
        "cargo +nightly miri test --package devres-lazy-workspace --test aliasing -- {arguments...}"
    )
    .env("MIRIFLAGS", options)
    // Takes longer than the tests.
    .env("RUST_BACKTRACE", "0")
}
