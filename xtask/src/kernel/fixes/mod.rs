// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `cargo xtask kernel fixes`: for each fix of what Linux has, its tests fail without it and pass
//! with it, and no other test ends differently.
//!
//! Nine trees are built and booted: Linux as it is, with each fix alone, and with all. All have the
//! tests of all fixes.

mod table;

use super::{
    apply::{Fixes, FIXES},
    arch::Arch,
    boot::Boot,
    build,
    cache::Cache,
    flavour::{Flavour, Object, Variant},
    hardware::Hardware,
    job, machine, messages,
    prepare::{prepare, Prepared, Request},
    run::Results,
};
use crate::{report::page, root};
use anyhow::{ensure, Context, Result};
use clap::Parser;
use std::{collections::BTreeMap, fs, path::PathBuf};
use table::Tree;
use xshell::Shell;

/// The options of `fixes`.
#[derive(Parser)]
pub(crate) struct Options {
    /// Mends copies of this tree, 7.3 or newer, in place of Debian's. It is not changed.
    #[arg(long, value_name = "DIR")]
    linux: Option<PathBuf>,

    /// Installs what is missing on this machine with apt-get, as root. `doctor` says what that is.
    #[arg(long)]
    install: bool,
}

/// The suites: those in Rust, and in C those of GEM objects, of the device model and of devres. A
/// filter has one pattern.
const SUITES: [&str; 4] = ["rust_*", "drm_gem_shmem", "*-device*", "devres"];

/// The drivers in Rust that use what is fixed, as they are built.
const DRIVERS: [&str; 3] = [
    "drivers/gpu/drm/tyr/tyr.o",
    "drivers/gpu/nova-core/nova_core.o",
    "drivers/gpu/drm/nova/nova.o",
];

/// The function that must not compile, and where it is put. It is in none of the tree's Makefiles.
const FOREVER: &str = include_str!("../../../../kernel/fixes/forever.rs");
const FOREVER_RS: &str = "samples/rust/forever.rs";
const FOREVER_O: &str = "samples/rust/forever.o";

/// The compiler's words for that.
const REFUSED: &str = "lifetime may not live long enough";

/// The trees with another `drivers/base/base.h`. The bindings include this header, so all Rust is
/// built again for them.
const BUILT_LAST: [&str; 2] = ["P5", "all"];

/// The page, and its part that this writes.
const PAGE: &str = "docs/upstream.md";
const PART: &str = "fixes";

/// Builds and boots all trees, prints the tables, and fails if they are not as expected.
pub(crate) fn run(shell: &Shell, options: &Options) -> Result<()> {
    let cache = Cache::open()?;
    machine::ensure_machine(&cache, Arch::X86, options.install)?;

    let alone = FIXES.iter().enumerate();
    let alone = alone.map(|(place, fix)| (fix.number, Fixes::one(place)));
    let mut sets = vec![("as it is", Fixes::NONE)];
    sets.extend(alone);
    sets.push(("all", Fixes::ALL));

    let mut order: Vec<usize> = (0..sets.len()).collect();
    order.sort_by_key(|&place| BUILT_LAST.contains(&sets[place].0));
    let mut trees = BTreeMap::new();
    for place in order {
        let (name, fixes) = sets[place];
        println!("\n== {name}\n");
        trees.insert(place, tree(shell, &cache, options, name, fixes)?);
    }
    let trees: Vec<Tree> = trees.into_values().collect();

    let (text, faults) = table::compare(&trees)?;
    println!("\n{text}");
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    page::write(&root().join(PAGE), &[(PART, text)])?;
    println!("written: {PAGE}");
    Ok(())
}

/// Builds and boots a tree with some of the fixes.
fn tree(
    shell: &Shell,
    cache: &Cache,
    options: &Options,
    name: &'static str,
    fixes: Fixes,
) -> Result<Tree> {
    let kernel = prepare(
        shell,
        cache,
        &Request {
            work: Variant::Fast.name(),
            logs: &format!("fixes-{}", name.replace(' ', "-")),
            flavour: Flavour::new(Variant::Fast, Object::Mended(fixes)),
            linux: options.linux.as_deref(),
        },
    )?;
    build::run(&kernel)?;
    messages::ensure_none(&kernel.log("build"))?;
    for driver in DRIVERS {
        let object = kernel.work.join("out").join(driver);
        ensure!(object.exists(), "there is no {driver}");
    }

    let mut tree = Tree::new(name, kernel.tree.version(), is_refused(&kernel)?);
    for (number, filter) in SUITES.iter().enumerate() {
        println!("running  {filter}\n");
        tree.add(&boot(&kernel, filter, number)?)?;
    }
    Ok(tree)
}

/// Returns whether the compiler refuses the function that must not compile.
fn is_refused(kernel: &Prepared) -> Result<bool> {
    let file = kernel.make.source.join(FOREVER_RS);
    fs::write(&file, FOREVER).with_context(|| file.display().to_string())?;
    let log = kernel.log("forever");
    let mut command = kernel.make.command(&kernel.work.join("out"))?;
    let failure = job::failure(command.arg(FOREVER_O), &log);
    fs::remove_file(&file)?;

    let said = fs::read_to_string(&log)?;
    let is_compiled = failure?.is_none();
    ensure!(
        is_compiled || said.contains(REFUSED),
        "{FOREVER_RS} does not compile for another reason, see {}",
        log.display()
    );
    Ok(!is_compiled)
}

/// Runs suites.
fn boot(kernel: &Prepared, filter: &str, number: usize) -> Result<Results> {
    let boot = Boot {
        image: &kernel.image(),
        hardware: &Hardware::default(),
        qemu: &[],
        // On a busy machine, the kernel may take its timer for broken.
        kernel: &["no_timer_check"],
        filter,
        leaks: None,
        limit: Variant::Fast.limit(),
        verbose: false,
        log: &kernel.log(&format!("console-{number}")),
    };
    let results = boot.run()?;
    println!();
    Ok(results)
}
