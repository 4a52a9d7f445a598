// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `cargo xtask asan`: the tests that panic in the middle of the protocol, under AddressSanitizer.
//!
//! The compiler is told to accept an option that is not stable. It brings the sanitizer's runtime;
//! unlike ThreadSanitizer, AddressSanitizer does not need an instrumented standard library.

use anyhow::{
    bail,
    Context,
    Result, //
};
use xshell::{
    cmd,
    Cmd,
    Shell, //
};

/// The test that uses freed memory, as proof that this is reported.
const BROKEN: &str = "freed_memory_is_reported";

/// The message that AddressSanitizer begins its report of that with.
const REPORT: &str = "ERROR: AddressSanitizer: heap-use-after-free";

/// Runs the tests, and then the one that has to be reported.
pub(crate) fn run(shell: &Shell) -> Result<()> {
    let verbose = cmd!(shell, "rustc --version --verbose").quiet().read()?;
    let host = verbose
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .context("rustc does not say what it runs on")?;
    let build = ["--target", host, "--target-dir", "target/asan"];

    instrumented(cmd!(
        shell,
        "cargo test --package devres-lazy-workspace --test panics {build...}"
    ))
    .run()?;
    // The mutants of `protocol`, and the model's own tests of reports, leak on purpose.
    instrumented(cmd!(
        shell,
        "cargo test --package devres-lazy-workspace --package devres-lazy --lib --test protocol
            --test field --test field_shmem {build...}"
    ))
    .env("ASAN_OPTIONS", "detect_leaks=0")
    .run()?;

    let output = instrumented(cmd!(
        shell,
        "cargo test --package devres-lazy-workspace --test panics {build...}
            -- --ignored --exact {BROKEN}"
    ))
    .ignore_status()
    .output()?;
    if !String::from_utf8_lossy(&output.stderr).contains(REPORT) {
        bail!("AddressSanitizer has not reported `{BROKEN}`, which uses freed memory");
    }

    println!("AddressSanitizer reports `{BROKEN}`, as it has to, and nothing else");
    Ok(())
}

/// The command, with AddressSanitizer in what it builds.
fn instrumented(command: Cmd<'_>) -> Cmd<'_> {
    command
        .env("CARGO_ENCODED_RUSTFLAGS", "-Zsanitizer=address")
        .env("RUSTC_BOOTSTRAP", "1")
        // Takes longer than the test.
        .env("RUST_BACKTRACE", "0")
}
