// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `cargo xtask ci`: everything that has to hold.

use crate::{
    exit,
    kernel::{
        self,
        tree::walk, //
    },
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
    time::{
        Duration,
        Instant, //
    },
};
use xshell::{
    cmd,
    Shell, //
};

/// How far into a run the kernel with all checkers may still be built from nothing: that takes half
/// an hour on a busy machine, and what runs this may give it 90 minutes.
const TIME_FOR_DEBUG: Duration = Duration::from_secs(45 * 60);

/// What to run.
#[derive(Parser)]
pub(crate) struct Options {
    /// Runs also what takes long, and leaves nothing out for lack of time.
    #[arg(long)]
    all: bool,
}

/// One thing that has to hold.
struct Step {
    name: &'static str,
    run: Run,
}

/// How it is seen to hold.
enum Run {
    /// By what this does.
    Here(fn(&Shell) -> Result<()>),
    /// By `cargo xtask` with these arguments, which may find that it cannot be seen.
    Command(&'static [&'static str]),
    /// As [`Run::Command`], if there is time to build the kernel with all checkers, or if it was
    /// built before.
    IfTimeAllows(&'static [&'static str]),
}

/// What came of a step that has not failed.
enum Outcome {
    Held,
    /// It was not tried, or not to the end, and this is why.
    Skipped(String),
}

const STEPS: &[Step] = &[
    Step {
        name: "format",
        run: Run::Here(|shell| Ok(cmd!(shell, "cargo fmt --all --check").run()?)),
    },
    Step {
        name: "lints",
        run: Run::Here(|shell| {
            Ok(cmd!(
                shell,
                "cargo clippy --workspace --all-targets -- --deny warnings"
            )
            .run()?)
        }),
    },
    Step {
        name: "documentation",
        run: Run::Here(|shell| {
            Ok(cmd!(
                shell,
                "cargo doc --workspace --no-deps --document-private-items"
            )
            .env("RUSTDOCFLAGS", "--deny warnings")
            .run()?)
        }),
    },
    Step {
        name: "example",
        run: Run::Here(|shell| Ok(cmd!(shell, "cargo run --example shmem_sgt").run()?)),
    },
    Step {
        name: "example: the object by hand is off",
        run: Run::Here(|shell| {
            let status = cmd!(shell, "cargo run --example shmem_sgt -- --by-hand")
                .ignore_status()
                .output()?
                .status;
            match status.code() {
                Some(1) => Ok(()),
                _ => bail!("expected rows to be off, and exit status 1: {status}"),
            }
        }),
    },
    Step {
        name: "example, in print",
        run: Run::Here(|shell| Ok(cmd!(shell, "cargo run --example shmem_sgt_expanded").run()?)),
    },
    Step {
        name: "printed expansions",
        run: Run::Here(|shell| {
            Ok(cmd!(shell, "cargo run --package cargo-devres-lazy -- check").run()?)
        }),
    },
    Step {
        name: "benchmark: instructions",
        run: Run::Here(|shell| Ok(cmd!(shell, "cargo xtask bench --quick").run()?)),
    },
    Step {
        name: "dependencies of the macro",
        run: Run::Here(macro_dependencies),
    },
    Step {
        name: "packages",
        run: Run::Here(packages),
    },
    Step {
        name: "panics in the middle of the protocol, under AddressSanitizer",
        run: Run::Command(&["asan"]),
    },
    Step {
        name: "references to an owner, under Miri",
        run: Run::Command(&["miri"]),
    },
    Step {
        name: "fuzzing: the checks, and the inputs that once found something",
        run: Run::Here(fuzz),
    },
    Step {
        name: "fuzzing: annotated items, a minute",
        run: Run::Command(&["fuzz", "annotation", "--minutes", "1", "--install"]),
    },
    Step {
        name: "fuzzing: whole files, a minute",
        run: Run::Command(&["fuzz", "file", "--minutes", "1", "--install"]),
    },
    Step {
        name: "fuzzing: histories against a model, a minute",
        run: Run::Command(&["fuzz", "history", "--minutes", "1", "--install"]),
    },
    Step {
        name: "the protocol under ThreadSanitizer, and twins that it has to report",
        run: Run::Command(&["tsan"]),
    },
    Step {
        name: "kernel, as drivers run",
        run: Run::Command(&["kernel", "test", "--install"]),
    },
    Step {
        name: "kernel, as drivers run, with the printed form in place of the macro",
        run: Run::Command(&["kernel", "test", "--expanded"]),
    },
    Step {
        name: "kernel and host: the same outcomes",
        run: Run::Command(&["kernel", "compare"]),
    },
    Step {
        name: "kernel and host: the same names and signatures",
        run: Run::Command(&["kernel", "vocabulary"]),
    },
    Step {
        name: "kernel, the control: the object by hand fails where it should",
        run: Run::Command(&["kernel", "test", "--control"]),
    },
    Step {
        name: "kernel, a device that user space uses, behind an IOMMU",
        run: Run::Command(&["kernel", "device"]),
    },
    Step {
        name: "kernel, benchmark: instructions, grace periods, bytes",
        run: Run::Command(&["kernel", "bench", "--quick"]),
    },
    Step {
        name: "kernel, its own checks of what is added",
        run: Run::Command(&["kernel", "lint", "--install"]),
    },
    Step {
        name: "kernel, the patch series",
        run: Run::Command(&["kernel", "series"]),
    },
    Step {
        name: "kernel, the patch series without the macro",
        run: Run::Command(&["kernel", "series", "--expanded"]),
    },
    Step {
        name: "kernel, with all checkers",
        run: Run::IfTimeAllows(&["kernel", "test", "--variant", "debug"]),
    },
    // Last, so that its result is what the output ends with.
    Step {
        name: "tests",
        run: Run::Here(|shell| Ok(cmd!(shell, "cargo test --workspace").run()?)),
    },
];

/// What takes long. It runs before the other steps, whose last one is to be the last.
const LONG: &[Step] = &[
    Step {
        name: "stress: a million bindings",
        run: Run::Command(&["stress"]),
    },
    Step {
        name: "kernel, stress: ten thousand bindings",
        run: Run::Command(&[
            "kernel",
            "test",
            "--install",
            "--filter",
            "rust_lazy_stress*",
            "--bindings",
            "10000",
        ]),
    },
    Step {
        name: "kernel, with all checkers, the control",
        run: Run::Command(&["kernel", "test", "--variant", "debug", "--control"]),
    },
    Step {
        name: "kernel, with all checkers, with the printed form in place of the macro",
        run: Run::Command(&["kernel", "test", "--variant", "debug", "--expanded"]),
    },
    Step {
        name: "kernel, a device that user space uses, by hand and annotated",
        run: Run::Command(&["kernel", "device", "--control"]),
    },
    Step {
        name: "kernel, its memory model",
        run: Run::Command(&["kernel", "litmus"]),
    },
];

/// Runs all steps, and stops at the first that fails.
pub(crate) fn run(shell: &Shell, options: &Options) -> Result<()> {
    let begin = Instant::now();
    let long = if options.all { LONG } else { &[] };
    let steps: Vec<&Step> = long.iter().chain(STEPS).collect();
    let mut skipped = Vec::new();

    for (index, step) in steps.iter().enumerate() {
        println!("\n== {}/{}: {}", index + 1, steps.len(), step.name);
        let step_begin = Instant::now();
        let elapsed = (!options.all).then(|| begin.elapsed());
        match step.run.run(shell, elapsed)? {
            Outcome::Held => println!(
                "== {} held, {:.0} s",
                step.name,
                step_begin.elapsed().as_secs_f64()
            ),
            Outcome::Skipped(why) => {
                println!("== {} skipped: {why}", step.name);
                skipped.push(step.name);
            }
        }
    }

    if !skipped.is_empty() {
        println!("\n== not seen to hold: {}", skipped.join("; "));
    }
    Ok(())
}

impl Run {
    /// Runs it, so long after the first step has begun, if the time for all steps is limited.
    fn run(&self, shell: &Shell, elapsed: Option<Duration>) -> Result<Outcome> {
        match self {
            Self::Here(run) => run(shell).map(|()| Outcome::Held),
            Self::Command(arguments) => command(shell, arguments),
            Self::IfTimeAllows(arguments) => match elapsed {
                Some(elapsed) if elapsed > TIME_FOR_DEBUG && !kernel::is_debug_built()? => {
                    Ok(Outcome::Skipped(format!(
                        "it was never built here, and {:.0} minutes have passed",
                        elapsed.as_secs_f64() / 60.0
                    )))
                }
                _ => command(shell, arguments),
            },
        }
    }
}

/// Runs `cargo xtask` with these arguments.
fn command(shell: &Shell, arguments: &[&str]) -> Result<Outcome> {
    let command = cmd!(shell, "cargo xtask {arguments...}");
    println!("$ {command}");
    let status = Command::from(command).status()?;
    match status.code() {
        Some(0) => Ok(Outcome::Held),
        Some(exit::SKIPPED) => Ok(Outcome::Skipped(
            "what it needs cannot be downloaded, see above".to_owned(),
        )),
        _ => bail!("{status}"),
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
