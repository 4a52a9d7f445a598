// SPDX-License-Identifier: Apache-2.0 OR MIT

//! From nothing to a kernel tree with the code in it, configured: what is built then, and by what.

use super::{
    apply::{
        self,
        Object, //
    },
    build,
    cache::{
        Cache,
        Lock, //
    },
    config, linux,
    make::Make,
    tools::{
        self,
        Llvm,
        Rust, //
    },
    tree::{
        Sharing,
        Tree, //
    },
};
use crate::root;
use anyhow::{
    Context,
    Result, //
};
use clap::ValueEnum;
use std::{
    fs,
    path::{
        self,
        Path,
        PathBuf, //
    },
    time::Duration,
};
use xshell::Shell;

/// What a copy of a tree takes that shares nothing with it, in mebibytes.
const COPY: u64 = 2 * 1024;

/// How to configure.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub(crate) enum Variant {
    /// As drivers run.
    Fast,
    /// With KASAN, lockdep, and all that finds what a test does not look at.
    Debug,
}

impl Variant {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Debug => "debug",
        }
    }

    /// What is built takes half of this, in mebibytes.
    fn space(self) -> u64 {
        match self {
            Self::Fast => 1024,
            Self::Debug => 2 * 1024,
        }
    }

    /// How long a boot with tests may take.
    pub(crate) fn limit(self) -> Duration {
        match self {
            Self::Fast => Duration::from_secs(5 * 60),
            Self::Debug => Duration::from_secs(30 * 60),
        }
    }
}

/// What is built, and what from.
pub(crate) struct Request<'a> {
    /// Names the work folder: `work-<name>`.
    pub(crate) work: &'a str,
    /// Names the logs: `<name>-<step>.log`.
    pub(crate) logs: &'a str,
    pub(crate) variant: Variant,
    /// A copy of this tree, or of Debian's.
    pub(crate) linux: Option<&'a Path>,
    pub(crate) object: Object,
    /// Adds no more than this step and those before it.
    pub(crate) until: Option<&'a str>,
    /// Adds the suites that measure, too, of this candidate.
    pub(crate) bench: Option<&'a str>,
}

/// A tree with the code in it that is configured, and ready to be built.
pub(crate) struct Prepared {
    /// The changes, and the tree that they were made to.
    pub(crate) tree: Tree,
    pub(crate) make: Make,
    /// Has `out/`, where `make` builds.
    pub(crate) work: PathBuf,
    _lock: Lock,
}

/// Gets all that a kernel is built from, adds the code, and configures.
pub(crate) fn prepare(shell: &Shell, cache: &Cache, request: &Request<'_>) -> Result<Prepared> {
    let log = |step: &str| cache.path(&format!("logs/{}-{step}.log", request.logs));

    let (source, sharing) = match request.linux {
        Some(tree) => (path::absolute(tree)?, Sharing::Nothing),
        None => (linux::get(cache)?, Sharing::Links),
    };
    let mut tree = Tree::open(&source)?;
    println!("linux    {}, {}", tree.version(), source.display());

    let work = folder(cache, request.work);
    let make = make(shell, cache, work.join("linux"))?;
    let lock = cache.lock(&format!("work-{}", request.work))?;
    let built = work.join("out/.config").exists();
    if !built {
        let what = format!("building the {} kernel", request.work);
        let copy = match sharing {
            Sharing::Links => 0,
            Sharing::Nothing => COPY,
        };
        cache.ensure_space(request.variant.space() + copy, &what)?;
    }

    apply::run(&mut tree, request.object, request.until)
        .and_then(|()| match request.bench {
            Some(candidate) => apply::add_bench(&mut tree, candidate),
            None => Ok(()),
        })
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
    build::check_rust(&make, &work, &log("rustavailable"))?;
    let names = fragments(request);
    println!("config   {}", names.join(", "));
    let folder = root().join("kernel/config");
    let fragments: Vec<PathBuf> = names.iter().map(|name| folder.join(name)).collect();
    let asked = config::run(&make, &fragments, &work, &log("config"))?;
    println!("         all {asked} options hold");

    Ok(Prepared {
        tree,
        make,
        work,
        _lock: lock,
    })
}

/// Where a kernel is built.
fn folder(cache: &Cache, name: &str) -> PathBuf {
    cache.path(&format!("work-{name}"))
}

/// The files of `kernel/config/` that a kernel is configured by.
fn fragments(request: &Request<'_>) -> Vec<&'static str> {
    let mut names = vec!["base", request.variant.name()];
    let is_lazy = request.object.is_lazy();
    // Its options come with the last step.
    if request.until.is_none() {
        names.push(if is_lazy { "lazy" } else { "control" });
    }
    if is_lazy && request.variant == Variant::Debug {
        names.push("assertions");
    }
    names
}

/// Finds all that a kernel is built with, and prints what that is.
fn make(shell: &Shell, cache: &Cache, source: PathBuf) -> Result<Make> {
    let llvm = Llvm::find().context("there is no complete LLVM")?;
    let rust = Rust::find(shell)?;
    let library = rust.library(cache)?;
    let (bindgen, version) = tools::bindgen(shell, cache)?;
    println!(
        "tools    clang {}, rustc {}, bindgen {version}, QEMU {}",
        llvm.version,
        rust.version,
        tools::qemu().context("QEMU does not say its version")?
    );

    Ok(Make {
        source,
        llvm,
        rust,
        library,
        bindgen,
    })
}
