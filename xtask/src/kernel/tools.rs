// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The tools that a kernel is built and booted with: found, or got if possible.

use super::{apt, cache::Cache, job, progress::spinner, tree::Version};
use crate::{cargo, compilers::toolchain::Toolchain, exit::Exit};
use anyhow::{bail, Context, Result};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};
use xshell::{cmd, Shell};

/// The oldest LLVM that builds a kernel, and the one that this is known to work with.
pub(crate) const LLVM_MINIMUM: Version = Version(17, 0, 1);
const LLVM_TESTED: &str = "-19";

/// The programs that `make LLVM=` calls, beside the compiler.
pub(crate) const LLVM_PROGRAMS: &[&str] = &[
    "ld.lld",
    "llvm-ar",
    "llvm-nm",
    "llvm-objcopy",
    "llvm-objdump",
    "llvm-readelf",
    "llvm-strip",
];

/// The oldest bindgen that Linux accepts, and the one that is built if there is none.
pub(crate) const BINDGEN_MINIMUM: Version = Version(0, 71, 1);
pub(crate) const BINDGEN: &str = "0.72.1";

/// The messages of cargo when the network is not there.
const CARGO_OFFLINE: &[&str] = &[
    "network error",
    "failed to download",
    "failed to fetch",
    "Could not resolve host",
    "failed to query replaced source registry",
];

/// Runs cargo to get or build something. Fails with [`Exit::Skipped`] if the network is not there.
pub(crate) fn run_cargo(cargo: &mut Command, log: &Path, what: &str) -> Result<()> {
    let Some(said) = job::failure(cargo, log)? else {
        return Ok(());
    };
    let see = format!("see {}", log.display());
    if CARGO_OFFLINE.iter().any(|text| said.contains(text)) {
        bail!(Exit::Skipped(format!("{what} cannot be downloaded, {see}")));
    }
    bail!("{what}: cargo has failed, {see}:\n{said}")
}

/// An LLVM whose programs have this suffix.
pub(crate) struct Llvm {
    pub(crate) suffix: String,
    pub(crate) version: Version,
    /// The folder of libclang, which bindgen loads.
    pub(crate) libclang: PathBuf,
}

/// A compiler.
pub(crate) struct Rust {
    pub(crate) release: String,
    /// The folder of `rustc` itself, and not of something that chooses one.
    pub(crate) bin: PathBuf,
    pub(crate) sysroot: PathBuf,
    /// The suites of Debian that may have the sources of its library, the preferred one first.
    suites: &'static [&'static str],
}

impl Llvm {
    /// The one that is known to work, else the newest that is complete.
    pub(crate) fn find() -> Option<Self> {
        let numbered = (17..=40).rev().map(|version| format!("-{version}"));
        let all = [LLVM_TESTED.to_owned()].into_iter().chain(numbered);
        all.chain([String::new()]).find_map(Self::with_suffix)
    }

    fn with_suffix(suffix: String) -> Option<Self> {
        let clang = PathBuf::from(format!("clang{suffix}"));
        let version = version(&clang, "clang version ")?;
        let mut programs = LLVM_PROGRAMS.iter();
        let is_complete = programs.all(|program| which(&format!("{program}{suffix}")).is_some());
        if version < LLVM_MINIMUM || !is_complete {
            return None;
        }

        // `<libclang>/clang/19`.
        let resources = PathBuf::from(first_line(Command::new(&clang).arg("-print-resource-dir"))?);
        let libclang = resources.ancestors().nth(2)?.to_owned();
        let has = fs::read_dir(&libclang).ok()?.flatten().any(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.starts_with("libclang.so") || name.starts_with("libclang-")
        });
        has.then_some(Self {
            suffix,
            version,
            libclang,
        })
    }

    /// The argument of `make` for this LLVM.
    pub(crate) fn make_argument(&self) -> String {
        match self.suffix.as_str() {
            "" => "LLVM=1".to_owned(),
            suffix => format!("LLVM={suffix}"),
        }
    }
}

impl Rust {
    /// Asks the one that builds this project.
    pub(crate) fn find(shell: &Shell) -> Result<Self> {
        let release = cargo::rustc(shell, "release")?;
        let sysroot = cmd!(shell, "rustc --print sysroot").quiet().read()?;
        let sysroot = PathBuf::from(sysroot);

        Ok(Self {
            release,
            bin: sysroot.join("bin"),
            sysroot,
            suites: &[apt::SUITE],
        })
    }

    /// One that was unpacked.
    pub(crate) fn of(toolchain: &Toolchain) -> Self {
        Self {
            release: toolchain.release().to_owned(),
            bin: toolchain.bin.clone(),
            sysroot: toolchain.sysroot(),
            suites: toolchain.which.suites(),
        }
    }

    /// The sources of the library, if they are here.
    pub(crate) fn library_here(&self, cache: &Cache) -> Option<PathBuf> {
        let component = self.sysroot.join("lib/rustlib/src/rust/library");
        let mut libraries = [component, self.unpacked(cache)].into_iter();
        libraries.find(|library| library.join("core/src/lib.rs").is_file())
    }

    fn unpacked(&self, cache: &Cache) -> PathBuf {
        cache.path(&format!("rust-src-{}/library", self.release))
    }

    /// The sources of the library, of exactly this version.
    pub(crate) fn library(&self, cache: &Cache) -> Result<PathBuf> {
        let _lock = cache.lock_downloads()?;
        if let Some(library) = self.library_here(cache) {
            return Ok(library);
        }

        let wanted = |version: &str| self.is(version);
        apt::get(cache, self.suites, "rust-src", wanted, |folder, _| {
            // Where rustc expects it; the sources of the compiler come with it, and are not kept.
            let library = folder.join("usr/lib/rustlib/src/rust/library");
            Ok((library, self.unpacked(cache)))
        })
        .with_context(|| {
            format!(
                "the sources of Rust's library cannot be had, which have to be those of rustc {} \
                 (`rustup component add rust-src` gets them, too)",
                self.release
            )
        })
    }

    /// Whether that is the version of a package of this release: `1.95.0+dfsg1-2~bpo13+1`.
    fn is(&self, package: &str) -> bool {
        package
            .strip_prefix(self.release.as_str())
            .is_some_and(|rest| rest.starts_with(['+', '-']))
    }
}

/// A bindgen that is new enough, if it is here.
pub(crate) fn bindgen_here(cache: &Cache) -> Option<(PathBuf, Version)> {
    let programs = which("bindgen").into_iter();
    let mut programs = programs.chain([cache.path("tools/bin/bindgen")]);
    programs.find_map(|program| {
        // `bindgen 0.72.1`. Without any arguments, it would load libclang.
        let version: Version = version(&program, "bindgen ")?;
        (version >= BINDGEN_MINIMUM).then_some((program, version))
    })
}

/// A bindgen that is new enough, which is built if need be.
pub(crate) fn bindgen(shell: &Shell, cache: &Cache) -> Result<(PathBuf, Version)> {
    ensure_built(shell, cache, "bindgen-cli", BINDGEN, || bindgen_here(cache))
}

/// Returns a program that adds a command to cargo, in exactly this version. It is built if need be.
pub(crate) fn subcommand(
    shell: &Shell,
    cache: &Cache,
    name: &str,
    tested: &str,
) -> Result<PathBuf> {
    ensure_built(shell, cache, name, tested, || {
        let program = cache.path(&format!("tools/bin/{name}"));
        // cargo passes its command on, and without it cargo-mutants does not say its version.
        let command = name.strip_prefix("cargo-")?;
        let found = version_of(Command::new(&program).arg(command), &format!("{name} "));
        (found == tested.parse().ok()).then_some(program)
    })
}

/// Has cargo build the program of a package unless it is found.
fn ensure_built<T>(
    shell: &Shell,
    cache: &Cache,
    package: &str,
    version: &str,
    find: impl Fn() -> Option<T>,
) -> Result<T> {
    let _lock = cache.lock("tools")?;
    if let Some(found) = find() {
        return Ok(found);
    }

    let log = cache.path(&format!("logs/{package}.log"));
    let _spinner = spinner(format!("building {package} {version}"));
    run_cargo(
        Command::new("cargo")
            .current_dir(shell.current_dir())
            .args(["install", package, "--locked", "--version", version])
            .arg("--root")
            .arg(cache.path("tools")),
        &log,
        &format!("{package} {version}"),
    )?;
    find().with_context(|| format!("cargo has built {package}, and it does not run"))
}

/// The version of a program of QEMU.
pub(crate) fn qemu(program: &str) -> Option<Version> {
    // `QEMU emulator version 7.2.22 (..)`.
    version(Path::new(program), "version ")
}

/// The version of a program, which stands behind this where the program says it.
fn version(program: &Path, behind: &str) -> Option<Version> {
    version_of(&mut Command::new(program), behind)
}

/// The version of a program that is run with arguments.
fn version_of(program: &mut Command, behind: &str) -> Option<Version> {
    let line = first_line(program.arg("--version"))?;
    line.split_once(behind)?.1.parse().ok()
}

pub(crate) fn which(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// The first line that a program prints.
fn first_line(program: &mut Command) -> Option<String> {
    let output = program.output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;

    output.status.success().then_some(())?;
    Some(text.lines().next()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_those_of_the_release() {
        let rust = Rust {
            release: "1.95.0".to_owned(),
            bin: PathBuf::new(),
            sysroot: PathBuf::new(),
            suites: &[apt::SUITE],
        };

        assert!(rust.is("1.95.0+dfsg1-2~bpo13+1"));
        assert!(!rust.is("1.95.01-1") && !rust.is("1.95.1+dfsg1-1") && !rust.is("1.95.0"));
    }
}
