// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Boots a kernel, and listens to its console.

use super::{
    console::Console,
    hardware::Hardware,
    job::{self, Job},
    progress::{seconds, Progress},
    run::{Results, Run},
};
use anyhow::Result;
use rustix::process::Signal;
use std::{
    ffi::OsString,
    os::unix::process::ExitStatusExt,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

/// A kernel that says nothing for so long hangs.
const SILENCE: Duration = Duration::from_secs(180);

/// The message of a kernel that cannot go on.
pub(crate) const PANIC: &str = "Kernel panic - not syncing";

pub(crate) struct Boot<'a> {
    pub(crate) image: &'a Path,
    pub(crate) hardware: &'a Hardware,
    /// Arguments of QEMU beside those that all boots have.
    pub(crate) qemu: &'a [OsString],
    /// The same for the kernel.
    pub(crate) kernel: &'a [&'a str],
    /// Which suites and tests KUnit runs.
    pub(crate) filter: &'a str,
    /// An initramfs that looks for leaks afterwards. Without, there is no init.
    pub(crate) leaks: Option<&'a Path>,
    /// How long all of it may take.
    pub(crate) limit: Duration,
    /// Whether to print what there is to say about what fails.
    pub(crate) verbose: bool,
    pub(crate) log: &'a Path,
}

impl Boot<'_> {
    /// Boots, prints a line per test as they end, and returns what came of it.
    pub(crate) fn run(&self) -> Result<Results> {
        let mut progress = Progress::new("running", None)?;
        let mut run = Run::new(self.leaks.is_some());
        let stopped = listen(
            &mut self.command(),
            self.log,
            self.limit,
            SILENCE,
            |heard| {
                let text = match heard {
                    Heard::Line(line) => run.line(line),
                    Heard::Raw(_) | Heard::Silence => None,
                };
                if let Some(text) = text {
                    let first = text.split_inclusive('\n').next().unwrap_or_default();
                    progress.print(if self.verbose { &text } else { first });
                    progress.step(first.trim_end());
                } else {
                    progress.tick();
                }
                Ok(())
            },
        )?;

        progress.finish();
        let results = run.finish(stopped);
        if self.verbose {
            print!("{}", results.rest());
        }
        Ok(results)
    }

    fn command(&self) -> Command {
        let mut arguments = format!("oops=panic kunit.filter_glob={}", self.filter);
        if self.leaks.is_some() {
            // Without, SLUB keeps arrays of free objects, and leaves in them what it has taken out:
            // kmemleak then finds references to all that is leaked.
            arguments += " slab_debug=F";
        }
        for argument in self.kernel {
            arguments += " ";
            arguments += argument;
        }

        let mut command = self.hardware.command(self.image);
        command.args(self.qemu);
        self.hardware.start(&mut command, &arguments, self.leaks);
        command
    }
}

/// An event on a console.
pub(crate) enum Heard<'a> {
    /// A line at once, which may be cut off and come again.
    Raw(&'a str),
    /// A line that is whole.
    Line(&'a str),
    /// Nothing, for a while.
    Silence,
}

/// Runs a machine, and passes on what its console says. Kills a machine that takes longer than the
/// limit, or that is silent for so long. Returns why, if the machine has not ended well.
pub(crate) fn listen(
    command: &mut Command,
    log: &Path,
    limit: Duration,
    silence: Duration,
    mut hear: impl FnMut(Heard<'_>) -> Result<()>,
) -> Result<Option<String>> {
    let begin = Instant::now();
    let mut last = begin;
    let mut console = Console::default();
    let mut stopped = None;
    let mut has_panicked = false;

    let status = Job::start(command, log)?.read(|line| {
        if let Some(line) = line {
            last = Instant::now();
            hear(Heard::Raw(line))?;
            if let Some(line) = console.line(line) {
                has_panicked |= line.contains(PANIC);
                hear(Heard::Line(&line))?;
            }
        } else {
            hear(Heard::Silence)?;
        }
        if begin.elapsed() >= limit {
            stopped.get_or_insert_with(|| format!("the kernel has taken {}", seconds(limit)));
        } else if last.elapsed() >= silence {
            let silence = seconds(silence);
            stopped.get_or_insert_with(|| format!("the kernel hangs: no output for {silence}"));
        }
        Ok(stopped.is_none())
    })?;

    // User-Mode Linux aborts when it panics.
    let has_died = has_panicked && status.signal() == Some(Signal::ABORT.as_raw());
    if stopped.is_none() && !status.success() && !has_died {
        let said = job::tail(log, 3);
        stopped = Some(format!("the machine has failed, {status}: {said}"));
    }
    if let Some(line) = console.finish() {
        hear(Heard::Line(&line))?;
    }
    Ok(stopped)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a script in place of the machine, with a limit and for silence, in seconds. Returns its
    /// lines, and why it was stopped.
    fn heard(script: &str, limit: u64, silence: u64) -> (Vec<String>, Option<String>) {
        let folder = tempfile::tempdir().unwrap();
        let mut lines = Vec::new();
        let stopped = listen(
            Command::new("sh").args(["-c", script]),
            &folder.path().join("log"),
            Duration::from_secs(limit),
            Duration::from_secs(silence),
            |heard| {
                if let Heard::Line(line) = heard {
                    lines.push(line.to_owned());
                }
                Ok(())
            },
        );
        (lines, stopped.unwrap())
    }

    #[test]
    fn a_machine_is_heard_to_its_end() {
        let panic = "echo Kernel panic - not syncing: x; echo; kill -ABRT $$";
        let chatters = "while sleep 0.1; do echo; done";

        for (script, limit, silence, first, stopped) in [
            ("echo a; echo b", 60, 60, "a", ""),
            (
                "echo a; exit 7",
                60,
                60,
                "a",
                "the machine has failed, exit status: 7: a",
            ),
            (
                "echo a; kill -ABRT $$",
                60,
                60,
                "a",
                "the machine has failed, signal: 6",
            ),
            (panic, 60, 60, "Kernel panic - not syncing: x", ""),
            // It is not waited for without end.
            (
                "echo a; sleep 60",
                60,
                1,
                "a",
                "the kernel hangs: no output for 1.0 s",
            ),
            (chatters, 1, 60, "", "the kernel has taken 1.0 s"),
        ] {
            let (lines, why) = heard(script, limit, silence);
            assert_eq!(lines[0], first);
            assert_eq!(why.is_some(), !stopped.is_empty(), "{script}");
            assert!(why.unwrap_or_default().starts_with(stopped), "{script}");
        }
        assert_eq!(heard("echo a; echo b", 60, 60).0, ["a", "b"]);
    }
}
