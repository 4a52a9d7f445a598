// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The messages and the results of tests in the output of a cargo.

use crate::kernel::{messages, pattern::pattern};
use regex_lite::Regex;
use std::{collections::BTreeSet, sync::LazyLock};

/// The results of a compiler.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// The number of tests that have passed.
    pub(super) passed: usize,
    /// Errors, warnings and failed tests, each once. The compiler of the repository gives no
    /// warning, as the step `lints` of `docs/ci.md` proves.
    pub(super) faults: BTreeSet<String>,
}

/// A message about other messages.
static SUMMARY: LazyLock<Regex> =
    pattern!(r"^error: aborting due to|warnings? emitted|^warning: .* generated [0-9]+ warning");

/// The last line of a program with tests.
static RESULT: LazyLock<Regex> = pattern!(r"(?m)^test result: .*\. ([0-9]+) passed;");

/// A test that has failed.
static FAILED: LazyLock<Regex> = pattern!(r"(?m)^test (.+) \.\.\. FAILED");

impl Outcome {
    /// Adds what a cargo has printed.
    pub(super) fn read(&mut self, output: &str) {
        let messages = messages::texts(output).into_iter();
        let messages = messages.filter(|text| !SUMMARY.is_match(text));
        self.faults.extend(messages.map(str::to_owned));
        let failed = FAILED.captures_iter(output);
        let failed = failed.map(|test| format!("the test {} has failed", &test[1]));
        self.faults.extend(failed);
        let passed = RESULT.captures_iter(output);
        self.passed += passed
            .filter_map(|it| it[1].parse::<usize>().ok())
            .sum::<usize>();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, process::Command};

    fn read(output: &str) -> Outcome {
        let mut outcome = Outcome::default();
        outcome.read(output);
        outcome
    }

    #[test]
    fn messages_and_failed_tests_are_faults() {
        let unused = "warning: unused variable: `a`\n --> a.rs:1:1\n";
        for (output, passed, faults) in [
            ("", 0, &[][..]),
            (
                "     Running unittests src/lib.rs (target/debug/deps/a-1)\n\
                 test a::b ... ok\ntest c - should panic ... ignored\n\n\
                 test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured\n\
                 test result: ok. 130 passed; 0 failed; 0 ignored; 0 measured\n",
                132,
                &[],
            ),
            (
                "test d ... FAILED\ntest result: FAILED. 1 passed; 1 failed; 0 ignored\n\
                 error: test failed, to rerun pass `-p a --lib`\n",
                1,
                &[
                    "error: test failed, to rerun pass `-p a --lib`",
                    "the test d has failed",
                ],
            ),
            (&format!("{unused}\n{unused}\n"), 0, &[unused.trim_end()]),
            (
                "warning: unused manifest key: package.edit\n\
                 error[E0425]: cannot find `a`\n --> a.rs:1:1\n",
                0,
                &[
                    "error[E0425]: cannot find `a`\n --> a.rs:1:1",
                    "warning: unused manifest key: package.edit",
                ],
            ),
            (
                "warning: 2 warnings emitted\n\n\
                 warning: `a` (lib) generated 2 warnings (1 duplicate)\n\
                 error: aborting due to 1 previous error\n",
                0,
                &[],
            ),
        ] {
            let outcome = read(output);
            assert_eq!(outcome.passed, passed, "{output}");
            assert!(outcome.faults.iter().eq(faults), "{outcome:?}");
        }
    }

    #[test]
    fn a_warning_of_a_compiler_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        let manifest = "[package]\nname = \"a\"\nedition = \"2021\"\n\n[workspace]\n";
        file("Cargo.toml", manifest);
        fs::create_dir(folder.path().join("src")).unwrap();

        for (text, warnings) in [
            ("pub fn f() {}\n", &[][..]),
            (
                "pub fn f() { let unused = 0; }\n",
                &["warning: unused variable: `unused`\n --> src/lib.rs:1:18"],
            ),
        ] {
            file("src/lib.rs", text);
            let output = Command::new(env!("CARGO"))
                .args(["check", "--offline"])
                .current_dir(folder.path())
                .env("CARGO_TARGET_DIR", folder.path().join("target"))
                .output()
                .unwrap();
            let faults = read(&String::from_utf8(output.stderr).unwrap()).faults;
            assert_eq!(faults.len(), warnings.len(), "{faults:?}");
            let mut both = faults.iter().zip(warnings);
            assert!(
                both.all(|(fault, begin)| fault.starts_with(begin)),
                "{faults:?}"
            );
        }
    }
}
