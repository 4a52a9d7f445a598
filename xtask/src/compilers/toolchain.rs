// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A compiler with its cargo, rustdoc and rustfmt, from Debian's packages.
//!
//! The packages and all libraries that they need are unpacked into one folder, and not installed.
//! Programs are run by the loader of that folder, so the machine's own C library may be older. No
//! `chroot` is needed, so an ordinary user can do all of this. The machine's `cc`
//! links, with the machine's C library.

use super::which::Which;
use crate::{
    exit::Exit,
    kernel::{
        apt::{self, Apt},
        cache::Cache,
        tree::Version,
    },
};
use anyhow::{bail, ensure, Context, Result};
use std::{
    env::consts,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

/// The packages with the programs.
const PACKAGES: [&str; 3] = ["rustc", "cargo", "rustfmt"];

/// Packages that these depend on for linking, in place of which the machine's own are used.
const HERE: [&str; 3] = ["binutils", "gcc", "libc-dev"];

/// The programs.
const PROGRAMS: [&str; 4] = ["cargo", "rustc", "rustdoc", "rustfmt"];

/// The folder of all compilers in the cache. Each has a folder there that begins so, and goes on
/// with the version of its package.
pub(super) const FOLDER: &str = "compilers";
const PREFIX: &str = "rust-";

/// The space that one takes in the cache while it is unpacked, in mebibytes.
const SPACE: u64 = 800;

/// A compiler that is unpacked in the cache.
#[derive(Debug)]
pub(super) struct Toolchain {
    pub(super) which: Which,
    /// The version of the package.
    pub(super) package: String,
    /// The folder of its programs.
    pub(super) bin: PathBuf,
}

impl Toolchain {
    /// The one of the cache. With `install`, it is downloaded if it is not there or if Debian has a
    /// newer one.
    ///
    /// # Errors
    ///
    /// [`Exit::Skipped`] if there is none, and none can be had.
    pub(super) fn find(cache: &Cache, which: Which, install: bool) -> Result<Self> {
        if consts::ARCH != "x86_64" {
            bail!(Exit::Skipped(format!(
                "the compilers are those of x86_64, not of {}",
                consts::ARCH
            )));
        }
        fs::create_dir_all(cache.path(FOLDER))?;
        let here = Self::here(cache, which)?;
        if !install {
            let Some(here) = here else {
                bail!(Exit::Skipped(format!(
                    "the {which} compiler is not in the cache: `--install` gets it from Debian"
                )));
            };
            return Ok(here);
        }

        match (get(cache, which), here) {
            (Err(error), Some(here)) if error.is::<Exit>() => {
                println!("{error:#}: {} of the cache is used", here.package);
                Ok(here)
            }
            (got, _) => {
                got?;
                Self::here(cache, which)?.context("the compiler that was unpacked is gone")
            }
        }
    }

    /// The newest one of the cache.
    fn here(cache: &Cache, which: Which) -> Result<Option<Self>> {
        let names = cache.names(FOLDER)?.into_iter();
        let versions = names.filter_map(|name| name.strip_prefix(PREFIX).map(str::to_owned));
        let newest = versions
            .filter(|version| which.is(version))
            .max_by_key(|version| (version.parse::<Version>().ok(), version.clone()));
        let toolchain = |package: String| Self {
            which,
            bin: folder(cache, &package).join("bin"),
            package,
        };

        Ok(newest.map(toolchain))
    }

    /// The version that its rustc says that it has.
    pub(super) fn release(&self) -> Result<String> {
        let output = Command::new(self.bin.join("rustc"))
            .arg("--version")
            .output()
            .context("rustc")?;
        ensure!(
            output.status.success(),
            "rustc of {} does not run: {}",
            self.package,
            String::from_utf8_lossy(&output.stderr)
        );

        release(&String::from_utf8(output.stdout)?)
    }
}

/// The release in the output of `rustc --version`: `rustc 1.85.1 (4eb161250 2025-03-15) ..`.
fn release(said: &str) -> Result<String> {
    let mut words = said.split_whitespace().skip(1);
    let release = words.next().context("rustc does not say its version")?;
    Ok(release.to_owned())
}

/// The place of a compiler in the cache, by the version of its package.
fn folder(cache: &Cache, package: &str) -> PathBuf {
    cache.path(FOLDER).join(format!("{PREFIX}{package}"))
}

/// Downloads and unpacks the compiler that Debian has, unless it is in the cache.
fn get(cache: &Cache, which: Which) -> Result<()> {
    let _lock = cache.lock_downloads()?;
    let suites = which.suites();
    let apt = Apt::new(cache, apt::AMD64, suites, &HERE)?;
    let versions = apt.versions("rustc")?;
    let Some(version) = versions.iter().find(|version| which.is(version)) else {
        bail!(Exit::Skipped(format!(
            "{} does not have the {which} compiler, but: {}",
            suites.join(" and "),
            versions.join(", ")
        )));
    };
    let to = folder(cache, version);
    if to.exists() {
        return Ok(());
    }

    cache.ensure_space(SPACE, "a compiler")?;
    let unfinished = cache.temporary()?;
    let packages = apt.download_all(&PACKAGES, &unfinished.path().join("packages"))?;
    let root = unfinished.path().join("root");
    fs::create_dir_all(&root)?;
    apt::unpack_all(&packages, &root)?;
    write_programs(&root)?;
    fs::rename(&root, &to)?;
    Ok(())
}

/// Writes a script for each program, which runs it by the loader of the folder.
fn write_programs(root: &Path) -> Result<()> {
    let bin = root.join("bin");
    fs::create_dir_all(&bin)?;
    for program in PROGRAMS {
        let file = bin.join(program);
        fs::write(&file, script(program))?;
        fs::set_permissions(&file, Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// A script of bash: other shells lose variables such as `CARGO_BIN_EXE_a-b`, whose names are not
/// theirs.
fn script(program: &str) -> String {
    format!(
        "#!/bin/bash\n\
         # Runs the program by the loader and with the libraries that were unpacked with it.\n\
         # The program takes this script for itself: cargo tells others where it is.\n\
         root=${{0%/*}}/..\n\
         libraries=$root/usr/lib/x86_64-linux-gnu\n\
         exec \"$libraries/ld-linux-x86-64.so.2\" --library-path \"$libraries\" \\\n\
         \x20   --argv0 \"$0\" \"$root/usr/bin/{program}\" \"$@\"\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_is_the_second_word() {
        let said = "rustc 1.85.1 (4eb161250 2025-03-15) (built from a source tarball)\n";
        assert_eq!(release(said).unwrap(), "1.85.1");
        assert!(release("rustc").is_err());
    }

    #[test]
    fn a_program_is_run_by_the_loader_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let libraries = folder.path().join("usr/lib/x86_64-linux-gnu");
        fs::create_dir_all(&libraries).unwrap();
        // Prints its arguments and a variable, as the loader does not.
        let loader = libraries.join("ld-linux-x86-64.so.2");
        let prints = "#!/bin/bash\nprintf '%s\\n' \"$@\"\nenv | grep '^A-B='\n";
        fs::write(&loader, prints).unwrap();
        fs::set_permissions(&loader, Permissions::from_mode(0o755)).unwrap();
        write_programs(folder.path()).unwrap();

        let output = Command::new(folder.path().join("bin/rustc"))
            .args(["--crate-name", "a b"])
            .env("A-B", "c")
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let words: Vec<_> = said.lines().collect();
        assert_eq!(words[0], "--library-path");
        assert_eq!(words[2], "--argv0");
        assert!(words[3].ends_with("/bin/rustc"), "{said}");
        assert!(!words[3].ends_with("/usr/bin/rustc"), "{said}");
        assert!(words[4].ends_with("/usr/bin/rustc"), "{said}");
        assert_eq!(words[5..], ["--crate-name", "a b", "A-B=c"]);
    }
}
