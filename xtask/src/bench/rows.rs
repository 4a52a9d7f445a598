// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Runs `benches/access`, which prints rows: times, threads, first accesses, bytes.

use super::object::progress;
use crate::report::rows;
use anyhow::{ensure, Context, Result};
use std::{
    fs::File,
    io::{BufRead, BufReader, BufWriter, Write},
    path::Path,
    process::{Command, Stdio},
};
use xshell::{cmd, Shell};

/// The values of each measure and object.
pub(super) type Rows = rows::Rows<2>;

/// Adds a row, `measure,object,round,value`.
fn add(rows: &mut Rows, text: &str) -> Result<()> {
    let row: rows::Row<2> = text.parse()?;
    let before = rows.0.iter().filter(|other| other.what == row.what).count();

    ensure!(row.round == before, "a round is missing before: {text}");
    rows.0.push(row);
    Ok(())
}

/// Runs the benchmark, and keeps its output in `csv`.
pub(super) fn measure(shell: &Shell, program: &Path, csv: &Path, quick: bool) -> Result<Rows> {
    let quick = quick.then_some("--quick");
    let mut child = Command::from(cmd!(shell, "{program} measure {quick...}"))
        .stdout(Stdio::piped())
        .spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
    let mut csv = BufWriter::new(File::create(csv)?);

    let len = lines
        .next()
        .context("the benchmark has printed nothing")??
        .strip_prefix("# ")
        .and_then(|line| line.strip_suffix(" rows")?.parse().ok())
        .context("the benchmark has not said how many rows there are")?;
    let header = lines
        .next()
        .context("the benchmark has not printed a header")??;
    ensure!(
        header == "measure,object,round,value",
        "not the header: {header}"
    );
    writeln!(csv, "{header}")?;

    let bar = progress("times", len)?;
    let mut rows = Rows::default();
    for line in lines {
        let line = line?;
        writeln!(csv, "{line}")?;
        add(&mut rows, &line)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    csv.flush()?;

    let status = child.wait()?;
    ensure!(status.success(), "the benchmark failed: {status}");
    let printed = rows.0.len() as u64;
    ensure!(printed == len, "{printed} rows, and not {len}");
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_round_is_missing() {
        let mut rows = Rows::default();
        for row in ["ns,a,0,1.5", "ns,b,0,2", "ns,a,1,2.5"] {
            add(&mut rows, row).unwrap();
        }

        assert!(add(&mut rows, "ns,a,3,1").is_err());
        assert!(add(&mut rows, "ns,c,1,1").is_err());
    }
}
