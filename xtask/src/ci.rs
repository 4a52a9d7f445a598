// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `cargo xtask ci`: everything that has to hold, as a table of steps and what each proves.

use crate::{
    exit,
    kernel::tree::walk, //
};
use anyhow::{
    bail,
    Result, //
};
use clap::Parser;
use std::{
    fs,
    hash::{
        DefaultHasher,
        Hash,
        Hasher, //
    },
    path::Path,
    process::Command,
    time::Instant,
};
use xshell::{
    cmd,
    Shell, //
};

/// What to run.
#[derive(Parser)]
pub(crate) struct Options {
    /// Runs also the steps that take long.
    #[arg(long)]
    all: bool,

    /// Prints the steps and what each proves, and runs none.
    #[arg(long)]
    list: bool,
}

/// One thing that has to hold.
struct Step {
    name: &'static str,
    /// What is known when it holds.
    proves: &'static str,
    run: Run,
    /// Whether only `--all` runs it.
    is_long: bool,
}

/// How it is seen to hold.
enum Run {
    /// By a function of this file.
    Here(fn(&Shell) -> Result<()>),
    /// By `cargo` with these words.
    Cargo(&'static str),
}

/// What came of a step that has not failed.
enum Outcome {
    Held,
    /// It was not tried, or not to the end: something cannot be downloaded.
    Skipped,
}

const fn cargo(name: &'static str, proves: &'static str, words: &'static str) -> Step {
    Step {
        name,
        proves,
        run: Run::Cargo(words),
        is_long: false,
    }
}

const fn here(name: &'static str, proves: &'static str, run: fn(&Shell) -> Result<()>) -> Step {
    Step {
        name,
        proves,
        run: Run::Here(run),
        is_long: false,
    }
}

const fn long(step: Step) -> Step {
    Step {
        is_long: true,
        ..step
    }
}

/// All steps. What takes long comes first, as the last step is to be the last.
const STEPS: &[Step] = &[
    long(cargo(
        "stress: a million bindings",
        "No race, leak or lost wakeup shows in a million bindings on the host.",
        "xtask stress",
    )),
    long(cargo(
        "kernel, stress: ten thousand bindings",
        "The same shows in ten thousand bindings in a kernel.",
        "xtask kernel test --install --filter rust_lazy_stress* --bindings 10000",
    )),
    long(cargo(
        "kernel, with all checkers, the control",
        "The suites and the checkers find the object by hand wrong where it is.",
        "xtask kernel test --variant debug --control",
    )),
    long(cargo(
        "kernel, with all checkers, with the printed form in place of the macro",
        "The printed form is as clean under all checkers as the macro's.",
        "xtask kernel test --variant debug --expanded",
    )),
    long(cargo(
        "kernel, a device that user space uses, by hand and annotated",
        "User space sees the faults of the driver by hand, and none of the annotated one's.",
        "xtask kernel device --control",
    )),
    long(cargo(
        "kernel, its memory model",
        "The protocol's orderings suffice by the kernel's memory model, and each is needed.",
        "xtask kernel litmus",
    )),
    cargo(
        "format",
        "All code is formatted as rustfmt.toml says.",
        "fmt --all --check",
    ),
    cargo(
        "lints",
        "Clippy has no complaint about any target of the workspace.",
        "clippy --workspace --all-targets -- --deny warnings",
    ),
    cargo(
        "documentation",
        "All documentation can be built, and its links lead somewhere.",
        r#"doc --workspace --no-deps --document-private-items --config build.rustdocflags=["--deny=warnings"]"#,
    ),
    cargo(
        "example",
        "The annotated shmem object is right in every scenario of the example.",
        "run --example shmem_sgt",
    ),
    cargo(
        "example: fields that depend on each other",
        "A field can be made from another one, and both end in order.",
        "run --example dependent_fields",
    ),
    cargo(
        "example: registers, and a page that a device writes to",
        "A mapped BAR and a DMA page work with the same attribute.",
        "run --example registers",
    ),
    here(
        "example: the object by hand is off",
        "The scenarios tell a wrong object from a right one.",
        by_hand,
    ),
    cargo(
        "example, in print",
        "The printed form of the example behaves as the macro's does.",
        "run --example shmem_sgt_expanded",
    ),
    cargo(
        "printed expansions",
        "Each committed expansion is what the printer prints today.",
        "run --package cargo-devres-lazy -- check",
    ),
    cargo(
        "benchmark: instructions",
        "An access takes no more instructions than by hand or with a cell of std.",
        "xtask bench --quick",
    ),
    here(
        "dependencies of the macro",
        "The macro needs only crates that the kernel has.",
        macro_dependencies,
    ),
    here(
        "packages",
        "Each package can be built from what would be published of it.",
        packages,
    ),
    cargo(
        "panics in the middle of the protocol, under AddressSanitizer",
        "No panic leaves freed memory in use, and such a use is reported.",
        "xtask asan",
    ),
    cargo(
        "references to an owner, under Miri",
        "No accessor breaks the aliasing rules of either model, and a break is reported.",
        "xtask miri",
    ),
    here(
        "fuzzing: the checks, and the inputs that once found something",
        "The fuzz targets are sound, and no old finding is back.",
        fuzz,
    ),
    cargo(
        "fuzzing: annotated items, a minute",
        "The expander panics on no item, and tells right from wrong; what it makes is Rust.",
        "xtask fuzz annotation --minutes 1 --install",
    ),
    cargo(
        "fuzzing: whole files, a minute",
        "The printer panics on no file, and prints the same program with all comments.",
        "xtask fuzz file --minutes 1 --install",
    ),
    cargo(
        "fuzzing: histories against a model, a minute",
        "Objects and devices do what a model of them says, in any order of calls.",
        "xtask fuzz history --minutes 1 --install",
    ),
    cargo(
        "the protocol under ThreadSanitizer, and mutants that it has to report",
        "No two accesses race on a real machine, and a removed ordering is reported.",
        "xtask tsan",
    ),
    cargo(
        "kernel, as drivers run",
        "All suites hold in a real kernel, which complains about nothing.",
        "xtask kernel test --install",
    ),
    cargo(
        "kernel, as drivers run, with the printed form in place of the macro",
        "The same without the macro.",
        "xtask kernel test --expanded",
    ),
    cargo(
        "kernel and host: the same outcomes",
        "The host's model ends each test as the kernel does.",
        "xtask kernel compare",
    ),
    cargo(
        "kernel and host: the same names and signatures",
        "The host's library differs from the kernel crate only where docs/host.md gives a reason.",
        "xtask kernel vocabulary",
    ),
    cargo(
        "kernel, the control: the object by hand fails where it should",
        "The suites tell a wrong object from a right one.",
        "xtask kernel test --control",
    ),
    cargo(
        "kernel, a device that user space uses, behind an IOMMU",
        "No DMA or mapping outlives unbind, as user space sees it.",
        "xtask kernel device",
    ),
    cargo(
        "kernel, benchmark: instructions, grace periods, bytes",
        "Unbind waits for at most one grace period, and accesses and objects stay small.",
        "xtask kernel bench --quick",
    ),
    cargo(
        "kernel, its own checks of what is added",
        "rustfmt, checkpatch, Clippy, rustdoc and rust-analyzer accept what is added to a tree.",
        "xtask kernel lint --install",
    ),
    cargo(
        "kernel, the patch series",
        "`git am` makes of the patches what `apply` does, and checkpatch accepts each.",
        "xtask kernel series",
    ),
    cargo(
        "kernel, the patch series without the macro",
        "The same for the printed form.",
        "xtask kernel series --expanded",
    ),
    cargo(
        "kernel, with all checkers",
        "KASAN, kmemleak, lockdep and the debugging of DMA report nothing in any suite.",
        "xtask kernel test --variant debug",
    ),
    // Last, so that its result is what the output ends with.
    cargo(
        "tests",
        "All tests of the workspace pass.",
        "test --workspace",
    ),
];

/// Runs all steps, and stops at the first that fails.
pub(crate) fn run(shell: &Shell, options: &Options) -> Result<()> {
    if options.list {
        for step in STEPS {
            let when = if step.is_long { " (--all)" } else { "" };
            println!("{}{when}\n    {}", step.name, step.proves);
        }
        return Ok(());
    }

    let steps = STEPS.iter().filter(|step| options.all || !step.is_long);
    let count = steps.clone().count();
    let mut skipped = Vec::new();
    for (number, step) in (1..).zip(steps) {
        println!("\n== {number}/{count}: {}", step.name);
        let begin = Instant::now();
        match step.run(shell)? {
            Outcome::Held => println!(
                "== {} held, {:.0} s: {}",
                step.name,
                begin.elapsed().as_secs_f64(),
                step.proves
            ),
            Outcome::Skipped => {
                println!(
                    "== {} skipped: what it needs cannot be downloaded, see above",
                    step.name
                );
                skipped.push(step.name);
            }
        }
    }

    if !skipped.is_empty() {
        println!("\n== not seen to hold: {}", skipped.join("; "));
    }
    Ok(())
}

impl Step {
    fn run(&self, shell: &Shell) -> Result<Outcome> {
        let words = match self.run {
            Run::Here(run) => return run(shell).map(|()| Outcome::Held),
            Run::Cargo(words) => words.split_whitespace(),
        };
        let is_ours = words.clone().next() == Some("xtask");
        let command = cmd!(shell, "cargo {words...}");
        println!("$ {command}");
        let status = Command::from(command).status()?;
        match status.code() {
            Some(0) => Ok(Outcome::Held),
            Some(exit::SKIPPED) if is_ours => Ok(Outcome::Skipped),
            _ => bail!("{}: {status}", self.name),
        }
    }
}

/// The example says by its exit status that rows are off.
fn by_hand(shell: &Shell) -> Result<()> {
    let status = cmd!(shell, "cargo run --example shmem_sgt -- --by-hand")
        .ignore_status()
        .output()?
        .status;
    match status.code() {
        Some(1) => Ok(()),
        _ => bail!("expected rows to be off, and exit status 1: {status}"),
    }
}

/// The fuzz targets are a workspace of their own.
fn fuzz(shell: &Shell) -> Result<()> {
    let all = [
        "--manifest-path",
        "verify/fuzz/Cargo.toml",
        "--target-dir",
        "target/fuzz/test",
    ];

    cmd!(
        shell,
        "cargo fmt --manifest-path verify/fuzz/Cargo.toml --check"
    )
    .run()?;
    cmd!(
        shell,
        "cargo clippy {all...} --all-targets -- --deny warnings"
    )
    .run()?;
    cmd!(shell, "cargo test {all...}").run()?;
    Ok(())
}

/// Each package can be built from what would be published of it.
///
/// The runtime is built with the packages of its macros. Cargo unpacks those once for each target
/// folder and version, and does not look whether they have changed: so each state of the sources has
/// a folder of its own.
fn packages(shell: &Shell) -> Result<()> {
    const FOLDER: &str = "target/packages";

    let mut hasher = DefaultHasher::new();
    for folder in ["macros", "runtime/pin-macros"] {
        for file in walk(Path::new(folder))? {
            fs::read(Path::new(folder).join(&file))?.hash(&mut hasher);
            file.hash(&mut hasher);
        }
    }
    let target = format!("{FOLDER}/{:016x}", hasher.finish());

    shell.remove_path(FOLDER)?;
    cmd!(shell, "cargo package --allow-dirty --target-dir {target}")
        .args(["--package", "devres-lazy-macros"])
        .args(["--package", "devres-lazy-pin-macros"])
        .args(["--package", "devres-lazy"])
        .run()?;
    Ok(())
}

/// The kernel has these crates and no others.
fn macro_dependencies(shell: &Shell) -> Result<()> {
    // The name and version of a package, for cargo to fill in.
    let format = "{p}";
    let tree = cmd!(
        shell,
        "cargo tree --package devres-lazy-macros --prefix none --format {format}"
    )
    .read()?;
    let allowed = [
        "devres-lazy-macros",
        "proc-macro2",
        "quote",
        "syn",
        "unicode-ident",
    ];

    for line in tree.lines() {
        let name = line.split_whitespace().next().unwrap_or_default();
        if !allowed.contains(&name) {
            bail!("devres-lazy-macros depends on `{name}`, which the kernel does not have");
        }
    }

    println!("{tree}");
    Ok(())
}
