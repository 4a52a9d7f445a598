// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The machine and the compiler of a measurement.

use super::table;
use anyhow::Result;
use std::{env::consts, fs, thread};
use xshell::{cmd, Shell};

/// A table of the machine and the compiler, with more rows behind.
pub(crate) fn table(shell: &Shell, more: &[(&str, String)]) -> Result<String> {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let mut lines = cpuinfo.lines();
    let model = lines.find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown model", |(_, model)| model);
    let cpus = thread::available_parallelism()?;
    let compiler = cmd!(shell, "rustc --version").quiet().read()?;

    let rows = [
        ("machine", String::new()),
        ("CPU", format!("{model}, {}, {cpus} of them", consts::ARCH)),
        ("kernel", cmd!(shell, "uname -sr").quiet().read()?),
        ("compiler", compiler),
    ];
    let rows = rows.iter().chain(more);
    let rows: Vec<_> = rows
        .map(|(name, value)| vec![(*name).to_owned(), value.clone()])
        .collect();
    Ok(table::text(&rows))
}
