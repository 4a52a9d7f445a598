// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The control: the kernel's suite of the contract, over the object by hand of the example. It has
//! to fail where Linux 7.3 falls short, and nowhere else, as with `cargo xtask kernel test --control`
//! in a kernel.

use super::{
    copy,
    run,
    End,
    CHANCES, //
};
use anyhow::{
    ensure,
    Result, //
};
use std::{
    collections::BTreeSet,
    process::Command, //
};

/// The suite in the copy.
const SUITE: &str = "host::drm::gem::shmem::by_hand::contract_kunit::tests::";

/// The name of the suite.
const NAME: &str = "rust_devres_lazy_contract";

/// The tests that fail, and why: the numbers are those of `docs/kernel.md`.
const FAILS: [(&str, &str); 10] = [
    (
        "rebind",
        "H1: lends what unbind has dropped, after a rebind",
    ),
    (
        "access_during_unbind",
        "H2: lends what unbind has dropped, before that is over",
    ),
    (
        "lent_to_a_callback",
        "H2: drops what a callback uses, before the callback has returned",
    ),
    (
        "object_outlives_drm_device",
        "H3, H11: does not keep the DRM device that unmapping and the release read",
    ),
    (
        "failing_allocation",
        "H4: counts the pages twice if what follows fails",
    ),
    ("imported_object", "H6: maps what is the exporter's"),
    (
        "last_holder",
        "H11: is not freed as the last holder, which would read freed memory",
    ),
    (
        "last_holder_after_unbind",
        "H11: the DRM device is freed before its object",
    ),
    (
        "last_holder_access",
        "H11: is not mapped as the last holder",
    ),
    (
        "registration_data",
        "H11: is not put into registration data",
    ),
];

/// Prints a line for each test, in the form that the suites have.
#[test]
fn the_object_by_hand_fails_where_linux_does() -> Result<()> {
    let suites = copy::suites()?;
    let output = Command::new(suites).args(["--list", SUITE]).output()?;
    let text = String::from_utf8(output.stdout)?;
    let tests: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix(SUITE)?.strip_suffix(": test"))
        .collect();
    for (test, _) in FAILS {
        ensure!(tests.contains(test), "there is no test {test}:\n{text}");
    }

    let mut differs = Vec::new();
    for test in tests {
        let why = FAILS.iter().find(|(name, _)| *name == test);
        let path = format!("{SUITE}{test}");
        let mut end = run(suites, &path, None)?;
        // A test that has to pass may be late on a busy machine.
        for _ in 1..CHANCES {
            if why.is_some() || end == End::Passed {
                break;
            }
            end = run(suites, &path, None)?;
        }

        let verdict = if end == End::Passed { "ok" } else { "not ok" };
        println!("# kunit: {NAME}.{test} {verdict}");
        if let Some((_, why)) = why {
            println!("    {why}");
        }
        if (end == End::Passed) == why.is_some() {
            differs.push(format!("{test}: {end:?}"));
        }
    }
    ensure!(
        differs.is_empty(),
        "not as Linux 7.3 does:\n{}",
        differs.join("\n")
    );
    Ok(())
}
