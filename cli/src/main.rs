// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `cargo devres-lazy`: prints what `#[devres_lazy]` expands to, and keeps expansions fresh that are
//! committed instead of the macro.

mod args;

use anyhow::{bail, Context, Result};
use args::{Cli, Command, Expand};
use cargo_devres_lazy::{expand, Committed, Failure, Options, Source};
use clap::{error::ErrorKind, CommandFactory, Parser};
use std::{
    env,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    thread,
};

/// The stack that the parser needs for the deepest nesting that it allows.
const STACK: usize = 256 << 20;

fn main() -> ExitCode {
    // Cargo passes the name of the subcommand.
    let args = env::args_os()
        .enumerate()
        .filter(|(at, arg)| *at != 1 || arg != "devres-lazy")
        .map(|(_, arg)| arg);
    let cli = Cli::parse_from(args);

    let worker = thread::Builder::new()
        .stack_size(STACK)
        .spawn(move || run(cli));
    let result = worker
        .context("cannot start a thread")
        .and_then(|worker| match worker.join() {
            Ok(result) => result,
            // The panic has been printed.
            Err(_) => bail!("this is a bug in cargo-devres-lazy: please report it"),
        });

    match result {
        Ok(code) => code,
        // The reader of our output has closed the pipe, as it has read enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode> {
    match cli.command {
        Command::Expand(args) if args.write => {
            let paths = if args.paths.is_empty() {
                vec![PathBuf::from(".")]
            } else {
                args.paths
            };
            refresh(&paths)
        }
        Command::Expand(args) => print(args),
        Command::Check(args) => check(&args.paths),
        Command::Completions(args) => {
            let mut command = Cli::command().bin_name("cargo-devres-lazy");
            let mut script = Vec::new();
            clap_complete::generate(args.shell, &mut command, "cargo-devres-lazy", &mut script);
            io::stdout().write_all(&script)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// `expand FILE`
fn print(args: Expand) -> Result<ExitCode> {
    let [path] = args.paths.as_slice() else {
        Cli::command()
            .error(
                ErrorKind::TooManyValues,
                "one file at a time is expanded; with `--write`, several are refreshed",
            )
            .exit();
    };
    let options = Options {
        items: args.items,
        edition: args.edition,
    };

    let source = Source::read(path)?;
    match args.output {
        Some(output) => {
            let expansion = Committed::new(&source, &output, options)?;
            expansion.write()?;
        }
        None => io::stdout().write_all(expand(&source, &options)?.as_bytes())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// `check`
fn check(paths: &[PathBuf]) -> Result<ExitCode> {
    let found = find(paths)?;
    let (mut stale, mut wrong) = (Vec::new(), 0);

    for path in &found {
        match Committed::read(path) {
            Ok(expansion) if expansion.is_stale() => {
                io::stdout().write_all(expansion.diff().as_bytes())?;
                stale.push(path);
            }
            Ok(_) => (),
            Err(error) => {
                report(&error);
                wrong += 1;
            }
        }
    }

    for path in &stale {
        eprintln!("error: `{}` is stale", path.display());
    }
    if !stale.is_empty() {
        eprintln!("  = help: `cargo devres-lazy expand --write` refreshes stale expansions");
    }
    if stale.is_empty() && wrong == 0 {
        eprintln!(
            "{} checked: each is what its source expands to",
            found.len()
        );
        Ok(ExitCode::SUCCESS)
    } else {
        Ok(ExitCode::FAILURE)
    }
}

/// `expand --write`
fn refresh(paths: &[PathBuf]) -> Result<ExitCode> {
    let found = find(paths)?;
    let mut code = ExitCode::SUCCESS;

    for path in &found {
        let refreshed = Committed::read(path).and_then(|expansion| {
            if expansion.is_stale() {
                expansion.write()?;
                eprintln!("refreshed `{}`", path.display());
            }
            Ok(())
        });
        if let Err(error) = refreshed {
            report(&error);
            code = ExitCode::FAILURE;
        }
    }

    Ok(code)
}

/// The expansions, of which there has to be one.
fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let found = Committed::find(paths)?;
    if found.is_empty() {
        bail!(
            "there are no expansions here\n  = help: \
             `cargo devres-lazy expand SOURCE --output FILE` makes one"
        );
    }

    Ok(found)
}

/// Prints an error.
fn report(error: &anyhow::Error) {
    match error.downcast_ref::<Failure>() {
        // Has its own style.
        Some(failure) => eprintln!("{failure}"),
        None => eprintln!("error: {error:#}"),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
