// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A shell in the kernel, after its tests: `cargo xtask kernel test --shell`.
//!
//! The guest has nothing but an initramfs, with `kernel/init/shell` and busybox. On a terminal, the
//! console is that of QEMU. Without one, the commands are in the initramfs too: what is typed at a
//! serial port before anybody listens there is lost.

use super::{
    arch::Arch, boot::PANIC, cache::Cache, hardware::Hardware, initramfs::Busybox, job,
    prepare::Prepared,
};
use anyhow::{bail, ensure, Context, Result};
use rustix::termios::{tcgetattr, tcgetwinsize, tcsetattr, OptionalActions, Termios};
use std::{
    env, fs,
    io::{self, IsTerminal, Read},
    process::Stdio,
};

/// The text that `init` prints at the end of the commands, before their exit status.
const ENDED: &str = "the commands ended with ";

/// The programs of a shell, and its commands.
pub(crate) struct Guest {
    busybox: Busybox,
    /// [`None`] if they are typed at a terminal.
    commands: Option<Vec<u8>>,
}

impl Guest {
    /// Gets busybox, and reads the commands unless there is a terminal.
    pub(crate) fn new(cache: &Cache, arch: Arch) -> Result<Self> {
        let busybox = Busybox::get(cache, arch)?;
        let mut input = io::stdin();
        let mut commands = None;
        if !input.is_terminal() {
            println!("shell    reading its commands from the standard input");
            let mut text = Vec::new();
            input.read_to_end(&mut text)?;
            commands = Some(text);
        }
        Ok(Self { busybox, commands })
    }

    /// Boots a kernel into it, and waits until QEMU is powered off.
    pub(crate) fn run(&self, kernel: &Prepared, hardware: &Hardware, filter: &str) -> Result<()> {
        let commands = self.commands.iter();
        let files: Vec<_> = commands.map(|text| ("commands", text.as_slice())).collect();
        let archive = kernel.work.join("shell.cpio");
        fs::write(&archive, self.busybox.initramfs("shell", &files)?)?;
        let log = kernel.log("shell");

        let mut qemu = hardware.command(&kernel.image());
        let mut arguments = format!("{} kunit.filter_glob={filter}", hardware.arch.console());
        let terminal = self.commands.is_none().then(Terminal::find).transpose()?;
        match &terminal {
            Some(terminal) => arguments += &terminal.environment(),
            None => {
                qemu.stdin(Stdio::null());
            }
        }

        // All keys go to the guest, but Ctrl-A and the one after it. QEMU splits this at commas.
        let console = format!(
            "stdio,id=console,mux=on,signal=off,logfile={}",
            log.display().to_string().replace(',', ",,")
        );
        let status = qemu
            .arg("-initrd")
            .arg(archive)
            .args(["-chardev", &console])
            .args(["-serial", "chardev:console"])
            .args(["-mon", "chardev=console"])
            .args(["-append", &arguments])
            .status()
            .context("QEMU cannot be started")?;
        drop(terminal);

        println!("\nlog: {}", log.display());
        ensure!(status.success(), "QEMU has failed, {status}");
        judge(&job::text(&log)?)
    }
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

    /// The kernel's arguments about the terminal. The kernel hands words it does not know to init.
    fn environment(&self) -> String {
        let mut words = match tcgetwinsize(io::stdin()) {
            Ok(size) if size.ws_row > 0 && size.ws_col > 0 => {
                format!(" LINES={} COLUMNS={}", size.ws_row, size.ws_col)
            }
            _ => String::new(),
        };
        let name = env::var("TERM").unwrap_or_default();
        let is_of_word = |char: char| char.is_ascii_alphanumeric() || char == '-';
        if !name.is_empty() && name.chars().all(is_of_word) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root;

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
    fn the_script_says_how_the_commands_ended() {
        let init = fs::read_to_string(root().join("kernel/init/shell")).unwrap();
        assert!(init.contains(ENDED));
    }
}
