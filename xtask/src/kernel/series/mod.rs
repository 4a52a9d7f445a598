// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `cargo xtask kernel series`: the steps of `apply` as patches, with what there is to say of them.
//!
//! The patches are made and checked in a folder beside the one that is asked for, and come there
//! only when all of them hold. If none is asked for, they are only checked.

mod message;
mod patches;

use super::{
    apply::{self, Fixes, Stage},
    arch::Arch,
    build,
    cache::Cache,
    checkpatch,
    flavour::{Flavour, Object, Variant},
    git::{self, Author},
    linux, machine, messages,
    prepare::{prepare, Request, Source},
    test,
    tree::Tree,
};
use crate::exit::Exit;
use anyhow::{bail, ensure, Context, Result};
use clap::Parser;
use message::{cover, figures, message};
use std::{
    fs,
    io::ErrorKind,
    path::{self, Path, PathBuf},
};
use tempfile::TempDir;
use xshell::Shell;

/// The options of `series`.
#[derive(Parser)]
pub(crate) struct Options {
    /// Makes the patches for this tree, 7.3 or newer, without the code, in place of Debian's. It is
    /// not changed.
    #[arg(long, value_name = "DIR")]
    linux: Option<PathBuf>,

    /// Where the patches come. There must be nothing in it yet. Without this, they are only
    /// checked.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Makes patches that add the annotated objects in their printed form, and not the macro.
    #[arg(long)]
    expanded: bool,

    /// Makes patches of the fixes to what Linux has, and adds nothing else.
    #[arg(long, conflicts_with = "expanded")]
    fixes: bool,

    /// Builds a kernel after each patch, without warnings, and runs the tests after the last. Each
    /// patch takes about a minute. `cargo xtask kernel fixes` runs those of fixes.
    #[arg(long)]
    build: bool,

    /// Installs what is missing for `--build` on this machine with apt-get, as root.
    #[arg(long, requires = "build")]
    install: bool,
}

impl Options {
    fn object(&self) -> Object {
        match self.fixes {
            true => Object::Mended(Fixes::ALL),
            false => Object::lazy(self.expanded),
        }
    }
}

/// Makes the patches, checks them, and writes them.
pub(crate) fn run(shell: &Shell, options: &Options) -> Result<()> {
    git::ensure()?;
    let out = options.out.as_ref().map(path::absolute).transpose()?;
    let author = match &out {
        Some(out) => {
            ensure_empty(out)?;
            Author::configured()?
        }
        None => Author::stand_in(),
    };
    let cache = Cache::open()?;
    if options.build {
        machine::ensure_machine(&cache, Arch::X86, options.install)?;
    }

    let source = match &options.linux {
        Some(tree) => path::absolute(tree)?,
        None => linux::get(&cache)?,
    };
    let tree = Tree::open(&source)?;
    println!("linux    {}, {}", tree.version(), source.display());
    let object = options.object();
    let (base, stages) = apply::base(&tree, object)
        .and_then(|base| {
            let stages = apply::stages(&base, object)?;
            Ok((base, stages))
        })
        .with_context(|| format!("the code cannot be added to Linux {}", tree.version()))?;
    if object.is_lazy() {
        println!("base     the same with all patches of `series --fixes`");
    }

    let unfinished = match &out {
        Some(out) => beside(out)?,
        None => tempfile::tempdir()?,
    };
    let folder = |name| unfinished.path().join(name);
    let counts = object.is_lazy().then(|| apply::count(&base, &stages));
    let figures = figures(tree.version(), counts.transpose()?.as_ref());
    let messages = stages
        .iter()
        .map(|stage| message(stage.step, object, &figures));
    let messages = messages.collect::<Result<Vec<_>>>()?;
    let commits = stages.iter().map(|stage| &stage.tree).zip(messages);
    let cover = message(cover(object), object, &figures)?;
    let patches = patches::write(
        &folder("made"),
        &author,
        &base,
        &cover,
        &commits.collect::<Vec<_>>(),
        &folder("patches"),
    )?;
    let end = stages.last().context("there are no steps")?;

    patches::check(&folder("applied"), &author, &base, &patches, &end.tree)?;
    println!("git am   makes of the tree what `apply` does");
    if options.fixes {
        let next = apply::base(&tree, Object::Annotated)?;
        ensure!(
            end.tree.has_same_changes(&next)?,
            "the next series does not begin with a tree that has these fixes"
        );
    }
    check_style(&cache, &source, unfinished.path(), &patches)?;
    if options.build {
        build_each(shell, &cache, options, &stages)?;
    }

    if let Some(out) = out {
        let name = out.display();
        fs::rename(folder("patches"), &out).with_context(|| name.to_string())?;
        println!("\n{} patches and a cover letter: {name}", patches.len());
    }
    Ok(())
}

/// Staging directory; renamed when complete.
fn beside(out: &Path) -> Result<TempDir> {
    let folder = out.parent().context("the root of all is not empty")?;
    let mut named = tempfile::Builder::new();
    let named = named.prefix(".series-");
    fs::create_dir_all(folder)
        .and_then(|()| named.tempdir_in(folder))
        .with_context(|| format!("nothing can be written to {}", folder.display()))
}

/// Refuses a folder that has something in it.
fn ensure_empty(out: &Path) -> Result<()> {
    let what = match fs::read_dir(out).map(|mut files| files.next()) {
        Ok(None) => return Ok(()),
        Ok(Some(_)) => "is not empty: name another folder, or empty this one",
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == ErrorKind::NotADirectory => "is not a folder",
        Err(error) => return Err(error).context(out.display().to_string()),
    };

    bail!(Exit::Usage(format!("{} {what}", out.display())))
}

/// Runs checkpatch over each patch.
fn check_style(cache: &Cache, linux: &Path, home: &Path, patches: &[PathBuf]) -> Result<()> {
    let log = cache.path("logs/series-checkpatch.log");
    let mut failed = 0;
    for patch in patches {
        let report = checkpatch::run(linux, home, patch, &log)?;
        let name = patch.file_name().unwrap_or_default().to_string_lossy();
        println!("checkpatch {name}: {}", report.total);
        if !report.complaints.is_empty() {
            failed += 1;
            println!("{}\n", report.complaints);
        }
    }

    ensure!(
        failed == 0,
        "checkpatch.pl complains about {failed} of {} patches",
        patches.len()
    );
    Ok(())
}

/// Builds what the tree is after each patch, and runs the tests in the end, but for fixes.
fn build_each(shell: &Shell, cache: &Cache, options: &Options, stages: &[Stage]) -> Result<()> {
    let object = options.object();
    // The tests build the last one.
    let built = stages.len() - usize::from(!options.fixes);

    for stage in &stages[..built] {
        println!("\nafter    {}", stage.step);
        let step = stage.step.replace('/', "-");
        let logs = format!("series{}-{step}", object.suffix());
        let prepared = prepare(
            shell,
            cache,
            &Request {
                work: Variant::Fast.name(),
                logs: &logs,
                flavour: Flavour {
                    until: Some(stage.step),
                    ..Flavour::new(Variant::Fast, object)
                },
                linux: options.linux.as_deref(),
            },
        )?;

        build::run(&prepared)?;
        messages::ensure_none(&prepared.log("build"))
            .with_context(|| format!("after `{}`", stage.step))?;
    }

    if options.fixes {
        return Ok(());
    }
    println!("\nafter the last");
    test::run(
        shell,
        &test::Options {
            source: Source {
                linux: options.linux.clone(),
                install: options.install,
            },
            expanded: options.expanded,
            ..test::Options::default()
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let new = folder.path().join("new");
        ensure_empty(folder.path()).unwrap();
        ensure_empty(&new).unwrap();

        fs::write(&new, "").unwrap();
        for (out, why) in [(folder.path(), "is not empty"), (&new, "is not a folder")] {
            let error = ensure_empty(out).unwrap_err();
            assert!(
                matches!(error.downcast_ref(), Some(Exit::Usage(_))),
                "{error}"
            );
            assert!(error.to_string().contains(why), "{error}");
        }
    }
}
