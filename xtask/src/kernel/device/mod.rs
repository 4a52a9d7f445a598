// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `cargo xtask kernel device`: a driver that user space uses, on a device that does DMA behind an
//! IOMMU, and on one that shows its memory on a `screen`.
//!
//! The kernel is that of `test`, with the sample drivers `rust_drm_edu` and `rust_drm_bochs` in it.
//! Its init is `kernel/user/`, whose scenarios are tests of KTAP.

mod control;
mod report;
mod screen;

use super::{
    arch::Arch,
    boot::{self, Heard},
    build,
    cache::Cache,
    flavour::{Flavour, Object, Variant},
    hardware::Hardware,
    initramfs, job, ktap, machine,
    prepare::{prepare, Prepared, Request, Source},
    run::describe,
    tree::walk,
    Progress,
};
use crate::{
    report::{page, table},
    root,
};
use anyhow::{bail, ensure, Context, Result};
use clap::Parser;
use control::Column;
use report::Report;
use screen::Screen;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    slice,
    time::Duration,
};
use xshell::Shell;

#[derive(Parser)]
pub(crate) struct Options {
    #[command(flatten)]
    source: Source,

    /// How the kernel is configured.
    #[arg(long, value_enum, default_value_t = Variant::Fast)]
    variant: Variant,

    /// Compares the driver with the same by hand, on Linux as it is and with two fixes, in both
    /// variants. Takes an hour where nothing is built yet. Writes docs/device.md.
    #[arg(long, conflicts_with_all = ["variant", "expanded"])]
    control: bool,

    /// Has the driver in its printed form, in a tree that has no macro.
    #[arg(long)]
    expanded: bool,
}

/// The machine, beside what all guests have. The second edu exports buffers.
const QEMU: &str = "-machine q35 -device intel-iommu,intremap=off -device edu -device edu \
                    -device bochs-display";

/// The kernel's arguments. With `debugpat`, it says how the CPU accesses mapped memory.
const KERNEL: &str = "oops=panic kunit.enable=0 intel_iommu=on \
                      iommu.strict=1 printk.devkmsg=on debugpat";

/// The argument for a kernel with KASAN. Another kernel would pass this on to its init.
const WITH_KASAN: &str = "kasan_multi_shot";

/// How long a boot may take. By hand, unbinding 10,000 buffers takes two minutes.
const LIMIT: Duration = Duration::from_secs(20 * 60);

/// The page that the comparison writes its tables into.
const PAGE: &str = "docs/device.md";

/// Where the program is.
const SOURCES: &str = "kernel/user";

/// Builds, boots, prints a table, and fails if it is not as expected. Writes down the comparison.
pub(crate) fn run(shell: &Shell, options: &Options) -> Result<()> {
    let cache = Cache::open()?;
    machine::ensure_machine(&cache, Arch::X86, options.source.install)?;

    let own = [(Object::lazy(options.expanded), "what has happened")];
    let (variants, trees) = match options.control {
        true => (&[Variant::Fast, Variant::Debug][..], &control::TREES[..]),
        false => (slice::from_ref(&options.variant), &own[..]),
    };
    let mut tables = Vec::new();
    let mut linux = None;
    for variant in variants {
        let mut columns = Vec::new();
        for &(object, title) in trees {
            let machine = Machine::build(shell, &cache, options, *variant, object)?;
            let mut report = machine.boot(&control::choice(object), "console")?;
            for name in control::alone(object, *variant) {
                let alone = machine.boot(&["only", name], name)?;
                report.rows.push(alone.alone(name));
            }
            linux = Some(machine.prepared.tree.version());
            columns.push(Column {
                object,
                title,
                report,
            });
        }
        let (table, faults) = control::compare(*variant, &columns);
        let table = table::text(&table);
        println!("\n{table}");
        for fault in &faults {
            println!("differs: {fault}");
        }
        let faults = faults.len();
        ensure!(faults == 0, "{faults} results are not as expected");
        let title = match variant {
            Variant::Fast => "As drivers run",
            Variant::Debug => "With KASAN, lockdep and the debugging of DMA",
        };
        tables.push(format!("## {title}\n\n{table}"));
    }

    if options.control {
        let linux = linux.context("nothing was built")?;
        let machine = Arch::X86.emulator_version()?;
        let text = format!("Linux {linux} under {machine}.\n\n{}", tables.join("\n"));
        page::write(&root().join(PAGE), &[("measured", text)])?;
        println!("written: {PAGE}");
    }
    Ok(())
}

/// A kernel that is built, and what it is booted with.
struct Machine {
    variant: Variant,
    prepared: Prepared,
    archive: PathBuf,
}

impl Machine {
    /// Builds a tree, and the program.
    fn build(
        shell: &Shell,
        cache: &Cache,
        options: &Options,
        variant: Variant,
        object: Object,
    ) -> Result<Self> {
        let request = Request {
            work: variant.name(),
            logs: &format!("device-{}{}", variant.name(), object.suffix()),
            flavour: Flavour::new(variant, object),
            linux: options.source.linux.as_deref(),
        };
        let prepared = prepare(shell, cache, &request)?;
        build::run(&prepared)?;
        let archive = prepared.work.join("device.cpio");
        fs::write(&archive, initramfs::of_one(&program(&prepared)?)?)?;

        Ok(Self {
            variant,
            prepared,
            archive,
        })
    }

    /// Boots, with or without these scenarios. Returns what was printed.
    fn boot(&self, choice: &[&str], step: &str) -> Result<Report> {
        let console = self.prepared.log(step);
        println!("running  the scenarios, log: {}\n", console.display());

        let checkers = match self.variant {
            Variant::Fast => "",
            Variant::Debug => WITH_KASAN,
        };
        let arguments = [&[KERNEL, checkers, "--"], choice].concat();
        let mut screen = Screen::new(console.with_extension("ppm"))?;
        let hardware = Hardware::default();
        let mut command = hardware.command(&self.prepared.image());
        hardware.start(&mut command, &arguments.join(" "), Some(&self.archive));
        command.args(QEMU.split(' ')).args(screen.arguments());
        listen(&mut command, &mut screen, &console)
    }
}

/// Builds the program, with the headers that the tree has for user space.
fn program(prepared: &Prepared) -> Result<Vec<u8>> {
    let log = prepared.log("program");
    let out = prepared.work.join("out");
    prepared.make.target("headers", &out, &log)?;

    let program = prepared.work.join("user");
    let sources = root().join(SOURCES);
    let mut names = walk(&sources)?;
    names.retain(|name| name.extension().is_some_and(|it| it == "c"));
    let mut compiler = Command::new("cc");
    compiler
        .args(["-static", "-O2", "-Wall", "-Wextra", "-Werror", "-isystem"])
        .arg(out.join("usr/include"))
        .arg("-o")
        .arg(&program)
        .args(names.iter().map(|name| sources.join(name)));
    let what = format!("{SOURCES} cannot be built");
    job::run(&mut compiler, &log, what)?;
    Ok(fs::read(program)?)
}

/// Boots, and reads what the console says.
fn listen(command: &mut Command, screen: &mut Screen, log: &Path) -> Result<Report> {
    let mut progress = Progress::new("running", None)?;
    let mut parser = ktap::Parser::default();
    // By hand, unbinding is silent for minutes.
    let stopped = boot::listen(command, log, LIMIT, LIMIT, |heard| {
        match heard {
            // The program waits, so no line follows that would show that this one is whole.
            Heard::Raw(line) => {
                if let Some(seed) = report::asked(line) {
                    screen.compare(seed)?;
                }
            }
            Heard::Line(line) => {
                let (time, text) = ktap::timestamp(line);
                if let Some((_, row)) = parser.line(time, text) {
                    progress.print(&describe("", row));
                    progress.step(&row.name);
                }
            }
            Heard::Silence => progress.tick(),
        }
        Ok(())
    })?;

    progress.finish();
    match stopped {
        Some(why) => bail!("{why}, see {}", log.display()),
        None => Ok(Report::new(parser)),
    }
}
