// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Counts what a kernel has executed, from what QEMU writes down of it with `-d exec`: a line for
//! each instruction, in order, as each is translated by itself.

use super::{code::Code, rows::Rows};
use crate::report::accesses::{per_access, ACCESSES};
use anyhow::{ensure, Context, Result};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

/// The arguments that make QEMU write the trace. One CPU, so that there is one order.
pub(super) fn arguments(code: &Code, log: &Path) -> Vec<OsString> {
    let filter = code.filter();
    let mut arguments: Vec<OsString> = ["-smp", "1", "-d", "exec,nochain", "-dfilter"]
        .map(OsString::from)
        .into();
    arguments.push(filter.into());
    arguments.push("-D".into());
    arguments.push(log.into());
    arguments
}

/// The instructions executed between two marks.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Section {
    /// How often each instruction was.
    counts: BTreeMap<u64, u64>,
    /// In the order in which each was for the first time.
    order: Vec<u64>,
}

impl Section {
    fn add(&mut self, address: u64) {
        let count = self.counts.entry(address).or_insert(0);
        if *count == 0 {
            self.order.push(address);
        }
        *count += 1;
    }
}

/// The instructions of one access.
pub(super) struct PerAccess {
    pub(super) instructions: u64,
    /// Where they are, in the order of execution.
    pub(super) addresses: Vec<u64>,
}

/// All sections of a boot, and which they are.
pub(super) struct Trace(BTreeMap<[String; 3], Section>);

impl Trace {
    /// Reads what was written down in the boot with these rows.
    pub(super) fn read(log: &Path, code: &Code, rows: &Rows) -> Result<Self> {
        let file = File::open(log).with_context(|| log.display().to_string())?;
        let sections = sections(BufReader::new(file), code.mark)?;
        Self::new(sections, rows)
    }

    pub(super) fn new(sections: Vec<Section>, rows: &Rows) -> Result<Self> {
        let names: Vec<_> = rows.sections().collect();
        ensure!(
            names.len() == sections.len(),
            "the kernel has announced {} sections, and {} were written down",
            names.len(),
            sections.len()
        );
        Ok(Self(names.into_iter().zip(sections).collect()))
    }

    fn section(&self, what: &str, how: &str, n: u64) -> Option<&Section> {
        self.0
            .get(&[what.to_owned(), how.to_owned(), n.to_string()])
    }

    /// How often the function at `address` was called in a section; [`None`] if there is no such
    /// section.
    pub(super) fn calls(&self, what: &str, how: &str, n: u64, address: u64) -> Option<u64> {
        let section = self.section(what, how, n)?;
        Some(section.counts.get(&address).copied().unwrap_or(0))
    }

    /// Returns the instructions of one access in this shape. Each access has to execute the same.
    pub(super) fn per_access(&self, shape: &str) -> Result<PerAccess> {
        let section = |n| {
            self.section("access", shape, n)
                .with_context(|| format!("{n} accesses, {shape}, were not traced"))
        };
        let [less, more] = ACCESSES;
        difference(section(less)?, section(more)?).with_context(|| shape.to_owned())
    }
}

/// The instructions of one access, from two sections of which one accesses twice as often.
fn difference(less: &Section, more: &Section) -> Result<PerAccess> {
    let counts = per_access(&less.counts, &more.counts)?;
    let order = more.order.iter().copied();

    Ok(PerAccess {
        instructions: counts.values().sum(),
        addresses: order.filter(|place| counts.contains_key(place)).collect(),
    })
}

/// Reads the lines of QEMU.
fn sections(lines: impl BufRead, mark: u64) -> Result<Vec<Section>> {
    let mut sections = Vec::new();
    let mut open: Option<Section> = None;
    let mut execute = |address: u64| match &mut open {
        _ if address == mark => match open.take() {
            Some(section) => sections.push(section),
            None => open = Some(Section::default()),
        },
        Some(section) => section.add(address),
        None => (),
    };

    // The last one, of which the next line may say that it was not executed after all.
    let mut last = None;
    for line in lines.lines() {
        let line = line?;
        match Event::parse(&line) {
            Some(Event::Executes(address)) => {
                last.replace(address).map(&mut execute);
            }
            Some(Event::Stopped(address)) => ensure!(
                last.take() == Some(address),
                "QEMU has stopped before what it was not about to execute: {line}"
            ),
            None => (),
        }
    }
    last.map(&mut execute);

    ensure!(open.is_none(), "the last section has no end");
    Ok(sections)
}

/// The meaning of a line.
#[derive(Debug, PartialEq)]
enum Event {
    /// The instruction at this address is executed next.
    Executes(u64),
    /// It was not: something else, such as an interrupt, came first.
    Stopped(u64),
}

impl Event {
    fn parse(line: &str) -> Option<Self> {
        let (before, brackets) = line.split_once('[')?;
        let inside = brackets.split(']').next()?;

        if before.starts_with("Trace ") {
            // The base of the code segment, the address, and flags.
            let address = inside.split('/').nth(1)?;
            u64::from_str_radix(address, 16).ok().map(Self::Executes)
        } else if before.starts_with("Stopped execution") {
            u64::from_str_radix(inside, 16).ok().map(Self::Stopped)
        } else {
            None
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::{
        super::{code::tests::code, rows::tests::rows},
        *,
    };

    const MARK: u64 = 0x70;

    fn log(addresses: &[u64]) -> String {
        addresses
            .iter()
            .map(|address| format!("Trace 0: 0x7fe6 [0000000000000000/{address:016x}/1/2] \n"))
            .collect()
    }

    /// A section in which each of these is executed so often.
    pub(in super::super) fn section(n: u64, addresses: &[u64]) -> Section {
        let mut section = Section::default();
        for _ in 0..n {
            for address in addresses {
                section.add(*address);
            }
        }
        section
    }

    #[test]
    fn lines_are_read() {
        assert_eq!(
            Event::parse("Trace 0: 0x7fe69d9cb100 [0000000000000000/ffffffff810beaa0/10c0c2b0/1] "),
            Some(Event::Executes(0xffff_ffff_810b_eaa0))
        );
        assert_eq!(
            Event::parse("Stopped execution of TB chain before 0x7fe6a0 [ffffffff811da510] "),
            Some(Event::Stopped(0xffff_ffff_811d_a510))
        );
        assert_eq!(Event::parse("warning: something [0/0/0]"), None);
    }

    #[test]
    fn marks_begin_and_end_sections() {
        let text = log(&[1, MARK, 2, 3, 2, MARK, 4, MARK, MARK]);
        let sections = sections(text.as_bytes(), MARK).unwrap();

        assert_eq!(sections.len(), 2);
        assert_eq!(sections[0].counts, BTreeMap::from([(2, 2), (3, 1)]));
        assert_eq!(sections[0].order, [2, 3]);
        assert_eq!(sections[1], Section::default());
        assert!(super::sections(log(&[MARK, 1]).as_bytes(), MARK).is_err());
    }

    #[test]
    fn what_was_not_executed_is_not_counted() {
        let stopped =
            |address| format!("Stopped execution of TB chain before 0x1 [{address:016x}] \n");
        let text = [
            log(&[MARK]),
            stopped(MARK),
            log(&[MARK, 2]),
            stopped(2),
            log(&[2, 3, MARK]),
        ]
        .concat();
        let sections = sections(text.as_bytes(), MARK).unwrap();
        assert_eq!(sections[0].counts, BTreeMap::from([(2, 1), (3, 1)]));

        let text = log(&[MARK, 2]) + &stopped(3);
        assert!(super::sections(text.as_bytes(), MARK).is_err());
    }

    #[test]
    fn an_access_has_its_instructions_in_order() {
        let [less, more] = ACCESSES.map(|n| section(n, &[0x10, 0x30, 0x12]));
        let access = difference(&less, &more).unwrap();

        assert_eq!(access.instructions, 3);
        assert_eq!(access.addresses, [0x10, 0x30, 0x12]);
        assert!(code().ensure_complete(&access.addresses).is_ok());
    }

    #[test]
    fn sections_have_names() {
        let rows = rows(&["section,unbind,plain,9,0,0", "ns,unbind,plain,9,0,5"]).unwrap();
        let trace = Trace::new(vec![section(3, &[0x80])], &rows).unwrap();

        assert_eq!(trace.calls("unbind", "plain", 9, 0x80), Some(3));
        assert_eq!(trace.calls("unbind", "plain", 9, 0x90), Some(0));
        assert_eq!(trace.calls("unbind", "tried", 9, 0x80), None);
        assert!(trace.per_access("in_loop").is_err());
        assert!(Trace::new(Vec::new(), &rows).is_err());
    }
}
