// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `rust/kernel/drm/gem/shmem.rs`: one annotated field and a pair of functions in place of the
//! scatter-gather table by hand.

use super::{
    imports::Imports,
    source::{
        self,
        Source, //
    },
};
use anyhow::{
    anyhow,
    Result, //
};
use quote::ToTokens;
use std::ops::Range;

/// What comes out: the fields, the statement and the items of `kernel/items/shmem.rs`.
struct New {
    field: String,
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
            field: inside(&source, &source.range(fields)),
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
    source.replace(resource, new.field);
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
    for (name, text) in [("sgt_res", "sgt <- new_lazy!(),"), ("sgt_lock", "")] {
        let initialiser = source::part(constructor.clone(), name)
            .ok_or_else(|| anyhow!("`Object::new()` does not initialise `{name}`"))?;
        if text.is_empty() {
            let line = source.lines(initialiser);
            source.replace(line, "");
        } else {
            source.replace(initialiser, text);
        }
    }

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
