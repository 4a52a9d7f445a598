// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The layout: that of the toolchain's rustfmt, as it would be in the file.

use crate::edition;
use anyhow::{
    bail,
    Context,
    Result, //
};
use std::{
    env,
    ffi::OsString,
    io::{
        ErrorKind,
        Write, //
    },
    path::Path,
    process::{
        Command,
        Stdio, //
    },
    thread,
};

/// How far rustfmt indents.
const TAB: usize = 4;

/// Formats items as if they stood in the file at `path` behind `indent`, which is also what their
/// lines but the first one begin with then.
pub(crate) fn items(text: &str, indent: &str, path: &Path) -> Result<String> {
    let depth = indent.replace('\t', "    ").len() / TAB;
    let wrapped = format!(
        "{}{text}\n{}",
        "mod m {\n".repeat(depth),
        "}\n".repeat(depth)
    );
    let formatted = run(&wrapped, path)?;

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

    Ok(items)
}

/// Pipes text through rustfmt, with the configuration and the edition of the file at `path`.
fn run(text: &str, path: &Path) -> Result<String> {
    // As cargo has it.
    let rustfmt = env::var_os("RUSTFMT").unwrap_or_else(|| OsString::from("rustfmt"));
    // That of a file which is not there yet may not be there either.
    let directory = path.ancestors().skip(1).find(|parent| parent.is_dir());

    let child = Command::new(&rustfmt)
        .args(["--quiet", "--emit", "stdout", "--edition"])
        .arg(edition::of(path))
        .current_dir(directory.unwrap_or(Path::new(".")))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match child {
        Err(error) if error.kind() == ErrorKind::NotFound => bail!(
            "`{}` is not installed: expansions are formatted by it\n\
             help: `rustup component add rustfmt`",
            rustfmt.to_string_lossy()
        ),
        child => child.with_context(|| format!("cannot run `{}`", rustfmt.to_string_lossy()))?,
    };

    let mut stdin = child.stdin.take().context("rustfmt has no input")?;
    let output = thread::scope(|scope| {
        // If rustfmt ends before it has read everything, its status says why.
        scope.spawn(move || stdin.write_all(text.as_bytes()));
        child.wait_with_output()
    })?;

    if !output.status.success() {
        bail!(
            "`{}` has failed ({}): {}\n\
             help: `rustup component add rustfmt`, if it is missing",
            rustfmt.to_string_lossy(),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    String::from_utf8(output.stdout).context("rustfmt has not written UTF-8")
}
