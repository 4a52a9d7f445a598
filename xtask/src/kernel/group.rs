// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Commands that end together with all that they have started, and with this program.
//!
//! `make` alone does not pass on a signal to the compilers that its shells wait for, so that every
//! command leads a process group, which is signalled as a whole. It is asked to end first: `make`
//! and its shells then remove what is half-written.

use anyhow::{Context, Result};
use rustix::{
    io::Errno,
    process::{kill_process_group, test_kill_process_group, Pid, Signal},
};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
    low_level::emulate_default_handler,
};
use std::{
    fs,
    os::unix::process::CommandExt,
    process::{Child, Command, ExitStatus},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// A group that does not end within this time is killed.
const GRACE: Duration = Duration::from_secs(10);

/// The interval between the checks for its end.
const POLL: Duration = Duration::from_millis(20);

/// The groups that are running. While this is locked, none begins, and none is taken for over.
static RUNNING: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

fn running() -> MutexGuard<'static, Vec<Pid>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A command and all that it has started. They are ended when this is dropped.
pub(crate) struct Group {
    leader: Child,
    /// [`None`] if the leader is over, whose number may be another's now.
    id: Option<Pid>,
}

impl Group {
    /// Starts a command.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let mut running = running();
        let leader = command
            .process_group(0)
            .spawn()
            .with_context(|| command.get_program().to_string_lossy().into_owned())?;
        let id = Pid::from_child(&leader);
        running.push(id);

        Ok(Self {
            leader,
            id: Some(id),
        })
    }

    /// Waits until the command is over.
    pub(crate) fn wait(&mut self) -> Result<ExitStatus> {
        let status = self.leader.wait()?;
        self.is_over();
        Ok(status)
    }

    /// Kills all of it, and does not wait.
    pub(crate) fn kill(&self) {
        if let Some(id) = self.id {
            signal(id, Signal::KILL);
        }
    }

    fn is_over(&mut self) {
        if let Some(id) = self.id.take() {
            running().retain(|other| *other != id);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            end(&[id], || !matches!(self.leader.try_wait(), Ok(None)));
            // Only this code waits for the leader, so `wait()` cannot fail.
            let _ = self.leader.wait();
            self.is_over();
        }
    }
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
    use std::{
        io::{BufRead, BufReader},
        process::Stdio,
    };

    /// A shell that waits for another process, and the number of that.
    fn start(script: &str) -> (Group, String) {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdout(Stdio::piped());
        let mut group = Group::start(&mut command).unwrap();
        let mut pid = String::new();
        BufReader::new(group.leader.stdout.take().unwrap())
            .read_line(&mut pid)
            .unwrap();

        (group, pid.trim().to_owned())
    }

    /// Whether a process is more than an entry that nobody has asked for yet.
    fn is_running(pid: &str) -> bool {
        fs::read_to_string(format!("/proc/{pid}/stat"))
            .is_ok_and(|stat| !stat.rsplit(')').next().unwrap().starts_with(" Z"))
    }

    /// Signals are sent at once, and take effect soon.
    fn ends(pid: &str) -> bool {
        let begin = Instant::now();
        while is_running(pid) && begin.elapsed() < GRACE {
            thread::sleep(POLL);
        }
        !is_running(pid)
    }

    #[test]
    fn what_a_command_has_started_ends_with_it() {
        let (group, pid) = start("sleep 600 & echo $!; wait");
        let id = group.id.unwrap();
        assert!(is_running(&pid) && running().contains(&id));

        drop(group);
        assert!(ends(&pid) && !running().contains(&id));
    }

    #[test]
    fn a_command_can_clean_up() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (group, _) = start(&format!(
            "trap 'rm {}; exit' TERM; sleep 600 & echo $$; wait",
            file.path().display()
        ));

        drop(group);
        assert!(!file.path().exists());
    }

    #[test]
    fn a_command_that_is_over_is_left_alone() {
        let (mut group, _) = start("echo 1; exit 3");
        let id = group.id.unwrap();

        assert_eq!(group.wait().unwrap().code(), Some(3));
        assert!(group.id.is_none() && !running().contains(&id));
    }

    #[test]
    fn signals_end_all_groups() {
        let (mut group, pid) = start("sleep 600 & echo $!; wait");
        let id = group.id.unwrap();

        // Another thread waits for the leader.
        let waiting = thread::spawn(move || group.wait().unwrap().success());
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
