// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `cargo xtask kernel doctor`: what is missing.

use super::{
    apt,
    arch::Arch,
    cache::{size, Cache},
    linux,
    machine::{self, Check, State},
    tools::{self, Rust},
};
use anyhow::{ensure, Result};
use xshell::Shell;

/// The disk space for everything, in mebibytes.
const SPACE: u64 = 6 * 1024;

/// Prints a line for each thing that `test` and `lint` need, and fails if the user has to do
/// something.
pub(crate) fn run(shell: &Shell) -> Result<()> {
    let cache = Cache::open()?;
    let mut checks = machine::machine(Arch::X86);
    checks.extend(machine::linters(shell)?);
    let install = machine::install_command(&checks);
    checks.extend(downloads(shell, &cache)?);
    let free = cache.free()?;
    let here = cache.path("");
    let space = State::Missing(format!(
        "{} are needed: remove something, or set DEVRES_LAZY_CACHE",
        size(SPACE)
    ));
    let what = format!("{} free in {}", size(free), here.display());
    checks.push(Check::new(what, free >= SPACE, space));

    let mut missing = 0;
    for Check { what, state } in checks {
        match state {
            State::Here => println!("ok       {what}"),
            State::ToGet(how) => println!("later    {what}: `test` {how}"),
            State::Packages(packages) => {
                missing += 1;
                println!("MISSING  {what}: `apt-get install {packages}`");
            }
            State::Missing(what_to_do) => {
                missing += 1;
                println!("MISSING  {what}: {what_to_do}");
            }
        }
    }
    if let Some((_, command)) = install {
        println!("\nAll packages at once: `{command}`");
    }
    ensure!(missing == 0, "{missing} things are missing");
    Ok(())
}

/// Whether what is downloaded or built is here, or how it will be got.
fn downloads(shell: &Shell, cache: &Cache) -> Result<Vec<Check>> {
    let rust = Rust::find(shell)?;
    let bindgen = match tools::bindgen_here(cache) {
        Some((program, version)) => Check::new(
            format!("bindgen {version}, {}", program.display()),
            true,
            State::Here,
        ),
        None => Check {
            what: format!("bindgen {} or newer", tools::BINDGEN_MINIMUM),
            state: State::ToGet(format!("builds bindgen-cli {}", tools::BINDGEN)),
        },
    };
    let library = match rust.library_here(cache) {
        Some(library) => Check {
            what: format!("the sources of Rust's library, {}", library.display()),
            state: State::Here,
        },
        None => Check {
            what: format!("the sources of Rust's library {}", rust.release),
            state: package("rust-src", "`rustup component add rust-src`"),
        },
    };
    let linux = match linux::here(cache)? {
        Some(tree) => Check {
            what: format!("Linux, {}", tree.display()),
            state: State::Here,
        },
        None => Check {
            what: "Linux".to_owned(),
            state: package(linux::PACKAGE, "name a tree: `--linux DIR`"),
        },
    };

    let compiler = Check::new(format!("rustc {}", rust.release), true, State::Here);
    Ok(vec![compiler, bindgen, library, linux])
}

/// How a package will be got, or what to do instead.
fn package(name: &str, instead: &str) -> State {
    let tools = ["apt-get", "apt-cache", "dpkg-deb"];
    match apt::Mirror::find() {
        Ok(mirror) if tools.iter().all(|tool| tools::which(tool).is_some()) => State::ToGet(
            format!("downloads {name} of {} from {}", apt::SUITE, mirror.uri),
        ),
        Ok(_) => State::Missing(format!("{instead}; there is no APT to get {name} with")),
        Err(error) => State::Missing(format!("{instead}; {error:#}")),
    }
}
