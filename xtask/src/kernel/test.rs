// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `cargo xtask kernel test`: from nothing to the outcome of tests.

use super::{
    apply::Object,
    boot::{
        is_filter,
        qemu,
        Accelerator,
        Boot, //
    },
    build,
    cache::Cache,
    control,
    initramfs::Busybox,
    plan,
    prepare::{
        prepare,
        Prepared,
        Request,
        Variant, //
    },
    run::{
        Counts,
        Results, //
    },
    seconds,
    shell::Guest,
    tools,
};
use crate::exit::Exit;
use anyhow::{
    bail,
    ensure,
    Result, //
};
use clap::Parser;
use std::{
    fs,
    path::PathBuf,
    time::{
        Duration,
        Instant, //
    },
};
use xshell::Shell;

/// What to test.
#[derive(Parser)]
pub(crate) struct Options {
    /// Tests in a copy of this tree, 7.3 or newer, in place of Debian's. It is not changed, and
    /// what Git ignores in it is not copied.
    #[arg(long, value_name = "DIR")]
    pub(crate) linux: Option<PathBuf>,

    /// How the kernel is configured.
    #[arg(long, value_enum, default_value_t = Variant::Fast)]
    pub(crate) variant: Variant,

    /// Runs these tests: `suite` or `suite.test`, with `*` and `?`. If none are named, ours and the
    /// tree's own for the same object.
    #[arg(long, value_name = "GLOB")]
    pub(crate) filter: Option<String>,

    /// How QEMU executes instructions.
    #[arg(long, value_enum, default_value_t = Accelerator::Tcg)]
    pub(crate) accel: Accelerator,

    /// Tests the annotated objects in their printed form, in a tree that has no macro.
    #[arg(long, conflicts_with = "control")]
    pub(crate) expanded: bool,

    /// Tests the object by hand that Linux has, and fails unless those tests fail that should.
    #[arg(long, conflicts_with = "filter")]
    pub(crate) control: bool,

    /// Boots into a shell after the tests, whose output is only shown. Without a terminal, the
    /// shell runs the commands on the standard input, and their exit status counts.
    #[arg(long, conflicts_with = "control")]
    pub(crate) shell: bool,

    /// How often the stress binds and unbinds its devices: a thousand times or more.
    #[arg(long, value_name = "COUNT", conflicts_with_all = ["control", "shell"])]
    #[arg(value_parser = clap::value_parser!(u32).range(1000..))]
    pub(crate) bindings: Option<u32>,

    /// Installs what is missing on this machine with apt-get, as root. `doctor` says what that is.
    #[arg(long)]
    pub(crate) install: bool,
}

impl Options {
    /// What the tests are to run on.
    fn object(&self) -> Object {
        if self.control {
            Object::ByHand
        } else {
            Object::lazy(self.expanded)
        }
    }

    /// What the kernel is told beside what all boots are.
    fn kernel(&self) -> Vec<String> {
        self.bindings.map_or_else(Vec::new, |bindings| {
            // KUnit's own limit is meant for tests of a few seconds.
            vec![
                format!("rust_lazy_stress.bindings={bindings}"),
                format!("kunit.timeout={}", self.limit().as_secs()),
            ]
        })
    }

    /// How long one boot may take.
    fn limit(&self) -> Duration {
        let thousands = self.bindings.map_or(1, |bindings| bindings.div_ceil(1000));

        self.variant.limit() * thousands
    }
}

/// A kernel to boot.
struct Kernel {
    prepared: Prepared,
    image: PathBuf,
    build_time: Duration,
    /// What the names of its logs begin with.
    run: String,
}

/// Does it all.
pub(crate) fn run(shell: &Shell, options: &Options) -> Result<()> {
    if options.shell {
        return look_around(shell, options);
    }

    let results = execute(shell, options)?;
    if options.control {
        println!();
        control::judge(options.variant, &results)
    } else {
        judge(&results)
    }
}

/// Builds, boots as often as is planned, and returns what came of the tests.
pub(crate) fn execute(shell: &Shell, options: &Options) -> Result<Vec<Results>> {
    let cache = open(options)?;
    let boots = plan::boots(options.variant, options.object(), options.filter.as_deref());
    let busybox = boots
        .iter()
        .any(|boot| boot.leaks)
        .then(|| Busybox::get(&cache))
        .transpose()?;
    let kernel = build(shell, &cache, options)?;
    let initramfs = kernel.prepared.work.join("leaks.cpio");
    if let Some(busybox) = busybox {
        fs::write(&initramfs, busybox.initramfs("leaks", &[])?)?;
    }

    let begin = Instant::now();
    let arguments = options.kernel();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut results = Vec::new();
    for boot in &boots {
        println!("running  {}\n", boot.filter);
        let boot = Boot {
            image: &kernel.image,
            accelerator: options.accel,
            qemu: &[],
            kernel: &arguments,
            filter: &boot.filter,
            leaks: boot.leaks.then_some(&initramfs),
            limit: options.limit(),
            verbose: !options.control,
            log: &cache.path(&format!("logs/{}-{}.log", kernel.run, boot.log)),
        };
        results.push(boot.run()?);
        println!();
    }

    println!(
        "{}, Linux {}: built in {}, run in {}",
        kernel.run,
        kernel.prepared.tree.version(),
        seconds(kernel.build_time),
        seconds(begin.elapsed())
    );
    let consoles: Vec<&str> = boots.iter().map(|boot| boot.log.as_str()).collect();
    println!(
        "logs: {}/{}-{{build,{}}}.log",
        cache.path("logs").display(),
        kernel.run,
        consoles.join(",")
    );
    Ok(results)
}

/// Builds, and boots into a shell.
fn look_around(shell: &Shell, options: &Options) -> Result<()> {
    let cache = open(options)?;
    let guest = Guest::new(&cache)?;
    let kernel = build(shell, &cache, options)?;

    let filter = plan::shared(options.object(), options.filter.as_deref());
    println!("running  {filter}\n");
    let archive = kernel.prepared.work.join("shell.cpio");
    fs::write(&archive, guest.archive()?)?;
    guest.run(
        qemu(&kernel.image, options.accel)
            .arg("-initrd")
            .arg(archive),
        filter,
        &cache.path(&format!("logs/{}-shell.log", kernel.run)),
    )
}

/// The cache, once the options and the machine are as they have to be.
fn open(options: &Options) -> Result<Cache> {
    if let Some(filter) = options.filter.iter().find(|filter| !is_filter(filter)) {
        bail!(Exit::Usage(format!(
            "`{filter}` is not a filter: that is one word, of letters, digits, `_-.` and `*?[]!`"
        )));
    }
    let cache = Cache::open()?;
    tools::ensure_machine(&cache, options.install)?;

    Ok(cache)
}

/// Builds the kernel.
fn build(shell: &Shell, cache: &Cache, options: &Options) -> Result<Kernel> {
    let variant = options.variant.name();
    let object = options.object();
    let run = format!("{variant}{}", object.suffix());
    let prepared = prepare(
        shell,
        cache,
        &Request {
            work: variant,
            logs: &run,
            variant: options.variant,
            linux: options.linux.as_deref(),
            object,
            until: None,
            bench: None,
        },
    )?;

    let begin = Instant::now();
    let log = cache.path(&format!("logs/{run}-build.log"));
    let (image, steps) = build::run(&prepared.make, &prepared.work, &log)?;
    let build_time = begin.elapsed();
    println!("build    {steps} steps, {}", seconds(build_time));

    Ok(Kernel {
        prepared,
        image,
        build_time,
        run,
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
