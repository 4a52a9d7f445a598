// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `cargo xtask kernel litmus`: the protocol's orderings under the kernel's own memory model.
//!
//! Each file of `verify/litmus` is a piece of the protocol, or a mutant of one, broken in one way.
//! As in the kernel's tree, its comment says what the model has to find. `docs/protocol.md` says
//! which piece of the source the file stands for.

use super::{
    cache::Cache,
    herd::Herd,
    linux,
    tree::{walk, Tree},
};
use crate::root;
use anyhow::{ensure, Context, Result};
use clap::Parser;
use std::{
    fs,
    path::{self, Path, PathBuf},
};

/// Where the model is in a tree.
const MODEL: &str = "tools/memory-model";

/// The prefix of the expected result in a file.
const RESULT: &str = " * Result: ";

#[derive(Parser)]
pub(crate) struct Options {
    /// Downloads herd7 from Debian's forky to the cache if there is none on this machine. Installs
    /// nothing.
    #[arg(long)]
    install: bool,

    /// The memory model of this tree, in place of that of Debian's Linux.
    #[arg(long, value_name = "DIR")]
    linux: Option<PathBuf>,
}

/// The result that the comment of a test expects: `Never`, `Sometimes` or `Always`, of the state
/// that must not be, and ` DATARACE` if two plain accesses race.
fn expected(test: &str) -> Option<&str> {
    test.lines().find_map(|line| line.strip_prefix(RESULT))
}

/// The same of what herd7 has printed. [`None`] if it has not come to an end.
fn printed(output: &str) -> Option<String> {
    let mut lines = output.lines();
    let observation = lines.find_map(|line| line.strip_prefix("Observation "))?;
    let observed = observation.split_whitespace().nth(1)?;
    let races = output.lines().any(|line| line == "Flag data-race");

    Some(observed.to_owned() + if races { " DATARACE" } else { "" })
}

/// All tests, sorted.
fn tests() -> Result<Vec<PathBuf>> {
    let folder = root().join("verify/litmus");
    let names = walk(&folder)?.into_iter();
    Ok(names.map(|name| folder.join(name)).collect())
}

/// Has herd7 judge a test by the model in this folder.
fn judge(herd: &Herd, model: &Path, test: &Path) -> Result<String> {
    let output = herd
        .command()
        .args(["-conf", "linux-kernel.cfg"])
        .arg(test)
        .current_dir(model)
        .output()?;

    let stdout = String::from_utf8_lossy(&output.stdout);
    let finding = printed(&stdout).with_context(|| {
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
    let herd = Herd::find(options.install)?;
    let linux = match &options.linux {
        Some(linux) => path::absolute(linux)?,
        None => linux::get(&Cache::open()?)?,
    };
    let tree = Tree::open(&linux)?;
    let model = tree.root().join(MODEL);
    println!(
        "herd7 {}, the model of Linux {}",
        herd.version,
        tree.version()
    );

    let mut wrong = 0;
    for test in tests()? {
        let name = test.file_stem().unwrap_or_default().to_string_lossy();
        let text = fs::read_to_string(&test)?;
        let expected = expected(&text)
            .with_context(|| format!("{} does not say what to expect", test.display()))?;

        let found = judge(&herd, &model, &test)?;
        if found == expected {
            println!("ok     {name}: {found}");
        } else {
            println!("WRONG  {name}: {found}, not {expected}");
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

    #[test]
    fn results_are_read() {
        let comment = "C x\n\n(*\n * Result: Sometimes DATARACE\n *)\n";
        let output = "Test x Allowed\nFlag data-race\nObservation x Sometimes 1 5\nTime x 0.01\n";
        assert_eq!(expected(comment), printed(output).as_deref());
        assert_eq!(printed("Observation x Never 0 4\n").unwrap(), "Never");
        assert_eq!(printed("Warning: File \"x\": unexpected\n"), None);
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

            let expected = expected(&text).unwrap();
            match name.split_once('+') {
                None => {
                    assert_eq!(expected, "Never", "{name}");
                    let mutants = format!("{name}+");
                    assert!(names.iter().any(|it| it.starts_with(&mutants)), "{name}");
                }
                Some((sound, _)) => {
                    let results = ["Sometimes", "Sometimes DATARACE"];
                    assert!(results.contains(&expected), "{name}");
                    assert!(names.iter().any(|it| it == sound), "{name}");
                }
            }
        }
    }
}
