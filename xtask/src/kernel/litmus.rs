// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `cargo xtask kernel litmus`: the protocol's orderings under the kernel's own memory model.
//!
//! Each file of `verify/litmus` is a piece of the protocol, or a mutant of one,
//! and says in its comment what the model has to find, as those in the kernel's tree do. Which
//! piece of the source it stands for is said in `docs/protocol.md`.

use super::{
    cache::Cache,
    linux,
    tree::Tree, //
};
use crate::{
    exit::Exit,
    root, //
};
use anyhow::{
    bail,
    ensure,
    Context,
    Result, //
};
use clap::Parser;
use std::{
    fs,
    io::ErrorKind,
    path::{
        self,
        Path,
        PathBuf, //
    },
    process::Command,
};

/// Where the model is in a tree.
const MODEL: &str = "tools/memory-model";

/// What says in a file what has to be found.
const RESULT: &str = " * Result: ";

/// What to run them with.
#[derive(Parser)]
pub(crate) struct Options {
    /// The program herd7, 7.58 or newer, which Debian has since forky.
    #[arg(long, value_name = "FILE", default_value = "herd7")]
    herd: PathBuf,

    /// The memory model of this tree, in place of that of Debian's Linux.
    #[arg(long, value_name = "DIR")]
    linux: Option<PathBuf>,
}

/// What is found of a test.
#[derive(Debug, PartialEq)]
struct Finding {
    /// `Never`, `Sometimes` or `Always`: what is said of the state that must not be.
    observed: String,
    /// Is there an execution in which two plain accesses race?
    races: bool,
}

impl Finding {
    /// What the comment of a test expects.
    fn expected(test: &str) -> Option<Self> {
        let result = test.lines().find_map(|line| line.strip_prefix(RESULT))?;
        let (observed, races) = match result.split_once(' ') {
            None => (result, false),
            Some((observed, "DATARACE")) => (observed, true),
            Some(_) => return None,
        };

        ["Never", "Sometimes", "Always"]
            .contains(&observed)
            .then(|| Self {
                observed: observed.to_owned(),
                races,
            })
    }

    /// What herd7 has printed. [`None`] if it has not come to an end.
    fn printed(output: &str) -> Option<Self> {
        let observation = output
            .lines()
            .find_map(|line| line.strip_prefix("Observation "))?;

        Some(Self {
            observed: observation.split_whitespace().nth(1)?.to_owned(),
            races: output.lines().any(|line| line == "Flag data-race"),
        })
    }

    fn text(&self) -> String {
        let races = if self.races { ", with a data race" } else { "" };
        format!("{}{races}", self.observed)
    }
}

/// All tests, sorted.
fn tests() -> Result<Vec<PathBuf>> {
    let mut tests = Vec::new();
    for entry in fs::read_dir(root().join("verify/litmus"))? {
        tests.push(entry?.path());
    }
    tests.sort();
    Ok(tests)
}

/// Which herd7 this is, for people.
fn version(herd: &Path) -> Result<String> {
    let output = match Command::new(herd).arg("-version").output() {
        Err(error) if error.kind() == ErrorKind::NotFound => bail!(Exit::Skipped(format!(
            "there is no {}: get herdtools7, and name its herd7 by --herd",
            herd.display()
        ))),
        output => output.with_context(|| herd.display().to_string())?,
    };

    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// Has herd7 judge a test by the model in this folder.
fn judge(herd: &Path, model: &Path, test: &Path) -> Result<Finding> {
    let output = Command::new(herd)
        .args(["-conf", "linux-kernel.cfg"])
        .arg(test)
        .current_dir(model)
        .output()?;

    let stdout = String::from_utf8_lossy(&output.stdout);
    let finding = Finding::printed(&stdout).with_context(|| {
        format!(
            "{}: herd7 has no result: {stdout}{}",
            test.display(),
            String::from_utf8_lossy(&output.stderr)
        )
    })?;
    ensure!(output.status.success(), "{}", output.status);
    Ok(finding)
}

/// Runs all of them, and fails unless each ends as it says.
pub(crate) fn run(options: &Options) -> Result<()> {
    // Looked up in $PATH if it is a name only.
    let herd = if options.herd.components().count() > 1 {
        path::absolute(&options.herd)?
    } else {
        options.herd.clone()
    };
    let version = version(&herd)?;
    let linux = match &options.linux {
        Some(linux) => path::absolute(linux)?,
        None => linux::get(&Cache::open()?)?,
    };
    let tree = Tree::open(&linux)?;
    let model = tree.root().join(MODEL);
    println!("herd7 {version}, the model of Linux {}", tree.version());

    let mut wrong = 0;
    for test in tests()? {
        let name = test.file_stem().unwrap_or_default().to_string_lossy();
        let expected = Finding::expected(&fs::read_to_string(&test)?)
            .with_context(|| format!("{} does not say what to expect", test.display()))?;

        let found = judge(&herd, &model, &test)?;
        if found == expected {
            println!("ok     {name}: {}", found.text());
        } else {
            println!("WRONG  {name}: {}, not {}", found.text(), expected.text());
            wrong += 1;
        }
    }

    ensure!(
        wrong == 0,
        "{wrong} of the above do not end as they have to"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(observed: &str, races: bool) -> Option<Finding> {
        Some(Finding {
            observed: observed.to_owned(),
            races,
        })
    }

    #[test]
    fn expectations_are_read() {
        assert_eq!(
            Finding::expected("C x\n\n(*\n * Result: Never\n *)\n"),
            finding("Never", false)
        );
        assert_eq!(
            Finding::expected(" * Result: Sometimes DATARACE\n"),
            finding("Sometimes", true)
        );
        for wrong in ["", " * Result: Perhaps\n", " * Result: Never ever\n"] {
            assert_eq!(Finding::expected(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn output_is_read() {
        let output = "Test x Allowed\nFlag data-race\nObservation x Sometimes 1 5\nTime x 0.01\n";
        assert_eq!(Finding::printed(output), finding("Sometimes", true));
        assert_eq!(
            Finding::printed("Observation x Never 0 4\n"),
            finding("Never", false)
        );
        assert_eq!(Finding::printed("Warning: File \"x\": unexpected\n"), None);
    }

    /// Each mutant is one of a test that holds, and the documentation has all.
    #[test]
    fn tests_are_complete() {
        let documentation = fs::read_to_string(root().join("docs/protocol.md")).unwrap();
        let names: Vec<_> = tests()
            .unwrap()
            .iter()
            .map(|test| test.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();

        for (test, name) in tests().unwrap().iter().zip(&names) {
            let text = fs::read_to_string(test).unwrap();
            assert!(text.starts_with(&format!("C {name}\n")), "{name}");
            assert!(documentation.contains(&format!("`{name}`")), "{name}");

            let expected = Finding::expected(&text).unwrap();
            match name.split_once('+') {
                None => {
                    assert_eq!(Some(expected), finding("Never", false), "{name}");
                    let mutants = format!("{name}+");
                    assert!(names.iter().any(|it| it.starts_with(&mutants)), "{name}");
                }
                Some((sound, _)) => {
                    assert_eq!(expected.observed, "Sometimes", "{name}");
                    assert!(names.iter().any(|it| it == sound), "{name}");
                }
            }
        }
    }
}
