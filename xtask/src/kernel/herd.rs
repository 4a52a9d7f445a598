// SPDX-License-Identifier: Apache-2.0 OR MIT

//! herd7, 7.58 or newer, which runs the kernel's memory model: that of this machine, or that of a
//! newer Debian, in the cache.

use super::{
    apt::{self, Apt},
    cache::Cache,
};
use crate::exit::Exit;
use anyhow::{Context, Result};
use std::{io::ErrorKind, path::PathBuf, process::Command};

/// The suite whose herd7 knows the kernel's model of 7.3.
const SUITE: &str = "forky";

/// Debian's package of it, and its folder in the cache.
const PACKAGE: &str = "herdtools7";

/// A herd7: how it is run, and what it says to be.
pub(crate) struct Herd {
    program: PathBuf,
    /// Where its own files are, if not where they are installed.
    files: Option<PathBuf>,
    pub(crate) version: String,
}

impl Herd {
    /// Finds the program of this machine, or that of the cache. With `install`, a missing program is
    /// downloaded.
    ///
    /// # Errors
    ///
    /// [`Exit::Skipped`] if there is none.
    pub(crate) fn find(install: bool) -> Result<Self> {
        if let Some(herd) = Self::new("herd7".into(), None)? {
            return Ok(herd);
        }

        let cache = Cache::open()?;
        let folder = cache.path(PACKAGE);
        if install {
            let _lock = cache.lock_downloads()?;
            if !folder.exists() {
                let apt = Apt::new(&cache, apt::AMD64, &[SUITE], &[])?;
                apt.unpack_programs(&cache, &[PACKAGE], &["herd7"], &folder)?;
            }
        }
        let files = folder.join("usr/share/herdtools7/herd");
        let none = "there is no herd7: `--install` gets the one of Debian's forky";
        Self::new(folder.join("bin/herd7"), Some(files))?
            .ok_or_else(|| Exit::Skipped(none.to_owned()).into())
    }

    /// A herd7, if this is one that can be run.
    fn new(program: PathBuf, files: Option<PathBuf>) -> Result<Option<Self>> {
        let output = match Command::new(&program).arg("-version").output() {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            output => output.with_context(|| program.display().to_string())?,
        };
        let said = String::from_utf8_lossy(&output.stdout);
        Ok(Some(Self {
            program,
            files,
            version: said.lines().next().unwrap_or_default().to_owned(),
        }))
    }

    /// A command that runs it.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        if let Some(files) = &self.files {
            command.arg("-set-libdir").arg(files);
        }
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_there_or_not() {
        assert!(Herd::new("/nowhere/herd7".into(), None).unwrap().is_none());
        // Prints its argument, as herd7 does its version.
        let herd = Herd::new("echo".into(), None).unwrap();
        assert_eq!(herd.unwrap().version, "-version");
    }
}
