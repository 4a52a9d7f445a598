// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Counts what a kernel has executed, from what QEMU writes down of it with `-d exec`: a line for
//! each instruction, in order, as each is translated by itself.

use crate::report::{
    accesses::{per_access, ACCESSES},
    rows::Rows,
};
use anyhow::{ensure, Context, Result};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::BufRead,
};

/// The sections of a boot, each between two marks: its name, and the addresses of the instructions
/// that were executed, in order.
pub(super) struct Trace(Vec<(String, Vec<u64>)>);

impl Trace {
    /// Reads the lines of QEMU, from the boot with these rows. At `mark`, sections begin and end.
    pub(super) fn read(lines: impl BufRead, mark: u64, rows: &Rows) -> Result<Self> {
        let sections = sections(lines, mark)?;
        let names: Vec<_> = rows.sections().map(str::to_owned).collect();
        ensure!(
            names.len() == sections.len(),
            "the kernel has announced {} sections, and {} were written down",
            names.len(),
            sections.len()
        );
        Ok(Self(names.into_iter().zip(sections).collect()))
    }

    /// How often the function at `address` was called in each section whose name begins with this:
    /// the rest of the name, and the calls.
    pub(super) fn calls<'a>(
        &'a self,
        prefix: &'a str,
        address: u64,
    ) -> impl Iterator<Item = (&'a str, usize)> {
        self.0.iter().filter_map(move |(name, executed)| {
            let calls = executed.iter().filter(|it| **it == address).count();
            Some((name.strip_prefix(prefix)?, calls))
        })
    }

    /// Returns how many instructions one access in this shape takes, and their addresses in order.
    /// Each access has to execute the same.
    pub(super) fn per_access(&self, shape: &str) -> Result<(u64, Vec<u64>)> {
        let executed = |n: u64| {
            let name = format!("access,{shape},{n}");
            let section = self.0.iter().find(|section| section.0 == name);
            section.with_context(|| format!("{n} accesses, {shape}, were not traced"))
        };
        let [(_, less), (_, more)] = [executed(ACCESSES[0])?, executed(ACCESSES[1])?];
        let counts = per_access(&counts(less), &counts(more)).with_context(|| shape.to_owned())?;

        let mut listed = BTreeSet::new();
        let new = |it: &u64| counts.contains_key(it) && listed.insert(*it);
        let addresses = more.iter().copied().filter(new).collect();
        Ok((counts.values().sum(), addresses))
    }
}

/// How often each instruction was executed.
fn counts(executed: &[u64]) -> BTreeMap<u64, u64> {
    let mut counts = BTreeMap::new();
    for address in executed {
        *counts.entry(*address).or_insert(0) += 1;
    }
    counts
}

/// Reads the lines of QEMU.
fn sections(lines: impl BufRead, mark: u64) -> Result<Vec<Vec<u64>>> {
    let mut executed = Vec::new();
    for line in lines.lines() {
        let line = line?;
        // The base of the code segment, the address, and flags.
        executed.extend(bracketed(&line, "Trace ", 1));
        // Something else came first, such as an interrupt: it was not executed after all.
        if let Some(address) = bracketed(&line, "Stopped execution", 0) {
            ensure!(
                executed.pop() == Some(address),
                "QEMU has stopped before what it was not about to execute: {line}"
            );
        }
    }

    let between_marks: Vec<_> = executed.split(|address| *address == mark).collect();
    ensure!(between_marks.len() % 2 == 1, "the last section has no end");
    let sections = between_marks.into_iter().skip(1).step_by(2);
    Ok(sections.map(<[u64]>::to_vec).collect())
}

/// The address in the brackets of a line that begins with this, behind so many slashes.
fn bracketed(line: &str, begin: &str, slashes: usize) -> Option<u64> {
    let (_, brackets) = line.strip_prefix(begin)?.split_once('[')?;
    let address = brackets.split(']').next()?.split('/').nth(slashes)?;
    u64::from_str_radix(address, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::{super::rows::WORDS, *};
    use crate::report::rows::tests::rows;

    const MARK: u64 = 0x70;

    fn log(addresses: &[u64]) -> String {
        addresses
            .iter()
            .map(|address| format!("Trace 0: 0x7fe6 [0000000000000000/{address:016x}/1/2] \n"))
            .collect()
    }

    fn stopped(address: u64) -> String {
        format!("Stopped execution of TB chain before 0x1 [{address:016x}] \n")
    }

    #[test]
    fn lines_are_read() {
        let executed = "Trace 0: 0x7fe69d9cb100 [0000000000000000/ffffffff810beaa0/10c0c2b0/1] ";
        let stopped = "Stopped execution of TB chain before 0x7fe6a0 [ffffffff811da510] ";

        assert_eq!(
            bracketed(executed, "Trace ", 1),
            Some(0xffff_ffff_810b_eaa0)
        );
        assert_eq!(
            bracketed(stopped, "Stopped", 0),
            Some(0xffff_ffff_811d_a510)
        );
        assert_eq!(bracketed("warning: something [0/0/0]", "Trace ", 1), None);
    }

    #[test]
    fn sections_have_what_was_executed_between_marks() {
        let text = [
            log(&[1, MARK]),
            stopped(MARK),
            log(&[MARK, 2, 3]),
            stopped(3),
            log(&[3, 2, MARK, 4, MARK, MARK]),
        ]
        .concat();
        let read = sections(text.as_bytes(), MARK).unwrap();
        assert_eq!(read, [vec![2, 3, 2], Vec::new()]);

        for text in [log(&[MARK, 1]), log(&[MARK, 2]) + &stopped(3)] {
            assert!(sections(text.as_bytes(), MARK).is_err(), "{text}");
        }
    }

    #[test]
    fn sections_are_counted_by_name() {
        let announced = [
            "access,out_of_line,1000",
            "access,out_of_line,2000",
            "unbind,plain,9",
        ];
        let lines = announced.map(|name| format!("section,{name},0,0"));
        let rows = rows(lines.iter().map(String::as_str), WORDS);
        // Three instructions, the second of which is at the highest address.
        let accesses = |n: u64| [0x10, 0x30, 0x12].repeat(n as usize);
        let section = |addresses: &[u64]| log(&[&[MARK], addresses, &[MARK]].concat());
        let text = ACCESSES.map(|n| section(&accesses(n))).concat() + &section(&[0x80; 3]);
        let trace = Trace::read(text.as_bytes(), MARK, &rows).unwrap();

        let access = trace.per_access("out_of_line").unwrap();
        assert_eq!(access, (3, vec![0x10, 0x30, 0x12]));
        assert!(trace.per_access("in_loop").is_err());
        let calls = |address| trace.calls("unbind,", address).collect::<Vec<_>>();
        assert_eq!(calls(0x80), [("plain,9", 3)]);
        assert_eq!(calls(0x90), [("plain,9", 0)]);
        assert!(Trace::read(log(&[]).as_bytes(), MARK, &rows).is_err());
    }
}
