// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A printed file compiles as its source does, with no other warning. The program has the same
//! output and exit status, with every `cfg` of the file off, and on.
//!
//! The programs are those of `tests/files`, `tests/ui/pass` and `tests/expand`. A line
//! `//@ edition: 2024` in one says of which edition it is.

#[path = "support/in_a_macro.rs"]
mod in_a_macro;
#[path = "support/printable.rs"]
mod printable;
#[path = "runs/program.rs"]
mod program;
#[path = "runs/workspace.rs"]
mod workspace;

use anyhow::{ensure, Result};
use cargo_devres_lazy::comments;
use in_a_macro::IN_A_MACRO;
use program::Program;
use std::{
    collections::BTreeMap,
    io::{self, Write},
    path::Path,
};
use workspace::{Form, Workspace};

/// The programs of a folder.
fn programs(folder: &str) -> Result<Vec<Program>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut programs = Vec::new();
    for entry in folder.read_dir()? {
        let path = entry?.path();
        let name = path.to_string_lossy();
        let is_macros = IN_A_MACRO.iter().any(|it| path.ends_with(it));
        if name.ends_with(".rs") && !name.ends_with(".expanded.rs") && !is_macros {
            programs.push(Program::read(&path)?);
        }
    }
    programs.sort_by(|a, b| a.name.cmp(&b.name));

    Ok(programs)
}

#[test]
fn what_is_printed_compiles_and_does_the_same() -> Result<()> {
    let mut all = programs("tests/files")?;
    let own = all.len();
    all.extend(programs("../tests/ui/pass")?);
    all.extend(programs("../tests/expand")?);
    ensure!(own > 10 && all.len() > 70, "there are only {}", all.len());

    let mut wrong = BTreeMap::new();
    for program in &all {
        let said = |what: &str| format!("{what}\n{}", program.printed);
        if let Some(lost) = lost_comment(program) {
            wrong.insert(program.name.clone(), said(&format!("`{lost}` is lost")));
        }
        if program.printed.contains("self. ") || program.printed.contains("if let::") {
            wrong.insert(program.name.clone(), said("this is not formatted"));
        }
    }

    let workspace = Workspace::write(&all)?;
    let built = workspace.build()?;
    let (mut compiled, mut runs) = (0, 0);
    for (program, flavor) in workspace::builds(&all) {
        let [source, printed] = [Form::Source, Form::Printed].map(|form| {
            let name = workspace::binary(program, flavor, form);
            let messages = built.get(&name).cloned().unwrap_or_default();
            (name, messages)
        });
        let mut new = printed.1.clone();
        new.retain(|message| !message.is_minded_in_print());
        for message in &source.1 {
            if let Some(at) = new.iter().position(|it| it.is_same(message)) {
                new.remove(at);
            }
        }
        let what = format!("{}, {flavor:?}", program.name);
        if let Some(error) = source.1.iter().find(|message| message.is_error()) {
            wrong.insert(what, format!("the source: {}", error.rendered));
            continue;
        }
        if let Some(message) = new.first() {
            wrong.insert(what, message.rendered.clone());
            continue;
        }
        compiled += 1;

        let [source, printed] = [source, printed].map(|(name, _)| workspace.run(&name));
        let (source, printed) = (source?, printed?);
        runs += 1;
        if source != printed {
            wrong.insert(what, format!("{printed:?}\ninstead of\n{source:?}"));
        }
    }

    // Also where the harness keeps what tests print.
    let mut stderr = io::stderr();
    let count = all.len();
    writeln!(
        stderr,
        "{count} files printed; {compiled} builds of them compiled, {runs} run"
    )?;
    for (name, what) in &wrong {
        writeln!(stderr, "{name}: {what}\n")?;
    }
    ensure!(wrong.is_empty(), "{:?}", wrong.keys());
    Ok(())
}

/// A comment of the source that is not in print.
fn lost_comment(program: &Program) -> Option<String> {
    let words = |text: &str| -> Vec<String> {
        let comments = comments(text).unwrap_or_default();
        let words = |comment: &str| comment.split_whitespace().collect();
        comments.into_iter().map(words).collect()
    };
    let mut printed = words(&program.printed);

    words(&program.text).into_iter().find(|comment| {
        let at = printed.iter().position(|printed| printed == comment);
        at.map(|at| printed.swap_remove(at)).is_none()
    })
}
