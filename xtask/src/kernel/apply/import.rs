// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Makes every object of a driver an `Object`: dumb buffers and imported ones as well, which C code
//! creates in the tree.
//!
//! `rust/kernel/drm/gem/mod.rs` gets a constant by which a driver says how such objects are made.
//! In `rust/kernel/drm/gem/shmem.rs`, `Object` gets the operations, and what they need.

use super::{
    alloc_ops::AllocOps,
    imports,
    source::{self, Source},
};
use anyhow::{bail, ensure, Context, Result};
use quote::ToTokens;
use std::ops::Range;
use syn::{Item, ItemTrait, Stmt, TraitItem};

/// The parts that only the kernel has.
const OURS: &str = include_str!("../../../../kernel/items/import.rs");

/// The function that the host has as well.
const OF_THE_HOST: &str = include_str!("../../../../runtime/src/host/drm/gem/shmem/import.rs");

/// The trait, and the constant that it gets.
const TRAIT: &str = "DriverObject";
const DEFAULT_ARGS: &str = "DEFAULT_ARGS";

/// `rust/kernel/drm/gem/mod.rs`: how a driver's part of an object is made by default.
pub(crate) fn default_args(text: &str) -> Result<String> {
    let ours = Source::parse(OURS)?;
    let new = ours.text(of_trait(&ours, DEFAULT_ARGS)?);
    let source = Source::parse(text)?;
    let args = of_trait(&source, "Args")?;
    source.insert(args.end, format!("{new}\n"));
    Ok(source.finish())
}

/// `rust/kernel/drm/gem/shmem.rs`: the operations.
pub(crate) fn operations(text: &str) -> Result<String> {
    let ours = Source::parse(OURS)?;
    let host = Source::parse(OF_THE_HOST)?;
    let source = Source::parse(text)?;

    // How an object is allocated, in a function of its own.
    let by_hand = allocation(&source)?;
    let call = statements(&ours, &ours.function("Object", "new")?.block.stmts)?;
    source.replace(by_hand, ours.text(call).to_owned() + "\n");
    let new = function(&source, "new")?.start;
    source.insert(new, paragraph(&ours, function(&ours, "allocate")?));

    // The callbacks, in front of what is no callback.
    let next = function(&source, "make_vmap")?.start;
    for name in ["dumb_create_callback", "prime_import_callback"] {
        source.insert(next, paragraph(&ours, function(&ours, name)?));
    }

    // The import itself, and the operations.
    let theirs = AllocOps::of(&source)?;
    for field in AllocOps::of(&ours)?.fields {
        source.replace_item(theirs.operation(&field.member)?, ours.text_of(field));
    }
    let behind = theirs.lines.start;
    source.insert(behind, host.rest(host.behind_imports()?).to_owned() + "\n");

    imports::edit(&source, |root, imports| {
        if root == "crate" {
            imports.add_below("error", "from_result")?;
            imports.add("page::page_align")?;
        }
        Ok(())
    })?;
    Ok(source.finish())
}

/// The lines of an item of the trait.
fn of_trait(source: &Source, name: &str) -> Result<Range<usize>> {
    let item = source
        .items()
        .iter()
        .find_map(|item| match item {
            Item::Trait(item) if item.ident == TRAIT => Some(item),
            _ => None,
        })
        .and_then(|item: &ItemTrait| {
            item.items.iter().find(|item| match item {
                TraitItem::Const(item) => item.ident == name,
                TraitItem::Type(item) => item.ident == name,
                _ => false,
            })
        })
        .with_context(|| format!("there is no `{TRAIT}::{name}`"))?;

    Ok(source.lines_of(item))
}

/// The text of these lines, with an empty line behind it.
fn paragraph(source: &Source, lines: Range<usize>) -> String {
    format!("{}\n\n", source.text(lines).trim_end())
}

/// The lines of a function of the object.
fn function(source: &Source, name: &str) -> Result<Range<usize>> {
    Ok(source.lines_of(source.function("Object", name)?))
}

/// The lines of the statements that allocate an object and set its functions, which the constructor
/// begins with.
fn allocation(source: &Source) -> Result<Range<usize>> {
    let statements_of = &source.function("Object", "new")?.block.stmts;
    let mentions = |stmt: &Stmt, name| source::mentions(stmt.to_token_stream(), name);
    let [made, set, ..] = &statements_of[..] else {
        bail!("`Object::new()` has too few statements");
    };
    ensure!(
        mentions(made, "try_pin_init") && mentions(set, "VTABLE"),
        "`Object::new()` does not begin by allocating an object and setting its functions"
    );

    statements(source, &statements_of[..2])
}

/// The lines of some statements.
fn statements(source: &Source, stmts: &[Stmt]) -> Result<Range<usize>> {
    let (Some(first), Some(last)) = (stmts.first(), stmts.last()) else {
        bail!("there are no statements");
    };

    Ok(source.lines_of(first).start..source.lines_of(last).end)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parts of a tree's `shmem.rs` that this step looks at.
    const SHMEM: &str = "\
use crate::{
    error::{
        from_err_ptr,
        to_result, //
    },
    prelude::*, //
};

impl<T: DriverObject> Object<T> {
    extern \"C\" fn free_callback() {}

    /// Maps.
    fn make_vmap() {}

    /// Creates.
    pub fn new() -> Result {
        let new = KBox::try_pin_init(try_pin_init!(Self {}))?;

        // SAFETY: It is valid.
        unsafe { (*new.as_raw()).funcs = &Self::VTABLE };

        // SAFETY: They are valid.
        to_result(unsafe { bindings::drm_gem_shmem_init(new) })
    }
}

impl<T: DriverObject> Deref for Object<T> {}

impl<T: DriverObject> driver::AllocImpl for Object<T> {
    type Driver = T::Driver;

    const ALLOC_OPS: driver::AllocOps = driver::AllocOps {
        gem_create_object: None,
        prime_handle_to_fd: None,
        gem_prime_import: None,
        gem_prime_import_sg_table: Some(theirs),
        dumb_create: Some(theirs),
        dumb_map_offset: None,
    };
}
";

    #[test]
    fn objects_are_all_made_here() {
        let text = operations(SHMEM).unwrap();
        let source = Source::parse(&text).unwrap();

        let new = source.function("Object", "new").unwrap();
        assert_eq!(
            source.text(source.range(&new.block)),
            "{
        let parent = config.parent_resv_obj.map(|p| p.into());
        let new = Self::allocate(dev, size, parent, args)?;

        // SAFETY: They are valid.
        to_result(unsafe { bindings::drm_gem_shmem_init(new) })
    }"
        );
        for name in [
            "allocate",
            "dumb_create_callback",
            "prime_import_callback",
            "import",
        ] {
            source.function("Object", name).unwrap();
        }
        for text_of in ["theirs", "        gem_prime_import: None,\n"] {
            assert!(!text.contains(text_of), "{text}");
        }
        for text_of in [
            "        from_err_ptr,\n        from_result,\n        to_result, //\n",
            "    page::page_align,\n    prelude::*",
            "        gem_prime_import_sg_table: None,\n        dumb_create: if",
            "        },\n        dumb_map_offset: None,\n",
        ] {
            assert!(text.contains(text_of), "{text_of}:\n{text}");
        }
    }

    #[test]
    fn a_driver_says_how_objects_are_made() {
        let text =
            "trait DriverObject {\n    /// What it takes.\n    type Args;\n\n    fn new();\n}\n";
        let text = default_args(text).unwrap();

        assert!(
            text.starts_with(
                "trait DriverObject {\n    /// What it takes.\n    type Args;\n\n    /// Makes"
            ),
            "{text}"
        );
        assert!(text.ends_with("> = None;\n\n    fn new();\n}\n"), "{text}");
    }

    #[test]
    fn what_is_not_as_expected_is_said() {
        for (from, to, expected) in [
            (
                "KBox::try_pin_init(try_pin_init!(Self {}))",
                "other()",
                "`Object::new()` does not begin by allocating an object and setting its functions",
            ),
            (
                "        dumb_create: Some(theirs),\n",
                "",
                "`ALLOC_OPS` has no `dumb_create`",
            ),
            (
                "AllocImpl for",
                "Other for",
                "there is no `AllocImpl::ALLOC_OPS` of `Object`",
            ),
            (
                "    error::{",
                "    other::{",
                "nothing is imported from `error`",
            ),
        ] {
            assert!(SHMEM.contains(from), "{from}");
            let error = operations(&SHMEM.replace(from, to)).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
        assert_eq!(
            default_args("trait DriverObject {}")
                .unwrap_err()
                .to_string(),
            "there is no `DriverObject::Args`"
        );
    }
}
