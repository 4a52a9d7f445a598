// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A compiler with its cargo, rustdoc and rustfmt, from Debian's packages: the oldest that the
//! crates support, and the newest that Debian has.
//!
//! The machine's `cc` links, with the machine's C library.

use crate::{
    exit::Exit,
    kernel::{
        apt::{self, Apt},
        cache::Cache,
        tree::Version,
    },
};
use anyhow::{bail, Result};
use clap::ValueEnum;
use std::{env::consts, fs, path::PathBuf};

/// The oldest release that the crates support, as the workspace's `Cargo.toml` says.
const OLDEST: &str = env!("CARGO_PKG_RUST_VERSION");

/// The packages with the programs.
const PACKAGES: [&str; 3] = ["rustc", "cargo", "rustfmt"];

/// Packages that these depend on for linking, in place of which the machine's own are used.
const HERE: [&str; 3] = ["binutils", "gcc", "libc-dev"];

const PROGRAMS: [&str; 4] = ["cargo", "rustc", "rustdoc", "rustfmt"];

/// The folder of all compilers in the cache. Each has a folder there that begins so, and goes on
/// with the version of its package.
pub(super) const FOLDER: &str = "compilers";
const PREFIX: &str = "rust-";

/// The space that one takes in the cache while it is unpacked, in mebibytes.
const SPACE: u64 = 800;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Which {
    /// The oldest compiler that the crates support.
    Oldest,
    /// The newest compiler that Debian has.
    Newest,
}

impl Which {
    /// The suites of Debian with the compiler, the preferred one first.
    pub(crate) fn suites(self) -> &'static [&'static str] {
        match self {
            Self::Oldest => &[apt::STABLE],
            // `experimental` lacks the packages in which it does not differ from `sid`.
            Self::Newest => &["experimental", "sid"],
        }
    }

    /// Whether a package of this version has the compiler.
    fn is(self, version: &str) -> bool {
        let is_oldest = version
            .strip_prefix(OLDEST)
            .is_some_and(|rest| rest.starts_with(['.', '+', '-']));
        is_oldest == (self == Self::Oldest)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Oldest => "oldest",
            Self::Newest => "newest",
        }
    }
}

/// A compiler that is unpacked in the cache.
#[derive(Debug)]
pub(crate) struct Toolchain {
    pub(crate) which: Which,
    /// The version of the package.
    pub(super) package: String,
    /// The folder of its programs.
    pub(crate) bin: PathBuf,
}

impl Toolchain {
    /// The one of the cache. With `install`, it is downloaded if it is not there or if Debian has a
    /// newer one.
    ///
    /// # Errors
    ///
    /// [`Exit::Skipped`] if there is none, and none can be had.
    pub(crate) fn find(cache: &Cache, which: Which, install: bool) -> Result<Self> {
        if consts::ARCH != "x86_64" {
            bail!(Exit::Skipped(format!(
                "the compilers are those of x86_64, not of {}",
                consts::ARCH
            )));
        }
        fs::create_dir_all(cache.path(FOLDER))?;
        let got = if install { get(cache, which) } else { Ok(()) };
        match (Self::here(cache, which)?, got) {
            (Some(here), Ok(())) => Ok(here),
            (Some(here), Err(error)) if error.is::<Exit>() => {
                println!("{error:#}: {} of the cache is used", here.package);
                Ok(here)
            }
            (_, Err(error)) => Err(error),
            (None, Ok(())) => bail!(Exit::Skipped(format!(
                "the {} compiler is not in the cache: `--install` gets it from Debian",
                which.name()
            ))),
        }
    }

    /// The newest one of the cache.
    fn here(cache: &Cache, which: Which) -> Result<Option<Self>> {
        let names = cache.names(FOLDER)?.into_iter();
        let versions = names.filter_map(|name| name.strip_prefix(PREFIX).map(str::to_owned));
        let newest = versions
            .filter(|version| which.is(version))
            .max_by_key(|version| (version.parse::<Version>().ok(), version.clone()));
        Ok(newest.map(|package| Self {
            which,
            bin: folder(cache, &package).join("bin"),
            package,
        }))
    }

    /// The folder of its libraries.
    pub(crate) fn sysroot(&self) -> PathBuf {
        self.bin.with_file_name("usr")
    }

    /// The version of its rustc, which that of the package begins with.
    pub(crate) fn release(&self) -> &str {
        let end = self.package.find(['+', '-', '~']);
        &self.package[..end.unwrap_or(self.package.len())]
    }
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
            "{} does not have the {} compiler, but: {}",
            suites.join(" and "),
            which.name(),
            versions.join(", ")
        )));
    };
    let to = folder(cache, version);
    if !to.exists() {
        cache.ensure_space(SPACE, "a compiler")?;
        apt.unpack_programs(cache, &PACKAGES, &PROGRAMS, &to)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_that_of_the_workspace() {
        let version = format!("{OLDEST}.1+dfsg1-1+deb13u1");
        assert!(Which::Oldest.is(&version) && !Which::Newest.is(&version));

        let version = format!("{OLDEST}0.1+dfsg1-1~exp1");
        assert!(!Which::Oldest.is(&version) && Which::Newest.is(&version));
    }
}
