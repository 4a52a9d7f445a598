// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The command line.

use cargo_devres_lazy::EDITIONS;
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use std::path::PathBuf;

const EXIT_CODES: &str = "\
Exit codes:
  0  all is well
  1  an expansion is stale, or an input is wrong; stderr says what
  2  the command line is wrong";

const EXPAND_EXAMPLES: &str = "\
Examples:
  cargo devres-lazy expand src/queue.rs
          prints the file, with everything annotated in it expanded
  cargo devres-lazy expand src/queue.rs --item Queue
          expands `Queue` and its destructor only
  cargo devres-lazy expand src/queue.rs --output src/queue_expanded.rs
          makes an expansion to be committed
  cargo devres-lazy expand src/queue.rs --edition 2024
          whatever rustfmt.toml and Cargo.toml say
  cargo devres-lazy expand --write
          refreshes all expansions below this folder

Exit codes:
  0  all is well
  1  an input is wrong; stderr says what, and nothing is printed or written
  2  the command line is wrong";

const CHECK_EXAMPLES: &str = "\
Examples:
  cargo devres-lazy check
          checks all expansions below this folder
  cargo devres-lazy check src/queue_expanded.rs drivers/
          checks a file, and all expansions in a folder

Exit codes:
  0  every expansion is what its source expands to
  1  one is not (stdout has the difference), an input is wrong, or there is none
  2  the command line is wrong";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  cargo devres-lazy completions bash > ~/.local/share/bash-completion/completions/cargo-devres-lazy
  cargo devres-lazy completions zsh > ~/.zfunc/_cargo-devres-lazy
  cargo devres-lazy completions fish > ~/.config/fish/completions/cargo-devres-lazy.fish";

/// Prints what `#[devres_lazy]` expands to, as a reviewer reads it.
#[derive(Parser)]
#[command(
    name = "cargo-devres-lazy",
    bin_name = "cargo devres-lazy",
    version,
    after_help = EXIT_CODES,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Prints a file with its annotated items expanded, or refreshes expansions that are committed.
    ///
    /// The output is the program that rustc gets from the macro, with `// SAFETY:` and other
    /// comments, formatted by rustfmt. A comment in an annotation is printed at the value that it
    /// belongs to, or at the field. An expression or a function that rustfmt cannot format keeps the
    /// author's layout.
    ///
    /// Paths are as short as the file's imports allow. If a `use` with braces has the kernel's
    /// prelude, the names that the printed code needs are added to it.
    ///
    /// The rest of the file stays as it is. An import of the attribute is removed if the file no
    /// longer uses it. An import that other files may use stays, with `#[allow(unused_imports)]` if
    /// this file no longer uses it.
    ///
    /// Rustfmt gets the edition in the nearest rustfmt.toml, or else in Cargo.toml, or else 2021.
    /// If rustfmt refuses the text in that edition, the other editions are tried. `--edition` is
    /// final: if rustfmt refuses the text in that edition, the command fails.
    ///
    /// The command fails on the attribute under another name, in a macro or in a `cfg_attr`.
    #[command(after_help = EXPAND_EXAMPLES)]
    Expand(Expand),
    /// Says which of the expansions that are committed are not what their sources expand to.
    ///
    /// An expansion is a file made by `expand --output`: it says itself what it was expanded from.
    #[command(after_help = CHECK_EXAMPLES)]
    Check(Check),
    /// Prints a script that completes commands and options in a shell.
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions(Completions),
}

#[derive(Args)]
pub(crate) struct Expand {
    /// The file to expand; with --write, expansions or folders that have some [default: .]
    #[arg(value_name = "FILE", required_unless_present = "write")]
    pub(crate) paths: Vec<PathBuf>,
    /// Only the annotated items of this name; may be given several times
    #[arg(long = "item", value_name = "NAME")]
    pub(crate) items: Vec<String>,
    /// The edition of the file [default: found as described above]
    #[arg(long, value_name = "YEAR", value_parser = EDITIONS)]
    pub(crate) edition: Option<String>,
    /// Write an expansion to be committed, which `check` and `--write` know again
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Refresh the expansions that are stale
    #[arg(long, conflicts_with_all = ["items", "edition", "output"])]
    pub(crate) write: bool,
}

#[derive(Args)]
pub(crate) struct Check {
    /// Expansions, or folders that have some
    #[arg(value_name = "PATH", default_value = ".")]
    pub(crate) paths: Vec<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Completions {
    /// Which shell
    pub(crate) shell: Shell,
}
