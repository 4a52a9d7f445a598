// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The architectures that kernels are built for: what `make` calls them, what they need on this
//! machine, and the command that boots one.

use super::{tools, tree::Version};
use anyhow::{Context, Result};
use clap::ValueEnum;
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// An architecture.
#[derive(Clone, Copy, Debug, Default, PartialEq, ValueEnum)]
pub(crate) enum Arch {
    /// A PC in QEMU.
    #[default]
    #[value(name = "x86_64")]
    X86,
    /// The `virt` machine in QEMU.
    Arm64,
    /// User-Mode Linux: the kernel is a program of this machine.
    Um,
}

/// How QEMU executes instructions.
#[derive(Clone, Copy, Default, PartialEq, ValueEnum)]
pub(crate) enum Accelerator {
    /// In software, everywhere.
    #[default]
    Tcg,
    /// With the help of the machine's kernel, if that lets it.
    Kvm,
    /// In software, each translated by itself, so that it can be written down.
    #[value(skip)]
    Stepped,
}

/// The oldest QEMU with the property of TCG in place of an option that was removed later.
const ONE_INSN_PER_TB: Version = Version(8, 1, 0);

impl Arch {
    /// Its `ARCH=` for `make`, and its file in `kernel/config/`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::X86 => "x86_64",
            Self::Arm64 => "arm64",
            Self::Um => "um",
        }
    }

    /// Its suffix in the names of work folders and logs.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::X86 => "",
            Self::Arm64 => "-arm64",
            Self::Um => "-um",
        }
    }

    /// The target of `make` that is booted.
    pub(crate) fn target(self) -> &'static str {
        match self {
            Self::X86 => "bzImage",
            Self::Arm64 => "Image",
            Self::Um => "linux",
        }
    }

    /// Where `make` puts that, from the folder that it builds in.
    pub(crate) fn image(self) -> PathBuf {
        let folder = match self {
            Self::X86 => "arch/x86/boot",
            Self::Arm64 => "arch/arm64/boot",
            Self::Um => "",
        };
        Path::new(folder).join(self.target())
    }

    /// The emulator that boots it, and Debian's package of that. User-Mode Linux needs none.
    pub(crate) fn emulator(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::X86 => Some(("qemu-system-x86_64", "qemu-system-x86")),
            Self::Arm64 => Some(("qemu-system-aarch64", "qemu-system-arm")),
            Self::Um => None,
        }
    }

    /// The emulator and its version, or the reason why there is none, for people to read.
    pub(crate) fn emulator_version(self) -> Result<String> {
        match self.emulator() {
            None => Ok("no emulator".to_owned()),
            Some((program, _)) => {
                let version = tools::qemu(program)
                    .with_context(|| format!("{program} does not say its version"))?;
                Ok(format!("QEMU {version}"))
            }
        }
    }

    /// A command that boots this kernel, without a console and without arguments for it.
    pub(crate) fn command(self, image: &Path, accelerator: Accelerator) -> Command {
        let Some((program, _)) = self.emulator() else {
            let mut command = Command::new(image);
            // Two CPUs need seccomp: ptrace has one.
            command.args(["mem=1G", "ncpus=2", "seccomp=on"]);
            return command;
        };
        let in_software = match self {
            // With page tables of five levels, KASAN reports what is not so early in some boots of
            // a busy machine: in 8 of 40. Without, in none of 28.
            Self::X86 => "max,la57=off",
            _ => "max",
        };
        let (accelerator, cpu) = match accelerator {
            Accelerator::Tcg => (["-accel", "tcg"].as_slice(), in_software),
            Accelerator::Kvm => (["-accel", "kvm"].as_slice(), "max"),
            Accelerator::Stepped => (stepped(tools::qemu(program)), in_software),
        };

        let mut command = Command::new(program);
        if self == Self::Arm64 {
            command.args(["-machine", "virt"]);
        }
        command
            .args(accelerator)
            .args(["-cpu", cpu])
            .args(["-smp", "2", "-m", "2G"])
            .args(["-nodefaults", "-no-user-config", "-no-reboot"])
            // The device that the sample drives.
            .args(["-device", "pci-testdev"])
            .args(["-display", "none", "-kernel"])
            .arg(image);
        command
    }

    /// Completes such a command: the kernel has these arguments and this initramfs, and its console
    /// is the standard output.
    pub(crate) fn start(self, command: &mut Command, arguments: &str, initramfs: Option<&Path>) {
        let arguments = format!("{} {arguments}", self.console());
        if self == Self::Um {
            command.args(["con=null", "con0=fd:0,fd:1"]);
            command.args(arguments.split(' '));
            if let Some(initramfs) = initramfs {
                command.arg(format!("initrd={}", initramfs.display()));
            }
            return;
        }

        command.args(["-serial", "stdio", "-append"]).arg(arguments);
        if let Some(initramfs) = initramfs {
            command.arg("-initrd").arg(initramfs);
        }
    }

    /// The kernel's arguments that name its console, and end the machine after a panic.
    pub(crate) fn console(self) -> &'static str {
        match self {
            Self::X86 => "console=ttyS0 panic=-1",
            Self::Arm64 => "console=ttyAMA0 panic=-1",
            Self::Um => "panic=-1",
        }
    }
}

/// How a QEMU of this version is told to translate each instruction by itself.
fn stepped(version: Option<Version>) -> &'static [&'static str] {
    if version.is_some_and(|version| version < ONE_INSN_PER_TB) {
        &["-accel", "tcg", "-singlestep"]
    } else {
        &["-accel", "tcg,one-insn-per-tb=on"]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_are_stepped_through_as_each_qemu_can() {
        let new = ["-accel", "tcg,one-insn-per-tb=on"];
        assert_eq!(
            stepped(Some(Version(7, 2, 22))),
            ["-accel", "tcg", "-singlestep"]
        );
        assert_eq!(stepped(Some(Version(8, 1, 0))), new);
        assert_eq!(stepped(Some(Version(10, 0, 2))), new);
        assert_eq!(stepped(None), new);
    }
}
