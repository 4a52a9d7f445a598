// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Imports of the attribute: which are taken out, which stay, and what is left of a tree.

use anyhow::{ensure, Result};
use cargo_devres_lazy::{expand_with, Format, Options, Source};
use std::{fs, path::Path};
use tempfile::TempDir;

const ITEM: &str = "#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,
    #[lazy(fn table, device = &self.dev, init = Table)]
    table: Table,
}
";

/// Prints a file.
fn printed(text: &str) -> Result<String> {
    let source = Source::from_bytes(Path::new("imports.rs"), text.as_bytes().to_vec())?;
    expand_with(&source, &Options::default(), Format::Nobody)
}

/// Prints an import with an item behind it, and returns the part before the item.
fn left_of(import: &str) -> Result<String> {
    let text = printed(&format!("{import}{ITEM}"))?;
    let end = text.find("#[pin_data(PinnedDrop)]\nstruct Queue");

    Ok(text[..end.unwrap_or(text.len())].to_owned())
}

#[test]
fn a_tree_loses_the_attribute_only() -> Result<()> {
    for (import, left) in [
        ("use kernel::devres_lazy;\n", ""),
        ("use ::kernel::devres_lazy;\n", ""),
        ("use kernel::{devres_lazy};\n", ""),
        ("use {kernel::{{devres_lazy,},},};\n", ""),
        ("use kernel::{devres_lazy, a};\n", "use kernel::{a};\n"),
        ("use kernel::{a, devres_lazy,};\n", "use kernel::{a,};\n"),
        ("use kernel::{a, devres_lazy};\n", "use kernel::{a};\n"),
        ("use kernel::{a,devres_lazy,b};\n", "use kernel::{a,b};\n"),
        (
            "use kernel::{self, devres_lazy, devres::{self}};\n",
            "use kernel::{self, devres::{self}};\n",
        ),
        (
            "use kernel::{\n    a,\n    devres_lazy, //\n};\n",
            "use kernel::{\n    a, //\n};\n",
        ),
        (
            "use kernel::{\n    devres_lazy,\n    a, //\n};\n",
            "use kernel::{\n    a, //\n};\n",
        ),
        (
            "use crate::{a::{devres_lazy, b}, c};\n",
            "use crate::{a::{b}, c};\n",
        ),
        (
            "use crate::{a::{b, devres_lazy}, c};\n",
            "use crate::{a::{b}, c};\n",
        ),
        (
            "use crate::{a::{b::{devres_lazy}, c}, d};\n",
            "use crate::{a::{c}, d};\n",
        ),
        ("use crate::{a::devres_lazy, b};\n", "use crate::{b};\n"),
        ("use crate::{b, a::{devres_lazy}};\n", "use crate::{b};\n"),
        (
            "use crate::{a, {b, {devres_lazy}}, c::*};\n",
            "use crate::{a, {b}, c::*};\n",
        ),
        (
            "use {crate::b as devres_lazy2, kernel::{devres_lazy, c as d}};\n",
            "use {crate::b as devres_lazy2, kernel::{c as d}};\n",
        ),
        ("use crate::macros::devres_lazy;\n", ""),
        (
            "#[cfg(a)]\n#[doc(hidden)]\nuse crate::macros::devres_lazy;\n",
            "",
        ),
        // A path in a macro begins with the crate.
        (
            "use kernel::devres_lazy;\nmacro_rules! a { () => { kernel::b!() } }\n",
            "macro_rules! a { () => { kernel::b!() } }\n",
        ),
        // The crate by another name, or all of it through a module.
        (
            "extern crate kernel as a;\nuse kernel::b;\nuse a::devres_lazy;\n",
            "extern crate kernel as a;\nuse kernel::b;\n",
        ),
        (
            "mod a { pub use kernel::*; }\nuse kernel::b;\nuse a::devres_lazy;\n",
            "mod a { pub use kernel::*; }\nuse kernel::b;\n",
        ),
        // Where two are imported, as those may be configured, both go.
        (
            "#[cfg(a)]\nuse a::devres_lazy;\n#[cfg(not(a))]\nuse b::{c, devres_lazy};\n",
            "#[cfg(not(a))]\nuse b::{c};\n",
        ),
    ] {
        let found = left_of(import)?;
        ensure!(found == left, "{import} -> {found}");
    }
    Ok(())
}

#[test]
fn comments_and_lines_stay() -> Result<()> {
    for (import, left) in [
        (
            "use kernel::{a, /* b */ devres_lazy /* c */, d};\n",
            "use kernel::{a, /* b */ /* c */ d};\n",
        ),
        (
            "use kernel::{\n    // The attribute.\n    devres_lazy, // It.\n    a, //\n};\n",
            "use kernel::{\n    // The attribute.\n    // It.\n    a, //\n};\n",
        ),
        (
            "use kernel::{\n    a,\n    // The attribute.\n    devres_lazy,\n};\n",
            "use kernel::{\n    a,\n    // The attribute.\n};\n",
        ),
        (
            "use kernel::{\n    a, // A.\n    devres_lazy // It.\n};\n",
            "use kernel::{\n    a, // A.\n    // It.\n};\n",
        ),
        (
            "use kernel::devres_lazy; // The attribute.\n",
            "// The attribute.\n",
        ),
        (
            "use /* a */ kernel::{ // b\n    devres_lazy,\n};\n",
            "/* a */\n// b\n",
        ),
        ("fn a() {} use a::devres_lazy;\n", "fn a() {}\n"),
        (
            "fn a() {} use a::devres_lazy; use b::c;\n",
            "fn a() {}  use b::c;\n",
        ),
        ("use a::devres_lazy; use b::c;\n", "use b::c;\n"),
        // One empty line is enough.
        ("use b::c;\n\nuse a::devres_lazy;\n\n", "use b::c;\n\n"),
        ("//! Doc.\n\nuse a::devres_lazy;\n\n", "//! Doc.\n\n"),
        ("use a::devres_lazy;\n\n", ""),
    ] {
        let found = left_of(import)?;
        ensure!(found == left, "{import} -> {found}");
        ensure!(syn::parse_file(&found).is_ok(), "{import} -> {found}");
    }
    Ok(())
}

#[test]
fn what_others_may_use_stays() -> Result<()> {
    for file in [
        // It is no import of the attribute by its name.
        "use devres_lazy;\nITEM",
        "use ::devres_lazy;\nITEM",
        "use kernel::prelude::*;\nITEM",
        "use a::devres_lazy::{self};\nITEM",
        "use kernel::devres_lazy as lazy;\nITEM",
        "use kernel::{self as a, devres_lazy as b};\nITEM",
        // Other files may import it from here.
        "pub use kernel::devres_lazy;\nITEM",
        "pub mod a {\n    pub use kernel::devres_lazy;\n}\nITEM",
        // This file imports it from here.
        "use a::devres_lazy;\nITEMmod b {\n    pub(crate) use super::devres_lazy;\n}\n",
        "use a::devres_lazy;\nITEMmod b {\n    use super::devres_lazy as c;\n}\n",
        "use a::devres_lazy;\nITEMmod b {\n    use super::{c, {devres_lazy as d}};\n}\n",
        "use a::devres_lazy;\nuse self::devres_lazy as b;\nITEM",
        "use a::devres_lazy;\nITEMmod b { mod c { pub use crate::devres_lazy as d; } }\n",
        "use a::devres_lazy;\nITEMmod b {\n    use super::*;\n    use self::devres_lazy as c;\n}\n",
        "use a::devres_lazy;\nITEMfn b() { use super::c::{devres_lazy as d}; }
mod c { pub use super::devres_lazy; }\n",
        // It may be a module, which is used.
        "use a::devres_lazy;\nuse devres_lazy::b;\nITEM",
        "use a::devres_lazy;\nITEMfn b() { devres_lazy::c() }\n",
        // A macro may use it.
        "use a::devres_lazy;\nITEMmacro_rules! b { () => { devres_lazy!() } }\n",
        "use a::devres_lazy;\nITEMb!(c, devres_lazy);\n",
    ] {
        let text = printed(&file.replace("ITEM", ITEM))?;
        let (before, after) = file.split_once("ITEM").unwrap_or((file, ""));
        ensure!(
            text.starts_with(before) && text.ends_with(after),
            "{file}:\n{text}"
        );
    }
    Ok(())
}

#[test]
fn others_in_the_file_go_as_well() -> Result<()> {
    for (file, left) in [
        // Both are for items only.
        (
            "use a::devres_lazy;\nITEMmod b {\n    use super::devres_lazy;\nITEM}\n",
            &["mod b {\n#["][..],
        ),
        (
            "mod b {\n    use super::{c, devres_lazy};\nITEM}\nuse a::devres_lazy;\nITEM",
            &["mod b {\n    use super::{c};\n#[", "}\n#["],
        ),
        (
            "use a::devres_lazy;\nITEMmod b {\n    use super::*;\nITEM}\n",
            &["mod b {\n    use super::*;\n#["],
        ),
        (
            "mod b {\n    use super::devres_lazy;\nITEM}\nuse a::devres_lazy;\n",
            &["mod b {\n#["],
        ),
        // The crate is there without an import.
        (
            "use kernel::devres_lazy;\nITEMfn b() { kernel::c() }\nITEM",
            &["fn b() { kernel::c() }\n#["],
        ),
        // A module has nothing else, and nobody uses it any more.
        (
            "mod b { pub(super) use ::kernel::devres_lazy; }\nuse b::*;\nITEMITEM",
            &["mod b { #[allow(unused_imports)] pub(super) use ::kernel::devres_lazy; }\n#["],
        ),
        // No item needs the name of the crate any more.
        (
            "use ::kernel as a;\nuse a::devres_lazy;\nITEMITEM",
            &["#[allow(unused_imports)]\nuse ::kernel as a;\n#["],
        ),
        (
            "mod c { pub use ::kernel as a; }\nuse c::a;\nITEMfn b(_: a::c) {}\nITEM",
            &["use c::a;\n#[", "fn b(_: a::c) {}\n#["],
        ),
        // This file does not use the import any more; other files may.
        (
            "pub(crate) use a::{\n    b,\n    devres_lazy,\n};\nITEMITEM",
            &["#[allow(unused_imports)]\npub(crate) use a::{\n    b,\n    devres_lazy,\n};\n#["],
        ),
        (
            "mod b {\n    #[allow(unused_imports)]\n    pub use a::devres_lazy;\n}\n\
             use b::devres_lazy;\nITEMITEM",
            &["mod b {\n    #[allow(unused_imports)]\n    pub use a::devres_lazy;\n}\n#["],
        ),
    ] {
        let text = printed(&file.replace("ITEM", ITEM))?;
        for left in left {
            ensure!(text.contains(left), "{file} lacks {left}:\n{text}");
        }
        let imports = text.matches("devres_lazy;\n").count() + text.matches("devres_lazy}").count();
        let allowed = text.matches("#[allow(unused_imports)]").count();
        ensure!(imports <= allowed, "{file}:\n{text}");
    }
    Ok(())
}

/// An import that is only for a macro's items goes with those, wherever it is.
#[test]
fn those_in_bodies_go() -> Result<()> {
    for file in [
        "fn a() {\n    use b::devres_lazy;\n    ITEM\n}\n",
        "const A: () = {\n    use b::devres_lazy;\n    ITEM\n};\n",
        "impl A {\n    fn a(&self) {\n        if b { use b::devres_lazy; ITEM }\n    }\n}\n",
        "use b::devres_lazy;\nfn a() {\n    ITEM\n}\n",
        "fn a() {\n    use b::devres_lazy;\n    c(|| { ITEM });\n}\n",
        "ITEM#[devres_lazy]\n#[pinned_drop]\nimpl PinnedDrop for A {\n    \
         fn drop(self: Pin<&mut Self>) {\n        use kernel::devres_lazy;\n        \
         use std::{devres_lazy as a, b};\n        ()\n    }\n}\n",
    ] {
        let text = printed(&file.replace("ITEM", ITEM))?;
        ensure!(!text.contains("::devres_lazy;"), "{file}:\n{text}");
    }
    Ok(())
}

/// The files of modules may import it from here, as far as they are there and name it.
#[test]
fn modules_in_files_may_use_it() -> Result<()> {
    const IMPORT: &str = "use kernel::{a, devres_lazy};\n";
    const ALLOWED: &str = "#[allow(unused_imports)]\nuse kernel::{a, devres_lazy};\n";
    const LEFT: &str = "use kernel::{a};\n";

    for (module, file, text, left) in [
        ("mod b;", "b.rs", "use super::devres_lazy;", ALLOWED),
        (
            "mod b;",
            "b/mod.rs",
            "use super::{c, devres_lazy};",
            ALLOWED,
        ),
        (
            "mod b;",
            "root/b.rs",
            "#[super::devres_lazy] struct A {}",
            ALLOWED,
        ),
        (
            "mod b;",
            "b.rs",
            "use crate::*; #[devres_lazy] struct A {}",
            ALLOWED,
        ),
        (
            "mod b { mod c; }",
            "b/c.rs",
            "use super::super::devres_lazy;",
            ALLOWED,
        ),
        (
            "#[path = \"d.rs\"] mod b;",
            "d.rs",
            "use super::devres_lazy;",
            ALLOWED,
        ),
        (
            "mod b;",
            "b.rs",
            "mod c { use super::super::devres_lazy; }",
            ALLOWED,
        ),
        // It names others, and has its own import.
        (
            "mod b;",
            "b.rs",
            "use super::*; use crate::c; use kernel::devres_lazy; #[devres_lazy] struct A {}",
            LEFT,
        ),
        ("mod b;", "b.rs", "use kernel::devres_lazy;", LEFT),
        ("mod b;", "b.rs", "use super::a;", LEFT),
        // It is not there, or no module of this one.
        ("mod b;", "c.rs", "use super::devres_lazy;", LEFT),
        ("", "b.rs", "use super::devres_lazy;", LEFT),
        ("mod b;", "b.rs", "use super::devres_lazy", LEFT),
    ] {
        let folder = TempDir::new()?;
        let file = folder.path().join(file);
        fs::create_dir_all(file.parent().unwrap_or(folder.path()))?;
        fs::write(&file, text)?;

        let root = folder.path().join("root.rs");
        let source = format!("{IMPORT}{module}\n{ITEM}");
        let source = Source::from_bytes(&root, source.into_bytes())?;
        let printed = expand_with(&source, &Options::default(), Format::Nobody)?;
        let start = format!("{left}{module}\n");
        ensure!(printed.starts_with(&start), "{module} {text}:\n{printed}");
    }
    Ok(())
}

#[test]
fn names_that_are_needed_are_imported() -> Result<()> {
    let import = "use kernel::{
    device::Device,
    devres_lazy,
    prelude::*,
    sync::aref::ARef, //
};
";
    let expected = "use kernel::{
    device::{
        Bound,
        Device, //
    },
    devres::{
        same_device,
        Entry,
        Lazy,
        LazyOwner,
        Vacant, //
    },
    prelude::*,
    sync::aref::ARef, //
};
";
    let left = left_of(import)?;
    ensure!(left == expected, "{left}");

    // The module, where a name of it is taken.
    let text = printed(&format!("{import}enum Entry {{}}\n{ITEM}"))?;
    ensure!(text.contains("    devres::{\n        self,\n"), "{text}");
    ensure!(
        text.contains(" devres::Entry::Vacant(slot) => slot"),
        "{text}"
    );
    ensure!(text.contains(" Lazy::entry(&self.table, dev)"), "{text}");
    Ok(())
}

#[test]
fn other_imports_are_left_alone() -> Result<()> {
    for import in [
        "use kernel::prelude::*;\n",
        "use kernel::{device::Device, sync::aref::ARef};\n",
        "use kernel::{device::Device, /* all */ prelude::*};\n",
        "#[cfg(a)]\nuse kernel::{device::Device, prelude::*};\n",
        "pub use kernel::{device::Device, prelude::*};\n",
        "use kernel::{device::Device, prelude::*};\nuse super::*;\n",
        "use kernel::{device::Device, prelude::*};\n#[cfg(a)]\n",
    ] {
        let text = printed(&format!("{import}{ITEM}"))?;
        ensure!(text.starts_with(import), "{text}");
        ensure!(text.contains("::kernel::devres::Lazy::entry("), "{text}");
    }
    Ok(())
}
