// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Counts instructions, with Callgrind.
//!
//! Callgrind watches one of the two functions that `benches/access` measures in. One run accesses
//! an object twice as often as another. The difference is the exact cost of the accesses, and must
//! be the same for each.

use super::results::{OBJECTS, OURS};
use crate::{
    kernel::Progress,
    report::accesses::{per_access, without_loop, ACCESSES},
};
use anyhow::{ensure, Context, Result};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs,
    path::Path,
};
use xshell::{cmd, Shell};

/// The hint that is printed without Valgrind.
pub(super) const HOW_TO_GET: &str =
    "To have instructions counted, install Valgrind: `apt install valgrind`, `dnf install valgrind`.";

/// Instructions of one access.
#[derive(Default)]
pub(super) struct Count {
    /// In a loop, without the loop's own.
    pub(super) in_loop: u64,
    /// Whether the compiler has inlined the accessor into the loop.
    pub(super) inlined: bool,
    /// In a function that does nothing else, from its first one to its return.
    pub(super) out_of_line: u64,
    /// The addresses of these instructions in the program.
    pub(super) addresses: BTreeSet<u64>,
}

/// The counts of each object, by its name; empty without Valgrind.
pub(super) type Counts = BTreeMap<&'static str, Count>;

/// How often each instruction was executed, by function and address.
type Costs = BTreeMap<(String, u64), u64>;

fn total(costs: &Costs) -> u64 {
    costs.values().sum()
}

/// The version of Valgrind, if it is there.
pub(super) fn version(shell: &Shell) -> Option<String> {
    let version = cmd!(shell, "valgrind --version").quiet().ignore_stderr();
    version.read().ok()
}

pub(super) fn count(shell: &Shell, program: &Path, raw: &Path) -> Result<Counts> {
    let mut csv = String::from("object,shape,accesses,instructions\n");
    let runs = (2 * OBJECTS.len() + 1) * ACCESSES.len();
    let mut progress = Progress::new("counting", Some(runs as u64))?;

    let mut measure = |object: &str, shape: &str| -> Result<Costs> {
        let mut run = |accesses| -> Result<Costs> {
            let out = raw.join(format!("callgrind.{object}.{shape}.{accesses}.out"));
            let costs = profile(shell, program, &out, object, shape, accesses)?;
            writeln!(csv, "{object},{shape},{accesses},{}", total(&costs))?;
            progress.step(&format!("{object} {shape}"));
            Ok(costs)
        };
        let [less, more] = [run(ACCESSES[0])?, run(ACCESSES[1])?];
        per_access(&less, &more).with_context(|| format!("{object} {shape}"))
    };

    let empty_loop = total(&measure("nothing", "in_loop")?);
    let mut counts = Counts::new();
    for object in &OBJECTS {
        let in_loop = measure(object.name, "in_loop")?;
        let out_of_line = measure(object.name, "out_of_line")?;
        let functions: BTreeSet<_> = in_loop.keys().map(|(function, _)| function).collect();
        let count = Count {
            in_loop: without_loop(total(&in_loop), empty_loop)?,
            inlined: functions.len() == 1,
            out_of_line: total(&out_of_line),
            addresses: out_of_line
                .into_keys()
                .map(|(_, address)| address)
                .collect(),
        };
        counts.insert(object.name, count);
    }

    progress.finish();
    fs::write(raw.join("instructions.csv"), csv)?;
    Ok(counts)
}

/// Runs a program under Callgrind, which writes to `out`.
fn profile(
    shell: &Shell,
    program: &Path,
    out: &Path,
    object: &str,
    shape: &str,
    accesses: u64,
) -> Result<Costs> {
    let accesses = accesses.to_string();
    // Matches the name of the function, mangled or not; of all its instances only one runs.
    let function = format!("*measured*{shape}*");

    let output = cmd!(
        shell,
        "valgrind --tool=callgrind --callgrind-out-file={out}
            --collect-atstart=no --toggle-collect={function}
            --dump-instr=yes --compress-strings=no --compress-pos=no
            {program} access {object} {shape} {accesses}"
    )
    .quiet()
    .ignore_status()
    .output()?;
    ensure!(
        output.status.success(),
        "valgrind failed:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    parse(&fs::read_to_string(out)?).with_context(|| out.display().to_string())
}

/// Reads a file that Callgrind has written, uncompressed, with positions `instr line` and the one
/// event `Ir`: the costs, without what calls include.
///
/// The format is in chapter "Callgrind Format Specification" of Valgrind's documentation.
fn parse(text: &str) -> Result<Costs> {
    let mut costs = Costs::new();
    let mut function = "";
    let mut expected = None;
    let mut inclusive = false;

    for line in text.lines() {
        if let Some(positions) = line.strip_prefix("positions: ") {
            ensure!(
                positions == "instr line",
                "unexpected positions: {positions}"
            );
        } else if let Some(events) = line.strip_prefix("events: ") {
            ensure!(events == "Ir", "unexpected events: {events}");
        } else if let Some(name) = line.strip_prefix("fn=") {
            function = name;
        } else if line.starts_with("calls=") {
            // The next line is the cost of the callee, which has lines of its own.
            inclusive = true;
        } else if let Some(cost) = line.strip_prefix("totals: ") {
            expected = Some(cost.trim().parse::<u64>()?);
        } else if let Some(cost) = line.strip_prefix("0x") {
            let mut words = cost.split_whitespace();
            let address = u64::from_str_radix(words.next().unwrap_or_default(), 16)?;
            // The line number is not known.
            let cost: u64 = words.nth(1).map_or(Ok(0), str::parse)?;
            if !inclusive {
                *costs.entry((function.to_owned(), address)).or_insert(0) += cost;
            }
            inclusive = false;
        }
    }

    let (found, expected) = (
        total(&costs),
        expected.context("there are no totals in it")?,
    );
    ensure!(
        found == expected,
        "the costs add up to {found} and not to {expected}"
    );
    Ok(costs)
}

/// The instructions that our object executes out of line, as many as were counted, for Markdown;
/// [`None`] if there is nothing to disassemble with.
pub(super) fn listing(shell: &Shell, program: &Path, counts: &Counts) -> Result<Option<String>> {
    let count = counts.get(OURS.name).context("nothing was counted")?;
    let Ok(text) = cmd!(
        shell,
        "objdump --disassemble --no-show-raw-insn --demangle {program}"
    )
    .quiet()
    .ignore_stderr()
    .read() else {
        return Ok(None);
    };

    let instruction = |line: &str| {
        let (address, instruction) = line.trim().split_once(":\t")?;
        let address = u64::from_str_radix(address, 16).ok()?;
        let is_counted = count.addresses.contains(&address);
        is_counted.then(|| without_address(instruction))
    };
    let lines: Vec<String> = text.lines().filter_map(instruction).collect();
    ensure!(
        lines.len() as u64 == count.out_of_line,
        "{} instructions are listed, and {} are counted",
        lines.len(),
        count.out_of_line
    );
    Ok(Some(format!("```text\n{}\n```", lines.join("\n"))))
}

/// The counts as bars, for Markdown: a `#` is an instruction.
pub(super) fn chart(counts: &Counts) -> String {
    let mut bars = String::new();
    for object in &OBJECTS {
        if let Some(count) = counts.get(object.name) {
            let title = object.title.replace('`', "");
            for (title, shape, count) in [
                (title.as_str(), "in a loop", count.in_loop),
                ("", "out of line", count.out_of_line),
            ] {
                let bar = "#".repeat(count as usize);
                bars += &format!("{title:16} {shape:11} {count:>3} {bar}\n");
            }
        }
    }
    format!("```text\n{bars}```\n")
}

/// Leaves out where a jump goes to, which changes with each build, beside the name of it.
fn without_address(instruction: &str) -> String {
    match (instruction.split_once(' '), instruction.split_once('<')) {
        (Some((mnemonic, _)), Some((_, name))) => format!("{mnemonic:6} <{name}"),
        _ => instruction.trim().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A function of two instructions, the second of which calls one of one.
    fn text(accesses: u64, total: u64) -> String {
        format!(
            "# callgrind format\nversion: 1\npositions: instr line\nevents: Ir\n\
             summary: {total}\n\n\
             ob=/a/program\nfl=???\nfn=access\n0x10 0 {accesses}\n0x14 0 {accesses}\n\
             cfn=helper\ncalls={accesses} 0x20 0\n0x14 0 {accesses}\n\n\
             fn=helper\n0x20 0 {accesses}\n\ntotals: {total}\n"
        )
    }

    #[test]
    fn what_calls_include_is_not_counted_twice() {
        let costs = parse(&text(1000, 3000)).unwrap();
        let expected = [("access", 0x10), ("access", 0x14), ("helper", 0x20)];
        assert_eq!(
            costs,
            expected
                .map(|(function, address)| ((function.to_owned(), address), 1000))
                .into()
        );

        for text in [
            text(1000, 2999),
            "events: Ir\n".to_owned(),
            text(1000, 3000).replace("Ir", "Dr"),
            text(1000, 3000).replace("instr line", "line"),
        ] {
            assert!(parse(&text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_mark_is_an_instruction() {
        let count = Count {
            in_loop: 4,
            inlined: true,
            out_of_line: 7,
            addresses: BTreeSet::new(),
        };
        let expected = "```text\n#[devres_lazy]   in a loop     4 ####\n\
                        \x20                out of line   7 #######\n```\n";
        assert_eq!(chart(&[(OURS.name, count)].into()), expected);
    }

    #[test]
    fn listings_do_not_change_with_each_build() {
        for (instruction, listed) in [
            ("jne    58450 <a::slow>", "jne    <a::slow>"),
            ("cmp    %rdx,%rax", "cmp    %rdx,%rax"),
            ("ret", "ret"),
        ] {
            assert_eq!(without_address(instruction), listed);
        }
    }
}
