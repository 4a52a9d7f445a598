// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The command: what it says of input that is wrong, with which status it ends, and what it writes.
//!
//! `tests/bad/<case>.rs` cannot be expanded, and `<case>.stderr` says why. `BLESS=1` rewrites those.

use anyhow::{ensure, Context, Result};
use std::{
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};
use tempfile::TempDir;

/// A source that can be expanded, for tests of other errors.
const SOURCE: &str = include_str!("../../tests/expand/init_field.rs");

/// Runs the command in a folder.
fn run<S: AsRef<OsStr>>(folder: &Path, args: impl IntoIterator<Item = S>) -> Result<Output> {
    Ok(Command::new(env!("CARGO_BIN_EXE_cargo-devres-lazy"))
        // As cargo does.
        .arg("devres-lazy")
        .args(args)
        .current_dir(folder)
        .output()?)
}

/// Runs the command, which has to end with this status, and not to print anything if it fails.
fn ends(folder: &Path, args: &[&str], code: i32) -> Result<String> {
    let output = run(folder, args)?;
    let stderr = String::from_utf8(output.stderr)?;

    ensure!(
        output.status.code() == Some(code),
        "{args:?}: {}\n{stderr}",
        output.status
    );
    if code == 0 {
        return Ok(String::from_utf8(output.stdout)?);
    }
    Ok(stderr)
}

/// A folder with a source and an expansion of it.
fn folder() -> Result<TempDir> {
    let folder = TempDir::new()?;
    fs::create_dir(folder.path().join("src"))?;
    fs::write(folder.path().join("src/queue.rs"), SOURCE)?;
    ends(
        folder.path(),
        &["expand", "src/queue.rs", "--output", "expanded.rs"],
        0,
    )?;

    Ok(folder)
}

#[test]
fn bad_input() -> Result<()> {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad");
    let mut count = 0;

    for entry in fs::read_dir(&cases)? {
        let path = entry?.path();
        let name = path.file_name().context("no name")?;
        if path.extension() != Some(OsStr::new("rs")) {
            continue;
        }
        count += 1;

        let output = run(&cases, [OsStr::new("expand"), name])?;
        let said = String::from_utf8(output.stderr)?;
        ensure!(
            output.status.code() == Some(1),
            "{name:?}: {}",
            output.status
        );
        ensure!(output.stdout.is_empty(), "{name:?}: something is printed");

        let expected = path.with_extension("stderr");
        if env::var_os("BLESS").is_some() {
            fs::write(expected, said)?;
        } else {
            let expected = fs::read_to_string(expected).unwrap_or_default();
            ensure!(said == expected, "{name:?} says:\n{said}");
        }
    }

    ensure!(count > 9, "there are only {count} cases");
    Ok(())
}

#[test]
fn what_cannot_be_read() -> Result<()> {
    let folder = TempDir::new()?;
    let path = folder.path();
    fs::write(path.join("a.rs"), b"fn main() {}\n// \xff\xfe\n")?;

    let said = ends(path, &["expand", "a.rs"], 1)?;
    ensure!(
        said == "error: this is not UTF-8\n --> a.rs:2:4\n  |\n2 | // \u{fffd}\u{fffd}\n  |    ^\n",
        "{said}"
    );
    let said = ends(path, &["expand", "b.rs"], 1)?;
    ensure!(said.starts_with("error: cannot read `b.rs`: "), "{said}");
    let said = ends(path, &["check", "b.rs"], 1)?;
    ensure!(said.starts_with("error: cannot read `b.rs`: "), "{said}");
    Ok(())
}

#[test]
fn the_source_is_not_overwritten() -> Result<()> {
    let folder = folder()?;
    let path = folder.path();
    fs::create_dir(path.join("other"))?;
    #[cfg(unix)]
    std::os::unix::fs::symlink("src/queue.rs", path.join("link.rs"))?;

    for output in ["src/queue.rs", "./other/../src/queue.rs", "link.rs"] {
        if !path.join(output).exists() {
            continue;
        }
        let said = ends(path, &["expand", "src/queue.rs", "--output", output], 1)?;
        ensure!(
            said == format!(
                "error: `{output}` is the source itself\n  = help: write the expansion to another \
                 file\n"
            ),
            "{said}"
        );
        ensure!(
            fs::read_to_string(path.join("src/queue.rs"))? == SOURCE,
            "{output}: the source is lost"
        );
    }
    Ok(())
}

#[test]
fn without_rustfmt() -> Result<()> {
    let folder = folder()?;
    let output = Command::new(env!("CARGO_BIN_EXE_cargo-devres-lazy"))
        .args(["expand", "src/queue.rs"])
        .env("RUSTFMT", "no-rustfmt-here")
        .current_dir(folder.path())
        .output()?;

    let said = String::from_utf8(output.stderr)?;
    ensure!(output.status.code() == Some(1), "{}", output.status);
    ensure!(
        said.contains("`no-rustfmt-here` is not installed")
            && said.contains("`rustup component add rustfmt`"),
        "{said}"
    );
    Ok(())
}

#[test]
fn options() -> Result<()> {
    let folder = folder()?;
    let path = folder.path();

    let said = ends(path, &["expand", "src/queue.rs", "--item", "Ring"], 1)?;
    ensure!(said.contains("no annotated item `Ring`"), "{said}");
    ensure!(said.contains("there is `Queue`"), "{said}");
    ends(path, &["expand"], 2)?;
    ends(path, &["expand", "src/queue.rs", "src/queue.rs"], 2)?;
    ends(path, &["expand", "--write", "--item", "Queue"], 2)?;
    ends(path, &["expand", "--help"], 0)?;
    for shell in ["bash", "zsh", "fish"] {
        let script = ends(path, &["completions", shell], 0)?;
        ensure!(script.contains("completions"), "{shell}: {script}");
    }
    Ok(())
}

/// A chain of conditions is of the edition of 2024; a function called `gen` is of those before.
#[test]
fn editions() -> Result<()> {
    let folder = TempDir::new()?;
    let path = folder.path();
    let with = |init: &str| SOURCE.replace("init = Table,", &format!("init = {init},"));
    let chain = with("if let Some(a) = b && a == 1 { Table } else { Table }");
    fs::write(path.join("new.rs"), &chain)?;
    fs::write(path.join("old.rs"), with("gen(Table)"))?;
    fs::write(
        path.join("none.rs"),
        with("{ let gen = if let Some(a) = b && c { 1 } else { 2 }; Table }"),
    )?;

    // Nothing says which edition it is, or the wrong one.
    for manifest in [None, Some("2015"), Some("2021"), Some("2024")] {
        if let Some(edition) = manifest {
            let text = format!("[package]\nedition = \"{edition}\"\n");
            fs::write(path.join("Cargo.toml"), text)?;
        }
        let new = ends(path, &["expand", "new.rs"], 0)?;
        ensure!(
            new.contains("\n                if let Some(a) = b\n"),
            "{manifest:?}: {new}"
        );
        let old = ends(path, &["expand", "old.rs"], 0)?;
        ensure!(old.contains("Ok(gen(Table))"), "{manifest:?}: {old}");
        // Nor can rustfmt tell; the rest has its layout.
        let none = ends(path, &["expand", "none.rs"], 0)?;
        ensure!(
            none.contains("Ok({ let gen = if let Some(a) = b && c { 1 }"),
            "{none}"
        );
        ensure!(none.contains("\n        // Fast path: "), "{none}");
    }

    // It is said, and remembered.
    for edition in ["2015", "2018", "2021"] {
        let said = ends(path, &["expand", "new.rs", "--edition", edition], 1)?;
        let error = format!("error: `new.rs` is not of edition {edition}, says `rustfmt`: ");
        ensure!(
            said.starts_with(&error) && said.contains("without `--edition`"),
            "{said}"
        );
        ends(path, &["expand", "old.rs", "--edition", edition], 0)?;
    }
    let said = ends(path, &["expand", "old.rs", "--edition", "2024"], 1)?;
    ensure!(said.contains("not of edition 2024"), "{said}");
    ends(
        path,
        &["expand", "new.rs", "--edition", "2024", "-o", "expanded.rs"],
        0,
    )?;
    let text = fs::read_to_string(path.join("expanded.rs"))?;
    ensure!(
        text.contains("by cargo-devres-lazy --edition 2024; "),
        "{text}"
    );
    ends(path, &["check"], 0)?;
    ends(path, &["expand", "new.rs", "--edition", "24"], 2)?;
    ends(path, &["expand", "--write", "--edition", "2024"], 2)?;
    Ok(())
}

/// A file of rustfmt's that is wrong is not passed over.
#[test]
fn configuration_of_rustfmt() -> Result<()> {
    let folder = folder()?;
    let path = folder.path();

    let wide = ends(path, &["expand", "src/queue.rs"], 0)?;
    fs::write(path.join("rustfmt.toml"), "max_width = 60\n")?;
    let narrow = ends(path, &["expand", "src/queue.rs"], 0)?;
    ensure!(narrow.lines().count() > wide.lines().count(), "{narrow}");
    fs::write(path.join("rustfmt.toml"), "max_width = \"wide\"\n")?;
    let said = ends(path, &["expand", "src/queue.rs"], 1)?;
    ensure!(said.contains("`rustfmt` has failed: "), "{said}");
    Ok(())
}

#[test]
fn the_header_is_behind_the_shebang() -> Result<()> {
    let folder = TempDir::new()?;
    let path = folder.path();

    for (first, is_shebang) in [
        ("#! /usr/bin/env run\n", true),
        ("#!/bin/run [a]\n", true),
        ("#! // Not yet.\n[allow(dead_code)]\n", false),
        ("#![allow(dead_code)]\n", false),
    ] {
        fs::write(path.join("queue.rs"), format!("{first}{SOURCE}"))?;
        ends(path, &["expand", "queue.rs", "-o", "expanded.rs"], 0)?;
        let text = fs::read_to_string(path.join("expanded.rs"))?;
        let rest = if is_shebang {
            text.strip_prefix(first)
                .context(first)?
                .split_once('\n')
                .context("lines")?
                .1
        } else {
            &text
        };
        ensure!(rest.starts_with("// Expanded from queue.rs by "), "{text}");
        ends(path, &["check"], 0)?;
    }
    Ok(())
}

#[test]
fn fresh_and_stale() -> Result<()> {
    let folder = folder()?;
    let path = folder.path();
    let expanded = path.join("expanded.rs");
    let fresh = fs::read_to_string(&expanded)?;
    ensure!(
        fresh.contains("\n// Expanded from src/queue.rs by cargo-devres-lazy; "),
        "{fresh}"
    );
    ends(path, &["check"], 0)?;
    ends(path, &["check", "expanded.rs", "."], 0)?;

    // The source has changed.
    fs::write(
        path.join("src/queue.rs"),
        SOURCE.replace("pub struct Queue", "pub struct Ring"),
    )?;
    let output = run(path, ["check"])?;
    let diff = String::from_utf8(output.stdout)?;
    ensure!(output.status.code() == Some(1), "{}", output.status);
    ensure!(
        diff.contains("\n-pub struct Queue {\n+pub struct Ring {\n"),
        "{diff}"
    );
    ensure!(
        String::from_utf8(output.stderr)?.contains("`expanded.rs` is stale"),
        "not said"
    );
    ensure!(
        fs::read_to_string(&expanded)? == fresh,
        "`check` has written"
    );

    ends(path, &["expand", "--write"], 0)?;
    ends(path, &["check"], 0)?;
    ensure!(
        fs::read_to_string(&expanded)? == fresh.replace("Queue", "Ring"),
        "not refreshed"
    );
    Ok(())
}

#[test]
fn nothing_is_written_by_halves() -> Result<()> {
    let folder = folder()?;
    let path = folder.path();
    let fresh = fs::read_to_string(path.join("expanded.rs"))?;

    // An error in the source leaves the expansion alone, and no other file behind.
    fs::write(
        path.join("src/queue.rs"),
        SOURCE.replace("device =", "devise ="),
    )?;
    for args in [
        ["expand", "--write", "expanded.rs", "."].as_slice(),
        ["expand", "src/queue.rs", "-o", "expanded.rs"].as_slice(),
        ["check"].as_slice(),
    ] {
        let said = ends(path, args, 1)?;
        ensure!(said.contains("did you mean `device`?"), "{said}");
        ensure!(
            said.contains("note: `expanded.rs` is expanded from") != args.contains(&"-o"),
            "{said}"
        );
    }
    ensure!(
        fs::read_to_string(path.join("expanded.rs"))? == fresh,
        "overwritten"
    );
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(path)? {
        files.push(entry?.path());
    }
    ensure!(files.len() == 2, "{files:?}");

    fs::remove_file(path.join("src/queue.rs"))?;
    for args in [["check"].as_slice(), ["expand", "--write"].as_slice()] {
        let said = ends(path, args, 1)?;
        ensure!(
            said.starts_with("error: cannot read `src/queue.rs`: ")
                && said.ends_with("\n  = note: `expanded.rs` is expanded from this file\n"),
            "{said}"
        );
    }
    Ok(())
}

#[test]
fn what_cannot_be_written() -> Result<()> {
    let folder = folder()?;
    let path = folder.path();

    for (output, missing) in [
        ("none/a.rs", "none"),
        ("src/none/deep/a.rs", "src/none/deep"),
        ("expanded.rs/a.rs", "expanded.rs"),
    ] {
        let said = ends(path, &["expand", "src/queue.rs", "-o", output], 1)?;
        ensure!(
            said == format!(
                "error: cannot write `{output}`: there is no folder `{missing}`\n  = help: make \
                 the folder first\n"
            ),
            "{said}"
        );
    }

    // The folder is there, and no file can be made in it.
    let said = ends(
        path,
        &["expand", "src/queue.rs", "-o", "/proc/self/a.rs"],
        1,
    )?;
    ensure!(
        said.starts_with("error: cannot write `/proc/self/a.rs`: ") && !said.contains("tmp"),
        "{said}"
    );
    Ok(())
}

#[test]
fn options_are_remembered() -> Result<()> {
    let folder = TempDir::new()?;
    let path = folder.path();
    fs::write(path.join("queue.rs"), SOURCE)?;

    let args = ["expand", "queue.rs", "--item", "Queue", "-o", "expanded.rs"];
    ends(path, &args, 0)?;
    let text = fs::read_to_string(path.join("expanded.rs"))?;
    ensure!(
        text.contains("by cargo-devres-lazy --item Queue; "),
        "{text}"
    );
    ensure!(text.contains("    table: Lazy<Table>,"), "{text}");
    ends(path, &["check"], 0)?;
    Ok(())
}

#[test]
fn what_is_no_expansion() -> Result<()> {
    let folder = folder()?;
    let path = folder.path();

    let said = ends(path, &["check", "src/queue.rs"], 1)?;
    ensure!(
        said.contains("does not say what it was expanded from"),
        "{said}"
    );
    let said = ends(path, &["check", "src"], 1)?;
    ensure!(said.contains("there are no expansions"), "{said}");
    Ok(())
}

#[cfg(unix)]
#[test]
fn permissions_are_kept() -> Result<()> {
    use std::os::unix::fs::PermissionsExt;

    let folder = folder()?;
    let path = folder.path().join("expanded.rs");
    let mode = || -> Result<u32> { Ok(fs::metadata(&path)?.permissions().mode() & 0o777) };
    ensure!(mode()? & 0o444 != 0o400, "only the owner may read it");

    fs::set_permissions(&path, fs::Permissions::from_mode(0o640))?;
    fs::write(
        folder.path().join("src/queue.rs"),
        SOURCE.replace("Queue", "Ring"),
    )?;
    ends(folder.path(), &["expand", "--write"], 0)?;
    ensure!(mode()? == 0o640, "{:o}", mode()?);
    Ok(())
}
