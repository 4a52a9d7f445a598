// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The initramfs that a kernel starts when its tests are over: busybox, and one of the scripts in
//! `kernel/init/` as its first process.

use super::{apt, cache::Cache};
use crate::root;
use anyhow::{Context, Result};
use cpio::newc::{Builder, ModeFileType};
use std::{fs, io::Cursor, path::PathBuf};

/// Debian's package of a busybox that needs nothing else.
const PACKAGE: &str = "busybox-static";

/// Where that has it, in different releases.
const PLACES: [&str; 2] = ["usr/bin/busybox", "bin/busybox"];

/// The program that all commands are.
pub(crate) struct Busybox(PathBuf);

impl Busybox {
    /// Returns busybox from the cache, and downloads it first if need be.
    pub(crate) fn get(cache: &Cache) -> Result<Self> {
        let _lock = cache.lock_downloads()?;
        let busybox = cache.path("busybox");
        if busybox.exists() {
            return Ok(Self(busybox));
        }

        let package = apt::package(cache, apt::STABLE, PACKAGE, |_| true)
            .context("busybox cannot be had, which a kernel needs after its tests")?;
        let busybox = apt::unpack(cache, &package, |folder| {
            let unpacked = PLACES
                .into_iter()
                .map(|place| folder.join(place))
                .find(|file| file.is_file())
                .with_context(|| format!("there is no busybox in {}", package.display()))?;
            Ok((unpacked, busybox))
        })?;
        Ok(Self(busybox))
    }

    /// An archive for `-initrd`, with `kernel/init/<init>` and these files.
    pub(crate) fn initramfs(&self, init: &str, files: &[(&str, &[u8])]) -> Result<Vec<u8>> {
        let init = fs::read(root().join("kernel/init").join(init))?;
        let busybox = fs::read(&self.0)?;
        let mut entries = vec![
            entry("bin", ModeFileType::Directory, Vec::new()),
            entry("bin/busybox", ModeFileType::Regular, busybox),
            entry("bin/sh", ModeFileType::Symlink, b"busybox".to_vec()),
            entry("init", ModeFileType::Regular, init),
        ];
        for (name, contents) in files {
            entries.push(entry(name, ModeFileType::Regular, contents.to_vec()));
        }

        Ok(cpio::write_cpio(entries.into_iter(), Vec::new())?)
    }
}

/// An archive for `-initrd` with one program, which is the init.
pub(crate) fn of_one(program: Vec<u8>) -> Result<Vec<u8>> {
    let entries = [
        entry("dev", ModeFileType::Directory, Vec::new()),
        entry("init", ModeFileType::Regular, program),
    ];

    Ok(cpio::write_cpio(entries.into_iter(), Vec::new())?)
}

/// A file of the archive.
fn entry(name: &str, kind: ModeFileType, contents: Vec<u8>) -> (Builder, Cursor<Vec<u8>>) {
    let builder = Builder::new(name).mode(0o755).set_mode_file_type(kind);
    (builder, Cursor::new(contents))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cpio::newc::Reader;
    use std::{collections::BTreeMap, io::Read};

    #[test]
    fn an_archive_has_all_files() {
        let folder = tempfile::tempdir().unwrap();
        let busybox = folder.path().join("busybox");
        fs::write(&busybox, "program").unwrap();

        let mut archive = Busybox(busybox)
            .initramfs("shell", &[("commands", b"poweroff -f")])
            .unwrap();
        let mut files = BTreeMap::new();
        loop {
            let mut reader = Reader::new(archive.as_slice()).unwrap();
            if reader.entry().is_trailer() {
                break;
            }
            let mut contents = String::new();
            reader.read_to_string(&mut contents).unwrap();
            let entry = reader.entry();
            files.insert(entry.name().to_owned(), (entry.mode(), contents));
            archive = reader.finish().unwrap().to_vec();
        }

        assert_eq!(files["bin"].0, 0o040_755);
        assert_eq!(files["bin/busybox"], (0o100_755, "program".to_owned()));
        assert_eq!(files["bin/sh"], (0o120_755, "busybox".to_owned()));
        assert_eq!(files["commands"].1, "poweroff -f");
        assert!(files["init"].1.starts_with("#!/bin/sh\n"));
    }
}
