// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `rust/kernel/drm/gem/shmem.rs`: an annotated field and a pair of functions in place of the
//! scatter-gather table by hand, and the same again for a cached kernel mapping.

use super::{
    imports::Imports,
    source::{
        self,
        Source, //
    },
};
use anyhow::{
    anyhow,
    Context,
    Result, //
};
use quote::ToTokens;
use std::ops::Range;

/// What comes out: the fields, the statement and the items of `kernel/items/shmem.rs`.
struct New {
    fields: String,
    /// The names of the fields.
    names: Vec<String>,
    teardown: String,
    items: String,
}

impl New {
    fn read() -> Result<Self> {
        let text = include_str!("../../../../kernel/items/shmem.rs");
        let source = Source::parse(text.to_owned())?;

        let structure = source.structure("Object")?;
        let fields = &structure.fields;
        let body = source.function("Object", "free_callback")?.block.clone();
        let stmts = body.stmts;
        let behind = source.lines(source.range(source.impls("Object")[0])).end;

        Ok(Self {
            fields: inside(&source, &source.range(fields)),
            names: fields
                .iter()
                .map(|field| field.ident.as_ref().map(ToString::to_string))
                .collect::<Option<_>>()
                .context("the fields of `Object` have names")?,
            teardown: stmts
                .first()
                .map(|stmt| source.text(source.lines(source.range(stmt))).to_owned())
                .ok_or_else(|| anyhow!("there is no statement in `free_callback()`"))?,
            items: text[behind..].to_owned(),
        })
    }
}

/// What stands between the braces of a range, whole lines.
fn inside(source: &Source, range: &Range<usize>) -> String {
    let text = source.text(range.clone());
    let start = text.find('\n').map_or(0, |at| at + 1);
    let end = text.rfind('\n').map_or(text.len(), |at| at + 1);
    text[start..end].to_owned()
}

/// Converts the file.
pub(crate) fn convert(text: String) -> Result<String> {
    let new = New::read()?;
    let mut source = Source::parse(text)?;

    // The fields.
    let resource = source.lines(source.range(source.field("Object", "sgt_res")?));
    let lock = source.lines(source.range(source.field("Object", "sgt_lock")?));
    let attribute = source
        .structure("Object")?
        .attrs
        .iter()
        .find(|attr| !attr.path().is_ident("doc"))
        .map(|attr| source.range(attr).start)
        .ok_or_else(|| anyhow!("`struct Object` has no attributes"))?;
    source.insert(attribute, "#[devres_lazy]\n");
    source.replace(resource, new.fields);
    source.replace(lock, "");

    // The accessor, which the macro writes.
    let accessor = source.lines(source.range(source.function("Object", "sg_table")?));
    source.replace(accessor, "");

    // The teardown.
    let callback = source.function("Object", "free_callback")?;
    let by_hand = callback
        .block
        .stmts
        .iter()
        .find(|stmt| source::mentions(stmt.to_token_stream(), "sgt_res"))
        .map(|stmt| source.lines(source.range(stmt)))
        .ok_or_else(|| anyhow!("`Object::free_callback()` does not drop `sgt_res`"))?;
    source.replace(by_hand, new.teardown + "\n");

    // The constructor.
    let constructor = source.function("Object", "new")?.block.to_token_stream();
    let initialiser = |name| {
        source::part(constructor.clone(), name)
            .map(|range| source.lines(range))
            .ok_or_else(|| anyhow!("`Object::new()` does not initialise `{name}`"))
    };
    let (resource, lock) = (initialiser("sgt_res")?, initialiser("sgt_lock")?);
    let by_hand = source.text(resource.clone());
    let indent = &by_hand[..by_hand.len() - by_hand.trim_start().len()];
    let slots: String = new
        .names
        .iter()
        .map(|name| format!("{indent}{name} <- new_lazy!(),\n"))
        .collect();
    source.replace(resource, slots);
    source.replace(lock, "");

    // The type that unmapped the table.
    let structure = source.lines(source.range(source.structure("SGTableMap")?));
    let impls: Vec<_> = source
        .impls("SGTableMap")
        .into_iter()
        .map(|item| source.lines(source.range(item)))
        .collect();
    source.replace(structure, new.items + "\n");
    for item in impls {
        source.replace(item, "");
    }

    imports(&mut source)?;
    Ok(source.finish())
}

/// Imports what is used now, and no longer what is not.
fn imports(source: &mut Source) -> Result<()> {
    let mut edits = Vec::new();

    for item in source.imports() {
        let mut imports = Imports::new(item);
        let text = item.to_token_stream();
        if source::mentions(text.clone(), "crate") {
            for name in ["new_mutex", "Mutex", "SetOnce"] {
                imports.remove(name)?;
            }
            imports.add("devres_lazy")?;
        } else if source::mentions(text, "ManuallyDrop") {
            imports.remove("ManuallyDrop")?;
            imports.add("cell::UnsafeCell")?;
        } else {
            continue;
        }
        edits.push((source.range(item), imports.print()));
    }

    for (range, text) in edits {
        source.replace(range, text);
    }
    Ok(())
}

/// Declares child modules behind the imports.
pub(crate) fn declare(text: String, modules: &str) -> Result<String> {
    let mut source = Source::parse(text)?;
    let behind = last_import(&source)?;
    source.insert(behind, modules);

    Ok(source.finish())
}

/// The end of the imports.
fn last_import(source: &Source) -> Result<usize> {
    source
        .imports()
        .map(|item| source.lines(source.range(item)).end)
        .max()
        .ok_or_else(|| anyhow!("there are no imports"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a tree has, as far as it is looked at.
    const BY_HAND: &str = "\
use crate::{
    devres::*,
    sync::{
        aref::ARef,
        new_mutex,
        Mutex,
        SetOnce, //
    },
};
use core::{
    ffi::c_void,
    mem::{
        ManuallyDrop,
        MaybeUninit, //
    },
};

/// An object.
#[pin_data]
pub struct Object<T> {
    #[pin]
    obj: T,
    /// The table.
    sgt_res: ManuallyDrop<SetOnce<Devres<SGTableMap<T>>>>,
    #[pin]
    /// The lock.
    sgt_lock: Mutex<()>,
    #[pin]
    inner: T,
}

impl<T> Object<T> {
    fn free_callback(this: *mut Self) {
        // Whole until here.
        unsafe { ManuallyDrop::drop(&mut (*this).sgt_res) };

        release(this);
    }

    /// The accessor.
    pub fn sg_table(&self) {}

    pub fn new() -> Result {
        try_pin_init!(Self {
            obj <- T::new(),
            sgt_res: ManuallyDrop::new(SetOnce::new()),
            sgt_lock <- new_mutex!(()),
            inner <- T::new(),
        })
    }
}

/// What is mapped.
pub struct SGTableMap<T>(T);

impl<T> Drop for SGTableMap<T> {
    fn drop(&mut self) {}
}

mod tests {}
";

    fn converted() -> String {
        convert(BY_HAND.to_owned()).unwrap()
    }

    #[test]
    fn every_field_has_its_slot() {
        let source = Source::parse(converted()).unwrap();
        let constructor = source.function("Object", "new").unwrap();
        let slots = source.text(source.range(&constructor.block));

        assert_eq!(New::read().unwrap().names, ["sgt", "vmap_cache"]);
        assert!(
            slots.contains(
                "            obj <- T::new(),
            sgt <- new_lazy!(),
            vmap_cache <- new_lazy!(),
            inner <- T::new(),
"
            ),
            "{slots}"
        );
        // In the order of declaration, which decides on the order of teardown.
        let fields: Vec<_> = source.structure("Object").unwrap().fields.iter().collect();
        let names: Vec<_> = fields
            .iter()
            .filter_map(|field| field.ident.as_ref())
            .map(ToString::to_string)
            .collect();
        assert_eq!(names, ["obj", "sgt", "vmap_cache", "inner"]);
    }

    #[test]
    fn nothing_is_left_of_what_was_by_hand() {
        let text = converted();
        for gone in [
            "sgt_res",
            "sgt_lock:",
            "sgt_lock <-",
            "SGTableMap",
            "ManuallyDrop",
            "new_mutex",
            "SetOnce",
            "pub fn sg_table(",
        ] {
            assert!(!text.contains(gone), "{gone}:\n{text}");
        }
        for new in [
            "/// An object.\n#[devres_lazy]\n#[pin_data]",
            ".teardown();\n\n        release(this);",
            "    cell::UnsafeCell,\n    ffi::c_void,\n    mem::MaybeUninit,",
            "for SgTable {",
            "for CachedVMap {",
        ] {
            assert!(text.contains(new), "{new}:\n{text}");
        }
    }

    #[test]
    fn what_is_not_as_expected_is_said() {
        for (from, to, error) in [
            (
                "            sgt_lock <- new_mutex!(()),\n",
                "",
                "`Object::new()` does not initialise `sgt_lock`",
            ),
            (
                "ManuallyDrop::drop(&mut (*this).sgt_res)",
                "drop(this)",
                "`Object::free_callback()` does not drop `sgt_res`",
            ),
            (
                "    SetOnce, //\n",
                "",
                "`SetOnce` is not imported where it is expected",
            ),
        ] {
            assert!(BY_HAND.contains(from), "{from}");
            let text = BY_HAND.replace(from, to);
            assert_eq!(convert(text).err().unwrap().to_string(), error);
        }
    }
}
