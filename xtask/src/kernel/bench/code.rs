// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The functions of a kernel whose instructions are counted, as `llvm-nm` and `llvm-objdump` show
//! them.

use anyhow::{ensure, Context, Result};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    path::Path,
};
use xshell::{cmd, Shell};

/// Where it is measured.
const MODULE: &str = "kernel::drm::gem::shmem::bench_kunit::access::";

/// The functions that accesses are measured in.
const MEASURED: [&str; 3] = ["out_of_line", "in_loop", "nothing"];

/// The function that waits for a grace period.
const SYNCHRONIZE: &str = "synchronize_rcu";

#[derive(Clone, Debug, PartialEq)]
struct Function {
    /// Demangled.
    name: String,
    addresses: Range<u64>,
}

impl Function {
    /// Whether this is a helper for atomics.
    fn is_helper(&self) -> bool {
        self.name.starts_with("rust_helper_")
    }

    /// Whether an access is expected to execute this: its accessor, or a helper.
    fn belongs_to_an_access(&self) -> bool {
        self.name.ends_with("::sg_table") || self.is_helper()
    }

    /// Its name, without where it is and what for.
    fn short_name(&self) -> &str {
        self.name.rsplit("::").next().unwrap_or(&self.name)
    }
}

struct Instruction {
    text: String,
    /// The place that it names: where it jumps to, or calls.
    target: Option<u64>,
}

/// The functions that are traced, and their instructions.
pub(super) struct Code {
    functions: Vec<Function>,
    instructions: BTreeMap<u64, Instruction>,
    /// Begins and ends sections.
    pub(super) mark: u64,
    pub(super) synchronize: u64,
}

impl Code {
    /// Finds it in a `vmlinux`, with the programs of LLVM that have this suffix.
    pub(super) fn of(shell: &Shell, llvm: &str, vmlinux: &Path) -> Result<Self> {
        let (nm, objdump) = (format!("llvm-nm{llvm}"), format!("llvm-objdump{llvm}"));
        let text = cmd!(shell, "{nm} --print-size --demangle {vmlinux}")
            .quiet()
            .read()?;
        let symbols = symbols(&text);
        let measured = |name: &str| named(&symbols, &format!("{MODULE}{name}"));

        let mut code = Self {
            functions: Vec::new(),
            instructions: BTreeMap::new(),
            mark: measured("mark")?.addresses.start,
            synchronize: named(&symbols, SYNCHRONIZE)?.addresses.start,
        };
        let mut next: Vec<_> = MEASURED.into_iter().map(measured).collect::<Result<_>>()?;
        while let Some(function) = next.pop() {
            if code.functions.contains(function) {
                continue;
            }
            let Range { start, end } = &function.addresses;
            let (start, end) = (format!("{start:#x}"), format!("{end:#x}"));
            let text = cmd!(
                shell,
                "{objdump} --disassemble --no-show-raw-insn
                    --start-address={start} --stop-address={end} {vmlinux}"
            )
            .quiet()
            .read()?;

            for (address, instruction) in instructions(&text) {
                let called = instruction.target.and_then(|target| symbols.get(&target));
                next.extend(called.filter(|called| called.belongs_to_an_access()));
                code.instructions.insert(address, instruction);
            }
            code.functions.push(function.clone());
        }
        Ok(code)
    }

    /// What QEMU is to write down: `-dfilter`.
    pub(super) fn filter(&self) -> String {
        let functions = self.functions.iter().map(|function| {
            let Range { start, end } = function.addresses;
            format!("{start:#x}+{:#x}", end - start)
        });
        let points = [self.mark, self.synchronize].map(|point| format!("{point:#x}+1"));
        functions.chain(points).collect::<Vec<_>>().join(",")
    }

    fn function(&self, address: u64) -> Option<&Function> {
        let mut functions = self.functions.iter();
        functions.find(|function| function.addresses.contains(&address))
    }

    /// Whether more than one function has some of these addresses, but for the helpers.
    pub(super) fn calls_accessor(&self, addresses: &[u64]) -> bool {
        let functions = addresses.iter().filter_map(|it| self.function(*it));
        let functions = functions.filter(|function| !function.is_helper());
        let starts: BTreeSet<u64> = functions.map(|it| it.addresses.start).collect();
        starts.len() > 1
    }

    /// Fails unless everything that is called at these addresses is among them: else something is
    /// executed that is not counted.
    pub(super) fn ensure_complete(&self, addresses: &[u64]) -> Result<()> {
        for address in addresses {
            let Instruction { text, target } = self
                .instructions
                .get(address)
                .with_context(|| format!("there is no instruction at {address:#x}"))?;
            if calls(text) {
                let target =
                    target.with_context(|| format!("an access calls what is not known: {text}"))?;
                ensure!(
                    addresses.contains(&target),
                    "an access executes what is not counted, at {target:#x}: {text}. \
                     `Function::belongs_to_an_access()` has to know it"
                );
            }
        }
        Ok(())
    }

    /// The instructions at these addresses, with the names of the functions that they are in.
    pub(super) fn listing(&self, addresses: &[u64]) -> Vec<String> {
        let mut lines = Vec::new();
        let mut last = None;
        for address in addresses {
            let function = self.function(*address);
            if let Some(function) = function.filter(|_| function != last) {
                lines.push(format!("{}:", function.short_name()));
            }
            last = function;
            if let Some(instruction) = self.instructions.get(address) {
                lines.push(format!("    {}", self.text(instruction, function)));
            }
        }
        lines
    }

    /// An instruction without addresses, which change with each build.
    fn text(&self, Instruction { text, target }: &Instruction, of: Option<&Function>) -> String {
        let (mnemonic, operands) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let within = |of: &&Function| target.is_some_and(|target| of.addresses.contains(&target));
        let operands = match (*target, of.filter(within)) {
            (Some(target), Some(of)) => format!("+{:#x}", target - of.addresses.start),
            (Some(target), None) => self
                .function(target)
                .map_or("elsewhere", Function::short_name)
                .to_owned(),
            (None, _) => operands.to_owned(),
        };
        format!("{mnemonic:7} {}", operands.trim())
            .trim_end()
            .to_owned()
    }
}

/// Reads the functions of a program, by address, from the output of `llvm-nm --print-size`.
fn symbols(text: &str) -> BTreeMap<u64, Function> {
    let function = |line: &str| {
        let mut words = line.splitn(4, ' ');
        let mut number = || u64::from_str_radix(words.next()?, 16).ok();
        let (start, len) = (number()?, number()?);
        let is_function = ["t", "T", "w", "W"].contains(&words.next()?);
        let function = Function {
            name: words.next()?.to_owned(),
            addresses: start..start + len,
        };
        is_function.then_some((start, function))
    };
    text.lines().filter_map(function).collect()
}

fn named<'a>(symbols: &'a BTreeMap<u64, Function>, name: &str) -> Result<&'a Function> {
    let mut functions = symbols.values();
    functions
        .find(|function| function.name == name)
        .with_context(|| format!("there is no function `{name}` in this kernel"))
}

/// Whether an instruction calls a function, on x86 or on arm64.
fn calls(text: &str) -> bool {
    let mnemonic = text.split_whitespace().next().unwrap_or_default();
    ["call", "callq", "bl", "blr"].contains(&mnemonic)
}

/// The text without the disassembler's comment: `# imm = 0x1` on x86, `// =1` on arm64.
fn without_comment(text: &str) -> &str {
    let end = text.find(" # ").or_else(|| text.find("//"));
    text[..end.unwrap_or(text.len())].trim()
}

/// Reads the output of `llvm-objdump --no-show-raw-insn`.
fn instructions(text: &str) -> impl Iterator<Item = (u64, Instruction)> + '_ {
    text.lines().filter_map(|line| {
        let (address, text) = line.split_once(": ")?;
        let address = u64::from_str_radix(address.trim(), 16).ok()?;
        let text = without_comment(text).to_owned();

        // In front of the name that it stands for: `callq 0x30 <f>`, `cbz x0, 0x30 <f+0x8>`.
        let target = text.rsplit_once(" <").and_then(|(before, _)| {
            let operand = before.split_whitespace().last()?;
            u64::from_str_radix(operand.strip_prefix("0x")?, 16).ok()
        });
        Some((address, Instruction { text, target }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NM: &str = "\
0000000000000010 0000000000000006 t kernel::drm::gem::shmem::bench_kunit::access::out_of_line
0000000000000030 0000000000000003 T rust_helper_atomic_ptr_read_acquire
0000000000000040 0000000000000008 d kernel::data
0000000000000050 T without_size
0000000000000060 0000000000000008 t <kernel::drm::gem::shmem::Object<T>>::sg_table
";

    const OBJDUMP: &str = "
vmlinux:\tfile format elf64-x86-64

0000000000000010 <_R>:
      10: callq\t0x30 <rust_helper_atomic_ptr_read_acquire>
      12: cmpq\t%rax, 0x8(%rdi)      # 0xffff <x>
      14: jne\t0x15 <_R+0x5>
      15: retq
      30: movq\t(%rdi), %rax
      31: jmp\t0x90 <elsewhere>
";

    /// A function that calls a helper, and an accessor.
    fn code() -> Code {
        Code {
            functions: symbols(NM).into_values().collect(),
            instructions: instructions(OBJDUMP).collect(),
            mark: 0x70,
            synchronize: 0x80,
        }
    }

    #[test]
    fn functions_are_found() {
        let symbols = symbols(NM);
        let belongs = symbols.values().map(|function| {
            let start = function.addresses.start;
            (
                start,
                function.short_name(),
                function.belongs_to_an_access(),
            )
        });

        let expected = [
            (0x10, "out_of_line", false),
            (0x30, "rust_helper_atomic_ptr_read_acquire", true),
            (0x60, "sg_table", true),
        ];
        assert_eq!(belongs.collect::<Vec<_>>(), expected);
        assert!(named(&symbols, &format!("{MODULE}out_of_line")).is_ok());
        assert!(named(&symbols, "kernel::data").is_err());
    }

    #[test]
    fn all_of_it_is_traced() {
        let filter = "0x10+0x6,0x30+0x3,0x60+0x8,0x70+1,0x80+1";
        assert_eq!(code().filter(), filter);
    }

    #[test]
    fn listings_have_no_addresses() {
        assert_eq!(
            code().listing(&[0x10, 0x30, 0x31, 0x12, 0x14, 0x15]),
            [
                "out_of_line:",
                "    callq   rust_helper_atomic_ptr_read_acquire",
                "rust_helper_atomic_ptr_read_acquire:",
                "    movq    (%rdi), %rax",
                "    jmp     elsewhere",
                "out_of_line:",
                "    cmpq    %rax, 0x8(%rdi)",
                "    jne     +0x5",
                "    retq",
            ]
        );
    }

    #[test]
    fn instructions_of_arm64_are_read() {
        const TEXT: &str = "
ffff800080000010:      \tbl\t0xffff800080000030 <rust_helper_x>
ffff800080000014:      \tcbz\tx8, 0xffff800080000020 <f+0x10>
ffff800080000018:      \tmov\tw4, #0x1        // =1
ffff80008000001c:      \tbic\tx0, x0, #0x1
";
        let read: Vec<_> = instructions(TEXT).map(|(_, it)| it).collect();
        let target = |at: usize| read[at].target.map(|target| target & 0xff);
        assert_eq!(
            [0, 1, 2, 3].map(target),
            [Some(0x30), Some(0x20), None, None]
        );
        assert_eq!(
            [0, 1, 2, 3].map(|at| calls(&read[at].text)),
            [true, false, false, false]
        );
        assert_eq!(code().text(&read[2], None), "mov     w4, #0x1");
    }

    #[test]
    fn a_call_that_is_not_counted_is_noticed() {
        for (addresses, is_complete) in [
            (vec![0x10, 0x30, 0x12], true),
            (vec![0x10, 0x12], false),
            (vec![0x13], false),
        ] {
            let complete = code().ensure_complete(&addresses);
            assert_eq!(complete.is_ok(), is_complete, "{addresses:x?}");
        }
    }

    #[test]
    fn helpers_are_no_accessors() {
        assert!(!code().calls_accessor(&[0x10, 0x30]));
        assert!(code().calls_accessor(&[0x10, 0x30, 0x60]));
    }
}
