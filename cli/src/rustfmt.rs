// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The layout: that of the toolchain's rustfmt, as it would be in the file.

use crate::edition;
use anyhow::{bail, Context, Result};
use std::{
    env,
    ffi::OsString,
    io::{ErrorKind, Write},
    path::Path,
    process::{Command, Stdio},
    thread,
};

/// How far rustfmt indents.
const TAB: usize = 4;

/// Options that keep rustfmt from changing more than the layout, and set the line ends of edits.
const LAYOUT_ONLY: &str = "merge_derives=false,reorder_imports=false,reorder_modules=false,\
    force_explicit_abi=false,remove_nested_parens=false,use_field_init_shorthand=false,\
    use_try_shorthand=false,newline_style=Unix";

/// The options for an import: in rustfmt's own layout, an import has rustfmt's order as well.
const IMPORT: &str = "newline_style=Unix";

/// The toolchain's rustfmt, for one file.
pub(crate) struct Rustfmt<'a> {
    program: OsString,
    path: &'a Path,
    editions: Vec<String>,
    /// Whether the edition was asked for.
    is_given: bool,
}

impl<'a> Rustfmt<'a> {
    /// For the file at `path`, of an edition that may be given.
    pub(crate) fn new(path: &'a Path, edition: Option<&str>) -> Self {
        Self {
            // As cargo has it.
            program: env::var_os("RUSTFMT").unwrap_or_else(|| OsString::from("rustfmt")),
            path,
            editions: edition::candidates(path, edition),
            is_given: edition.is_some(),
        }
    }

    /// Formats items as if they stood in the file behind `indent`, which is also what their lines
    /// but the first one begin with then. [`None`] if rustfmt refuses the text.
    pub(crate) fn items(&self, text: &str, indent: &str) -> Result<Option<String>> {
        self.indented(text, indent, LAYOUT_ONLY)
    }

    /// Formats a `use`, as [`items()`](Self::items) does, and sorts the names in it.
    pub(crate) fn import(&self, text: &str, indent: &str) -> Result<Option<String>> {
        self.indented(text, indent, IMPORT)
    }

    /// Formats items with these options.
    fn indented(&self, text: &str, indent: &str, config: &str) -> Result<Option<String>> {
        let depth = indent.replace('\t', "    ").len() / TAB;
        let wrapped = format!(
            "{}{text}\n{}",
            "mod m {\n".repeat(depth),
            "}\n".repeat(depth)
        );
        let Some(formatted) = self.format(&wrapped, config)? else {
            return Ok(None);
        };

        let lines: Vec<_> = formatted.lines().collect();
        let lines = lines
            .get(depth..lines.len() - depth.min(lines.len()))
            .context("rustfmt has lost what it was given")?;
        let first = lines.first().copied().unwrap_or_default();
        let rustfmts_indent = &first[..first.len() - first.trim_start().len()];

        let mut items = String::new();
        for (number, line) in lines.iter().enumerate() {
            let rest = line.strip_prefix(rustfmts_indent).unwrap_or(line);
            if number > 0 {
                items.push('\n');
                items.push_str(if rest.is_empty() { "" } else { indent });
            }
            items.push_str(rest);
        }

        Ok(Some(items))
    }

    /// Formats a text, in the first edition that it can be of.
    fn format(&self, text: &str, config: &str) -> Result<Option<String>> {
        let mut complaint = None;
        for edition in &self.editions {
            match self.run(&["--edition", edition, "--config", config], text)? {
                Ok(formatted) => return Ok(Some(formatted)),
                Err(said) => complaint = complaint.or(Some(said)),
            }
        }

        let program = self.program.to_string_lossy();
        let complaint = complaint.unwrap_or_default();
        // Is it missing from the toolchain, or is its configuration wrong?
        if self.run(&["--config", config], "")?.is_err() {
            bail!(
                "`{program}` has failed: {complaint}\n\
                 help: `rustup component add rustfmt`, if it is missing"
            );
        }
        if self.is_given {
            bail!(
                "`{}` is not of edition {}, says `{program}`: {complaint}\n\
                 help: without `--edition`, all editions are tried",
                self.path.display(),
                self.editions.join(", ")
            );
        }
        Ok(None)
    }

    /// Pipes text through rustfmt, with the configuration of the file. It may fail, and say why.
    fn run(&self, args: &[&str], text: &str) -> Result<Result<String, String>> {
        let program = self.program.to_string_lossy();
        // The folder of a file that does not exist yet may not exist either.
        let directory = self.path.ancestors().skip(1).find(|parent| parent.is_dir());

        let child = Command::new(&self.program)
            .args(["--quiet", "--emit", "stdout"])
            .args(args)
            .current_dir(directory.unwrap_or(Path::new(".")))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = match child {
            Err(error) if error.kind() == ErrorKind::NotFound => bail!(
                "`{program}` is not installed: expansions are formatted by it\n\
                 help: `rustup component add rustfmt`"
            ),
            child => child.with_context(|| format!("cannot run `{program}`"))?,
        };

        let mut stdin = child.stdin.take().context("rustfmt has no input")?;
        let output = thread::scope(|scope| {
            // If rustfmt ends before it has read everything, its status says why.
            scope.spawn(move || stdin.write_all(text.as_bytes()));
            child.wait_with_output()
        })?;

        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Ok(Err(said.trim().to_owned()));
        }
        let text = String::from_utf8(output.stdout).context("rustfmt has not written UTF-8")?;
        Ok(Ok(text))
    }
}
