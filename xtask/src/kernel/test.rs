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
    config, linux,
    make::Make,
    run::Results,
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
#[derive(Clone, Copy, ValueEnum)]
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

    /// Runs these tests: `suite` or `suite.test`, with `*` and `?`.
    #[arg(long, value_name = "GLOB", default_value = apply::SUITES)]
    filter: String,

    /// How QEMU executes instructions.
    #[arg(long, value_enum, default_value_t = Accelerator::Tcg)]
    accel: Accelerator,

    /// Tests the object by hand that Linux has, and fails unless the tests do.
    #[arg(long)]
    control: bool,

    /// Boots into a shell after the tests, whose output is shown as it is. Without a terminal, the
    /// shell runs the commands that it reads from the standard input, and their exit status counts.
    #[arg(long)]
    shell: bool,

    /// Installs what is missing on this machine with apt-get, as root.
    #[arg(long)]
    install: bool,
}

/// Does it all.
pub(crate) fn run(shell: &Shell, options: &Options) -> Result<()> {
    if !is_filter(&options.filter) {
        bail!(Exit::Usage(format!(
            "`{}` is not a filter: that is one word, of letters, digits, `_-.` and `*?[]!`",
            options.filter
        )));
    }
    let variant = options.variant.name();
    let cache = Cache::open()?;
    let log = |name: &str| cache.path(&format!("logs/{variant}-{name}.log"));
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

    let object = if options.control {
        Object::ByHand
    } else {
        Object::Annotated
    };
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
    let mut fragments = vec![folder.join("base"), folder.join(variant)];
    if object == Object::Annotated {
        fragments.push(folder.join("annotated"));
    }
    let asked = config::run(&make, &fragments, &work, &log("config"))?;
    println!("config   {variant}, all {asked} options hold");

    let begin = Instant::now();
    let (image, steps) = build::run(&make, &work, &log("build"))?;
    let build_time = begin.elapsed();
    println!("build    {steps} steps, {}", seconds(build_time));

    println!("running  {}\n", options.filter);
    if let Some(guest) = guest {
        let archive = work.join("shell.cpio");
        fs::write(&archive, guest.archive()?)?;
        return guest.run(
            qemu(&image, options.accel).arg("-initrd").arg(archive),
            &options.filter,
            &log("console"),
        );
    }
    let begin = Instant::now();
    let results = Boot {
        image: &image,
        accelerator: options.accel,
        filter: &options.filter,
        limit: options.variant.limit(),
        log: &log("console"),
    }
    .run()?;

    println!(
        "\n{variant}, Linux {}: built in {}, run in {}",
        tree.version(),
        seconds(build_time),
        seconds(begin.elapsed())
    );
    println!(
        "logs: {}",
        cache
            .path("logs")
            .join(format!("{variant}-*.log"))
            .display()
    );
    judge(&results, options.control)
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

/// Prints what it comes to, and fails if that is not what it should be.
fn judge(results: &Results, control: bool) -> Result<()> {
    let counts = results.counts();
    println!(
        "{} passed, {} failed, {} skipped; {} splats ({} announced, {} allowed)",
        counts.passed,
        counts.failed,
        counts.skipped,
        counts.splats,
        counts.expected,
        counts.allowed
    );
    let failures = results.failures();
    if !failures.is_empty() {
        println!("failed: {}", failures.join(", "));
    }

    if control {
        ensure!(
            results.failed_as_it_should(),
            "the control has to fail, by its tests alone"
        );
        println!("the control fails, as it should");
    } else {
        ensure!(results.held(), "the run has failed");
    }
    Ok(())
}
