// SPDX-License-Identifier: Apache-2.0 OR MIT

//! herd7, which runs the kernel's memory model. It is this machine's, or a newer Debian's, in the
//! cache.

use super::{apt, cache::Cache};
use crate::exit::Exit;
use anyhow::{Context, Result};
use std::{
    env,
    ffi::OsString,
    io::ErrorKind,
    path::{self, Path, PathBuf},
    process::Command,
};

/// The suite whose herd7 knows the kernel's model of 7.3.
const SUITE: &str = "forky";

/// herd7, and the libraries that it needs of the same suite. None of them is installed.
const PACKAGES: [&str; 4] = ["herdtools7", "libc6", "libgmp10", "libzstd1"];

/// Where the packages are in the cache, a folder for each.
const FOLDER: &str = "herd7";

/// The folder of libraries, and the program that loads them.
const LIBRARIES: &str = "lib/x86_64-linux-gnu";
const LOADER: &str = "ld-linux-x86-64.so.2";

/// A herd7: how it is run, and what it says to be.
pub(crate) struct Herd {
    program: PathBuf,
    arguments: Vec<OsString>,
    pub(crate) version: String,
}

impl Herd {
    /// The one that the user has named, that of this machine, or that of the cache. Where there is
    /// none, it is downloaded with `install`.
    ///
    /// # Errors
    ///
    /// [`Exit::Skipped`] if there is none.
    pub(crate) fn find(named: Option<&Path>, install: bool) -> Result<Self> {
        if let Some(program) = named {
            // Tests are run in another folder.
            return Self::new(path::absolute(program)?, Vec::new())?
                .with_context(|| format!("there is no {}", program.display()));
        }
        if let Some(herd) = Self::new("herd7".into(), Vec::new())? {
            return Ok(herd);
        }

        let cache = Cache::open()?;
        let folder = cache.path(FOLDER);
        if install {
            unpack(&cache, &folder)?;
        }
        let libraries = PACKAGES.map(|package| folder.join(package).join(LIBRARIES));
        let herd = folder.join("herdtools7");
        let arguments = vec![
            "--library-path".into(),
            env::join_paths(libraries)?,
            herd.join("bin/herd7").into(),
            "-set-libdir".into(),
            herd.join("share/herdtools7/herd").into(),
        ];
        let loader = folder.join("libc6").join(LIBRARIES).join(LOADER);
        let none = "there is no herd7: `--install` gets the one of Debian's forky, and `--herd \
                    FILE` names another one";
        Self::new(loader, arguments)?.ok_or_else(|| Exit::Skipped(none.to_owned()).into())
    }

    /// A herd7, if this is one that can be run.
    fn new(program: PathBuf, arguments: Vec<OsString>) -> Result<Option<Self>> {
        let mut herd = Self {
            program,
            arguments,
            version: String::new(),
        };
        let output = match herd.command().arg("-version").output() {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            output => output.with_context(|| herd.program.display().to_string())?,
        };
        let said = String::from_utf8_lossy(&output.stdout);
        herd.version = said.lines().next().unwrap_or_default().to_owned();
        Ok(Some(herd))
    }

    /// A command that runs it.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        command
    }
}

/// Downloads and unpacks the packages that are not in the cache.
fn unpack(cache: &Cache, folder: &Path) -> Result<()> {
    let _lock = cache.lock_downloads()?;
    for package in PACKAGES {
        let to = folder.join(package);
        if !to.exists() {
            let file = apt::package(cache, SUITE, package, |_| true)?;
            apt::unpack(cache, &file, |from| Ok((from.join("usr"), to)))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_named_has_to_be_there() {
        let named = Path::new("/nowhere/herd7");
        let error = Herd::find(Some(named), false).err().unwrap();

        assert_eq!(error.to_string(), "there is no /nowhere/herd7");
    }

    #[test]
    fn its_version_is_what_it_prints_first() {
        // Prints its arguments, as herd7 does its version.
        let herd = Herd::new("echo".into(), vec!["7.58".into()]).unwrap();

        assert_eq!(herd.unwrap().version, "7.58 -version");
        assert!(Herd::new("/nowhere".into(), Vec::new()).unwrap().is_none());
    }
}
