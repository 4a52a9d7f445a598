// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `cargo xtask fuzz`: the fuzz targets of `verify/fuzz`, over the saved corpus and beyond.
//!
//! The compiler is told to accept an option that is not stable: AddressSanitizer, for the target
//! that runs code with `unsafe` in it. The others run safe code, and run faster without.

use crate::{cargo, exit, kernel};
use anyhow::{bail, Context, Result};
use clap::Parser;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};
use xshell::{cmd, Cmd, Shell};

/// The targets to run, and for how long.
#[derive(Parser)]
#[command(after_help = exit::HELP)]
pub(crate) struct Options {
    /// Only annotated items through the macro's expander, only whole files through the printer, or
    /// only histories of objects and devices against a model.
    #[arg(value_parser = TARGETS.map(|target| target.name))]
    target: Option<String>,

    /// How long each runs.
    #[arg(long, default_value_t = 1, conflicts_with = "runs",
          value_parser = clap::value_parser!(u64).range(1..))]
    minutes: u64,

    /// How many executions each does.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    runs: Option<u64>,

    /// The seed of the fuzzer's choices; the time without this.
    #[arg(long, default_value_t = time(), hide_default_value = true,
          value_parser = clap::value_parser!(u32).range(1..))]
    seed: u32,

    /// Makes the smallest corpus that covers what was found so far, and saves that.
    #[arg(long)]
    save: bool,

    /// Installs a C++ compiler on this machine with apt-get, as root, if there is none.
    #[arg(long)]
    install: bool,
}

/// The folder of the fuzz targets.
const FOLDER: &str = "verify/fuzz";

/// The folder of all output that is not saved.
const OUT: &str = "target/fuzz";

/// How a target is run.
struct Target {
    name: &'static str,
    /// The feature that it takes.
    feature: &'static str,
    sanitizer: &'static str,
    /// How long an input may be.
    max_len: usize,
    /// Folders of the project with inputs, beside those that are its own.
    seeds: &'static [&'static str],
}

const TARGETS: [Target; 3] = [
    Target {
        name: "annotation",
        feature: "expander",
        sanitizer: "none",
        max_len: 512,
        seeds: &[],
    },
    Target {
        name: "file",
        feature: "expander",
        sanitizer: "none",
        max_len: 2048,
        seeds: &[
            "tests/expand",
            "tests/ui/pass",
            "examples",
            "cli/tests/files",
        ],
    },
    Target {
        name: "history",
        feature: "runtime",
        sanitizer: "address",
        max_len: 300,
        seeds: &[],
    },
];

impl Target {
    /// A folder of this target in one of inputs.
    fn folder(&self, name: &str) -> PathBuf {
        Path::new(name).join(self.name)
    }
}

/// Builds and runs the targets.
pub(crate) fn run(shell: &Shell, options: &Options) -> Result<()> {
    let fuzz = Fuzz {
        shell,
        program: kernel::cargo_fuzz(shell, options.install)?,
        host: cargo::rustc(shell, "host")?,
    };
    for target in &TARGETS {
        match (&options.target, options.save) {
            (Some(only), _) if only != target.name => (),
            (_, true) => fuzz.save(target)?,
            (_, false) => fuzz.run(target, options)?,
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
    /// Builds a target and runs it: with folders of inputs, which are still to come, and options of
    /// libFuzzer.
    fn command(&self, target: &Target) -> Cmd<'_> {
        let Self { program, host, .. } = self;
        cmd!(
            self.shell,
            "{program} run --release --fuzz-dir {FOLDER} --target {host} --no-default-features"
        )
        // With `cfg(fuzzing)`, proc-macro2 has no spans. Choices are not compared with anything, and
        // tracing comparisons halves the speed.
        .args(["--no-cfg-fuzzing", "--no-trace-compares"])
        .args(["--sanitizer", target.sanitizer])
        .arg("--features")
        .arg(format!("fuzzer,{}", target.feature))
        .arg("--target-dir")
        .arg(Path::new(OUT).join(target.sanitizer))
        .arg(target.name)
        .env("RUSTC_BOOTSTRAP", "1")
        // Takes longer than the target.
        .env("RUST_BACKTRACE", "0")
    }

    /// Runs a target for as long as the options say, and fails if that finds something.
    fn run(&self, target: &Target, options: &Options) -> Result<()> {
        let name = target.name;
        let [found, corpus] = ["found", "corpus"].map(|it| target.folder(&format!("{OUT}/{it}")));
        for folder in [&found, &corpus] {
            self.shell.create_dir(folder)?;
        }
        let saved = ["corpus", "regressions"].map(|it| target.folder(&format!("{FOLDER}/{it}")));
        let saved = saved.iter().filter(|folder| self.shell.path_exists(folder));
        let limit = match options.runs {
            Some(runs) => format!("-runs={runs}"),
            None => format!("-max_total_time={}", options.minutes * 60),
        };
        let before = inputs(self.shell, &found)?;

        // New inputs go to the first folder.
        let result = self
            .command(target)
            .arg(&corpus)
            .args(saved)
            .args(target.seeds)
            .args(["--", &format!("-seed={}", options.seed), &limit])
            .arg(format!("-max_len={}", target.max_len))
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
        result.with_context(|| format!("`{name}` cannot be built, or cannot run, see above"))?;
        println!("{name}: nothing was found");
        Ok(())
    }

    /// Saves the smallest corpus that covers what all inputs cover.
    fn save(&self, target: &Target) -> Result<()> {
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
            .args(["--", &format!("-max_len={}", target.max_len)])
            // How often code is covered does not count.
            .args(["-set_cover_merge=1", "-use_counters=0"])
            .run()?;

        self.shell.remove_path(&saved)?;
        self.shell.create_dir(&saved)?;
        let inputs = inputs(self.shell, smallest.path())?;
        let mut bytes = 0;
        for input in &inputs {
            bytes += fs::metadata(input)?.len();
            self.shell.copy_file(input, &saved)?;
        }
        println!(
            "{}: {} inputs of {bytes} bytes are the saved corpus",
            target.name,
            inputs.len()
        );
        Ok(())
    }
}

/// The inputs in a folder.
fn inputs(shell: &Shell, folder: &Path) -> Result<BTreeSet<PathBuf>> {
    Ok(shell.read_dir(folder)?.into_iter().collect())
}

/// The seconds of this time, as a seed.
fn time() -> u32 {
    let time = SystemTime::now().duration_since(UNIX_EPOCH);
    time.map_or(1, |time| time.as_secs() as u32)
}
