// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `cargo xtask kernel test`: from nothing to the outcome of tests.

use super::{
    boot::Boot,
    build,
    cache::Cache,
    control,
    flavour::{Flavour, Object, Variant},
    hardware::Hardware,
    initramfs::Busybox,
    machine, plan,
    prepare::{prepare, Prepared, Request, Source},
    progress::seconds,
    run::{self, Results},
    shell::Guest,
};
use crate::{
    compilers::toolchain::{Toolchain, Which},
    exit::Exit,
};
use anyhow::{bail, ensure, Result};
use clap::Parser;
use std::{
    fs,
    time::{Duration, Instant},
};
use xshell::Shell;

#[derive(Default, Parser)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) source: Source,

    #[command(flatten)]
    pub(crate) hardware: Hardware,

    /// Builds with one of the compilers of `cargo xtask compilers`, which `--install` gets from
    /// Debian.
    #[arg(long, value_name = "COMPILER")]
    pub(crate) compiler: Option<Which>,

    /// How the kernel is configured.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) variant: Variant,

    /// Runs these tests: `suite` or `suite.test`, with `*` and `?`. If none are named, ours and the
    /// tree's own for the same object.
    #[arg(long, value_name = "GLOB", value_parser = filter)]
    pub(crate) filter: Option<String>,

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
}

impl Options {
    /// The kernel that the tests are to run in.
    fn flavour(&self) -> Flavour {
        let object = match self.control {
            true => Object::ByHand,
            false => Object::lazy(self.expanded),
        };
        Flavour {
            arch: self.hardware.arch,
            compiler: self.compiler,
            ..Flavour::new(self.variant, object)
        }
    }

    /// The kernel's arguments, beside those of all boots.
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

/// Reads what KUnit runs, which goes on the kernel's command line.
fn filter(text: &str) -> Result<String> {
    let is_of_word = |char: char| char.is_ascii_alphanumeric() || "_-.*?[]!".contains(char);
    ensure!(
        !text.is_empty() && text.chars().all(is_of_word),
        "a filter is one word, of letters, digits, `_-.` and `*?[]!`"
    );
    Ok(text.to_owned())
}

/// Builds, boots, and fails unless the tests end as they have to.
pub(crate) fn run(shell: &Shell, options: &Options) -> Result<()> {
    if options.shell {
        return look_around(shell, options);
    }

    let results = execute(shell, options)?;
    if options.control {
        println!();
        control::judge(options.hardware.arch, options.variant, &results)
    } else {
        run::judge(&results)
    }
}

/// Builds, boots as often as is planned, and returns the results of the tests.
pub(crate) fn execute(shell: &Shell, options: &Options) -> Result<Vec<Results>> {
    let cache = open(options)?;
    let flavour = options.flavour();
    let boots = plan::boots(&flavour, options.filter.as_deref());
    let busybox = boots
        .iter()
        .any(|boot| boot.leaks)
        .then(|| Busybox::get(&cache, options.hardware.arch))
        .transpose()?;
    let kernel = build(shell, &cache, options)?;
    let initramfs = kernel.work.join("leaks.cpio");
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
            image: &kernel.image(),
            hardware: &options.hardware,
            qemu: &[],
            kernel: &arguments,
            filter: boot.filter,
            leaks: boot.leaks.then_some(&initramfs),
            limit: options.limit(),
            verbose: !options.control,
            log: &kernel.log(&format!("{}{}", boot.log, options.hardware.suffix())),
        };
        results.push(boot.run()?);
        println!();
    }

    let consoles: Vec<&str> = boots.iter().map(|boot| boot.log).collect();
    println!(
        "{}, Linux {}: run in {}\nlogs: {}",
        flavour.name(),
        kernel.tree.version(),
        seconds(begin.elapsed()),
        kernel
            .log(&format!("{{build,{}}}", consoles.join(",")))
            .display()
    );
    Ok(results)
}

/// Builds, and boots into a shell.
fn look_around(shell: &Shell, options: &Options) -> Result<()> {
    let cache = open(options)?;
    let guest = Guest::new(&cache, options.hardware.arch)?;
    let kernel = build(shell, &cache, options)?;

    let filter = plan::shared(&options.flavour(), options.filter.as_deref());
    println!("running  {filter}\n");
    guest.run(&kernel, &options.hardware, filter)
}

/// The cache, once the options and the machine are as they have to be.
fn open(options: &Options) -> Result<Cache> {
    options.hardware.ensure_possible(options.variant)?;
    if options.shell && options.hardware.arch.emulator().is_none() {
        bail!(Exit::Usage(
            "--shell is for QEMU: User-Mode Linux runs without it".to_owned()
        ));
    }
    let cache = Cache::open()?;
    machine::ensure_machine(&cache, options.hardware.arch, options.source.install)?;
    if let Some(which) = options.compiler {
        Toolchain::find(&cache, which, options.source.install)?;
    }

    Ok(cache)
}

fn build(shell: &Shell, cache: &Cache, options: &Options) -> Result<Prepared> {
    let flavour = options.flavour();
    let kernel = prepare(
        shell,
        cache,
        &Request {
            work: &flavour.work(),
            logs: &flavour.name(),
            flavour,
            linux: options.source.linux.as_deref(),
        },
    )?;
    build::run(&kernel)?;
    Ok(kernel)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_one_word() {
        for text in ["*", "rust_drm_gem_shmem", "rust_*.a?", "drm-[a-c]!x"] {
            assert_eq!(filter(text).unwrap(), text);
        }
        for text in ["", "a b", "a\"", "a init=/bin/sh", "a\n"] {
            assert!(filter(text).is_err(), "{text}");
        }
    }
}
