// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A shell in the kernel, after its tests: `cargo xtask kernel test --shell`.
//!
//! The guest has nothing but an initramfs, with `kernel/shell/init` and busybox. On a terminal, the
//! console is that of QEMU. Without one, the commands are in the initramfs too: what is typed at a
//! serial port before anybody listens there is lost.

use super::{
    apt::{
        self,
        Apt, //
    },
    cache::Cache,
    tools, //
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
use cpio::newc::{
    Builder,
    ModeFileType, //
};
use rustix::termios::{
    tcgetattr,
    tcgetwinsize,
    tcsetattr,
    OptionalActions,
    Termios, //
};
use std::{
    env, fs,
    io::{
        self,
        Cursor,
        IsTerminal,
        Read, //
    },
    path::{
        Path,
        PathBuf, //
    },
    process::{
        Command,
        Stdio, //
    },
};

/// Debian's package of a busybox that needs nothing else.
const PACKAGE: &str = "busybox-static";

/// Where that has it, in different releases.
const PLACES: [&str; 2] = ["usr/bin/busybox", "bin/busybox"];

/// What `init` says at the end of the commands, before their exit status.
const ENDED: &str = "the commands ended with ";

/// What a kernel says that cannot go on.
const PANIC: &str = "Kernel panic - not syncing";

/// What a shell is run in, and who tells it what to do.
pub(crate) struct Guest {
    busybox: PathBuf,
    /// Somebody at a terminal if there are none.
    commands: Option<Vec<u8>>,
}

impl Guest {
    /// Gets busybox, and reads the commands unless there is a terminal.
    pub(crate) fn new(cache: &Cache) -> Result<Self> {
        let busybox = busybox(cache)?;
        let mut input = io::stdin();
        if input.is_terminal() {
            return Ok(Self {
                busybox,
                commands: None,
            });
        }

        println!("shell    reading its commands from the standard input");
        let mut commands = Vec::new();
        input.read_to_end(&mut commands)?;
        Ok(Self {
            busybox,
            commands: Some(commands),
        })
    }

    /// Makes the initramfs.
    pub(crate) fn archive(&self) -> Result<Vec<u8>> {
        let init = fs::read(root().join("kernel/shell/init"))?;
        let busybox = fs::read(&self.busybox)?;
        let mut entries = vec![
            entry("bin", ModeFileType::Directory, Vec::new()),
            entry("bin/busybox", ModeFileType::Regular, busybox),
            entry("bin/sh", ModeFileType::Symlink, b"busybox".to_vec()),
            entry("init", ModeFileType::Regular, init),
        ];
        if let Some(commands) = &self.commands {
            entries.push(entry("commands", ModeFileType::Regular, commands.clone()));
        }

        Ok(cpio::write_cpio(entries.into_iter(), Vec::new())?)
    }

    /// Runs it in QEMU until it is powered off.
    pub(crate) fn run(&self, qemu: &mut Command, filter: &str, log: &Path) -> Result<()> {
        let mut arguments = format!("console=ttyS0 panic=-1 kunit.filter_glob={filter}");
        let terminal = match &self.commands {
            None => Some(Terminal::find()?),
            Some(_) => {
                qemu.stdin(Stdio::null());
                None
            }
        };
        if let Some(terminal) = &terminal {
            arguments += &terminal.environment();
        }

        // All keys go to the guest, but Ctrl-A and the one after it. QEMU splits this at commas.
        let console = format!(
            "stdio,id=console,mux=on,signal=off,logfile={}",
            log.display().to_string().replace(',', ",,")
        );
        let status = qemu
            .args(["-chardev", &console])
            .args(["-serial", "chardev:console"])
            .args(["-mon", "chardev=console"])
            .args(["-append", &arguments])
            .status()
            .context("qemu-system-x86_64")?;
        drop(terminal);

        println!("\nlog: {}", log.display());
        ensure!(status.success(), "QEMU has failed, {status}");
        judge(&String::from_utf8_lossy(&fs::read(log)?))
    }
}

/// A file of the initramfs.
fn entry(name: &str, kind: ModeFileType, contents: Vec<u8>) -> (Builder, Cursor<Vec<u8>>) {
    let builder = Builder::new(name).mode(0o755).set_mode_file_type(kind);
    (builder, Cursor::new(contents))
}

/// Fails if the kernel has died, or the commands have failed.
fn judge(console: &str) -> Result<()> {
    if let Some(at) = console.find(PANIC) {
        let line = console[at..].lines().next().unwrap_or_default();
        bail!("the kernel has died: {}", line.trim_end());
    }
    // None if they have powered off by themselves.
    if let Some((_, rest)) = console.rsplit_once(ENDED) {
        let status = rest.lines().next().unwrap_or_default().trim_end();
        ensure!(status == "0", "{ENDED}{status}");
    }
    Ok(())
}

/// The terminal that this was started at, as it was then. It is like that again when this is
/// dropped, even if QEMU has not seen to it because it was killed.
struct Terminal(Termios);

impl Terminal {
    fn find() -> Result<Self> {
        Ok(Self(tcgetattr(io::stdin())?))
    }

    /// What the guest has to know of it: the kernel hands words that it does not know to init.
    fn environment(&self) -> String {
        let mut words = String::new();
        if let Ok(size) = tcgetwinsize(io::stdin()) {
            if size.ws_row > 0 && size.ws_col > 0 {
                words += &format!(" LINES={} COLUMNS={}", size.ws_row, size.ws_col);
            }
        }
        let name = env::var("TERM").unwrap_or_default();
        if !name.is_empty()
            && name
                .chars()
                .all(|char| char.is_ascii_alphanumeric() || char == '-')
        {
            words += &format!(" TERM={name}");
        }

        words
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have been closed.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}

/// The busybox in the cache, which is downloaded if need be.
fn busybox(cache: &Cache) -> Result<PathBuf> {
    let _lock = cache.lock_downloads()?;
    let busybox = cache.path("busybox");
    if busybox.exists() {
        return Ok(busybox);
    }

    let package = match tools::downloaded(cache, PACKAGE, |_| true)? {
        Some(package) => package,
        None => {
            let instead = "busybox cannot be had, and without it there is no shell";
            let apt = Apt::new(cache, apt::STABLE).context(instead)?;
            let versions = apt.versions(PACKAGE)?;
            let Some(version) = versions.first() else {
                bail!(Exit::Skipped(format!(
                    "{instead}: {} does not have {PACKAGE}",
                    apt::STABLE
                )));
            };
            apt.download(cache, PACKAGE, version).context(instead)?
        }
    };
    let unfinished = cache.temporary()?;
    apt::unpack(&package, unfinished.path())?;
    let unpacked = PLACES
        .into_iter()
        .map(|place| unfinished.path().join(place))
        .find(|file| file.is_file())
        .with_context(|| format!("there is no busybox in {}", package.display()))?;
    fs::rename(unpacked, &busybox)?;
    Ok(busybox)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cpio::newc::Reader;
    use std::collections::BTreeMap;

    #[test]
    fn a_guest_that_has_died_is_not_one_that_was_powered_off() {
        let booted = "[    1.0] Run /init as init process\n";
        let error = |end: &str| judge(&format!("{booted}{end}")).unwrap_err().to_string();

        judge(&format!("{booted}[    2.0] reboot: Power down\n")).unwrap();
        judge(&format!("{booted}\r\nthe commands ended with 0\r\n")).unwrap();
        assert_eq!(
            error("\r\nthe commands ended with 127\r\n[    2.0] reboot: Power down\r\n"),
            "the commands ended with 127"
        );
        assert_eq!(
            error("[    2.0] Kernel panic - not syncing: Attempted to kill init!\r\n[    2.0] x"),
            "the kernel has died: Kernel panic - not syncing: Attempted to kill init!"
        );
    }

    #[test]
    fn an_initramfs_has_the_commands() {
        let folder = tempfile::tempdir().unwrap();
        let busybox = folder.path().join("busybox");
        fs::write(&busybox, "program").unwrap();
        let guest = Guest {
            busybox,
            commands: Some(b"poweroff -f".to_vec()),
        };

        let mut archive = guest.archive().unwrap();
        let mut files = BTreeMap::new();
        loop {
            let mut reader = Reader::new(archive.as_slice()).unwrap();
            if reader.entry().is_trailer() {
                break;
            }
            let mut contents = String::new();
            reader.read_to_string(&mut contents).unwrap();
            let entry = reader.entry();
            files.insert(entry.name().to_owned(), (entry.mode(), contents));
            archive = reader.finish().unwrap().to_vec();
        }

        assert_eq!(files["bin"].0, 0o040_755);
        assert_eq!(files["bin/busybox"], (0o100_755, "program".to_owned()));
        assert_eq!(files["bin/sh"], (0o120_755, "busybox".to_owned()));
        assert_eq!(files["commands"].1, "poweroff -f");
        assert!(files["init"].1.contains(ENDED));
    }
}
