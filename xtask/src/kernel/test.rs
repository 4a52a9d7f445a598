// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `cargo xtask kernel test`: from nothing to the outcome of tests.

use super::{
    apply::{
        self,
        Object, //
    },
    boot::{
        is_filter,
        qemu,
        Accelerator,
        Boot, //
    },
    build,
    cache::Cache,
    config, control, linux,
    make::Make,
    plan,
    run::{
        Counts,
        Results, //
    },
    seconds,
    shell::Guest,
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
use crate::{
    exit::Exit,
    root, //
};
use anyhow::{
    bail,
    ensure,
    Context,
    Result, //
};
use clap::{
    Parser,
    ValueEnum, //
};
use std::{
    fs,
    path::{
        self,
        PathBuf, //
    },
    time::{
        Duration,
        Instant, //
    },
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
    fn name(self) -> &'static str {
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
    fn limit(self) -> Duration {
        match self {
            Self::Fast => Duration::from_secs(5 * 60),
            Self::Debug => Duration::from_secs(30 * 60),
        }
    }
}

/// What to test.
#[derive(Parser)]
pub(crate) struct Options {
    /// Tests in a copy of this tree, 7.3 or newer, in place of Debian's. It is not changed, and
    /// what Git ignores in it is not copied.
    #[arg(long, value_name = "DIR")]
    linux: Option<PathBuf>,

    /// How the kernel is configured.
    #[arg(long, value_enum, default_value_t = Variant::Fast)]
    variant: Variant,

    /// Runs these tests: `suite` or `suite.test`, with `*` and `?`. If none are named, ours and the
    /// tree's own for the same object.
    #[arg(long, value_name = "GLOB")]
    filter: Option<String>,

    /// How QEMU executes instructions.
    #[arg(long, value_enum, default_value_t = Accelerator::Tcg)]
    accel: Accelerator,

    /// Tests the object by hand that Linux has, and fails unless those tests fail that should.
    #[arg(long, conflicts_with = "filter")]
    control: bool,

    /// Boots into a shell after the tests, whose output is shown as it is. Without a terminal, the
    /// shell runs the commands that it reads from the standard input, and their exit status counts.
    #[arg(long, conflicts_with = "control")]
    shell: bool,

    /// Installs what is missing on this machine with apt-get, as root.
    #[arg(long)]
    install: bool,
}

/// Does it all.
pub(crate) fn run(shell: &Shell, options: &Options) -> Result<()> {
    if let Some(filter) = options.filter.iter().find(|filter| !is_filter(filter)) {
        bail!(Exit::Usage(format!(
            "`{filter}` is not a filter: that is one word, of letters, digits, `_-.` and `*?[]!`"
        )));
    }
    let variant = options.variant.name();
    let (object, run) = if options.control {
        (Object::ByHand, format!("{variant}-control"))
    } else {
        (Object::Annotated, variant.to_owned())
    };
    let cache = Cache::open()?;
    let log = |name: &str| cache.path(&format!("logs/{run}-{name}.log"));
    tools::ensure_machine(&cache, options.install)?;

    let guest = options.shell.then(|| Guest::new(&cache)).transpose()?;

    let (source, sharing) = match &options.linux {
        Some(tree) => (path::absolute(tree)?, Sharing::Nothing),
        None => (linux::get(&cache)?, Sharing::Links),
    };
    let mut tree = Tree::open(&source)?;
    println!("linux    {}, {}", tree.version(), source.display());

    let work = cache.path(&format!("work-{variant}"));
    let make = make(shell, &cache, work.join("linux"))?;
    let _lock = cache.lock(&format!("work-{variant}"))?;
    let built = work.join("out/.config").exists();
    if !built {
        let what = format!("building the {variant} kernel");
        let copy = match sharing {
            Sharing::Links => 0,
            Sharing::Nothing => COPY,
        };
        cache.ensure_space(options.variant.space() + copy, &what)?;
    }

    apply::run(&mut tree, object)
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
    let folder = root().join("kernel/config");
    let fragments = fragments(options.variant, object);
    println!("config   {}", fragments.join(", "));
    let fragments: Vec<PathBuf> = fragments.iter().map(|name| folder.join(name)).collect();
    let asked = config::run(&make, &fragments, &work, &log("config"))?;
    println!("         all {asked} options hold");

    let begin = Instant::now();
    let (image, steps) = build::run(&make, &work, &log("build"))?;
    let build_time = begin.elapsed();
    println!("build    {steps} steps, {}", seconds(build_time));

    let boots = plan::boots(options.variant, object, options.filter.as_deref());
    if let (Some(guest), Some(boot)) = (guest, boots.first()) {
        println!("running  {}\n", boot.filter);
        let archive = work.join("shell.cpio");
        fs::write(&archive, guest.archive()?)?;
        return guest.run(
            qemu(&image, options.accel).arg("-initrd").arg(archive),
            &boot.filter,
            &log("shell"),
        );
    }

    let begin = Instant::now();
    let mut results = Vec::new();
    for boot in &boots {
        println!("running  {}\n", boot.filter);
        let boot = Boot {
            image: &image,
            accelerator: options.accel,
            filter: &boot.filter,
            limit: options.variant.limit(),
            verbose: !options.control,
            log: &log(&boot.log),
        };
        results.push(boot.run()?);
        println!();
    }

    println!(
        "{run}, Linux {}: built in {}, run in {}",
        tree.version(),
        seconds(build_time),
        seconds(begin.elapsed())
    );
    let consoles: Vec<&str> = boots.iter().map(|boot| boot.log.as_str()).collect();
    println!(
        "logs: {}/{run}-{{build,{}}}.log",
        cache.path("logs").display(),
        consoles.join(",")
    );
    if options.control {
        println!();
        control::judge(options.variant, &results)
    } else {
        judge(&results)
    }
}

/// The files of `kernel/config/` that a kernel is configured by.
fn fragments(variant: Variant, object: Object) -> Vec<&'static str> {
    let mut names = vec!["base", variant.name()];
    if object == Object::Annotated {
        names.push("annotated");
    }
    if (variant, object) == (Variant::Debug, Object::Annotated) {
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

/// Prints what it comes to, and fails if a run has.
fn judge(results: &[Results]) -> Result<()> {
    let counts: Counts = results.iter().map(Results::counts).sum();
    println!("{counts}");
    let failures: Vec<String> = results.iter().flat_map(Results::failures).collect();
    if !failures.is_empty() {
        println!("failed: {}", failures.join(", "));
    }

    ensure!(results.iter().all(Results::held), "the run has failed");
    Ok(())
}
