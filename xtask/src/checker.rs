// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `cargo xtask asan` and `cargo xtask miri`: tests under a checker, and one that it has to report.

use crate::{cargo, exit::Exit};
use anyhow::{bail, ensure, Result};
use xshell::{cmd, Cmd, Shell};

/// The tests that panic in the middle of the protocol, under AddressSanitizer.
///
/// The compiler is told to accept an option that is not stable. It brings the sanitizer's runtime;
/// unlike ThreadSanitizer, AddressSanitizer does not need an instrumented standard library.
pub(crate) fn asan(shell: &Shell) -> Result<()> {
    let host = cargo::rustc(shell, "host")?;
    let test = || {
        cmd!(shell, "cargo test --target {host} --target-dir target/asan")
            .args(["--package", "devres-lazy-workspace"])
            .env("CARGO_ENCODED_RUSTFLAGS", "-Zsanitizer=address")
            .env("RUSTC_BOOTSTRAP", "1")
            // Takes longer than the test.
            .env("RUST_BACKTRACE", "0")
    };

    test().args(["--test", "panics"]).run()?;
    // The mutants of `protocol`, and the model's own tests of reports, leak on purpose.
    test()
        .args(["--package", "devres-lazy", "--lib", "--test", "protocol"])
        .args(["--test", "field", "--test", "field_shmem"])
        .env("ASAN_OPTIONS", "detect_leaks=0")
        .run()?;
    has_to_report(
        test().args(["--test", "panics"]),
        "AddressSanitizer",
        "freed_memory_is_reported",
        "ERROR: AddressSanitizer: heap-use-after-free",
    )
}

/// Which references to an owner exclude which, under Miri: both of its models have to accept the
/// tests, and the stricter one has to report the test that is wrong.
pub(crate) fn miri(shell: &Shell) -> Result<()> {
    let version = cmd!(shell, "cargo +nightly miri --version").quiet();
    if version.ignore_stderr().read().is_err() {
        bail!(Exit::Skipped(
            "Miri is not there: `rustup +nightly component add miri rust-src` installs it".into()
        ));
    }
    let test = |options| {
        cmd!(shell, "cargo +nightly miri test")
            .args(["--package", "devres-lazy-workspace", "--test", "aliasing"])
            .env("MIRIFLAGS", options)
            .env("RUST_BACKTRACE", "0")
    };

    for (options, model) in [
        ("", "Stacked Borrows"),
        ("-Zmiri-tree-borrows", "Tree Borrows"),
    ] {
        println!("{model}");
        test(options).run()?;
    }
    has_to_report(
        test(""),
        "Miri",
        "an_owner_is_projected_while_a_view_is_mapped",
        "later invalidated at offsets",
    )
}

/// Runs a test that is wrong, as proof that the checker reports it: with these words.
fn has_to_report(command: Cmd<'_>, checker: &str, test: &str, report: &str) -> Result<()> {
    let output = command
        .args(["--", "--ignored", "--exact", test])
        .ignore_status()
        .output()?;
    ensure!(
        String::from_utf8_lossy(&output.stderr).contains(report),
        "{checker} has not reported `{test}`, which is wrong on purpose"
    );

    println!("{checker} reports `{test}`, as it has to, and nothing else");
    Ok(())
}
