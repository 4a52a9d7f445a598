// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The Rust tools of a kernel tree: rustfmt, Clippy, rustdoc.

use super::{Lint, Outcome};
use crate::kernel::{build, job, messages, pattern::pattern};
use anyhow::{bail, Result};
use regex_lite::Regex;
use std::{collections::BTreeSet, fs, path::Path, sync::LazyLock, thread};

/// Targets that compile the added files: the crates in `rust/`, which are part of `prepare`, the
/// samples, and the driver whose objects have lazy fields now.
const TARGETS: [&str; 3] = ["prepare", "samples/rust/", "drivers/gpu/drm/tyr/"];

/// These are removed first: what is up to date is not compiled, and nothing is said about it.
const COMPILED: [&str; 3] = ["rust/libmacros.so", "rust/libkernel.rmeta", "rust/kernel.o"];

/// `make rustfmtcheck`: all of the tree's Rust.
pub(super) fn format(lint: &Lint<'_>, log: &Path) -> Result<Outcome> {
    let failure = lint.make(&["rustfmtcheck"], log)?;
    let text = job::text(log)?;
    let (ours, others): (BTreeSet<&str>, BTreeSet<&str>) = unformatted(&text)
        .into_iter()
        .partition(|file| lint.concerns(file));
    if let (Some(said), true) = (failure, ours.is_empty() && others.is_empty()) {
        bail!("`make rustfmtcheck` fails:\n{said}");
    }

    let faults = ours
        .iter()
        .map(|file| format!("{}\n", lint.in_tree(file).display()))
        .collect();
    Ok(Outcome {
        what: with_others(&format!("{} files differ", ours.len()), others.len()),
        faults,
    })
}

/// A difference, as rustfmt says it.
static DIFF: LazyLock<Regex> = pattern!(r"(?m)^Diff in (.+):[0-9]+:?$");

/// The files with differences.
fn unformatted(said: &str) -> Vec<&str> {
    let differences = DIFF.captures_iter(said);
    differences
        .filter_map(|it| Some(it.get(1)?.as_str()))
        .collect()
}

/// `make CLIPPY=1`.
pub(super) fn clippy(lint: &Lint<'_>, log: &Path) -> Result<Outcome> {
    for file in COMPILED {
        let file = lint.out.join(file);
        if file.exists() {
            fs::remove_file(file)?;
        }
    }

    let jobs = format!("-j{}", thread::available_parallelism()?);
    let arguments = [&["CLIPPY=1", &jobs], TARGETS.as_slice()].concat();
    compiled(lint, log, &arguments)
}

/// `make rustdoc`: links that lead nowhere, above all.
pub(super) fn documentation(lint: &Lint<'_>, log: &Path) -> Result<Outcome> {
    compiled(lint, log, &["rustdoc"])
}

/// Runs `make`, and returns what the compiler has said.
fn compiled(lint: &Lint<'_>, log: &Path, arguments: &[&str]) -> Result<Outcome> {
    let is_built = lint.make(arguments, log)?.is_none();
    let text = job::text(log)?;
    let (ours, others): (Vec<_>, Vec<_>) = messages::parse(&text)
        .into_iter()
        .partition(|message| lint.concerns(message.file));
    if !is_built && ours.is_empty() {
        bail!("`make` fails:\n{}", build::errors(&text));
    }

    // A file that is part of two crates is reported twice.
    let faults: BTreeSet<&str> = ours.into_iter().map(|message| message.text).collect();
    Ok(Outcome {
        what: with_others(&format!("{} messages", faults.len()), others.len()),
        faults: faults.into_iter().collect::<Vec<_>>().join("\n\n"),
    })
}

/// Says how much there is of the same in files that are the tree's own.
fn with_others(what: &str, others: usize) -> String {
    match others {
        0 => what.to_owned(),
        others => format!("{what}, and {others} in files of the tree's own"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_formatted_has_a_name() {
        let said = "Diff in /linux/rust/kernel/lib.rs:12:\n-    let a=1;\nmake: Diff in a:1\n";
        assert_eq!(unformatted(said), ["/linux/rust/kernel/lib.rs"]);
    }
}
