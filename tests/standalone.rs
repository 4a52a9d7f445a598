// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The printed form needs no macro. The printed example is built with a runtime that lacks the
//! attribute, without the macro's crate, and the same rows hold.

use anyhow::{ensure, Result};
use std::{
    env,
    process::{Command, Output},
};

const PACKAGE: &str = "devres-lazy-standalone";

/// Runs cargo for that package only, so that no other package enables the attribute.
fn cargo(args: &[&str]) -> Result<Output> {
    let output = Command::new(env!("CARGO"))
        .args(args)
        .args(["--package", PACKAGE])
        .output()?;
    ensure!(
        output.status.success(),
        "cargo {args:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );

    Ok(output)
}

#[test]
fn the_macro_is_not_there() -> Result<()> {
    let output = cargo(&["tree", "--prefix", "none", "--format", "{p}"])?;
    let tree = String::from_utf8(output.stdout)?;

    ensure!(tree.contains("devres-lazy v"), "no runtime in\n{tree}");
    ensure!(!tree.contains("devres-lazy-macros"), "the macro in\n{tree}");
    Ok(())
}

#[test]
fn it_passes() -> Result<()> {
    // The exit status is an error if a row is off.
    let output = cargo(&["run", "--quiet"])?;
    let stderr = String::from_utf8(output.stderr)?;

    ensure!(!stderr.contains("warning"), "{stderr}");
    ensure!(!output.stdout.is_empty(), "it says nothing");
    Ok(())
}
