// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What a measurement was made on.

use super::callgrind;
use anyhow::Result;
use std::{
    env::consts,
    fs,
    thread, //
};
use xshell::{
    cmd,
    Shell, //
};

/// The machine, and the tools.
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cpus: usize,
    pub(crate) kernel: String,
    pub(crate) rustc: String,
    pub(crate) valgrind: String,
}

impl Machine {
    /// Asks for it all.
    pub(crate) fn new(shell: &Shell) -> Result<Self> {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpuinfo
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
            .map_or("unknown model", |(_, model)| model);

        Ok(Self {
            cpu: format!("{model}, {}", consts::ARCH),
            cpus: thread::available_parallelism()?.get(),
            kernel: cmd!(shell, "uname -sr").quiet().read()?,
            rustc: cmd!(shell, "rustc --version").quiet().read()?,
            valgrind: callgrind::version(shell).unwrap_or_else(|| "no Valgrind".to_owned()),
        })
    }
}
