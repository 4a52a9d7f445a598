// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Commands that take long. Their output is read as it comes, and kept. They end together with all
//! that they have started, and with this program.
//!
//! `make` alone does not pass on a signal to the compilers that its shells wait for, so that every
//! command leads a process group, which is signalled as a whole. It is asked to end first: `make`
//! and its shells then remove what is half-written.

use anyhow::{bail, Context, Result};
use rustix::{
    io::Errno,
    pipe::{pipe_with, PipeFlags},
    process::{kill_process_group, test_kill_process_group, Pid, Signal},
};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
    low_level::emulate_default_handler,
};
use std::{
    fmt,
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        mpsc::{self, Receiver, RecvTimeoutError},
        Mutex, MutexGuard, PoisonError,
    },
    thread,
    time::{Duration, Instant},
};

/// A group that does not end within this time is killed.
const GRACE: Duration = Duration::from_secs(10);

/// How long a command is waited for until its reader is told that it is silent.
const TICK: Duration = Duration::from_millis(250);

/// The interval between the checks for its end.
const POLL: Duration = Duration::from_millis(20);

/// How many of the last lines of a command that fails are shown.
const TAIL: usize = 30;

/// The groups that are running. While this is locked, none begins, and none is taken for over.
static RUNNING: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

fn running() -> MutexGuard<'static, Vec<Pid>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A command that is running. It is ended when this is dropped, with all that it has started.
pub(crate) struct Job {
    leader: Child,
    /// The group. [`None`] if the leader is over, whose number may be another's now.
    id: Option<Pid>,
    lines: Receiver<String>,
}

impl Job {
    /// Starts a command without input, that prints to this log.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let mut log = File::create(log).with_context(|| log.display().to_string())?;

        // One pipe, so that lines are in the order that they were printed in.
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
        command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer);
        let mut running = running();
        let leader = command
            .spawn()
            .with_context(|| command.get_program().to_string_lossy().into_owned())?;
        let id = Pid::from_child(&leader);
        running.push(id);
        // The command still holds ends to write to, which would keep the pipe open.
        command.stdout(Stdio::null()).stderr(Stdio::null());

        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            let mut reader = BufReader::new(File::from(reader));
            let mut line = Vec::new();
            while matches!(reader.read_until(b'\n', &mut line), Ok(read) if read > 0) {
                // Lines that nobody waits for any more, or that do not fit on the disk, are lost.
                let _ = log.write_all(&line);
                let text = String::from_utf8_lossy(&line);
                let _ = sender.send(text.trim_end_matches(['\r', '\n']).to_owned());
                line.clear();
            }
        });

        Ok(Self {
            leader,
            id: Some(id),
            lines,
        })
    }

    /// Has each line read as it comes, and [`None`] a few times in a second without one. Waits for
    /// the end. When the reader returns `false`, the command is killed, and the lines until then are
    /// still read.
    pub(crate) fn read(
        mut self,
        mut hear: impl FnMut(Option<&str>) -> Result<bool>,
    ) -> Result<ExitStatus> {
        loop {
            let line = match self.lines.recv_timeout(TICK) {
                Ok(line) => Some(line),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            if let (false, Some(id)) = (hear(line.as_deref())?, self.id) {
                signal(id, Signal::KILL);
            }
        }
        let status = self.leader.wait()?;
        self.is_over();
        Ok(status)
    }

    fn is_over(&mut self) {
        if let Some(id) = self.id.take() {
            running().retain(|other| *other != id);
        }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            end(&[id], || !matches!(self.leader.try_wait(), Ok(None)));
            // Only this code waits for the leader, so `wait()` cannot fail.
            let _ = self.leader.wait();
            self.is_over();
        }
    }
}

/// Runs a command to its end. Returns the last lines that it has printed if it fails.
pub(crate) fn failure(command: &mut Command, log: &Path) -> Result<Option<String>> {
    let status = Job::start(command, log)?.read(|_| Ok(true))?;
    Ok((!status.success()).then(|| tail(log, TAIL)))
}

/// Runs a command to its end. If it fails, this does too: with `what`, and its last lines.
pub(crate) fn run(command: &mut Command, log: &Path, what: impl fmt::Display) -> Result<()> {
    match failure(command, log)? {
        None => Ok(()),
        Some(said) => bail!("{what}, see {}:\n{said}", log.display()),
    }
}

/// The text of a log.
pub(crate) fn text(log: &Path) -> Result<String> {
    Ok(String::from_utf8_lossy(&fs::read(log)?).into_owned())
}

/// The last lines of a log.
pub(crate) fn tail(log: &Path, lines: usize) -> String {
    let text = text(log).unwrap_or_default();
    let mut tail: Vec<&str> = text.lines().rev().take(lines).collect();
    tail.reverse();

    tail.join("\n")
}

/// Sends a signal to a group, if there still is one.
fn signal(group: Pid, signal: Signal) {
    // A group that has ended needs no signal.
    let _ = kill_process_group(group, signal);
}

/// From now on, a signal that ends this program ends what is running first.
pub(crate) fn end_with_us() -> Result<()> {
    let ignored = ignored(&fs::read_to_string("/proc/self/status").unwrap_or_default());
    // Signals that `nohup` has made this program ignore stay ignored.
    let wanted = [SIGHUP, SIGINT, SIGTERM]
        .into_iter()
        .filter(|signal| ignored & (1 << (signal - 1)) == 0);
    let mut signals = Signals::new(wanted)?;

    thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            // Never unlocked: nothing begins any more, and no error is made of what ends.
            let running = running();
            end_all(&running);
            // Does not return for these signals.
            let _ = emulate_default_handler(signal);
        }
    });
    Ok(())
}

/// The signals that a process ignores, a bit each, by its `/proc/<pid>/status`.
fn ignored(status: &str) -> u64 {
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}

/// Ends groups whose leaders others wait for.
fn end_all(groups: &[Pid]) {
    let is_there = |group: &Pid| test_kill_process_group(*group) != Err(Errno::SRCH);
    end(groups, || !groups.iter().any(is_there));
}

/// Ends groups: asks them, and kills what is not over in time.
fn end(groups: &[Pid], mut are_over: impl FnMut() -> bool) {
    let begin = Instant::now();
    for group in groups {
        signal(*group, Signal::TERM);
    }
    while !are_over() && begin.elapsed() < GRACE {
        thread::sleep(POLL);
    }
    for group in groups {
        signal(*group, Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    /// Starts a script. Returns the folder with its log, too.
    fn start(script: &str) -> (TempDir, Job) {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        let job = Job::start(command.args(["-c", script]), &folder.path().join("log"));
        (folder, job.unwrap())
    }

    /// Starts a shell that prints the number of a process and waits for it. Returns that number.
    fn start_another(script: &str) -> (Job, String) {
        let (_, job) = start(script);
        let pid = job.lines.recv().unwrap();
        (job, pid)
    }

    /// Whether a process ends, which it does soon after the signal. One that nobody has asked for
    /// yet has an entry still.
    fn ends(pid: &str) -> bool {
        let is_running = || {
            fs::read_to_string(format!("/proc/{pid}/stat"))
                .is_ok_and(|stat| !stat.rsplit(')').next().unwrap().starts_with(" Z"))
        };
        let begin = Instant::now();
        while is_running() && begin.elapsed() < GRACE {
            thread::sleep(POLL);
        }
        !is_running()
    }

    #[test]
    fn both_outputs_are_read_in_order() {
        let (folder, job) = start("echo a; echo b >&2; printf 'c\\r\\n'; printf d; exit 3");
        let id = job.id.unwrap();
        let mut lines = Vec::new();
        let read = |line: Option<&str>| {
            lines.extend(line.map(str::to_owned));
            Ok(true)
        };
        let status = job.read(read).unwrap();

        assert_eq!(lines, ["a", "b", "c", "d"]);
        assert_eq!(status.code(), Some(3));
        assert_eq!(tail(&folder.path().join("log"), 2), "c\nd");
        assert!(!running().contains(&id));
    }

    #[test]
    fn a_silent_command_can_be_killed() {
        let (_folder, job) = start("echo a; sleep 600");
        let status = job.read(|line| Ok(line.is_some())).unwrap();

        assert!(!status.success());
    }

    #[test]
    fn a_command_that_fails_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let error = run(Command::new("sh").args(["-c", "echo a; exit 1"]), &log, "b").unwrap_err();

        assert_eq!(error.to_string(), format!("b, see {}:\na", log.display()));
        run(&mut Command::new("true"), &log, "b").unwrap();
    }

    #[test]
    fn what_a_command_has_started_ends_with_it() {
        let (job, pid) = start_another("sleep 600 & echo $!; wait");
        let id = job.id.unwrap();
        assert!(running().contains(&id));

        drop(job);
        assert!(ends(&pid) && !running().contains(&id));
    }

    #[test]
    fn a_command_can_clean_up() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (job, _) = start_another(&format!(
            "trap 'rm {}; exit' TERM; sleep 600 & echo $$; wait",
            file.path().display()
        ));

        drop(job);
        assert!(!file.path().exists());
    }

    #[test]
    fn signals_end_all_groups() {
        let (job, pid) = start_another("sleep 600 & echo $!; wait");
        let id = job.id.unwrap();

        // Another thread waits for the leader.
        let waiting = thread::spawn(move || job.read(|_| Ok(true)).unwrap().success());
        end_all(&[id]);
        assert!(!waiting.join().unwrap());
        assert!(ends(&pid));
    }

    #[test]
    fn ignored_signals_are_read() {
        let hangup = "Name:\tsh\nSigBlk:\t0001\nSigIgn:\t0000000000000001\nSigCgt:\t2\n";
        assert_eq!(ignored(hangup), 1 << (SIGHUP - 1));
        assert_eq!(ignored("SigIgn:\t0000000000004002\n"), 0x4002);
        assert_eq!(ignored(""), 0);
    }
}
