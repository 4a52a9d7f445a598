// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The architectures that kernels are built for: the names that `make` has for each, its emulator
//! and its console.

use super::tools;
use anyhow::{Context, Result};
use clap::ValueEnum;
use std::path::{Path, PathBuf};

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

impl Arch {
    /// Its `ARCH=` for `make`, and its file in `kernel/config/`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::X86 => "x86_64",
            Self::Arm64 => "arm64",
            Self::Um => "um",
        }
    }

    /// Its name for packages of Debian.
    pub(crate) fn debian(self) -> &'static str {
        match self {
            Self::X86 | Self::Um => "amd64",
            Self::Arm64 => "arm64",
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

    /// The kernel's arguments that name its console, and end the machine after a panic.
    pub(crate) fn console(self) -> &'static str {
        match self {
            Self::X86 => "console=ttyS0 panic=-1",
            Self::Arm64 => "console=ttyAMA0 panic=-1",
            Self::Um => "panic=-1",
        }
    }
}
