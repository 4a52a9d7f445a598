// SPDX-License-Identifier: Apache-2.0 OR MIT

//! From nothing to a kernel tree with the code in it, configured: what is built then, and by what.

use super::{
    apply,
    cache::{Cache, Lock},
    config,
    flavour::Flavour,
    linux,
    make::Make,
    tree::{Sharing, Tree},
};
use anyhow::{Context, Result};
use clap::Args;
use std::{
    fs,
    path::{self, Path, PathBuf},
};
use xshell::Shell;

/// The space for a copy of a tree that shares nothing with it, in mebibytes.
const COPY: u64 = 2 * 1024;

/// The options of all commands that build a kernel.
#[derive(Args, Clone, Default)]
pub(crate) struct Source {
    /// Uses a copy of this tree, 7.3 or newer, in place of Debian's. It is not changed, and what
    /// Git ignores in it is not copied.
    #[arg(long, value_name = "DIR")]
    pub(crate) linux: Option<PathBuf>,

    /// Installs what is missing on this machine with apt-get, as root. `doctor` says what that is.
    #[arg(long)]
    pub(crate) install: bool,
}

/// The kernel to prepare, and the tree to copy.
pub(crate) struct Request<'a> {
    /// Names the work folder: `work-<name>`.
    pub(crate) work: &'a str,
    /// Names the logs: `<name>-<step>.log`.
    pub(crate) logs: &'a str,
    pub(crate) flavour: Flavour,
    /// A copy of this tree, or of Debian's.
    pub(crate) linux: Option<&'a Path>,
}

/// A tree with the code in it that is configured, and ready to be built.
pub(crate) struct Prepared {
    /// The changes, and the tree that they were made to.
    pub(crate) tree: Tree,
    pub(crate) make: Make,
    /// Has `out/`, where `make` builds.
    pub(crate) work: PathBuf,
    /// The folder of logs, and what the names of its own begin with.
    logs: (PathBuf, String),
    _lock: Lock,
}

impl Prepared {
    /// The log of a step.
    pub(crate) fn log(&self, step: &str) -> PathBuf {
        let (folder, name) = &self.logs;
        folder.join(format!("{name}-{step}.log"))
    }

    /// Where the kernel is when it is built.
    pub(crate) fn image(&self) -> PathBuf {
        self.work.join("out").join(self.make.arch.image())
    }
}

/// Gets all that a kernel is built from, adds the code, and configures.
pub(crate) fn prepare(shell: &Shell, cache: &Cache, request: &Request<'_>) -> Result<Prepared> {
    let flavour = &request.flavour;
    let (source, sharing, copy) = match request.linux {
        Some(tree) => (path::absolute(tree)?, Sharing::Nothing, COPY),
        None => (linux::get(cache)?, Sharing::Links, 0),
    };
    let mut tree = Tree::open(&source)?;
    println!("linux    {}, {}", tree.version(), source.display());

    let work = cache.path(&format!("work-{}", request.work));
    let make = Make::find(shell, cache, work.join("linux"), flavour)?;
    let lock = cache.lock(&format!("work-{}", request.work))?;
    let built = work.join("out/.config").exists();
    if !built {
        let what = format!("building the {} kernel", request.work);
        cache.ensure_space(flavour.variant.space() + copy, &what)?;
    }

    apply::run(&mut tree, flavour)
        .with_context(|| format!("the code cannot be added to Linux {}", tree.version()))?;
    let changed = tree.copy_to(&make.source, sharing, built)?;
    println!(
        "source   {} files written, {}",
        changed.len(),
        make.source.display()
    );

    for folder in ["config", "out"] {
        fs::create_dir_all(work.join(folder))?;
    }
    let prepared = Prepared {
        tree,
        make,
        work,
        logs: (cache.path("logs"), request.logs.to_owned()),
        _lock: lock,
    };
    let (make, work) = (&prepared.make, &prepared.work);
    make.target(
        "rustavailable",
        &work.join("config"),
        &prepared.log("rustavailable"),
    )
    .context("Linux cannot be built with this Rust")?;
    let names = flavour.fragments();
    println!("config   {}", names.join(", "));
    let asked = config::run(make, &names, work, &prepared.log("config"))?;
    println!("         all {asked} options hold");
    Ok(prepared)
}
