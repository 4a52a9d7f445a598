// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The machine that a kernel boots on: QEMU with these devices, or none for User-Mode Linux, which
//! is a program itself.

use super::{arch::Arch, flavour::Variant, tools, tree::Version};
use crate::exit::Exit;
use anyhow::{ensure, Result};
use clap::{Args, ValueEnum};
use std::{path::Path, process::Command};

/// The oldest QEMU with the property of TCG in place of an option that was removed later.
const ONE_INSN_PER_TB: Version = Version(8, 1, 0);

#[derive(Args, Clone, Copy, Default)]
pub(crate) struct Hardware {
    /// The architecture of the kernel.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) arch: Arch,

    /// How QEMU executes instructions.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) accel: Accelerator,

    /// Boots on one CPU in place of two.
    #[arg(long)]
    pub(crate) one_cpu: bool,
}

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

impl Hardware {
    /// Fails if User-Mode Linux is asked for what only QEMU has, and names that.
    pub(crate) fn ensure_possible(&self, variant: Variant) -> Result<()> {
        if self.arch.emulator().is_some() {
            return Ok(());
        }
        ensure!(
            self.accel == Accelerator::Tcg,
            Exit::Usage("--accel is for QEMU: User-Mode Linux runs without it".to_owned())
        );
        ensure!(
            variant == Variant::Fast,
            Exit::Usage(
                "User-Mode Linux has no debug variant: lockdep and kmemleak report its own code"
                    .to_owned()
            )
        );
        Ok(())
    }

    /// The suffix of the logs' names.
    pub(crate) fn suffix(&self) -> &'static str {
        if self.one_cpu {
            "-one-cpu"
        } else {
            ""
        }
    }

    /// A command that boots this kernel, without a console and without arguments for it.
    pub(crate) fn command(&self, image: &Path) -> Command {
        let cpus = if self.one_cpu { "1" } else { "2" };
        let Some((program, _)) = self.arch.emulator() else {
            let mut command = Command::new(image);
            // Two CPUs need seccomp: ptrace has one.
            command.args(["mem=1G", "seccomp=on"]);
            command.arg(format!("ncpus={cpus}"));
            return command;
        };

        let mut command = Command::new(program);
        if self.arch == Arch::Arm64 {
            command.args(["-machine", "virt"]);
        }
        command
            .args(self.accel.arguments(self.arch, program))
            .args(["-smp", cpus, "-m", "2G"])
            .args(["-nodefaults", "-no-user-config", "-no-reboot"])
            // The device that the sample drives.
            .args(["-device", "pci-testdev"])
            .args(["-display", "none", "-kernel"])
            .arg(image);
        command
    }

    /// Completes such a command: the kernel has these arguments and this initramfs, and its console
    /// is the standard output.
    pub(crate) fn start(&self, command: &mut Command, arguments: &str, initramfs: Option<&Path>) {
        let arguments = format!("{} {arguments}", self.arch.console());
        if self.arch.emulator().is_some() {
            command.args(["-serial", "stdio", "-append"]).arg(arguments);
            if let Some(initramfs) = initramfs {
                command.arg("-initrd").arg(initramfs);
            }
            return;
        }

        command
            .args(["con=null", "con0=fd:0,fd:1"])
            .args(arguments.split(' '));
        match initramfs {
            Some(initramfs) => command.arg(format!("initrd={}", initramfs.display())),
            // Without an init, the panic that ends an emulator would dump core.
            None => command.arg("kunit_shutdown=halt"),
        };
    }
}

impl Accelerator {
    /// Its arguments for this program of QEMU, and the CPU.
    fn arguments(self, arch: Arch, program: &str) -> Vec<&'static str> {
        let in_software = match arch {
            // With page tables of five levels, KASAN reports what is not so early in some boots of
            // a busy machine: in 8 of 40. Without, in none of 28.
            Arch::X86 => "max,la57=off",
            Arch::Arm64 | Arch::Um => "max",
        };
        let (accelerator, cpu) = match self {
            Self::Tcg => (["-accel", "tcg"].as_slice(), in_software),
            Self::Kvm => (["-accel", "kvm"].as_slice(), "max"),
            Self::Stepped => (stepped(tools::qemu(program)), in_software),
        };

        [accelerator, &["-cpu", cpu]].concat()
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

    /// The arguments of a command that starts a kernel.
    fn arguments(arch: Arch, one_cpu: bool, initramfs: Option<&Path>) -> String {
        let hardware = Hardware {
            arch,
            one_cpu,
            ..Hardware::default()
        };
        let mut command = hardware.command(Path::new("image"));
        hardware.start(&mut command, "x=y z", initramfs);
        let words: Vec<_> = command.get_args().map(|it| it.to_string_lossy()).collect();
        words.join(" ")
    }

    #[test]
    fn the_kernel_has_its_arguments() {
        let initramfs = Some(Path::new("a.cpio"));

        let um = arguments(Arch::Um, true, None);
        assert!(
            um.contains("ncpus=1") && um.ends_with("x=y z kunit_shutdown=halt"),
            "{um}"
        );
        let um = arguments(Arch::Um, false, initramfs);
        assert!(
            um.contains("ncpus=2") && um.ends_with("x=y z initrd=a.cpio"),
            "{um}"
        );
        let arm = arguments(Arch::Arm64, false, initramfs);
        assert!(
            arm.contains("-machine virt") && arm.contains("-smp 2"),
            "{arm}"
        );
        assert!(
            arm.ends_with("console=ttyAMA0 panic=-1 x=y z -initrd a.cpio"),
            "{arm}"
        );
    }

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
