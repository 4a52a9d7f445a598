// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Edits of a few lines in other files of `rust/`.

use super::source::Source;
use anyhow::{ensure, Result};

/// `rust/kernel/{i2c,pci,platform}.rs`: the device of a bus that `TryFrom` returns does not outlive
/// the device that it was found from. Gives both sides of the implementation one lifetime.
pub(super) fn one_lifetime(source: &mut Source, of: &str) -> Result<()> {
    for (from, to) in [
        ("impl<Ctx", "impl<'a, Ctx"),
        (" TryFrom<&device::Device<", " TryFrom<&'a device::Device<"),
        ("> for &", "> for &'a "),
        ("(dev: &device::Device<", "(dev: &'a device::Device<"),
    ] {
        source.substitute(&format!("impl TryFrom for {of}"), from, to)?;
    }
    Ok(())
}

/// The body of `register()` that the slots' place is taken in front of.
const REGISTER: &str = "let data = KBox::pin_init(data, flags)?; register_foreign(dev, data)";

/// `rust/kernel/devres.rs`: exports the items of the new modules. `register()` takes the slots'
/// place before it adds a registration.
pub(super) fn devres(source: &mut Source) -> Result<()> {
    let ours = Source::parse(include_str!("../../../../kernel/items/devres.rs"))?;
    let uses = ours.lines("use crate")?.start..ours.last("use ")?.end;
    source.insert(source.last("mod ")?.end, &ours.text()[uses])?;

    let body = source.text_in("fn register")?.split_whitespace();
    ensure!(
        body.eq(REGISTER.split_whitespace()),
        "`fn register` does more or less than to make a box and register it"
    );
    let call = format!("{}\n", ours.text_in("fn register")?);
    source.insert(source.body("fn register")?.start, &call)?;
    let examples = "/// # Examples\n";
    let docs = format!("{}///\n{examples}", ours.docs("fn register")?);
    source.substitute("fn register", examples, &docs)
}

/// `rust/kernel/pci/io.rs`: a BAR can be mapped write-combined.
pub(super) fn write_combined(source: &mut Source) -> Result<()> {
    let ours = Source::parse(include_str!("../../../../kernel/items/pci_io.rs"))?;
    let added = "Device::iomap_region_wc";
    ensure!(source.lines(added).is_err(), "there is `{added}` already");

    let caching = ours.paragraph("enum Caching")?;
    source.insert(source.lines("struct Bar")?.start, &caching)?;
    let by_hand = source.statement("Bar::new", "pci_iomap")?;
    source.replace(by_hand, ours.text_in("Bar::new")?)?;
    source.substitute(
        "Bar::new",
        ",\n    ) ->",
        ",\n        caching: Caching,\n    ) ->",
    )?;
    source.substitute(
        "Device::iomap_region_sized",
        " Bar::new(self, bar, name)\n",
        " Bar::new(self, bar, name, Caching::Uncached)\n",
    )?;
    let behind = source.lines("Device::iomap_region")?.end;
    source.insert(behind, &ours.paragraph(added)?)
}

/// `rust/macros/lib.rs`: the attribute, in a module of its own.
pub(super) fn attribute(source: &mut Source) -> Result<()> {
    let ours = Source::parse(include_str!("../../../../kernel/items/macros.rs"))?;
    declare(source, "devres_lazy", "mod devres_lazy;\n")?;
    let function = format!("\n{}", ours.text_of("fn devres_lazy")?);
    source.insert(source.text().len(), &function)
}

/// Declares a child module unless it is declared, in order of the names among those that are. Where
/// there are none, it comes behind the imports.
pub(super) fn declare(source: &mut Source, name: &str, declaration: &str) -> Result<()> {
    let name = format!("mod {name}");
    let theirs = source.names().filter(|it| it.starts_with("mod "));
    let theirs: Vec<_> = theirs.map(str::to_owned).collect();
    if theirs.contains(&name) {
        return Ok(());
    }

    match (theirs.iter().find(|it| **it > name), theirs.last()) {
        (Some(next), _) => source.insert(source.lines(next)?.start, declaration),
        (None, Some(last)) => source.insert(source.range(last)?.end + 1, declaration),
        (None, None) => {
            let behind = source.last("use ")?.end;
            source.insert(behind, &format!("{declaration}\n"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::case::Case, *};

    #[test]
    fn both_sides_have_one_lifetime() {
        Case {
            edit: |source| one_lifetime(source, "Device"),
            before: "\
impl TryFrom<u32> for Class {}

impl<Ctx: device::DeviceContext> TryFrom<&device::Device<Ctx>> for &Device<Ctx> {
    fn try_from(dev: &device::Device<Ctx>) -> Result<Self, Self::Error> {
        Ok(unsafe { &*dev.cast() })
    }
}
",
            gone: &[],
            new: &[
                "impl<'a, Ctx: device::DeviceContext> TryFrom<&'a device::Device<Ctx>> \
                 for &'a Device<Ctx> {\n",
                "fn try_from(dev: &'a device::Device<Ctx>) -> Result<Self",
            ],
            refused: &[
                ("<&device", "<&'static device", "` has `TryFrom<&"),
                ("device::Device<", "device::A<", "` has `TryFrom<&"),
                ("for &Device", "for Device", "` has `> for &` 0 times"),
                ("dev: &device", "dev: &'static device", "` has `(dev: &"),
                ("for &Device", "for &A", "no `impl TryFrom for Device`"),
                ("impl<Ctx", "impl<'a, Ctx", "` has `impl<Ctx` 0 times"),
            ],
        }
        .check();
    }

    #[test]
    fn a_registration_takes_the_place_first() {
        let other = "more or less than to make a box and register it";
        Case {
            edit: devres,
            before: "\
use a::b;

mod place;

/// Encapsulates.
///
/// # Examples
///
/// ```
/// ```
pub fn register<T, E>(dev: &Device<Bound>, data: impl PinInit<T, E>, flags: Flags) -> Result
where
    T: Send + 'static,
{
    let data = KBox::pin_init(data, flags)?;

    register_foreign(dev, data)
}
",
            gone: &[],
            new: &[
                "mod place;\n\npub use crate::{\n    new_evictable_lazy,\n",
                "    Vacant, //\n};\n",
                "    OwnerView, //\n};\n\n/// Encapsulates.\n///\n/// The first call",
                "with [`ENXIO`].\n///\n/// # Examples\n///\n",
                "{\n    place::take(dev)?;\n\n    let data = KBox::pin_init(data, flags)?;\n\n    \
                 register_foreign(dev, data)\n}\n",
            ],
            refused: &[
                ("fn register", "fn registers", "there is no `fn register`"),
                ("flags)?;", "flags)?;\n    note(&data);", other),
                // It is edited once.
                (
                    "{
    let",
                    "{
    place::take(dev)?;
    let",
                    other,
                ),
                ("# Examples", "# Example", "has `/// # Examples` 0 times"),
            ],
        }
        .check();
    }

    #[test]
    fn a_bar_is_mapped_in_two_ways() {
        Case {
            edit: write_combined,
            before: "\
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
",
            gone: &["It is valid."],
            new: &[
                "    WriteCombined,\n}\n\n/// A BAR.\npub struct Bar",
                "        name: &'static CStr,\n        caching: Caching,\n    ) -> Result<Self> {\n",
                "    ) -> Result<Self> {\n        // SAFETY:\n        // `pdev` is valid",
                "        } as usize;\n        if ioptr == 0 {\n",
                "        Bar::new(self, bar, name, Caching::Uncached)\n",
                "(bar, name)\n    }\n\n    /// Maps an entire PCI BAR write-combined",
                "Caching::WriteCombined)\n    }\n\n    pub fn cfg_size",
            ],
            refused: &[
                ("::pci_iomap(", "::ioremap(", "not mention `pci_iomap`"),
                ("bar, name)\n", "bar, name)?;\n", "bar, name)` 0 times"),
                ("iomap_region<", "iomap<", "no `Device::iomap_region`"),
                ("cfg_size(", "iomap_region_wc(", "_wc` already"),
            ],
        }
        .check();
    }

    #[test]
    fn modules_are_declared_in_order() {
        let mut source = Source::parse("use a::b;\nuse c::{\n    d,\n};\n\nstruct One;\n").unwrap();
        for (name, text) in [
            ("f", "mod f;\n"),
            ("h", "#[cfg(g)]\nmod h;\n"),
            ("e", "mod e;\n"),
            ("f", "pub mod f;\n"),
            ("g", "mod g;\n"),
            ("i", "#[cfg(i)]\nmod i;\n"),
        ] {
            declare(&mut source, name, text).unwrap();
        }
        let expected = "};\n\nmod e;\nmod f;\nmod g;\n#[cfg(g)]\nmod h;\n#[cfg(i)]\nmod i;\n\n\
                        struct One;\n";
        assert!(source.text().ends_with(expected), "{}", source.text());

        let mut source = Source::parse("struct One;\n").unwrap();
        assert!(declare(&mut source, "f", "mod f;\n").is_err());
    }
}
