// SPDX-License-Identifier: Apache-2.0 OR MIT

//! How a command ends, when that is not simply well or badly.

use anyhow::Error;
use std::{fmt, process::ExitCode};

/// The exit statuses, for people.
pub(crate) const HELP: &str = "\
Exit status:
  0  all is as it has to be
  1  something is not, or a build has failed
  2  wrong usage
  3  skipped: something cannot be downloaded, or is not here, which says nothing about the code";

/// The exit status of what was skipped.
pub(crate) const SKIPPED: i32 = 3;

/// An error with an exit status of its own. All others exit with 1.
#[derive(Debug)]
pub(crate) enum Exit {
    /// Exits with 2, as Clap does: nothing was tried.
    Usage(String),
    /// Exits with [`SKIPPED`]: something could not be downloaded, or is not here, which
    /// says nothing about the code.
    Skipped(String),
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) | Self::Skipped(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Exit {}

/// Prints why a command has stopped, and returns the exit status for it.
pub(crate) fn report(error: &Error) -> ExitCode {
    match error.downcast_ref() {
        Some(Exit::Usage(_)) => {
            eprintln!("Error: {error:#}");
            ExitCode::from(2)
        }
        Some(Exit::Skipped(_)) => {
            println!("skipped: {error:#}");
            ExitCode::from(3)
        }
        None => {
            // Without a backtrace, which RUST_BACKTRACE would add to `{error:?}`.
            eprintln!("Error: {error}");
            for cause in error.chain().skip(1) {
                eprintln!("  caused by: {cause}");
            }
            ExitCode::FAILURE
        }
    }
}
