// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The functions of a kernel whose instructions are counted, as `llvm-nm` and `llvm-objdump` show
//! them.

use anyhow::{ensure, Context, Result};
use std::{collections::BTreeMap, ops::Range, path::Path};
use xshell::{cmd, Shell};

/// Where it is measured.
const MODULE: &str = "kernel::drm::gem::shmem::bench_kunit::access::";

/// The functions that accesses are measured in.
const MEASURED: [&str; 3] = ["out_of_line", "in_loop", "nothing"];

/// The function that waits for a grace period.
const SYNCHRONIZE: &str = "synchronize_rcu";

/// A function.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Function {
    /// Demangled.
    pub(super) name: String,
    pub(super) addresses: Range<u64>,
}

impl Function {
    /// Whether an access is expected to execute this: its accessor, or a helper for atomics.
    fn belongs_to_an_access(&self) -> bool {
        self.name.ends_with("::sg_table") || self.name.starts_with("rust_helper_")
    }

    /// Its name, without where it is and what for.
    fn short_name(&self) -> &str {
        self.name.rsplit("::").next().unwrap_or(&self.name)
    }
}

/// An instruction.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Instruction {
    text: String,
    /// Where it jumps to, or calls.
    target: Option<u64>,
}

impl Instruction {
    fn is_call(&self) -> bool {
        self.text.starts_with("call")
    }
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
        let nm = format!("llvm-nm{llvm}");
        let objdump = format!("llvm-objdump{llvm}");
        let text = cmd!(shell, "{nm} --print-size --demangle {vmlinux}")
            .quiet()
            .read()?;
        let symbols = Symbols::parse(&text);

        let mut code = Self {
            functions: Vec::new(),
            instructions: BTreeMap::new(),
            mark: symbols.named(&format!("{MODULE}mark"))?.addresses.start,
            synchronize: symbols.named(SYNCHRONIZE)?.addresses.start,
        };
        let mut next: Vec<&Function> = MEASURED
            .iter()
            .map(|name| symbols.named(&format!("{MODULE}{name}")))
            .collect::<Result<_>>()?;
        while let Some(function) = next.pop() {
            if code.functions.contains(function) {
                continue;
            }
            let Range { start, end } = function.addresses;
            let (start, end) = (format!("{start:#x}"), format!("{end:#x}"));
            let text = cmd!(
                shell,
                "{objdump} --disassemble --no-show-raw-insn
                    --start-address={start} --stop-address={end} {vmlinux}"
            )
            .quiet()
            .read()?;

            for (address, instruction) in parse(&text) {
                let called = instruction
                    .target
                    .and_then(|target| symbols.at(target))
                    .filter(|called| called.belongs_to_an_access());
                next.extend(called);
                code.instructions.insert(address, instruction);
            }
            code.functions.push(function.clone());
        }

        Ok(code)
    }

    /// What QEMU is to write down: `-dfilter`.
    pub(super) fn filter(&self) -> String {
        let ranges = self
            .functions
            .iter()
            .map(|function| &function.addresses)
            .map(|range| format!("{:#x}+{:#x}", range.start, range.end - range.start));
        let points = [self.mark, self.synchronize].map(|point| format!("{point:#x}+1"));

        ranges.chain(points).collect::<Vec<_>>().join(",")
    }

    fn function(&self, address: u64) -> Option<&Function> {
        self.functions
            .iter()
            .find(|function| function.addresses.contains(&address))
    }

    /// How many of the functions have some of these addresses, but for the helpers.
    pub(super) fn accessors(&self, addresses: &[u64]) -> usize {
        self.functions
            .iter()
            .filter(|function| !function.name.starts_with("rust_helper_"))
            .filter(|function| {
                addresses
                    .iter()
                    .any(|address| function.addresses.contains(address))
            })
            .count()
    }

    /// Fails unless everything that is called at these addresses is among them: else something is
    /// executed that is not counted.
    pub(super) fn ensure_complete(&self, addresses: &[u64]) -> Result<()> {
        for address in addresses {
            let instruction = self
                .instructions
                .get(address)
                .with_context(|| format!("there is no instruction at {address:#x}"))?;
            if !instruction.is_call() {
                continue;
            }
            let target = instruction.target.with_context(|| {
                format!("an access calls what is not known: {}", instruction.text)
            })?;
            ensure!(
                addresses.contains(&target),
                "an access executes what is not counted, at {target:#x}: {}. \
                 `Function::belongs_to_an_access()` has to know it",
                instruction.text
            );
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
    fn text(&self, instruction: &Instruction, of: Option<&Function>) -> String {
        let (mnemonic, operands) = instruction
            .text
            .split_once(char::is_whitespace)
            .unwrap_or((&instruction.text, ""));
        let operands = match (instruction.target, of) {
            (Some(target), Some(of)) if of.addresses.contains(&target) => {
                format!("+{:#x}", target - of.addresses.start)
            }
            (Some(target), _) => match self.function(target) {
                Some(function) => function.short_name().to_owned(),
                None => "elsewhere".to_owned(),
            },
            (None, _) => operands.split('#').next().unwrap_or_default().to_owned(),
        };

        format!("{mnemonic:7} {}", operands.trim())
            .trim_end()
            .to_owned()
    }
}

/// The functions of a program, by address.
struct Symbols(BTreeMap<u64, Function>);

impl Symbols {
    /// Reads the output of `llvm-nm --print-size`.
    fn parse(text: &str) -> Self {
        let functions = text.lines().filter_map(|line| {
            let mut words = line.splitn(4, ' ');
            let start = u64::from_str_radix(words.next()?, 16).ok()?;
            let len = u64::from_str_radix(words.next()?, 16).ok()?;
            let kind = words.next()?;
            let name = words.next()?.to_owned();

            let function = Function {
                name,
                addresses: start..start + len,
            };
            ["t", "T", "w", "W"]
                .contains(&kind)
                .then_some((start, function))
        });
        Self(functions.collect())
    }

    fn at(&self, address: u64) -> Option<&Function> {
        self.0.get(&address)
    }

    fn named(&self, name: &str) -> Result<&Function> {
        self.0
            .values()
            .find(|function| function.name == name)
            .with_context(|| format!("there is no function `{name}` in this kernel"))
    }
}

/// Reads the output of `llvm-objdump --no-show-raw-insn`.
fn parse(text: &str) -> impl Iterator<Item = (u64, Instruction)> + '_ {
    text.lines().filter_map(|line| {
        let (address, text) = line.split_once(": ")?;
        let address = u64::from_str_radix(address.trim(), 16).ok()?;
        let text = text.trim().to_owned();

        let jumps = text.starts_with('j') || text.starts_with("call");
        let target = text
            .split_whitespace()
            .nth(1)
            .filter(|_| jumps)
            .and_then(|operand| operand.strip_prefix("0x"))
            .and_then(|address| u64::from_str_radix(address, 16).ok());
        Some((address, Instruction { text, target }))
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const NM: &str = "\
0000000000000010 0000000000000006 t kernel::drm::gem::shmem::bench_kunit::access::out_of_line
0000000000000030 0000000000000003 T rust_helper_atomic_ptr_read_acquire
0000000000000040 0000000000000008 d kernel::data
0000000000000050 T without_size
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

    /// A function that calls a helper.
    pub(in super::super) fn code() -> Code {
        let symbols = Symbols::parse(NM);
        Code {
            functions: symbols.0.into_values().collect(),
            instructions: parse(OBJDUMP).collect(),
            mark: 0x70,
            synchronize: 0x80,
        }
    }

    #[test]
    fn functions_are_found() {
        let symbols = Symbols::parse(NM);

        assert_eq!(symbols.0.len(), 2);
        assert_eq!(symbols.at(0x10).unwrap().addresses, 0x10..0x16);
        assert_eq!(symbols.at(0x10).unwrap().short_name(), "out_of_line");
        assert!(symbols.named("kernel::data").is_err());
        assert!(!symbols.at(0x10).unwrap().belongs_to_an_access());
        assert!(symbols.at(0x30).unwrap().belongs_to_an_access());
    }

    #[test]
    fn all_of_it_is_traced() {
        assert_eq!(code().filter(), "0x10+0x6,0x30+0x3,0x70+1,0x80+1");
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
    fn a_call_that_is_not_counted_is_noticed() {
        let code = code();

        assert!(code.ensure_complete(&[0x10, 0x30, 0x12]).is_ok());
        assert!(code.ensure_complete(&[0x10, 0x12]).is_err());
        assert!(code.ensure_complete(&[0x13]).is_err());
    }

    #[test]
    fn helpers_are_no_accessors() {
        assert_eq!(code().accessors(&[0x10, 0x30]), 1);
        assert_eq!(code().accessors(&[0x30]), 0);
    }
}
