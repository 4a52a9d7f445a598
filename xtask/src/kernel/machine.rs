// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The programs and headers that the machine needs. Missing packages are installed if that is
//! allowed.

use super::{
    apt,
    arch::Arch,
    cache::Cache,
    job,
    progress::spinner,
    tools::{which, Llvm, Rust, LLVM_MINIMUM, LLVM_PROGRAMS},
};
use crate::exit::Exit;
use anyhow::{bail, ensure, Result};
use std::{env, path::Path, process::Command};
use xshell::Shell;

/// Programs of the machine that the packages of Debian are named after.
const PROGRAMS: [&str; 8] = ["make", "flex", "bison", "bc", "perl", "cpio", "kmod", "tar"];

/// Headers of the machine, and the packages that have them.
const HEADERS: [(&str, &str); 2] = [
    ("gelf.h", "libelf-dev"),
    ("openssl/opensslv.h", "libssl-dev"),
];

/// The LLVM that is known to work, as packages.
const LLVM_PACKAGES: &str = "clang-19 lld-19 llvm-19 libclang-19-dev";

/// Programs that come with the compiler, and their components.
const COMPONENTS: [(&str, &str); 3] = [
    ("clippy-driver", "clippy"),
    ("rustdoc", "rustc"),
    ("rustfmt", "rustfmt"),
];

/// What APT says when packages are in its lists, and cannot be downloaded.
const APT_OFFLINE: [&str; 2] = ["Failed to fetch", "Unable to fetch"];

/// Something that is needed, and how it stands.
pub(crate) struct Check {
    pub(crate) what: String,
    pub(crate) state: State,
}

pub(crate) enum State {
    Here,
    /// `test` gets it, this way.
    ToGet(String),
    /// These packages have it.
    Packages(&'static str),
    /// The user has to do this.
    Missing(String),
}

impl Check {
    pub(crate) fn new(what: impl Into<String>, is_here: bool, state: State) -> Self {
        Self {
            what: what.into(),
            state: if is_here { State::Here } else { state },
        }
    }
}

/// Returns whether the machine has its part for an architecture: all but downloads.
pub(crate) fn machine(arch: Arch) -> Vec<Check> {
    let llvm = Llvm::find();
    let what = match &llvm {
        Some(llvm) => format!("clang {} (`make {}`)", llvm.version, llvm.make_argument()),
        None => format!(
            "clang {LLVM_MINIMUM} or newer, with {}, and libclang",
            LLVM_PROGRAMS.join(", ")
        ),
    };
    let state = State::Packages(LLVM_PACKAGES);
    let mut checks = vec![Check::new(what, llvm.is_some(), state)];

    let programs = PROGRAMS.map(|program| (program, program)).into_iter();
    let programs = programs.chain([("xz", "xz-utils")]);
    for (program, package) in programs.chain(arch.emulator()) {
        let is_here = which(program).is_some();
        checks.push(Check::new(program, is_here, State::Packages(package)));
    }
    let compiler = llvm.map_or("cc".to_owned(), |llvm| format!("clang{}", llvm.suffix));
    for (header, package) in HEADERS {
        let is_here = has_header(&compiler, header);
        let what = format!("<{header}>");
        checks.push(Check::new(what, is_here, State::Packages(package)));
    }
    checks
}

/// Whether the machine has what `lint` needs beside that.
pub(crate) fn linters(shell: &Shell) -> Result<Vec<Check>> {
    let python = which("python3").is_some();
    let mut checks = vec![Check::new("python3", python, State::Packages("python3"))];
    let rust = Rust::find(shell)?;
    for (program, component) in COMPONENTS {
        checks.push(Check::new(
            format!("{program} of rustc {}", rust.release),
            rust.bin.join(program).is_file(),
            State::Missing(format!("`rustup component add {component}`")),
        ));
    }
    Ok(checks)
}

/// The packages that are missing, and the command that installs them.
pub(crate) fn install_command(checks: &[Check]) -> Option<(Vec<&'static str>, String)> {
    let packages: Vec<&str> = checks
        .iter()
        .filter_map(|check| match check.state {
            State::Packages(packages) => Some(packages.split(' ')),
            _ => None,
        })
        .flatten()
        .collect();
    let command = format!(
        "apt-get update && apt-get install --no-install-recommends {}",
        packages.join(" ")
    );

    (!packages.is_empty()).then_some((packages, command))
}

/// Makes sure that the machine has its part, and installs missing packages if that is allowed.
pub(crate) fn ensure_machine(cache: &Cache, arch: Arch, install: bool) -> Result<()> {
    ensure_packages(cache, install, || Ok(machine(arch)))
}

/// Makes the same sure of what `lint` needs beside that. Components cannot be installed this way.
pub(crate) fn ensure_linters(shell: &Shell, cache: &Cache, install: bool) -> Result<()> {
    for check in linters(shell)? {
        if let State::Missing(what_to_do) = check.state {
            bail!("{} is not here: {what_to_do}", check.what);
        }
    }

    ensure_packages(cache, install, || linters(shell))
}

/// Makes sure that the machine has a C++ compiler, and installs one if that is allowed.
pub(crate) fn ensure_cxx(cache: &Cache, install: bool) -> Result<()> {
    // Where `CXX` names one, that is looked for by who calls it.
    let is_here = || env::var_os("CXX").is_some() || which("c++").is_some();

    ensure_packages(cache, install, || {
        Ok(vec![Check::new("c++", is_here(), State::Packages("g++"))])
    })
}

/// Makes sure that these checks find what they look for, as far as packages have it.
fn ensure_packages(
    cache: &Cache,
    install: bool,
    checks: impl Fn() -> Result<Vec<Check>>,
) -> Result<()> {
    let found = checks()?;
    let Some((packages, command)) = install_command(&found) else {
        return Ok(());
    };
    if !install {
        let missing: Vec<String> = found
            .into_iter()
            .filter(|check| matches!(check.state, State::Packages(_)))
            .map(|check| check.what)
            .collect();
        bail!(
            "not on this machine: {}. Pass --install as root, or run this as root: `{command}`",
            missing.join(", ")
        );
    }
    ensure!(
        which("apt-get").is_some(),
        "there is no apt-get to install with: {} are what Debian calls what is missing",
        packages.join(" ")
    );
    ensure!(
        rustix::process::geteuid().is_root(),
        "only root can install packages: run this as root, and then the same again without \
         --install: `{command}`"
    );

    install_packages(&packages, &cache.path("logs/install.log"))?;
    match install_command(&checks()?) {
        None => Ok(()),
        Some((packages, _)) => bail!(
            "{} have been installed, and what they are for is still missing",
            packages.join(" ")
        ),
    }
}

/// Installs packages. Fails with `Exit::Skipped` if they cannot be reached.
fn install_packages(packages: &[&str], log: &Path) -> Result<()> {
    let names = packages.join(" ");
    let _spinner = spinner(format!("installing {names}"));
    // Lists that cannot be updated may be good enough.
    let update = ["update", "--option", "APT::Update::Error-Mode=any"];
    let outdated = apt_get(&update, log)?;

    let install = ["install", "--yes", "--no-install-recommends"];
    if let Some(said) = apt_get(
        &[&install[..], &["--download-only"], packages].concat(),
        log,
    )? {
        let why = apt::first_error(&said);
        if let Some(said) = outdated {
            bail!(Exit::Skipped(format!(
                "APT's lists cannot be updated, and {names} not be downloaded: {}",
                apt::first_error(&said)
            )));
        }
        if APT_OFFLINE.iter().any(|text| said.contains(text)) {
            bail!(Exit::Skipped(format!(
                "{names} cannot be downloaded, see {}: {why}",
                log.display()
            )));
        }
        bail!(
            "{names} cannot be installed from the APT sources of this machine, see {}: {why}",
            log.display()
        );
    }
    if let Some(said) = apt_get(&[&install[..], &["--no-download"], packages].concat(), log)? {
        bail!("installing {names} failed, see {}:\n{said}", log.display());
    }
    Ok(())
}

/// Runs the machine's own `apt-get`. Returns what it has said if it fails.
fn apt_get(args: &[&str], log: &Path) -> Result<Option<String>> {
    job::failure(
        Command::new("apt-get")
            .arg("--quiet")
            // A machine that has just started may be installing updates.
            .args(["--option", "DPkg::Lock::Timeout=300"])
            .args(args)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("LC_ALL", "C"),
        log,
    )
}

/// Whether a C compiler finds a header.
fn has_header(compiler: &str, header: &str) -> bool {
    let mut compiler = Command::new(compiler);
    compiler.args(["-fsyntax-only", "-include", header, "-xc", "/dev/null"]);
    let output = compiler.output();
    output.is_ok_and(|output| output.status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_command_installs_all() {
        let checks = [
            Check::new("make", true, State::Packages("make")),
            Check::new("clang", false, State::Packages("clang-19 lld-19")),
            Check::new("flex", false, State::Packages("flex")),
            Check::new("Linux", false, State::ToGet(String::new())),
        ];

        let (_, command) = install_command(&checks).unwrap();
        assert_eq!(
            command,
            "apt-get update && apt-get install --no-install-recommends clang-19 lld-19 flex"
        );
        assert!(install_command(&checks[..1]).is_none());
    }
}
