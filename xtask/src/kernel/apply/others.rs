// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Edits of a few lines in other files of `rust/`.

use super::source::Source;
use anyhow::{ensure, Context, Result};
use quote::ToTokens;
use syn::Block;

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
const REGISTER: &str = "{ let data = KBox::pin_init(data, flags)?; register_foreign(dev, data) }";

/// The additions to `rust/kernel/devres.rs`.
const OF_DEVRES: &str = include_str!("../../../../kernel/items/devres.rs");

/// `rust/kernel/devres.rs`: exports the items of a new module, in order of the modules' names.
pub(super) fn export(source: &mut Source, module: &str) -> Result<()> {
    let ours = Source::parse(OF_DEVRES)?;
    let name = format!("use {module}");
    let text = ours.text_of(&name)?;
    let is_here = |it: &&str| it.starts_with("use ") && source.lines(it).is_ok();
    let exports: Vec<_> = ours
        .names()
        .filter(|it| *it == name || is_here(it))
        .collect();
    let at = exports.iter().position(|it| *it == name);
    let (before, behind) = exports.split_at(at.with_context(|| format!("no `{name}` is ours"))?);

    match (before.last(), behind.get(1)) {
        (_, Some(next)) => source.insert(source.lines(next)?.start, text),
        (Some(last), None) => source.insert(source.range(last)?.end + 1, text),
        (None, None) => source.insert(source.last("mod ")?.end, &format!("{text}\n")),
    }
}

/// `rust/kernel/devres.rs`: `register()` takes the slots' place before it adds a registration.
pub(super) fn place_first(source: &mut Source) -> Result<()> {
    let ours = Source::parse(OF_DEVRES)?;
    let expected: Block = syn::parse_str(REGISTER)?;
    ensure!(
        source.tokens_of_body("fn register")?.to_string() == expected.to_token_stream().to_string(),
        "`fn register` does more or less than to make a box and register it"
    );
    let call = format!("{}\n", ours.text_in("fn register")?);
    source.insert(source.body("fn register")?.start, &call)?;
    let examples = "/// # Examples\n";
    let docs = format!("{}///\n{examples}", ours.docs("fn register")?);
    source.substitute("fn register", examples, &docs)
}

/// Marks a module that has items without a user yet.
const UNUSED: &str = "#[expect(unused)]\n";

/// The same for a part of suites. In a kernel without shmem objects, the part itself allows that.
const UNUSED_IN_SUITES: &str = "#[cfg_attr(CONFIG_RUST_DRM_GEM_SHMEM_HELPER, expect(unused))]\n";

/// Marks these modules, and no others, as having items without a user yet.
pub(super) fn unused(source: &mut Source, modules: &[&str]) -> Result<()> {
    let mut text = source.text().to_owned();
    for mark in [UNUSED, UNUSED_IN_SUITES] {
        text = text.replace(mark, "");
    }
    for name in modules {
        let mark = match name.starts_with("kunit_") {
            true => UNUSED_IN_SUITES,
            false => UNUSED,
        };
        let declarations = ["", "pub(crate) "].map(|vis| format!("\n{vis}mod {name};\n"));
        let at = declarations.iter().find_map(|it| text.find(it));
        let at = at.with_context(|| format!("there is no `mod {name}`"))?;
        text.insert_str(at + 1, mark);
    }
    *source = Source::parse(&text)?;
    Ok(())
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

/// The name of the macro and of its module.
const ATTRIBUTE: &str = "devres_lazy";

/// `rust/macros/lib.rs`: the module of the attribute, which has no user yet.
pub(super) fn unused_macro(source: &mut Source) -> Result<()> {
    declare(source, ATTRIBUTE, &format!("mod {ATTRIBUTE};\n"))?;
    unused(source, &[ATTRIBUTE])
}

/// `rust/macros/lib.rs`: the attribute, which uses the module.
pub(super) fn attribute(source: &mut Source) -> Result<()> {
    unused(source, &[])?;
    let ours = Source::parse(include_str!("../../../../kernel/items/macros.rs"))?;
    let function = format!("\n{}", ours.text_of("fn devres_lazy")?);
    source.insert(source.text().len(), &function)
}

/// `rust/macros/devres_lazy/mod.rs`.
pub(super) const MACRO_ROOT_TEXT: &str = include_str!("../../../../macros/src/devres_lazy/mod.rs");

/// `rust/macros/devres_lazy/expand/mod.rs`.
pub(super) const EXPAND_ROOT_TEXT: &str =
    include_str!("../../../../macros/src/devres_lazy/expand/mod.rs");

/// One of these files with no more than these modules.
pub(super) fn modules(text: &str, names: &[&str]) -> Result<String> {
    let mut source = Source::parse(text)?;
    let all = source.names().filter_map(|it| it.strip_prefix("mod "));
    let others = all.filter(|it| !names.contains(it)).map(str::to_owned);
    let others: Vec<_> = others.collect();
    let end = source.last("mod ")?.end;
    source.replace(end - 1..source.text().len(), "")?;
    for name in others {
        let line = source.range(&format!("mod {name}"))?;
        source.replace(line.start..line.end + 1, "")?;
    }
    Ok(source.text().to_owned())
}

/// Declares a child module: see [`declare_all()`].
pub(super) fn declare(source: &mut Source, name: &str, declaration: &str) -> Result<()> {
    declare_all(source, &[(name.to_owned(), declaration.to_owned())])
}

/// Declares child modules unless they are declared, in order of the names among those that are.
/// Where there are none, they come behind the imports. The new ones are in order.
pub(super) fn declare_all(source: &mut Source, new: &[(String, String)]) -> Result<()> {
    let theirs = source.names().filter(|it| it.starts_with("mod "));
    let theirs: Vec<_> = theirs.map(str::to_owned).collect();
    let mut text = source.text().to_owned();
    // From the last one on, so that places stay.
    let new = new.iter().rev();
    let new = new.map(|(name, declaration)| (format!("mod {name}"), declaration));
    let mut is_alone = theirs.is_empty();
    for (name, declaration) in new.filter(|(name, _)| !theirs.contains(name)) {
        let at = match (theirs.iter().find(|it| **it > name), theirs.last()) {
            (Some(next), _) => source.lines(next)?.start,
            (None, Some(last)) => source.range(last)?.end + 1,
            (None, None) => source.last("use ")?.end,
        };
        if std::mem::replace(&mut is_alone, false) {
            text.insert(at, '\n');
        }
        text.insert_str(at, declaration);
    }
    if text != source.text() {
        *source = Source::parse(&text)?;
    }
    Ok(())
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
            edit: place_first,
            before: "\
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
                "/// Encapsulates.\n///\n/// The first call",
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
    fn exports_are_in_order() {
        let before = "use a::b;\n\nmod place;\n\n/// A.\nstruct A;\n";
        let mut source = Source::parse(before).unwrap();
        for module in ["lazy", "mapped", "batched", "evictable"] {
            export(&mut source, module).unwrap();
        }

        let exports = source.names().filter(|it| it.starts_with("use "));
        let order = ["a", "batched", "evictable", "lazy", "mapped"];
        assert!(exports.eq(order.map(|it| format!("use {it}"))));
        for part in [
            "mod place;\n\npub use batched::Batched;\npub use evictable::{\n",
            "    OwnerView, //\n};\n\n/// A.\n",
        ] {
            assert!(source.text().contains(part), "{}", source.text());
        }
    }

    #[test]
    fn modules_without_a_user_are_marked() {
        let before = "mod a;\n#[cfg(b)]\nmod kunit_b;\npub(crate) mod c;\n";
        let mut source = Source::parse(&format!("use d::e;\n\n{before}")).unwrap();
        unused(&mut source, &["a", "c"]).unwrap();
        unused(&mut source, &["kunit_b", "c"]).unwrap();
        let text = source.text();
        let with = format!("mod a;\n#[cfg(b)]\n{UNUSED_IN_SUITES}mod kunit_b;\n{UNUSED}pub(crate)");
        assert!(text.contains(&with), "{text}");
        assert!(unused(&mut source, &["f"]).is_err());
        unused(&mut source, &[]).unwrap();
        assert!(source.text().ends_with(before), "{}", source.text());
    }

    #[test]
    fn the_macro_has_some_of_its_modules() {
        let text = modules(MACRO_ROOT_TEXT, &["parse", "diagnostics"]).unwrap();
        let end = "\n\npub(crate) mod diagnostics;\npub(crate) mod parse;\n";
        assert!(
            text.starts_with("// SPDX-") && text.ends_with(end),
            "{text}"
        );
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
