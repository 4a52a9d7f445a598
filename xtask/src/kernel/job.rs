// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Commands that take long: their output is read as it comes, and kept.

use super::group::Group;
use anyhow::{Context, Result};
use rustix::pipe::{pipe_with, PipeFlags};
use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::Duration,
};

/// A command that is running. It is ended when this is dropped, with all that it has started.
pub(crate) struct Job {
    group: Group,
    lines: Receiver<String>,
}

/// An event of a command.
pub(crate) enum Next {
    /// Has printed this, to one of its outputs.
    Line(String),
    /// Has printed nothing for as long as one was ready to wait.
    Silence,
    /// Has ended.
    End(ExitStatus),
}

impl Job {
    /// Starts a command without input, that prints to this log.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let mut log = File::create(log).with_context(|| log.display().to_string())?;

        // One pipe, so that lines are in the order that they were printed in.
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
        command
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer);
        let group = Group::start(command)?;
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

        Ok(Self { group, lines })
    }

    /// Waits for the next line.
    pub(crate) fn next(&mut self, patience: Duration) -> Result<Next> {
        match self.lines.recv_timeout(patience) {
            Ok(line) => Ok(Next::Line(line)),
            Err(RecvTimeoutError::Timeout) => Ok(Next::Silence),
            Err(RecvTimeoutError::Disconnected) => Ok(Next::End(self.group.wait()?)),
        }
    }

    /// Has each line read as it comes, and waits for the end.
    pub(crate) fn read(mut self, mut line: impl FnMut(String)) -> Result<ExitStatus> {
        loop {
            match self.next(Duration::MAX)? {
                Next::Line(text) => line(text),
                Next::Silence => (),
                Next::End(status) => return Ok(status),
            }
        }
    }

    /// Waits for the end, and says whether it went well.
    pub(crate) fn finish(self) -> Result<bool> {
        Ok(self.read(|_| ())?.success())
    }

    /// Kills the command. Its output until then can still be read.
    pub(crate) fn kill(&self) {
        self.group.kill();
    }
}

/// The last lines of a log.
pub(crate) fn tail(log: &Path, lines: usize) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let mut tail: Vec<&str> = text.lines().rev().take(lines).collect();
    tail.reverse();

    tail.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a script, and returns its lines, and whether it went well.
    fn run(script: &str) -> (Vec<String>, bool, String) {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let job = Job::start(Command::new("sh").args(["-c", script]), &log).unwrap();
        let mut lines = Vec::new();
        let status = job.read(|line| lines.push(line)).unwrap();
        (lines, status.success(), tail(&log, 2))
    }

    #[test]
    fn both_outputs_are_read_in_order() {
        let (lines, success, tail) = run("echo a; echo b >&2; printf 'c\\r\\n'; printf d; exit 1");

        assert_eq!(lines, ["a", "b", "c", "d"]);
        assert!(!success);
        assert_eq!(tail, "c\nd");
    }

    #[test]
    fn silence_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sleep");
        let mut job = Job::start(command.arg("600"), &folder.path().join("log")).unwrap();

        assert!(matches!(
            job.next(Duration::from_millis(10)).unwrap(),
            Next::Silence
        ));
        job.kill();
        assert!(!job.finish().unwrap());
    }
}
