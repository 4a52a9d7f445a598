// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `cargo xtask fuzz`: the fuzz targets of `verify/fuzz`, over the saved corpus and beyond.
//!
//! The compiler is told to accept an option that is not stable: AddressSanitizer, for the target
//! that runs code with `unsafe` in it. The others run safe code, and run faster without.

use crate::{cargo, kernel};
use anyhow::{bail, Result};
use clap::{Parser, ValueEnum};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};
use xshell::{cmd, Cmd, Shell};

const HELP: &str = "\
Inputs that are found are kept in target/fuzz, and used the next time. The saved corpus in
verify/fuzz/corpus is not changed, unless --save says so.

Exit status:
  0  nothing was found
  1  something was found, or the build has failed
  2  wrong usage
  3  skipped: something cannot be downloaded, which says nothing about the code";

/// The targets to run, and for how long.
#[derive(Parser)]
#[command(after_help = HELP)]
pub(crate) struct Options {
    /// One target; all of them, one after the other, without this.
    target: Option<Target>,

    /// How long each runs. 1 without this and without --runs.
    #[arg(long, conflicts_with = "runs", value_parser = clap::value_parser!(u64).range(1..))]
    minutes: Option<u64>,

    /// How many executions each does.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    runs: Option<u64>,

    /// The seed of the fuzzer's choices; the time without this.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    seed: Option<u32>,

    /// Makes the smallest corpus that covers what was found so far, and saves that.
    #[arg(long)]
    save: bool,

    /// Installs a C++ compiler on this machine with apt-get, as root, if there is none.
    #[arg(long)]
    install: bool,
}

/// A target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Target {
    /// Annotated items, through the macro's expander.
    Annotation,
    /// Whole files, through the printer.
    File,
    /// Histories of objects and devices, against a model.
    History,
}

/// The folder of the fuzz targets.
const FOLDER: &str = "verify/fuzz";

/// The folder of all output that is not saved.
const OUT: &str = "target/fuzz";

/// How a target is run.
struct Setup {
    /// The feature that it takes.
    feature: &'static str,
    sanitizer: &'static str,
    /// How long an input may be.
    max_len: usize,
    /// Folders of the project with inputs, beside those that are its own.
    seeds: &'static [&'static str],
}

impl Target {
    const ALL: [Self; 3] = [Self::Annotation, Self::File, Self::History];

    /// Its name, and how it is run.
    fn setup(self) -> (&'static str, &'static Setup) {
        const EXPANDER: Setup = Setup {
            feature: "expander",
            sanitizer: "none",
            max_len: 512,
            seeds: &[],
        };
        const FILE: Setup = Setup {
            max_len: 2048,
            seeds: &[
                "tests/expand",
                "tests/ui/pass",
                "examples",
                "cli/tests/files",
            ],
            ..EXPANDER
        };
        const HISTORY: Setup = Setup {
            feature: "runtime",
            sanitizer: "address",
            max_len: 300,
            seeds: &[],
        };

        match self {
            Self::Annotation => ("annotation", &EXPANDER),
            Self::File => ("file", &FILE),
            Self::History => ("history", &HISTORY),
        }
    }

    fn name(self) -> &'static str {
        self.setup().0
    }

    fn folder(self, name: &str) -> PathBuf {
        Path::new(name).join(self.name())
    }
}

/// Builds and runs the targets.
pub(crate) fn run(shell: &Shell, options: &Options) -> Result<()> {
    let fuzz = Fuzz {
        shell,
        program: kernel::cargo_fuzz(shell, options.install)?,
        host: cargo::host(shell)?,
    };
    let all = Target::ALL.as_slice();
    let chosen = options.target.as_ref();

    for &target in chosen.map_or(all, std::slice::from_ref) {
        match options.save {
            true => fuzz.save(target)?,
            false => fuzz.run(target, options)?,
        }
    }
    Ok(())
}

/// The program cargo-fuzz, and the target that it builds for.
struct Fuzz<'a> {
    shell: &'a Shell,
    program: PathBuf,
    host: String,
}

impl Fuzz<'_> {
    /// Builds a target and runs it: with folders and options of libFuzzer, which are still to come.
    fn command(&self, target: Target) -> Cmd<'_> {
        let Self { program, host, .. } = self;
        let (
            name,
            Setup {
                feature, sanitizer, ..
            },
        ) = target.setup();

        cmd!(
            self.shell,
            "{program} run --release --fuzz-dir {FOLDER} --target {host} --no-default-features"
        )
        // With `cfg(fuzzing)`, proc-macro2 has no spans. Choices are not compared with anything, and
        // tracing comparisons halves the speed.
        .args(["--no-cfg-fuzzing", "--no-trace-compares"])
        .args(["--sanitizer", sanitizer])
        .arg("--features")
        .arg(format!("fuzzer,{feature}"))
        .arg("--target-dir")
        .arg(Path::new(OUT).join(sanitizer))
        .arg(name)
        .env("RUSTC_BOOTSTRAP", "1")
        // Takes longer than the target.
        .env("RUST_BACKTRACE", "0")
    }

    /// Runs a target for as long as the options say, and fails if that finds something.
    fn run(&self, target: Target, options: &Options) -> Result<()> {
        let (name, setup) = target.setup();
        let [found, corpus] = ["found", "corpus"].map(|it| target.folder(&format!("{OUT}/{it}")));
        for folder in [&found, &corpus] {
            self.shell.create_dir(folder)?;
        }
        let saved = ["corpus", "regressions"].map(|it| target.folder(&format!("{FOLDER}/{it}")));
        let saved = saved.iter().filter(|folder| self.shell.path_exists(folder));
        let seed = options.seed.map_or_else(time, Ok)?;
        let limit = match options.runs {
            Some(runs) => format!("-runs={runs}"),
            None => format!("-max_total_time={}", options.minutes.unwrap_or(1) * 60),
        };
        let before = inputs(self.shell, &found)?;

        // New inputs go to the first folder.
        let result = self
            .command(target)
            .arg(&corpus)
            .args(saved)
            .args(setup.seeds)
            .args(["--", &format!("-seed={seed}"), &limit])
            .arg(format!("-max_len={}", setup.max_len))
            .arg(format!("-artifact_prefix={}/", found.display()))
            // Inputs that take long are chosen less often.
            .args(["-entropic_scale_per_exec_time=1", "-print_final_stats=1"])
            .arg("-verbosity=0")
            .run();

        if let Some(input) = inputs(self.shell, &found)?.difference(&before).next() {
            bail!(
                "`{name}` has found something, see above: {}\nKeep it as \
                 `{FOLDER}/regressions/{name}/<what it is>`; `cargo test --manifest-path \
                 {FOLDER}/Cargo.toml` replays it.",
                input.display()
            );
        }
        if let Err(error) = result {
            bail!("`{name}` cannot be built, or cannot run, see above: {error}");
        }
        println!("{name}: nothing was found");
        Ok(())
    }

    /// Saves the smallest corpus that covers what all inputs cover.
    fn save(&self, target: Target) -> Result<()> {
        let (name, setup) = target.setup();
        let corpus = target.folder(&format!("{OUT}/corpus"));
        let saved = target.folder(&format!("{FOLDER}/corpus"));
        for folder in [&corpus, &saved] {
            self.shell.create_dir(folder)?;
        }
        let smallest = tempfile::Builder::new()
            .prefix("corpus-")
            .tempdir_in(self.shell.current_dir().join(OUT))?;

        self.command(target)
            .args([smallest.path(), &saved, &corpus])
            .args(["--", &format!("-max_len={}", setup.max_len)])
            // How often code is covered does not count.
            .args(["-set_cover_merge=1", "-use_counters=0"])
            .run()?;

        self.shell.remove_path(&saved)?;
        self.shell.create_dir(&saved)?;
        let (mut count, mut bytes) = (0, 0);
        for input in inputs(self.shell, smallest.path())? {
            bytes += fs::metadata(&input)?.len();
            self.shell.copy_file(&input, &saved)?;
            count += 1;
        }
        println!("{name}: {count} inputs of {bytes} bytes are the saved corpus");
        Ok(())
    }
}

/// The inputs in a folder.
fn inputs(shell: &Shell, folder: &Path) -> Result<BTreeSet<PathBuf>> {
    Ok(shell.read_dir(folder)?.into_iter().collect())
}

/// A seed.
fn time() -> Result<u32> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();

    Ok(u32::try_from(seconds % u64::from(u32::MAX))?)
}
