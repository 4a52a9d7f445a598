// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Counts instructions, with Callgrind.
//!
//! Callgrind watches one of the two functions that `benches/access` measures in. One run accesses
//! an object twice as often as another. The difference is the exact cost of the accesses, and must
//! be the same for each.

use super::object::{progress, OBJECTS};
use crate::report::accesses::{per_access, ACCESSES};
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
pub(super) struct Count {
    /// In a loop, without the loop's own.
    pub(super) in_loop: u64,
    /// Whether the compiler has inlined the accessor into the loop.
    pub(super) inlined: bool,
    /// In a function that does nothing else, from its first one to its return.
    pub(super) out_of_line: u64,
    /// The addresses of these instructions in the program.
    addresses: BTreeSet<u64>,
}

/// The cost of one access, from the profiles of two runs.
struct PerAccess {
    instructions: u64,
    /// The addresses of the instructions, and the number of functions that these are in.
    addresses: BTreeSet<u64>,
    functions: usize,
}

impl PerAccess {
    fn new(less: &Profile, more: &Profile) -> Result<Self> {
        let counts = per_access(&less.costs, &more.costs)?;
        let functions: BTreeSet<_> = counts.keys().map(|(function, _)| function).collect();

        Ok(Self {
            instructions: counts.values().sum(),
            addresses: counts.keys().map(|(_, address)| *address).collect(),
            functions: functions.len(),
        })
    }
}

/// The version of Valgrind, if it is there.
pub(super) fn version(shell: &Shell) -> Option<String> {
    cmd!(shell, "valgrind --version")
        .quiet()
        .ignore_stderr()
        .read()
        .ok()
}

/// Counts for all objects, in their order.
pub(super) fn count(shell: &Shell, program: &Path, raw: &Path) -> Result<Vec<Count>> {
    let mut csv = String::from("object,shape,accesses,instructions\n");
    let bar = progress(
        "instructions",
        (2 * OBJECTS.len() as u64 + 1) * ACCESSES.len() as u64,
    )?;

    let mut measure = |object: &str, shape: &str| -> Result<PerAccess> {
        let mut profiles = Vec::new();
        for accesses in ACCESSES {
            bar.set_message(format!("{object} {shape}"));
            let out = raw.join(format!("callgrind.{object}.{shape}.{accesses}.out"));
            let profile = profile(shell, program, &out, object, shape, accesses)?;
            writeln!(csv, "{object},{shape},{accesses},{}", profile.total())?;
            profiles.push(profile);
            bar.inc(1);
        }

        PerAccess::new(&profiles[0], &profiles[1]).with_context(|| format!("{object} {shape}"))
    };

    let empty_loop = measure("nothing", "in_loop")?.instructions;
    let mut counts = Vec::new();
    for object in &OBJECTS {
        let in_loop = measure(object.name, "in_loop")?;
        let out_of_line = measure(object.name, "out_of_line")?;

        counts.push(Count {
            in_loop: in_loop
                .instructions
                .checked_sub(empty_loop)
                .context("an access takes less than none")?,
            inlined: in_loop.functions == 1,
            out_of_line: out_of_line.instructions,
            addresses: out_of_line.addresses,
        });
    }

    bar.finish_and_clear();
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
) -> Result<Profile> {
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

    let text = fs::read_to_string(out)?;
    Profile::parse(&text).with_context(|| out.display().to_string())
}

/// A file that Callgrind has written, without what calls include: costs by function and address.
///
/// The format is in chapter "Callgrind Format Specification" of Valgrind's documentation.
struct Profile {
    costs: BTreeMap<(String, u64), u64>,
}

impl Profile {
    /// Reads the text of a file, uncompressed, with positions `instr line` and the one event `Ir`.
    fn parse(text: &str) -> Result<Self> {
        let mut costs = BTreeMap::new();
        let mut function = String::new();
        let mut total = None;
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
                name.clone_into(&mut function);
            } else if line.starts_with("calls=") {
                // The next line is the cost of the callee, which has lines of its own.
                inclusive = true;
            } else if let Some(cost) = line.strip_prefix("totals: ") {
                total = Some(cost.trim().parse()?);
            } else if let Some(cost) = line.strip_prefix("0x") {
                let mut words = cost.split_whitespace();
                let address = u64::from_str_radix(words.next().unwrap_or_default(), 16)?;
                // The line number is not known.
                let cost: u64 = words.nth(1).map_or(Ok(0), str::parse)?;
                if !inclusive {
                    *costs.entry((function.clone(), address)).or_insert(0) += cost;
                }
                inclusive = false;
            }
        }

        let profile = Self { costs };
        let total: u64 = total.context("there are no totals in it")?;
        ensure!(
            profile.total() == total,
            "the costs add up to {} and not to {total}",
            profile.total()
        );
        Ok(profile)
    }

    /// All instructions.
    fn total(&self) -> u64 {
        self.costs.values().sum()
    }
}

/// The instructions that the first object executes out of line, as many as were counted, for
/// Markdown; [`None`] if there is nothing to disassemble with.
pub(super) fn listing(shell: &Shell, program: &Path, counts: &[Count]) -> Result<Option<String>> {
    let count = counts.first().context("nothing was counted")?;
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

/// The counts as bars, for Markdown: a mark is an instruction.
pub(super) fn chart(counts: &[Count]) -> String {
    let bars = OBJECTS.iter().zip(counts).map(|(object, count)| {
        let bar = |title: &str, shape, count: u64| {
            let marks = "#".repeat(usize::try_from(count).unwrap_or(0));
            format!("{title:16} {shape:11} {count:>3} {marks}\n")
        };
        let title = object.title.replace('`', "");
        bar(&title, "in a loop", count.in_loop) + &bar("", "out of line", count.out_of_line)
    });
    format!("```text\n{}```\n", bars.collect::<String>())
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
        let profile = Profile::parse(&text(1000, 3000)).unwrap();

        assert_eq!(profile.total(), 3000);
        assert_eq!(profile.costs[&("access".to_owned(), 0x14)], 1000);
    }

    #[test]
    fn costs_have_to_add_up() {
        assert!(Profile::parse(&text(1000, 2999)).is_err());
        assert!(Profile::parse("events: Ir\n").is_err());
    }

    #[test]
    fn an_access_has_addresses_and_functions() {
        let [less, more] = ACCESSES.map(|n| Profile::parse(&text(n, 3 * n)).unwrap());

        let access = PerAccess::new(&less, &more).unwrap();
        assert_eq!(access.instructions, 3);
        assert_eq!(access.functions, 2);
        assert_eq!(access.addresses, BTreeSet::from([0x10, 0x14, 0x20]));
    }

    #[test]
    fn a_mark_is_an_instruction() {
        let counts = [Count {
            in_loop: 4,
            inlined: true,
            out_of_line: 7,
            addresses: BTreeSet::new(),
        }];
        let expected = "```text\n#[devres_lazy]   in a loop     4 ####\n\
                        \x20                out of line   7 #######\n```\n";
        assert_eq!(chart(&counts), expected);
    }

    #[test]
    fn listings_do_not_change_with_each_build() {
        assert_eq!(
            without_address("jne    58450 <a::slow>"),
            "jne    <a::slow>"
        );
        assert_eq!(without_address("cmp    %rdx,%rax"), "cmp    %rdx,%rax");
        assert_eq!(without_address("ret"), "ret");
    }
}
