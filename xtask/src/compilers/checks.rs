// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Builds the parts that users build, and runs their tests and those of the workspace.

use super::{left_out, outcome::Outcome, said::Said, toolchain::Toolchain};
use crate::kernel::{
    cache::Cache,
    job::{self, Job},
    Progress,
};
use anyhow::{ensure, Result};
use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

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
    /// The sources.
    pub(super) root: &'a Path,
    /// The home of cargo, whose settings name the crates.
    pub(super) home: &'a Path,
    /// The folder to build in.
    pub(super) target: PathBuf,
}

impl Checks<'_> {
    /// Builds each part, and runs all tests but those that are left out.
    pub(super) fn run(&self) -> Result<Outcome> {
        let Toolchain { which, package, .. } = self.toolchain;
        let mut outcome = Outcome::new(*which, self.toolchain.release()?, package.clone());
        println!(
            "{}: rustc {}, of Debian's package {}",
            outcome.which, outcome.release, outcome.package
        );

        for (part, packages) in PARTS {
            let (builds, said) = self.cargo(part, "build", &named(packages))?;
            outcome.builds.push(builds);
            outcome.said.extend(said);
        }
        if outcome.builds.contains(&false) {
            return Ok(outcome);
        }

        let packages: Vec<_> = PARTS
            .iter()
            .flat_map(|(_, it)| it.iter().copied())
            .collect();
        // Without documentation tests: see docs/compilers.md.
        let own = [named(&packages), vec!["--tests"]].concat();
        let tests = left_out::tests(self.root, *which)?;
        let mut workspace = named(&[WORKSPACE]);
        for test in &tests {
            workspace.extend(["--test", test]);
        }
        let mut options = vec!["--no-fail-fast", "--", "--exact"];
        for name in left_out::names(*which) {
            options.extend(["--skip", name]);
        }
        for (what, args) in [("tests", own), ("workspace", workspace)] {
            let (_, said) = self.cargo(what, "test", &[args, options.clone()].concat())?;
            outcome.said.extend(said);
        }
        Ok(outcome)
    }

    /// Runs a cargo of the compiler. Returns whether it has ended well, and its output.
    fn cargo(&self, what: &'static str, command: &str, args: &[&str]) -> Result<(bool, Said)> {
        let which = self.toolchain.which;
        let log = self
            .cache
            .path(&format!("logs/compilers-{which}-{what}.log"));
        let mut progress = Progress::new(what, None)?;
        let mut said = Said::default();
        let job = Job::start(
            self.command()?
                .args([command, "--locked", "--message-format", "json"])
                .args(args),
            &log,
        )?;
        let status = job.read(|line| {
            if let Some(step) = said.line(&line) {
                progress.step(&step);
            }
        })?;
        let steps = progress.finish();

        println!(
            "{which}, {what}: {status}, {steps} steps, see {}",
            log.display()
        );
        ensure!(
            status.success() || !said.errors.is_empty(),
            "cargo has failed without an error, see {}:\n{}",
            log.display(),
            job::tail(&log, 20)
        );
        Ok((status.success(), said))
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

/// The arguments that name packages.
fn named<'a>(packages: &[&'a str]) -> Vec<&'a str> {
    packages
        .iter()
        .flat_map(|&package| ["--package", package])
        .collect()
}
