// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `make`, as every step of a build calls it.

use super::{
    arch::Arch,
    cache::Cache,
    flavour::Flavour,
    job,
    tools::{self, Llvm, Rust},
};
use crate::compilers::toolchain::Toolchain;
use anyhow::{Context, Result};
use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use xshell::Shell;

/// Variables that would change what is built.
const VARIABLES: &str = "ARCH CROSS_COMPILE KAFLAGS KBUILD_OUTPUT KCFLAGS KCONFIG_ALLCONFIG \
                         KCONFIG_CONFIG KCPPFLAGS KRUSTFLAGS LLVM LOCALVERSION MAKEFLAGS MFLAGS \
                         O V W";

/// A tree, its architecture, and what it is built with.
pub(crate) struct Make {
    pub(crate) arch: Arch,
    pub(crate) source: PathBuf,
    pub(crate) llvm: Llvm,
    pub(crate) rust: Rust,
    pub(crate) library: PathBuf,
    pub(crate) bindgen: PathBuf,
}

impl Make {
    /// Finds all that a kernel of this flavour is built with, and prints what that is.
    pub(crate) fn find(
        shell: &Shell,
        cache: &Cache,
        source: PathBuf,
        flavour: &Flavour,
    ) -> Result<Self> {
        let arch = flavour.arch;
        let llvm = Llvm::find().context("there is no complete LLVM")?;
        let rust = match flavour.compiler {
            Some(which) => Rust::of(&Toolchain::find(cache, which, false)?),
            None => Rust::find(shell)?,
        };
        let library = rust.library(cache)?;
        let (bindgen, version) = tools::bindgen(shell, cache)?;
        println!(
            "tools    clang {}, rustc {}, bindgen {version}, {}",
            llvm.version,
            rust.release,
            arch.emulator_version()?
        );

        Ok(Self {
            arch,
            source,
            llvm,
            rust,
            library,
            bindgen,
        })
    }

    /// Makes a target in this folder, and fails with what `make` says.
    pub(crate) fn target(&self, target: &str, folder: &Path, log: &Path) -> Result<()> {
        let what = format!("`make {target}` failed");
        job::run(self.command(folder)?.arg(target), log, what)
    }

    /// `make` in this folder for what is built, without its targets.
    pub(crate) fn command(&self, out: &Path) -> Result<Command> {
        // The compiler itself comes first: a `rustc` that chooses one would do that by the folder
        // that it is called in.
        let mut path = vec![self.rust.bin.clone()];
        path.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
        let mut bindgen = OsString::from("BINDGEN=");
        bindgen.push(&self.bindgen);
        let mut folder = OsString::from("O=");
        folder.push(out);

        let mut command = Command::new("make");
        for variable in VARIABLES.split(' ') {
            command.env_remove(variable);
        }
        command
            .arg("-C")
            .arg(&self.source)
            .arg(folder)
            .arg(format!("ARCH={}", self.arch.name()))
            .arg(self.llvm.make_argument())
            .arg(bindgen)
            .env("PATH", env::join_paths(path)?)
            .env("RUST_LIB_SRC", &self.library)
            .env("LIBCLANG_PATH", &self.llvm.libclang)
            .env("LC_ALL", "C")
            .stdin(Stdio::null());
        Ok(command)
    }

    /// The tools that a build depends on, beside the tree.
    pub(crate) fn fingerprint(&self) -> String {
        format!(
            "clang {} {}\nrustc {} {}\nbindgen {}\n",
            self.llvm.version,
            self.llvm.make_argument(),
            self.rust.release,
            self.rust.sysroot.display(),
            self.bindgen.display()
        )
    }
}
