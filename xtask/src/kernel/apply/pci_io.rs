// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `rust/kernel/pci/io.rs`: a BAR can be mapped write-combined.

use super::source::Source;
use anyhow::{bail, ensure, Context, Result};
use syn::{Expr, ImplItemFn, Item, Stmt};

/// The parameter that is added to `Bar::new()`, and what those pass that there are.
const PARAMETER: &str = ",\n        caching: Caching";
const ARGUMENT: &str = ", Caching::Uncached";

/// Adds the function.
pub(super) fn write_combined(text: &str) -> Result<String> {
    let ours = Source::parse(include_str!("../../../../kernel/items/pci_io.rs"))?;
    let caching = ours
        .items()
        .iter()
        .find(|item| matches!(item, Item::Enum(item) if item.ident == "Caching"))
        .map(|item| ours.text_of(item))
        .context("there is no `enum Caching` among our own items")?;
    let function = ours.function("Device", "iomap_region_wc")?;
    let function = ours.text_of(function);
    let mapping = |source: &Source| source.statement("Bar", "new", "pci_iomap");
    let maps = ours.text(mapping(&ours)?);

    let source = Source::parse(text)?;
    ensure!(
        source.function("Device", "iomap_region_wc").is_err(),
        "there is `iomap_region_wc()` already"
    );

    let bar = source.lines_of(source.structure("Bar")?).start;
    let parameters = &source.function("Bar", "new")?.sig.inputs;
    let parameter = parameters.last().context("`Bar::new()` takes nothing")?;
    let parameter = source.range(parameter).end;
    let argument = argument(&source, source.function("Device", "iomap_region_sized")?)?;
    let by_hand = mapping(&source)?;
    let behind = source.function("Device", "iomap_region")?;
    let behind = source.lines_of(behind).end;

    source.insert(bar, caching);
    source.insert(parameter, PARAMETER);
    source.insert(argument, ARGUMENT);
    source.insert(behind, format!("{function}\n"));
    source.replace(by_hand, maps);
    Ok(source.finish())
}

/// Where the arguments of the only call of a function end.
fn argument(source: &Source, function: &ImplItemFn) -> Result<usize> {
    let [Stmt::Expr(Expr::Call(call), None)] = &function.block.stmts[..] else {
        bail!("`{}()` is no single call", function.sig.ident);
    };
    let last = call.args.last().context("the call has no arguments")?;

    Ok(source.range(last).end)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parts of a tree's `pci/io.rs` that this step looks at.
    const UNCACHED: &str = "\
use their::s;

/// A BAR.
pub struct Bar<'a>(&'a ());

impl<'a> Bar<'a> {
    pub(super) fn new(
        num: u32,
        name: &'static CStr,
    ) -> Result<Self> {
        // SAFETY: It is valid.
        let ioptr = unsafe { bindings::pci_iomap(num, 0) } as usize;
        if ioptr == 0 {
            return Err(ENOMEM);
        }
    }
}

impl Device<device::Bound> {
    pub fn iomap_region_sized<'a>(&'a self, bar: u32, name: &'static CStr) -> Result<Bar<'a>> {
        Bar::new(self, bar, name)
    }

    pub fn iomap_region<'a>(&'a self, bar: u32, name: &'static CStr) -> Result<Bar<'a>> {
        self.iomap_region_sized(bar, name)
    }

    pub fn cfg_size(&self) {}
}
";

    #[test]
    fn a_bar_is_mapped_in_two_ways() {
        let text = write_combined(UNCACHED).unwrap();

        for new in [
            "    WriteCombined,\n}\n\n/// A BAR.\npub struct Bar",
            "        name: &'static CStr,\n        caching: Caching,\n    ) -> Result<Self> {\n",
            "    ) -> Result<Self> {\n        // SAFETY:\n        // `pdev` is valid",
            "        } as usize;\n        if ioptr == 0 {\n",
            "        Bar::new(self, bar, name, Caching::Uncached)\n",
            "(bar, name)\n    }\n\n    /// Maps an entire PCI BAR write-combined",
            "Caching::WriteCombined)\n    }\n\n    pub fn cfg_size",
        ] {
            assert!(text.contains(new), "{new}:\n{text}");
        }
        assert!(!text.contains("It is valid."), "{text}");
    }

    #[test]
    fn what_is_not_as_expected_is_said() {
        for (from, to, error) in [
            (
                "bindings::pci_iomap(",
                "bindings::ioremap(",
                "`Bar::new()` does not mention `pci_iomap`",
            ),
            (
                "Bar::new(self, bar, name)\n",
                "let bar = Bar::new(self, bar, name)?;\n        Ok(bar)\n",
                "`iomap_region_sized()` is no single call",
            ),
            (
                "fn iomap_region<",
                "fn iomap<",
                "there is no function `Device::iomap_region()`",
            ),
            (
                "fn cfg_size(",
                "fn iomap_region_wc(",
                "there is `iomap_region_wc()` already",
            ),
        ] {
            assert!(UNCACHED.contains(from), "{from}");
            let text = UNCACHED.replace(from, to);
            assert_eq!(write_combined(&text).err().unwrap().to_string(), error);
        }
    }
}
