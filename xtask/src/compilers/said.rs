// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Reads the output of `cargo build` and `cargo test` with `--message-format json`: warnings and
//! errors of compilers and of cargo, and the results of tests.

use serde_json::Value;
use std::collections::BTreeSet;

/// The output of cargo, read line by line.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// Warnings, each once.
    pub(super) warnings: BTreeSet<String>,
    /// Errors, and the tests that have failed.
    pub(super) errors: BTreeSet<String>,
    pub(super) passed: usize,
    pub(super) failed: usize,
}

impl Said {
    /// Reads a line. Returns what cargo has just built, or the test that has just ended.
    pub(super) fn line(&mut self, line: &str) -> Option<String> {
        if let Some(message) = message(line) {
            return self.message(&message);
        }

        if let Some(test) = line.strip_prefix("test ") {
            if let Some(result) = test.strip_prefix("result: ") {
                self.passed += number(result, " passed");
                self.failed += number(result, " failed");
                return None;
            }
            let (test, result) = test.rsplit_once(" ... ")?;
            if result.starts_with("FAILED") {
                self.errors.insert(format!("the test {test} has failed"));
            }
            return Some(test.to_owned());
        }
        if line.starts_with("warning: ") && !is_summary(line) {
            self.warnings.insert(line.to_owned());
        }
        if line.starts_with("error: ") {
            self.errors.insert(line.to_owned());
        }
        None
    }

    /// Adds the output of another cargo. Warnings that both have given are counted once.
    pub(super) fn extend(&mut self, other: Self) {
        self.warnings.extend(other.warnings);
        self.errors.extend(other.errors);
        self.passed += other.passed;
        self.failed += other.failed;
    }

    /// Reads a message in JSON.
    fn message(&mut self, message: &Value) -> Option<String> {
        let target = message["target"]["name"].as_str().unwrap_or_default();
        if message["reason"] == "compiler-artifact" {
            return Some(target.to_owned());
        }
        let message = &message["message"];
        let text = message["message"].as_str()?;
        let rendered = message["rendered"].as_str().unwrap_or(text).trim_end();
        // Counts of warnings, and notes of why a build ends, say nothing new.
        if is_summary(text) {
            return None;
        }
        match message["level"].as_str()? {
            "warning" => self.warnings.insert(rendered.to_owned()),
            level if level.starts_with("error") => self.errors.insert(rendered.to_owned()),
            _ => false,
        };
        None
    }
}

/// A message of cargo in JSON, if this is one.
fn message(line: &str) -> Option<Value> {
    let message: Value = serde_json::from_str(line).ok()?;
    message["reason"].is_string().then_some(message)
}

/// Whether a message is about other messages.
fn is_summary(text: &str) -> bool {
    let is_count = |rest: &str| {
        let word = rest.split(' ').nth(1);
        word.is_some_and(|word| word.starts_with("warning"))
    };
    text.starts_with("aborting due to")
        || text.ends_with(" warning emitted")
        || text.ends_with(" warnings emitted")
        || matches!(text.split_once(" generated "), Some((_, rest)) if is_count(rest))
}

/// The number before some words.
fn number(text: &str, before: &str) -> usize {
    text.split_once(before)
        .and_then(|(text, _)| text.rsplit(' ').next()?.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, process::Command};

    fn read(lines: &str) -> (Said, Vec<String>) {
        let mut said = Said::default();
        let steps = lines.lines().filter_map(|line| said.line(line)).collect();
        (said, steps)
    }

    #[test]
    fn results_of_tests_are_added_up() {
        let (said, steps) = read(
            "     Running unittests src/lib.rs (target/debug/deps/a-1)\n\
             running 3 tests\n\
             test a::b ... ok\n\
             test src/lib.rs - c (line 3) - compile fail ... ok\n\
             test d - should panic ... FAILED\n\
             test e ... ignored\n\
             \n\
             test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out\n\
             error: test failed, to rerun pass `-p a --lib`\n\
             test result: ok. 130 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n",
        );

        assert_eq!((said.passed, said.failed), (132, 1));
        assert_eq!(
            said.errors.into_iter().collect::<Vec<_>>(),
            [
                "error: test failed, to rerun pass `-p a --lib`",
                "the test d - should panic has failed",
            ]
        );
        assert_eq!(
            steps,
            [
                "a::b",
                "src/lib.rs - c (line 3) - compile fail",
                "d - should panic",
                "e"
            ]
        );
    }

    #[test]
    fn messages_are_told_apart() {
        let message = |level: &str, text: &str| {
            format!(
                r#"{{"reason":"compiler-message","message":{{"level":"{level}","message":"{text}"}}}}"#
            )
        };
        let lines = [
            message("warning", "unused variable: `a`"),
            message("warning", "unused variable: `a`"),
            message("warning", "2 warnings emitted"),
            message("error", "cannot find value `b`"),
            message("error", "aborting due to 1 previous error"),
            message("failure-note", "some errors have detailed explanations"),
            r#"{"reason":"compiler-artifact","target":{"name":"kernel"}}"#.to_owned(),
            r#"{"reason":"build-finished","success":false}"#.to_owned(),
            "warning: `a` (lib) generated 2 warnings (1 duplicate)".to_owned(),
            "warning: unused manifest key: package.edit".to_owned(),
        ];
        let (said, steps) = read(&lines.join("\n"));

        let warnings: Vec<_> = said.warnings.iter().collect();
        assert_eq!(
            warnings,
            [
                "unused variable: `a`",
                "warning: unused manifest key: package.edit"
            ]
        );
        assert_eq!(said.errors.len(), 1);
        assert_eq!(steps, ["kernel"]);
    }

    #[test]
    fn a_warning_of_a_compiler_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let warnings = |text: &str| {
            fs::create_dir_all(folder.path().join("src")).unwrap();
            fs::write(folder.path().join("src/lib.rs"), text).unwrap();
            fs::write(
                folder.path().join("Cargo.toml"),
                "[package]\nname = \"a\"\nedition = \"2021\"\n\n[workspace]\n",
            )
            .unwrap();
            let output = Command::new(env!("CARGO"))
                .args(["check", "--offline", "--message-format", "json"])
                .current_dir(folder.path())
                .env("CARGO_TARGET_DIR", folder.path().join("target"))
                .output()
                .unwrap();
            let mut said = Said::default();
            for text in [output.stdout, output.stderr] {
                for line in String::from_utf8(text).unwrap().lines() {
                    said.line(line);
                }
            }
            assert!(said.errors.is_empty(), "{:?}", said.errors);
            said.warnings
        };

        assert!(warnings("pub fn f() {}\n").is_empty());
        let found = warnings("pub fn f() { let unused = 0; }\n");
        assert_eq!(found.len(), 1, "{found:?}");
        let warning = found.first().unwrap();
        assert!(
            warning.starts_with("warning: unused variable: `unused`"),
            "{warning}"
        );
    }
}
