// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `cargo xtask kernel bench`: measures in a real kernel what lazily mapped tables cost, prints
//! tables, and says whether the targets hold.
//!
//! Each subject is built, and booted twice: once to be timed (`rows`), and once in a machine that
//! writes down what it executes (`trace`), where instructions and calls are counted.

mod code;
mod measure;
mod page;
mod plots;
mod results;
mod rows;
mod table;
mod targets;
mod trace;

use super::{
    boot::Accelerator,
    cache::Cache,
    flavour::Object,
    machine,
    tools, //
};
use crate::bench::machine::Machine;
use anyhow::{
    ensure,
    Context,
    Result, //
};
use clap::{
    Parser,
    ValueEnum, //
};
use results::Results;
use std::{
    fs,
    path::{
        Path,
        PathBuf, //
    },
};
use targets::Target;
use xshell::Shell;

/// How to measure.
#[derive(Parser)]
pub(crate) struct Options {
    /// Measures in a copy of this tree, 7.3 or newer, in place of Debian's. It is not changed, and
    /// what Git ignores in it is not copied.
    #[arg(long, value_name = "DIR")]
    linux: Option<PathBuf>,

    /// How QEMU executes instructions while time is measured. They are counted in software.
    #[arg(long, value_enum, default_value_t = Accelerator::Tcg)]
    accel: Accelerator,

    /// Measures for seconds, with few objects: instructions, grace periods and bytes are as exact,
    /// times are not. Does not rewrite docs/, leaves out the targets that need many objects, and
    /// does not fail for times that lie close to each other.
    #[arg(long)]
    quick: bool,

    /// Installs what is missing on this machine with apt-get, as root.
    #[arg(long)]
    install: bool,
}

/// What is measured.
pub(crate) struct Subject {
    /// The name of its file in `kernel/bench/subjects/`, which raw results have, too.
    pub(crate) file: &'static str,
    /// What tables call it.
    title: &'static str,
    object: Object,
}

/// What all others are compared with.
const BY_HAND: Subject = Subject {
    file: "by_hand",
    title: "by hand",
    object: Object::ByHand,
};

/// What the targets are for.
pub(crate) const OURS: Subject = Subject {
    file: "lazy",
    title: "`#[devres_lazy]`",
    object: Object::Annotated,
};

const SUBJECTS: [Subject; 2] = [BY_HAND, OURS];

/// What is said to have written the files in docs/, and how their names begin.
const COMMAND: &str = "cargo xtask kernel bench";
const STEM: &str = "kernel-benchmark";

/// Measures, prints tables, writes down the results, and fails if a target is missed.
pub(crate) fn run(shell: &Shell, options: &Options) -> Result<()> {
    let cache = Cache::open()?;
    machine::ensure_machine(&cache, options.install)?;
    let results = results::collect(|subject| measure::measure(shell, &cache, options, subject))?;
    let targets = targets::targets(&results, options.quick)?;

    for grid in table::grids(&results)? {
        println!("\n{}", grid.text());
    }
    if !options.quick {
        write(shell, options, &results, &targets)?;
    }
    judge(&targets, options.quick)
}

/// Writes it all to docs/: first to a folder beside, so that nothing is half-written.
fn write(shell: &Shell, options: &Options, results: &Results, targets: &[Target]) -> Result<()> {
    let docs = shell.current_dir().join("docs");
    let folder = tempfile::tempdir_in(&docs)?;
    let accelerator = options
        .accel
        .to_possible_value()
        .context("this accelerator has no name")?;

    let mut names = plots::draw(results, folder.path(), STEM)?;
    let page = page::text(
        results,
        targets,
        &Machine::new(shell)?,
        tools::qemu().context("QEMU does not say its version")?,
        accelerator.get_name(),
        &names,
    )?;
    for (suffix, text) in [("md", page), ("csv", results.csv())] {
        let name = format!("{STEM}.{suffix}");
        fs::write(folder.path().join(&name), text)?;
        names.push(name);
    }

    for name in &names {
        fs::rename(folder.path().join(name), Path::new(&docs).join(name))?;
    }
    println!("written: docs/{}", names.join(", docs/"));
    Ok(())
}

/// Prints how the targets stand, and fails if one is missed that this run can tell about.
fn judge(targets: &[Target], quick: bool) -> Result<()> {
    let mut missed = 0;

    println!();
    for target in targets {
        let (mark, fails) = match target.held {
            true => ("held", false),
            false if quick && target.needs_full_run => ("missed, in a quick run", false),
            false => ("MISSED", true),
        };
        println!("{mark}: {} ({})", target.text, target.found);
        missed += u32::from(fails);
    }

    ensure!(missed == 0, "{missed} of the targets missed");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root;

    #[test]
    fn a_quick_run_does_not_judge_times_that_are_close() {
        let missed = |needs_full_run| Target {
            text: String::new(),
            found: String::new(),
            held: false,
            needs_full_run,
        };

        assert!(judge(&[missed(true)], true).is_ok());
        assert!(judge(&[missed(true)], false).is_err());
        assert!(judge(&[missed(false)], true).is_err());
    }

    #[test]
    fn each_subject_has_a_file() {
        let folder = root().join("kernel/bench/subjects");
        for subject in &SUBJECTS {
            let file = folder.join(format!("{}.rs", subject.file));
            assert!(file.exists(), "{}", file.display());
        }
        assert_eq!(fs::read_dir(folder).unwrap().count(), SUBJECTS.len());
    }
}
