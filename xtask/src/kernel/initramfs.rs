// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The initramfs that a kernel starts when its tests are over: busybox, and one of the scripts in
//! `kernel/init/` as its first process.

use super::{apt, arch::Arch, cache::Cache};
use crate::root;
use anyhow::{Context, Result};
use cpio::newc::{Builder, ModeFileType};
use std::{
    fs,
    io::Cursor,
    path::{Path, PathBuf},
};

/// Debian's package of a busybox that needs nothing else.
const PACKAGE: &str = "busybox-static";

/// Where that has it.
const PLACE: &str = "usr/bin/busybox";

/// The program that all commands are.
pub(crate) struct Busybox(PathBuf);

impl Busybox {
    /// Returns busybox for an architecture from the cache, and downloads it first if need be.
    pub(crate) fn get(cache: &Cache, arch: Arch) -> Result<Self> {
        let _lock = cache.lock_downloads()?;
        let debian = arch.debian();
        let busybox = cache.path(&format!("busybox-{debian}"));
        if busybox.exists() {
            return Ok(Self(busybox));
        }

        let package = format!("{PACKAGE}:{debian}");
        let find = |folder: &Path, _: &str| Ok((folder.join(PLACE), busybox));
        apt::get(cache, &[apt::STABLE], &package, |_| true, find)
            .map(Self)
            .context("busybox cannot be had, which a kernel needs after its tests")
    }

    /// An archive for `-initrd`, with `kernel/init/<init>` and these files.
    pub(crate) fn initramfs(&self, init: &str, files: &[(&str, &[u8])]) -> Result<Vec<u8>> {
        let init = fs::read(root().join("kernel/init").join(init))?;
        let busybox = fs::read(&self.0)?;
        let mut entries = vec![
            ("bin", ModeFileType::Directory, &[][..]),
            ("bin/busybox", ModeFileType::Regular, &busybox),
            ("bin/sh", ModeFileType::Symlink, b"busybox"),
            ("init", ModeFileType::Regular, &init),
        ];
        for (name, contents) in files {
            entries.push((name, ModeFileType::Regular, contents));
        }
        archive(entries)
    }
}

/// An archive for `-initrd` with one program, which is the init.
pub(crate) fn of_one(program: &[u8]) -> Result<Vec<u8>> {
    archive(vec![
        ("dev", ModeFileType::Directory, &[]),
        ("init", ModeFileType::Regular, program),
    ])
}

/// An archive of names, kinds and contents.
fn archive(entries: Vec<(&str, ModeFileType, &[u8])>) -> Result<Vec<u8>> {
    let entries = entries.into_iter().map(|(name, kind, contents)| {
        let builder = Builder::new(name).mode(0o755).set_mode_file_type(kind);
        (builder, Cursor::new(contents))
    });
    Ok(cpio::write_cpio(entries, Vec::new())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cpio::newc::Reader;
    use std::io::Read;

    #[test]
    fn an_archive_has_all_files() {
        let folder = tempfile::tempdir().unwrap();
        let busybox = folder.path().join("busybox");
        fs::write(&busybox, "program").unwrap();
        let files: [(&str, &[u8]); 1] = [("commands", b"poweroff -f")];
        let archive = Busybox(busybox).initramfs("shell", &files).unwrap();

        let mut left = archive.as_slice();
        for (name, mode, begin) in [
            ("bin", 0o040_755, ""),
            ("bin/busybox", 0o100_755, "program"),
            ("bin/sh", 0o120_755, "busybox"),
            ("init", 0o100_755, "#!/bin/sh\n"),
            ("commands", 0o100_755, "poweroff -f"),
            ("TRAILER!!!", 0, ""),
        ] {
            let mut reader = Reader::new(left).unwrap();
            let mut contents = String::new();
            reader.read_to_string(&mut contents).unwrap();
            let entry = reader.entry();
            assert_eq!((entry.name(), entry.mode()), (name, mode));
            assert!(contents.starts_with(begin), "{contents}");
            left = reader.finish().unwrap();
        }
    }
}
