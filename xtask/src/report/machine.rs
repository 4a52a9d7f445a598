// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The machine and the compiler of a measurement.

use super::table::Table;
use anyhow::Result;
use std::{env::consts, fs, thread};
use xshell::{cmd, Shell};

/// The machine and the compiler, with more rows behind.
pub(crate) fn table(shell: &Shell, more: &[(&str, String)]) -> Result<Table> {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown model", |(_, model)| model);
    let cpus = thread::available_parallelism()?;

    let mut table = Table::text(["machine", ""]);
    table.push(["CPU", &format!("{model}, {}, {cpus} of them", consts::ARCH)]);
    table.push(["kernel", &cmd!(shell, "uname -sr").quiet().read()?]);
    table.push(["compiler", &cmd!(shell, "rustc --version").quiet().read()?]);
    for (name, value) in more {
        table.push([name, value.as_str()]);
    }
    Ok(table)
}
