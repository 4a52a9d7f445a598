// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Where everything is kept between runs.
//!
//! ```text
//! apt/                 a private configuration of APT, and its lists
//! linux-<version>/     a tree as it was unpacked, which nothing may change
//! candidate-<version>/ the parts of a release candidate that `neighbours` reads
//! rust-src-<version>/  the sources of Rust's library
//! busybox-<arch>       the programs of `--shell`
//! herdtools7/          herd7, for `litmus`
//! compilers/           other compilers, and the crates for them
//! tools/               what `cargo install` has built
//! work-<variant>/      linux/, the tree with the code in it, and out/, what is built of it
//! work-lint/           the same, of which only what is checked is built
//! logs/
//! ```
//!
//! Downloads are either complete or not there. Everything else is made again where it has to be.
//! All of it can be removed at any time.

use crate::exit::Exit;
use anyhow::{bail, ensure, Context, Result};
use rustix::{
    fs::{flock, statvfs, FlockOperation},
    io::{fcntl_setfd, FdFlags},
};
use std::{
    env,
    fs::{self, File},
    path::{self, Path, PathBuf},
};
use tempfile::TempDir;

/// Moves the cache somewhere else.
const VARIABLE: &str = "DEVRES_LAZY_CACHE";

/// The prefix of folders that are not complete.
const UNFINISHED: &str = ".unfinished-";

pub(crate) struct Cache {
    root: PathBuf,
}

/// Something in the cache that no other run may use until this is dropped.
pub(crate) struct Lock {
    file: File,
}

impl Cache {
    /// Opens it, and makes it if need be.
    pub(crate) fn open() -> Result<Self> {
        let root = Self::place()?;
        // `make` splits names at these.
        if root.to_string_lossy().contains([' ', ':', '\t']) {
            bail!(Exit::Usage(format!(
                "a kernel cannot be built in {}, because of the space or the colon in it: \
                 set {VARIABLE} to another folder",
                root.display()
            )));
        }
        for folder in ["tools", "logs"] {
            fs::create_dir_all(root.join(folder))
                .with_context(|| format!("{} cannot be used as a cache", root.display()))?;
        }

        Ok(Self { root })
    }

    fn place() -> Result<PathBuf> {
        let folder = |name| env::var_os(name).filter(|value| !value.is_empty());
        let place = match (folder(VARIABLE), folder("XDG_CACHE_HOME"), folder("HOME")) {
            (Some(place), _, _) => PathBuf::from(place),
            (_, Some(caches), _) => Path::new(&caches).join("devres-lazy"),
            (_, _, Some(home)) => Path::new(&home).join(".cache/devres-lazy"),
            _ => bail!(Exit::Usage(format!(
                "there is no home folder: set {VARIABLE}"
            ))),
        };

        Ok(path::absolute(place)?)
    }

    /// A file or folder in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Names of files and folders in a folder of it.
    pub(crate) fn names(&self, folder: &str) -> Result<Vec<String>> {
        let entries = fs::read_dir(self.root.join(folder))?;
        let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
        Ok(entries
            .map(|entry| entry.map(name))
            .collect::<Result<_, _>>()?)
    }

    /// Waits until no other run downloads or unpacks, and removes what interrupted ones have left.
    pub(crate) fn lock_downloads(&self) -> Result<Lock> {
        let lock = self.lock("downloads")?;
        // The programs that download and unpack have it too: if this run is killed, they go on.
        fcntl_setfd(&lock.file, FdFlags::empty())?;
        for name in self.names("")? {
            if name.starts_with(UNFINISHED) {
                let folder = self.root.join(name);
                fs::remove_dir_all(&folder)
                    .with_context(|| format!("{} cannot be removed", folder.display()))?;
            }
        }

        Ok(lock)
    }

    /// A folder in it that is gone when this is dropped, for what is not complete yet. Only for
    /// those who have [`Cache::lock_downloads`].
    pub(crate) fn temporary(&self) -> Result<TempDir> {
        Ok(tempfile::Builder::new()
            .prefix(UNFINISHED)
            .tempdir_in(&self.root)?)
    }

    /// Waits until no other run uses this.
    pub(crate) fn lock(&self, name: &str) -> Result<Lock> {
        let file = File::create(self.root.join(format!("{name}.lock")))?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            println!("waiting for another run to be done with {name}");
            flock(&file, FlockOperation::LockExclusive)?;
        }

        Ok(Lock { file })
    }

    /// Fails unless there is so much free space, for this.
    pub(crate) fn ensure_space(&self, mebibytes: u64, what: &str) -> Result<()> {
        let free = self.free()?;
        ensure!(
            free >= mebibytes,
            "{what} takes {}, and {} has {} free: remove something, or set {VARIABLE}",
            size(mebibytes),
            self.root.display(),
            size(free)
        );

        Ok(())
    }

    /// Free space, in mebibytes.
    pub(crate) fn free(&self) -> Result<u64> {
        let disk = statvfs(&self.root)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize) >> 20)
    }
}

/// A size, from mebibytes.
pub(crate) fn size(mebibytes: u64) -> String {
    match mebibytes {
        less if less < 1000 => format!("{less} MiB"),
        more => format!("{:.1} GiB", more as f64 / 1024.0),
    }
}
