// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Builds the parts that users build, and runs their tests and those of the workspace.

use super::{
    left_out,
    outcome::Outcome,
    toolchain::{Toolchain, FOLDER},
};
use crate::kernel::{
    cache::Cache,
    job::{self, Job},
    spinner,
    tools::run_cargo,
    Progress,
};
use anyhow::{ensure, Result};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};
use xshell::Shell;

/// The parts: the title of each, and its packages.
pub(super) const PARTS: [(&str, &[&str]); 3] = [
    ("macro", &["devres-lazy-macros", "devres-lazy-pin-macros"]),
    ("library", &["devres-lazy"]),
    ("printer", &["cargo-devres-lazy"]),
];

/// The package of the tests that need the whole project.
const WORKSPACE: &str = "devres-lazy-workspace";

/// A compiler, and the folders for its builds.
pub(super) struct Checks<'a> {
    pub(super) cache: &'a Cache,
    pub(super) toolchain: &'a Toolchain,
    pub(super) root: &'a Path,
    /// The home of cargo, whose settings name the crates.
    pub(super) home: &'a Path,
    /// The folder to build in.
    pub(super) target: PathBuf,
}

impl Checks<'_> {
    /// Builds each part, and runs all tests but those that are left out. Adds all output to the
    /// outcome.
    pub(super) fn run(&self) -> Result<Outcome> {
        let Toolchain { which, package, .. } = self.toolchain;
        println!("{}: Debian's package {package}", which.name());

        let mut outcome = Outcome::default();
        for (part, packages) in PARTS {
            self.cargo(part, "build", packages, &[], &mut outcome)?;
        }
        let mut options = vec!["--no-fail-fast", "--", "--exact"];
        options.extend(left_out::names(*which).flat_map(|name| ["--skip", name]));
        // Without documentation tests: see docs/compilers.md.
        let own = [&["--tests"], &options[..]].concat();
        let packages = PARTS.map(|(_, packages)| packages).concat();
        self.cargo("tests", "test", &packages, &own, &mut outcome)?;
        let all = [&["--test", "*"], &options[..]].concat();
        self.cargo("workspace", "test", &[WORKSPACE], &all, &mut outcome)?;
        if outcome.passed == 0 {
            outcome.faults.insert("no test has passed".to_owned());
        }
        Ok(outcome)
    }

    /// Runs a cargo of the compiler, and adds its output to the outcome.
    fn cargo(
        &self,
        what: &'static str,
        command: &str,
        packages: &[&str],
        options: &[&str],
        outcome: &mut Outcome,
    ) -> Result<()> {
        let name = self.toolchain.which.name();
        let log = format!("logs/compilers-{name}-{what}.log");
        let log = self.cache.path(&log);
        let mut progress = Progress::new(what, None)?;
        let mut cargo = self.command()?;
        cargo
            .args([command, "--locked"])
            .args(packages.iter().flat_map(|package| ["--package", package]))
            .args(options);
        let job = Job::start(&mut cargo, &log)?;
        let status = job.read(|line| {
            if let Some(step) = line.and_then(step) {
                progress.step(step);
            }
            Ok(true)
        })?;
        let steps = progress.finish();
        outcome.read(&job::text(&log)?);

        println!(
            "{name}, {what}: {status}, {steps} steps, see {}",
            log.display()
        );
        ensure!(
            status.success() || !outcome.faults.is_empty(),
            "cargo has failed without an error, see {}:\n{}",
            log.display(),
            job::tail(&log, 20)
        );
        Ok(())
    }

    /// A command that runs the compiler's cargo. Tests that run cargo get the same one.
    fn command(&self) -> Result<Command> {
        let program = |name: &str| self.toolchain.bin.join(name);
        let mut command = Command::new(program("cargo"));
        // The settings of the cargo and the rustup that run this program are not for this one.
        for (name, _) in env::vars_os() {
            let name = name.to_string_lossy();
            if ["CARGO", "RUST", "LD_LIBRARY_PATH"]
                .iter()
                .any(|prefix| name.starts_with(prefix))
            {
                command.env_remove(&*name);
            }
        }

        let mut path = vec![self.toolchain.bin.clone()];
        path.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
        command
            .current_dir(self.root)
            .env("PATH", env::join_paths(path)?)
            // Without it, cargo would take the loader for itself.
            .env("CARGO", program("cargo"))
            .env("RUSTC", program("rustc"))
            .env("RUSTDOC", program("rustdoc"))
            .env("CARGO_HOME", self.home)
            .env("CARGO_TARGET_DIR", &self.target)
            .env("CARGO_INCREMENTAL", "0")
            .env("CARGO_PROFILE_DEV_DEBUG", "0");
        Ok(command)
    }
}

/// The package that cargo begins to build by a line of its output, or the test that has ended.
fn step(line: &str) -> Option<&str> {
    match line.strip_prefix("   Compiling ") {
        Some(package) => Some(package),
        None => Some(line.strip_prefix("test ")?.split_once(" ... ")?.0),
    }
}

/// Has the machine's cargo write the crates of `Cargo.lock` to the cache. Returns a home folder for
/// other cargos, whose settings are that these are the crates: they neither have a registry's index
/// nor ask the network.
pub(super) fn vendor(shell: &Shell, cache: &Cache) -> Result<PathBuf> {
    let folder = cache.path(FOLDER);
    let crates = folder.join("crates");
    let log = cache.path("logs/compilers-crates.log");
    let _spinner = spinner("collecting the crates of Cargo.lock".to_owned());
    run_cargo(
        Command::new("cargo")
            .current_dir(shell.current_dir())
            // With the machine's own settings, which may name a mirror.
            .args(["vendor", "--locked", "--respect-source-config"])
            .arg(&crates),
        &log,
        "the crates of Cargo.lock",
    )?;

    let home = folder.join("home");
    fs::create_dir_all(&home)?;
    let settings = format!(
        "[net]\noffline = true\n\n\
         [source.crates-io]\nreplace-with = \"here\"\n\n\
         [source.here]\ndirectory = {crates:?}\n"
    );
    fs::write(home.join("config.toml"), settings)?;
    Ok(home)
}
