// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The rows that `benches/access` prints: times, threads, first accesses, bytes.

use super::progress;
use anyhow::{
    bail,
    ensure,
    Context,
    Result, //
};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{
        BufRead,
        BufReader,
        BufWriter,
        Write, //
    },
    path::Path,
    process::{
        Command,
        Stdio, //
    },
};
use xshell::{
    cmd,
    Shell, //
};

/// The values of each measure and subject, in the order of rounds.
#[derive(Default)]
pub(crate) struct Rows(BTreeMap<(String, String), Vec<f64>>);

impl Rows {
    /// The values of a measure of a subject.
    pub(crate) fn get(&self, measure: &str, subject: &str) -> Result<&[f64]> {
        self.0
            .get(&(measure.to_owned(), subject.to_owned()))
            .map(Vec::as_slice)
            .with_context(|| format!("there are no rows of {measure} for {subject}"))
    }

    /// Adds a row, `measure,subject,round,value`.
    fn add(&mut self, row: &str) -> Result<()> {
        let fields: Vec<&str> = row.split(',').collect();
        let [measure, subject, round, value] = fields[..] else {
            bail!("not a row: {row}");
        };
        let values = self
            .0
            .entry((measure.to_owned(), subject.to_owned()))
            .or_default();

        ensure!(
            round.parse() == Ok(values.len()),
            "a round is missing before: {row}"
        );
        values.push(value.parse().with_context(|| row.to_owned())?);
        Ok(())
    }
}

/// Runs the benchmark, and keeps what it prints in `csv`.
pub(crate) fn measure(shell: &Shell, program: &Path, csv: &Path, quick: bool) -> Result<Rows> {
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
        header == "measure,subject,round,value",
        "not the header: {header}"
    );
    writeln!(csv, "{header}")?;

    let bar = progress("times", len)?;
    let mut rows = Rows::default();
    for line in lines {
        let line = line?;
        writeln!(csv, "{line}")?;
        rows.add(&line)?;
        bar.inc(1);
    }
    let printed = bar.position();
    bar.finish_and_clear();
    csv.flush()?;

    let status = child.wait()?;
    ensure!(status.success(), "the benchmark failed: {status}");
    ensure!(printed == len, "{printed} rows, and not {len}");
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_kept_by_measure_and_subject() {
        let mut rows = Rows::default();
        for row in ["ns,a,0,1.5", "ns,b,0,2", "ns,a,1,2.5"] {
            rows.add(row).unwrap();
        }

        assert_eq!(rows.get("ns", "a").unwrap(), [1.5, 2.5]);
        assert_eq!(rows.get("ns", "b").unwrap(), [2.0]);
        assert!(rows.get("ns", "c").is_err());
    }

    #[test]
    fn what_is_not_a_row_is_refused() {
        for row in ["ns,a,0", "ns,a,0,1,2", "ns,a,1,1", "ns,a,0,x", ""] {
            assert!(Rows::default().add(row).is_err(), "{row}");
        }
    }
}
