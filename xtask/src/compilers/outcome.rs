// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The results of a compiler: the messages and tests in the output of its cargo, a row of the
//! table, and all that must not be.

use super::{checks::PARTS, left_out, toolchain::Which};
use crate::{
    kernel::{messages, pattern::pattern},
    report::table::{self, Row},
};
use regex_lite::Regex;
use std::{collections::BTreeSet, sync::LazyLock};

/// The results of a compiler.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) which: Which,
    /// The version of its rustc.
    pub(super) release: String,
    /// The version of its package.
    pub(super) package: String,
    /// Whether each of [`PARTS`] builds.
    pub(super) builds: Vec<bool>,
    pub(super) said: Said,
}

/// The output of cargo: its messages, those of the compiler, and the results of tests.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// Warnings, each once.
    warnings: BTreeSet<String>,
    /// Errors, and the tests that have failed.
    pub(super) errors: BTreeSet<String>,
    passed: usize,
    failed: usize,
}

/// A message about other messages.
static SUMMARY: LazyLock<Regex> =
    pattern!(r"^error: aborting due to|warnings? emitted|^warning: .* generated [0-9]+ warning");

/// The last line of a program with tests.
static RESULT: LazyLock<Regex> =
    pattern!(r"(?m)^test result: .*\. ([0-9]+) passed; ([0-9]+) failed;");

/// A test that has failed.
static FAILED: LazyLock<Regex> = pattern!(r"(?m)^test (.+) \.\.\. FAILED");

impl Said {
    pub(super) fn read(output: &str) -> Self {
        let mut said = Self::default();
        let mut texts = messages::texts(output);
        texts.retain(|text| !SUMMARY.is_match(text));
        for text in texts {
            let messages = match text.starts_with("warning") {
                true => &mut said.warnings,
                false => &mut said.errors,
            };
            messages.insert(text.to_owned());
        }
        for test in FAILED.captures_iter(output) {
            said.errors
                .insert(format!("the test {} has failed", &test[1]));
        }
        for result in RESULT.captures_iter(output) {
            let [passed, failed] = [1, 2].map(|at| result[at].parse().unwrap_or(0));
            said.passed += passed;
            said.failed += failed;
        }
        said
    }
}

impl Outcome {
    /// Everything that must not be: errors, failed tests, and warnings. The compiler of the
    /// repository gives no warning, as the step `lints` of `docs/ci.md` proves.
    pub(super) fn faults(&self) -> Vec<String> {
        let said = &self.said;
        let mut faults: Vec<_> = said.errors.union(&said.warnings).cloned().collect();
        for ((part, _), builds) in PARTS.iter().zip(&self.builds) {
            if !builds {
                faults.push(format!("the {part} does not build"));
            }
        }
        if said.failed > 0 {
            faults.push(format!("{} tests have failed", said.failed));
        }
        if said.passed == 0 {
            faults.push("no test has passed".to_owned());
        }
        faults
    }

    fn row(&self) -> Row {
        let builds = self.builds.iter().map(|builds| match builds {
            true => "builds".to_owned(),
            false => "**does not build**".to_owned(),
        });
        let tests = match (self.said.passed, self.said.failed) {
            (passed, 0) => format!("{passed} passed"),
            (passed, failed) => format!("{passed} passed, **{failed} failed**"),
        };
        let warnings = match self.said.warnings.len() {
            0 => "none".to_owned(),
            number => format!("**{number}**"),
        };

        let mut row = vec![
            format!("{}: rustc {}", self.which.name(), self.release),
            format!("`{}`", self.package),
        ];
        row.extend(builds);
        row.extend([tests, warnings]);
        row
    }
}

/// The table of all compilers, and the one of all tests that are left out.
pub(super) fn tables(outcomes: &[Outcome]) -> String {
    let mut header = vec!["compiler", "Debian's package"];
    header.extend(PARTS.map(|(part, _)| part));
    header.extend(["tests", "warnings"]);
    let mut rows = vec![table::cells(header)];
    rows.extend(outcomes.iter().map(Outcome::row));

    format!("{}\n{}", table::text(&rows), left_out::table())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, process::Command};

    /// Two programs with tests.
    const TESTS: &str = "\
     Running unittests src/lib.rs (target/debug/deps/a-1)
running 2 tests
test a::b ... ok
test c - should panic ... ignored

test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out
test result: ok. 130 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out
";

    /// The faults of a compiler whose cargo ends with this output, and its row.
    fn outcome(output: &str, builds: bool) -> (Vec<String>, String) {
        let outcome = Outcome {
            which: Which::Oldest,
            release: "1.85.1".to_owned(),
            package: "1.85.1+dfsg1-1".to_owned(),
            builds: vec![true, builds, true],
            said: Said::read(output),
        };
        (outcome.faults(), outcome.row().join(" | "))
    }

    #[test]
    fn faults_are_shown() {
        let (faults, row) = outcome(TESTS, true);
        assert_eq!(faults, [""; 0]);
        let expected = "oldest: rustc 1.85.1 | `1.85.1+dfsg1-1` | builds | builds | builds \
                        | 132 passed | none";
        assert_eq!(row, expected);

        let failed = "test d ... FAILED\ntest result: FAILED. 0 passed; 1 failed; 0 ignored\n\
                      error: test failed, to rerun pass `-p a --lib`\n";
        let unused = "warning: unused variable: `a`\n --> a.rs:1:1\n";
        let summaries = "warning: 2 warnings emitted\n\n\
                         warning: `a` (lib) generated 2 warnings (1 duplicate)\n\
                         error: aborting due to 1 previous error\n";
        for (output, faults, of_row) in [
            (format!("{TESTS}{summaries}"), 0, "132 passed | none"),
            (
                format!("{TESTS}{unused}\n{unused}\n{summaries}"),
                1,
                "132 passed | **1**",
            ),
            (
                format!("{TESTS}warning: unused manifest key: package.edit\n"),
                1,
                "**1**",
            ),
            (
                format!("{TESTS}{failed}"),
                3,
                "132 passed, **1 failed** | none",
            ),
            (
                format!("{TESTS}error[E0425]: cannot find `a`\n --> a.rs:1:1\n"),
                1,
                "none",
            ),
            (String::new(), 1, "0 passed | none"),
        ] {
            let (found, row) = outcome(&output, true);
            assert_eq!(found.len(), faults, "{found:?}");
            assert!(row.ends_with(of_row), "{row}");
        }
        let (faults, row) = outcome(TESTS, false);
        assert_eq!(faults, ["the library does not build"]);
        assert!(row.contains("builds | **does not build** | builds"));
    }

    #[test]
    fn a_warning_of_a_compiler_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        let manifest = "[package]\nname = \"a\"\nedition = \"2021\"\n\n[workspace]\n";
        file("Cargo.toml", manifest);
        fs::create_dir(folder.path().join("src")).unwrap();

        for (text, warning) in [
            ("pub fn f() {}\n", None),
            (
                "pub fn f() { let unused = 0; }\n",
                Some("warning: unused variable: `unused`\n --> src/lib.rs:1:18"),
            ),
        ] {
            file("src/lib.rs", text);
            let output = Command::new(env!("CARGO"))
                .args(["check", "--offline"])
                .current_dir(folder.path())
                .env("CARGO_TARGET_DIR", folder.path().join("target"))
                .output()
                .unwrap();
            let said = Said::read(&String::from_utf8(output.stderr).unwrap());
            assert!(said.errors.is_empty(), "{said:?}");
            assert_eq!(said.warnings.len(), usize::from(warning.is_some()));
            let begins = |it: &String| it.starts_with(warning.unwrap_or_default());
            assert!(said.warnings.iter().all(begins), "{said:?}");
        }
    }
}
