// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `cargo xtask kernel device`: a driver that user space uses, on a device that does DMA behind an
//! IOMMU, and on one that shows its memory on a `screen`.
//!
//! The kernel is that of `test`, with the sample drivers `rust_drm_edu` and `rust_drm_bochs` in it.
//! Its init is `kernel/user/`, which prints a row for each scenario.

use super::{
    apply::Object,
    boot::{
        qemu,
        Accelerator, //
    },
    build,
    cache::Cache,
    console::Console,
    initramfs,
    job::{
        self,
        Job,
        Next, //
    },
    prepare::{
        prepare,
        Prepared,
        Request,
        Variant, //
    },
    screen::Screen,
    seconds,
    splat::Detector,
    tools,
    Progress, //
};
use crate::root;
use anyhow::{
    bail,
    ensure,
    Context,
    Result, //
};
use clap::Parser;
use std::{
    fs,
    path::{
        Path,
        PathBuf, //
    },
    process::Command,
    time::{
        Duration,
        Instant, //
    },
};
use xshell::Shell;

/// What to run.
#[derive(Parser)]
pub(crate) struct Options {
    /// Tests in a copy of this tree, 7.3 or newer, in place of Debian's.
    #[arg(long, value_name = "DIR")]
    linux: Option<PathBuf>,

    /// How the kernel is configured.
    #[arg(long, value_enum, default_value_t = Variant::Fast)]
    variant: Variant,

    /// Has the driver in its printed form, in a tree that has no macro.
    #[arg(long)]
    expanded: bool,

    /// Writes what the screen shows to this file, as PNG.
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,

    /// Installs what is missing on this machine with apt-get, as root. `doctor` says what that is.
    #[arg(long)]
    install: bool,
}

/// The machine, beside what all guests have.
const QEMU: [&str; 8] = [
    "-machine",
    "q35",
    "-device",
    "intel-iommu,intremap=off",
    "-device",
    "edu",
    "-device",
    "bochs-display",
];

/// What the kernel is told. It is to say how the CPU accesses what is mapped (`debugpat`).
const KERNEL: &str = "console=ttyS0 panic=-1 oops=panic kunit.enable=0 intel_iommu=on \
                      iommu.strict=1 printk.devkmsg=on debugpat";

/// Where the program is.
const SOURCES: &str = "kernel/user";

/// What the lines of the program begin with.
const MARK: &str = "device: ";

/// What a line of the program begins with that asks for a look at the screen. The seed of a picture
/// follows, and a full stop: without, the line was cut off, and comes again.
const SCREEN: &str = "screen ";

/// What a line of a fault of the IOMMU contains. It is what one scenario is about.
const FAULT: &str = "DMAR: ";

/// A scenario, as the program prints it.
#[derive(Debug, PartialEq)]
struct Row {
    holds: bool,
    name: String,
    expected: String,
    happened: String,
    time: String,
}

/// What the program has printed.
#[derive(Default)]
struct Report {
    rows: Vec<Row>,
    /// Lines that are no rows: figures.
    figures: Vec<String>,
    /// How many rows are off, as the program counts them. [`None`] if it has not come to its end.
    off: Option<usize>,
}

impl Report {
    /// Reads a line of the console. Returns whether it is of the program.
    fn line(&mut self, line: &str) -> bool {
        let Some(text) = line.strip_prefix(MARK) else {
            return false;
        };

        if text.starts_with(SCREEN) {
            return true;
        }
        let parts: Vec<&str> = text.splitn(5, ": ").collect();
        match parts.as_slice() {
            [verdict @ ("ok" | "off"), name, expected, happened, time] => self.rows.push(Row {
                holds: *verdict == "ok",
                name: (*name).to_owned(),
                expected: (*expected).to_owned(),
                happened: (*happened).to_owned(),
                time: (*time).to_owned(),
            }),
            _ => match text.strip_suffix(" off").map(str::parse) {
                Some(Ok(off)) => self.off = Some(off),
                _ => self.figures.push(text.to_owned()),
            },
        }
        true
    }
}

/// Builds, boots, prints a table, and fails if a row is off or the kernel complains.
pub(crate) fn run(shell: &Shell, options: &Options) -> Result<()> {
    let cache = Cache::open()?;
    tools::ensure_machine(&cache, options.install)?;

    let variant = options.variant.name();
    let object = Object::lazy(options.expanded);
    let run = format!("{variant}{}", object.suffix());
    let prepared = prepare(
        shell,
        &cache,
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
    let log = |step: &str| cache.path(&format!("logs/{run}-{step}.log"));

    let begin = Instant::now();
    let (image, steps) = build::run(&prepared.make, &prepared.work, &log("build"))?;
    println!("build    {steps} steps, {}", seconds(begin.elapsed()));
    let program = program(&prepared, &log("headers"))?;
    let archive = prepared.work.join("device.cpio");
    fs::write(&archive, initramfs::of_one(fs::read(program)?)?)?;

    println!("running  the scenarios\n");
    let mut screen = Screen::new(options.picture.as_deref())?;
    let mut command = qemu(&image, Accelerator::Tcg);
    command
        .args(QEMU)
        .args(["-serial", "stdio"])
        .args(screen.arguments())
        .args(["-append", KERNEL, "-initrd"])
        .arg(archive);
    let limit = options.variant.limit();
    boot(&mut command, &mut screen, &log("device"), limit)?;
    screen.finish()?;
    println!("log: {}", log("device").display());
    Ok(())
}

/// Builds the program, with the headers that the tree has for user space.
fn program(prepared: &Prepared, log: &Path) -> Result<PathBuf> {
    let out = prepared.work.join("out");
    let mut headers = prepared.make.command(&out)?;
    headers.arg("headers");
    ensure!(
        Job::start(&mut headers, log)?.finish()?,
        "the headers cannot be made:\n{}",
        job::tail(log, 20)
    );

    let program = prepared.work.join("user");
    let mut sources = Vec::new();
    for file in fs::read_dir(root().join(SOURCES))? {
        sources.push(file?.path());
    }
    sources.retain(|path| path.extension().is_some_and(|it| it == "c"));
    let mut compiler = Command::new("cc");
    compiler
        .args(["-static", "-O2", "-Wall", "-Wextra", "-Werror", "-isystem"])
        .arg(out.join("usr/include"))
        .arg("-o")
        .arg(&program)
        .args(sources);
    ensure!(
        Job::start(&mut compiler, log)?.finish()?,
        "{SOURCES} cannot be built:\n{}",
        job::tail(log, 20)
    );
    Ok(program)
}

/// Boots, and judges what the console says.
fn boot(command: &mut Command, screen: &mut Screen, log: &Path, limit: Duration) -> Result<()> {
    let begin = Instant::now();
    let mut job = Job::start(command, log)?;
    let mut progress = Progress::new("running", None)?;
    let mut console = Console::default();
    let mut detector = Detector::default();
    let mut report = Report::default();
    let mut read = |line: &str, progress: &mut Progress| {
        let text = without_time(line);
        if report.line(text) {
            progress.print(&format!("{text}\n"));
            progress.step(text);
        } else if !text.contains(FAULT) {
            detector.line(text);
        }
    };

    loop {
        match job.next(Duration::from_millis(250))? {
            Next::Line(line) => {
                // The program waits, so no line follows that would show that this one is whole.
                if let Some(seed) = asked(&line) {
                    screen.compare(seed)?;
                }
                if let Some(line) = console.line(&line) {
                    read(&line, &mut progress);
                }
            }
            Next::Silence => progress.tick(),
            Next::End(status) => {
                ensure!(status.success(), "QEMU has failed, {status}");
                break;
            }
        }
        if begin.elapsed() > limit {
            job.kill();
            bail!(
                "the machine has taken {}, see {}",
                seconds(limit),
                log.display()
            );
        }
    }
    if let Some(line) = console.finish() {
        read(&line, &mut progress);
    }
    progress.finish();

    let splats = detector.take();
    for splat in &splats {
        println!("{}", splat.lines.join("\n"));
    }
    ensure!(splats.is_empty(), "the kernel complains");
    judge(&report)
}

/// Prints the table, and fails if it is not all there or a row is off.
fn judge(report: &Report) -> Result<()> {
    let width = report.rows.iter().map(|row| row.name.len()).max();
    let width = width.context("the program has printed no row")?;

    println!();
    for row in &report.rows {
        println!(
            "{:<3} {:<width$}  {}: {} ({})",
            if row.holds { "ok" } else { "off" },
            row.name,
            row.expected,
            row.happened,
            row.time,
        );
    }
    for figure in &report.figures {
        println!("    {figure}");
    }
    println!();

    let off = report.rows.iter().filter(|row| !row.holds).count();
    ensure!(
        report.off == Some(off),
        "the program has not come to its end"
    );
    ensure!(off == 0, "{off} of {} rows are off", report.rows.len());
    Ok(())
}

/// The picture that a line of the console asks to compare the screen with, by its seed.
fn asked(line: &str) -> Option<usize> {
    let text = without_time(line).strip_prefix(MARK)?;
    let seed = text.strip_prefix(SCREEN)?.strip_suffix('.')?;

    seed.parse().ok()
}

/// A line of the console without the time that the kernel puts before it.
fn without_time(line: &str) -> &str {
    line.strip_prefix('[')
        .and_then(|rest| rest.split_once("] "))
        .map_or(line, |(_, text)| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a program has printed in these lines.
    fn report(lines: &[&str]) -> Report {
        let mut report = Report::default();
        for line in lines {
            report.line(line);
        }
        report
    }

    const OK: &str = "device: ok: copy: the same bytes come back: so it is: 12 ms";
    const OFF: &str = "device: off: bind: bound again: bind: No such device: 3 ms";

    #[test]
    fn rows_are_read() {
        let report = report(&[
            OK,
            "[ 1.0] device: no row",
            "device: unbind: 1.0 ms",
            OFF,
            "device: 1 off",
        ]);

        assert_eq!(report.rows.len(), 2);
        assert!(report.rows[0].holds);
        assert_eq!(report.rows[0].happened, "so it is");
        assert!(!report.rows[1].holds);
        assert_eq!(report.figures, ["unbind: 1.0 ms"]);
        assert_eq!(report.off, Some(1));
    }

    #[test]
    fn what_is_off_or_missing_fails() {
        let error = |lines: &[&str]| judge(&report(lines)).unwrap_err().to_string();

        judge(&report(&[OK, "device: 0 off"])).unwrap();
        assert_eq!(error(&[]), "the program has printed no row");
        assert_eq!(error(&[OK]), "the program has not come to its end");
        assert_eq!(
            error(&[OK, OFF, "device: 0 off"]),
            "the program has not come to its end"
        );
        assert_eq!(error(&[OK, OFF, "device: 1 off"]), "1 of 2 rows are off");
    }

    #[test]
    fn looks_at_the_screen_are_asked_for_in_whole_lines() {
        assert_eq!(asked("[    1.000000] device: screen 128."), Some(128));
        assert_eq!(asked("device: screen 12"), None);
        assert_eq!(asked("device: screen ."), None);
        assert_eq!(asked("screen 128."), None);
        assert!(report(&["device: screen 128."]).figures.is_empty());
    }

    #[test]
    fn times_are_taken_off() {
        assert_eq!(without_time("[    1.000000] BUG: x"), "BUG: x");
        assert_eq!(without_time("BUG: x"), "BUG: x");
    }
}
