// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `cargo xtask kernel doctor`: what is missing.

use super::{
    cache::{
        size,
        Cache, //
    },
    tools::{
        self,
        State, //
    },
};
use anyhow::{
    ensure,
    Result, //
};
use xshell::Shell;

/// What everything takes, in mebibytes.
const SPACE: u64 = 6 * 1024;

/// Prints a line for each thing that `test` and `lint` need, and fails if somebody has to do
/// something.
pub(crate) fn run(shell: &Shell) -> Result<()> {
    let cache = Cache::open()?;
    let mut machine = tools::machine();
    machine.extend(tools::linters(shell)?);
    let install = tools::install_command(&machine);
    let mut missing = 0;

    for check in machine.into_iter().chain(tools::downloads(shell, &cache)?) {
        let what = check.what;
        match check.state {
            State::Here => println!("ok       {what}"),
            State::ToGet(how) => println!("later    {what}: `test` {how}"),
            State::Package(packages) => {
                missing += 1;
                println!("MISSING  {what}: `apt-get install {}`", packages.join(" "));
            }
            State::Missing(what_to_do) => {
                missing += 1;
                println!("MISSING  {what}: {what_to_do}");
            }
        }
    }

    let free = cache.free()?;
    let here = cache.path("");
    if free >= SPACE {
        println!("ok       {} free in {}", size(free), here.display());
    } else {
        missing += 1;
        println!(
            "MISSING  {} free in {}, there are {}: remove something, or set DEVRES_LAZY_CACHE",
            size(SPACE),
            here.display(),
            size(free)
        );
    }

    if let Some((_, command)) = install {
        println!("\nAll packages at once: `{command}`");
    }
    ensure!(missing == 0, "{missing} things are missing");
    Ok(())
}
