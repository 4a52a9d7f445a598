// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The kernel's suite of the contract, over the two objects of the example.
//!
//! The annotated object has to pass. The object by hand is the control: it has to fail where Linux
//! 7.3 falls short, and nowhere else, as with `cargo xtask kernel test --control` in a kernel.

use super::{copy, run_until, End};
use anyhow::{ensure, Result};
use std::process::Command;

/// The suite over the annotated object, in the copy.
const EXAMPLE: &str = "host::drm::gem::shmem::example::contract_kunit::tests::";

/// The suite over the object by hand, in the copy.
const BY_HAND: &str = "host::drm::gem::shmem::by_hand::contract_kunit::tests::";

/// The name of the suite.
const NAME: &str = "rust_devres_lazy_contract";

/// A test that fails.
struct Expected {
    test: &'static str,
    /// A part of the test's message.
    says: &'static str,
    /// The numbers are those of `docs/kernel.md`.
    why: &'static str,
}

/// The tests that fail.
const FAILS: [Expected; 10] = [
    Expected {
        test: "rebind",
        says: "use after revoke",
        why: "H1: returns a reference to what unbind has dropped, after a rebind",
    },
    Expected {
        test: "access_during_unbind",
        says: "use after revoke",
        why: "H2: returns a reference to what unbind has dropped, before unbind is over",
    },
    Expected {
        test: "lent_to_a_callback",
        says: "under the callback: Ok((false, 0))",
        why: "H2: drops what a callback uses, before the callback has returned",
    },
    Expected {
        test: "object_outlives_drm_device",
        says: "1 references to the DRM device, 1 with an object",
        why: "H3, H11: does not keep the DRM device that unmapping and the release read",
    },
    Expected {
        test: "failing_allocation",
        says: "drm_WARN_ON(pages_use_count is 1)",
        why: "H4: counts the pages twice if the allocation after mapping fails",
    },
    Expected {
        test: "imported_object",
        says: "drm_WARN_ON(drm_gem_is_imported(obj))",
        why: "H6: maps the exporter's table again",
    },
    Expected {
        test: "last_holder",
        says: NO_REFERENCE,
        why: "H11: is not freed as the last holder, which would read freed memory",
    },
    Expected {
        test: "last_holder_after_unbind",
        says: "Memory manager not clean during takedown",
        why: "H11: the DRM device is freed before its object",
    },
    Expected {
        test: "last_holder_access",
        says: NO_REFERENCE,
        why: "H11: is not mapped as the last holder",
    },
    Expected {
        test: "registration_data",
        says: NO_REFERENCE,
        why: "H11: is not put into registration data",
    },
];

/// The message of a test that ends before the object would read freed memory.
const NO_REFERENCE: &str = "the object has no reference to its DRM device";

#[test]
fn the_annotated_object_passes() -> Result<()> {
    let tests = tests(EXAMPLE)?;
    ensure!(
        tests == self::tests(BY_HAND)?,
        "the suites have other tests: {tests:?}"
    );

    for test in tests {
        let (end, said) = end(EXAMPLE, &test, true)?;
        ensure!(end == End::Passed, "{test}: {end:?}\n{said}");
    }
    Ok(())
}

/// Prints a line for each test, in the form that the suites have.
#[test]
fn the_object_by_hand_fails_where_linux_does() -> Result<()> {
    let tests = tests(BY_HAND)?;
    for expected in &FAILS {
        let is_there = tests.iter().any(|test| test == expected.test);
        ensure!(is_there, "there is no test {}", expected.test);
    }

    let mut differs = Vec::new();
    for test in tests {
        let expected = FAILS.iter().find(|expected| expected.test == test);
        let (end, said) = end(BY_HAND, &test, expected.is_none())?;
        let verdict = if end == End::Passed { "ok" } else { "not ok" };
        println!("# kunit: {NAME}.{test} {verdict}");

        let is_as_expected = match expected {
            None => end == End::Passed,
            Some(expected) => {
                println!("    {}", expected.why);
                end == End::Failed && said.contains(expected.says)
            }
        };
        if !is_as_expected {
            let said = said.replace('\n', "\n    ");
            differs.push(format!("{test}: {end:?}\n    {said}"));
        }
    }
    ensure!(
        differs.is_empty(),
        "not as Linux 7.3 does:\n{}",
        differs.join("\n")
    );
    Ok(())
}

/// Returns the names of the tests of a suite.
fn tests(suite: &str) -> Result<Vec<String>> {
    let output = Command::new(copy::suites()?)
        .args(["--list", suite])
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    let names = text
        .lines()
        .filter_map(|line| line.strip_prefix(suite)?.strip_suffix(": test"));
    let names: Vec<_> = names.map(str::to_owned).collect();
    ensure!(!names.is_empty(), "there is no suite {suite}");

    Ok(names)
}

/// Runs a test of a suite. One that has to pass may be late on a busy machine.
fn end(suite: &str, test: &str, has_to_pass: bool) -> Result<(End, String)> {
    let path = format!("{suite}{test}");

    run_until(copy::suites()?, &path, None, |end| {
        !has_to_pass || *end == End::Passed
    })
}
