// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `rust/kernel/drm/gem/shmem.rs`: an annotated field and a pair of functions in place of the
//! scatter-gather table by hand.

use super::{
    alloc_ops::AllocOps,
    imports,
    source::{self, Source},
};
use anyhow::{anyhow, bail, Context, Result};
use proc_macro2::TokenStream;
use quote::ToTokens;
use std::ops::Range;
use syn::{Attribute, Field, FnArg};

/// The items of the host that map and unmap the table.
const SG_TABLE: &str = include_str!("../../../../runtime/src/host/drm/gem/shmem/sg_table.rs");

/// The fields of `Object`, and statements of its functions.
pub(super) const OURS: &str = include_str!("../../../../kernel/items/shmem.rs");

/// The lazy field, and the one that is dropped last.
pub(super) fn fields(ours: &Source) -> Result<(&Field, &Field)> {
    match Vec::from_iter(&ours.structure("Object")?.fields)[..] {
        [lazy, last] => Ok((lazy, last)),
        _ => bail!("our own `Object` has to have two fields"),
    }
}

fn name(field: &Field) -> Result<String> {
    let name = field.ident.as_ref();
    Ok(name.context("a field of `Object` has no name")?.to_string())
}

/// Puts the annotated field in place of the table by hand.
pub(crate) fn convert(text: &str) -> Result<String> {
    let ours = Source::parse(OURS)?;
    let (lazy, last) = fields(&ours)?;
    let teardown = ours
        .function("Object", "free_callback")?
        .block
        .stmts
        .first()
        .map(|stmt| ours.text_of(stmt))
        .ok_or_else(|| anyhow!("there is no statement in `free_callback()`"))?;
    let source = Source::parse(text)?;

    // The fields.
    source.replace_item(source.field("Object", "sgt_res")?, ours.text_of(lazy));
    source.replace_item(source.field("Object", "sgt_lock")?, "");
    document(&source, &ours, "#[devres_lazy]\n")?;

    let body = |source: &Source| -> Result<Range<usize>> {
        let block = &source.function("Object", "dev")?.block;
        let [.., end] = &block.stmts[..] else {
            return Err(anyhow!("there is nothing in `Object::dev()`"));
        };
        let start = source.range(&block.brace_token.span.open()).end + 1;
        Ok(start..source.lines_of(end).end)
    };
    source.replace(body(&source)?, ours.text(body(&ours)?));

    // The accessor, which the macro writes.
    source.replace_item(source.function("Object", "sg_table")?, "");

    // The teardown.
    let by_hand = source.statement("Object", "free_callback", "sgt_res")?;
    source.replace(by_hand, format!("{teardown}\n"));

    // The constructor.
    let constructor = source.function("Object", "new")?.block.to_token_stream();
    let initialiser = |name: &str| slot(&source, &constructor, name);
    let (resource, lock) = (initialiser("sgt_res")?, initialiser("sgt_lock")?);
    let indent = source.indent(resource.start);
    let new = format!("{indent}{} <- new_lazy!(),\n", name(lazy)?);
    source.replace(resource, new);
    source.replace(lock, "");
    keep_device(&source, &ours, last)?;

    // The type that unmapped the table.
    let host = Source::parse(SG_TABLE)?;
    let items = host.rest(host.behind_imports()?);
    source.replace_item(source.structure("SGTableMap")?, format!("{items}\n"));
    for item in source.impls("SGTableMap") {
        source.replace_item(item, "");
    }

    imports(&source)?;
    Ok(source.finish())
}

/// Adds our documentation of `Object` to what is there, and an attribute behind it.
pub(super) fn document(source: &Source, ours: &Source, attribute: &str) -> Result<()> {
    let is_doc = |attr: &&Attribute| attr.path().is_ident("doc");
    let docs = ours.structure("Object")?.attrs.iter().filter(is_doc);
    let docs: String = docs
        .map(|attr| ours.text(ours.range(attr)).to_owned() + "\n")
        .collect();

    let attributes = &source.structure("Object")?.attrs;
    let first = attributes
        .iter()
        .find(|attr| !is_doc(attr))
        .context("`struct Object` has no attributes")?;
    source.insert(source.range(first).start, docs + attribute);
    Ok(())
}

/// Adds the field that keeps the device, behind all that is there, where it is dropped last.
pub(super) fn keep_device(source: &Source, ours: &Source, last: &Field) -> Result<()> {
    let fields = &source.structure("Object")?.fields;
    let end = fields
        .iter()
        .last()
        .context("`struct Object` has no fields")?;
    let behind = source.lines_of(end).end;
    let constructor = source.function("Object", "new")?.block.to_token_stream();
    let initialiser = slot(source, &constructor, &name(end)?)?;
    let indent = source.indent(initialiser.start);

    source.insert(behind, ours.text_of(last));
    let device = format!("{indent}{}: dev.into(),\n", name(last)?);
    source.insert(initialiser.end, device);
    Ok(())
}

/// Returns the object by hand with two fixes: it keeps its DRM device, and only the driver makes
/// objects. Without the fixes, user space could use memory that is freed or of another kind.
pub(crate) fn fix(text: &str) -> Result<String> {
    let ours = Source::parse(OURS)?;
    let source = Source::parse(text)?;

    keep_device(&source, &ours, fields(&ours)?.1)?;
    make_no_objects(&source.finish())
}

/// Only the driver makes objects. C code would make some of another kind.
pub(super) fn make_no_objects(text: &str) -> Result<String> {
    let source = Source::parse(text)?;
    let ops = AllocOps::of(&source)?;
    for operation in ["gem_prime_import_sg_table", "dumb_create"] {
        let operation = ops.operation(&syn::parse_str(operation)?)?;
        source.replace(source.range(&operation.expr), "None");
    }
    Ok(source.finish())
}

/// The annotated object, with a table that is never unmapped.
pub(crate) fn leak(text: &str) -> Result<String> {
    let source = Source::parse(text)?;
    let unmap = source.trait_function("SgTable", "unmap")?;
    let arguments = unmap.sig.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(argument) => Some(source.text(source.range(&argument.pat))),
        FnArg::Receiver(_) => None,
    });
    let unused = format!(
        "{{\n        let _ = ({});\n    }}",
        arguments.collect::<Vec<_>>().join(", ")
    );

    let body = source.range(&unmap.block);
    source.replace(body, unused);
    Ok(source.finish())
}

/// The lines in which the constructor initialises a field.
fn slot(source: &Source, constructor: &TokenStream, name: &str) -> Result<Range<usize>> {
    source::part(constructor.clone(), name)
        .map(|range| source.lines(range))
        .ok_or_else(|| anyhow!("`Object::new()` does not initialise `{name}`"))
}

/// Imports what is used now, and no longer what is not.
fn imports(source: &Source) -> Result<()> {
    imports::edit(source, |root, imports| {
        match root {
            "crate" => {
                for name in ["new_mutex", "Mutex", "SetOnce"] {
                    imports.remove(name)?;
                }
                imports.add("devres_lazy")?;
            }
            "core" => imports.remove("ManuallyDrop")?,
            _ => (),
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parts of a tree's `shmem.rs` that this step looks at.
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
    /// The device.
    pub fn dev(&self) -> &Device {
        // SAFETY: It is valid.
        unsafe { Device::from_raw((*self.as_raw()).dev) }
    }

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
        convert(BY_HAND).unwrap()
    }

    #[test]
    fn two_fixes_leave_the_table_by_hand() {
        let ops = "\
impl<T> AllocImpl for Object<T> {
    const ALLOC_OPS: AllocOps = AllocOps {
        gem_create_object: None,
        gem_prime_import_sg_table: Some(theirs),
        dumb_create: Some(theirs),
    };
}
";
        let text = fix(&format!("{BY_HAND}\n{ops}")).unwrap();

        assert!(text.contains("            drm: dev.into(),\n        })\n"));
        assert!(text.contains("        gem_prime_import_sg_table: None,\n"));
        assert!(text.contains("        dumb_create: None,\n"));
        assert!(text.contains("sgt_res: ManuallyDrop<SetOnce<"));
        assert_eq!(
            fix(BY_HAND).unwrap_err().to_string(),
            "there is no `AllocImpl::ALLOC_OPS` of `Object`"
        );
    }

    #[test]
    fn what_leaks_has_an_empty_unmap() {
        let leaking = leak(&converted()).unwrap();

        assert!(converted().contains("bindings::__drm_gem_shmem_free_sgt_locked"));
        assert!(!leaking.contains("bindings::__drm_gem_shmem_free_sgt_locked"));
        assert!(leaking.contains("{\n        let _ = (obj, _keep, sgt);\n    }\n"));
        leak(BY_HAND).unwrap_err();
    }

    #[test]
    fn every_field_has_its_slot() {
        let source = Source::parse(&converted()).unwrap();
        let constructor = source.function("Object", "new").unwrap();
        let slots = source.text(source.range(&constructor.block));

        assert!(
            slots.contains(
                "            obj <- T::new(),
            sgt <- new_lazy!(),
            inner <- T::new(),
            drm: dev.into(),
        })
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
        assert_eq!(names, ["obj", "sgt", "inner", "drm"]);
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
            "/// An object.\n/// - `drm` is the DRM device that `obj` was initialised with.\n",
            "Driver::RegistrationData\n#[devres_lazy]\n#[pin_data]",
            "    inner: T,\n    /// The DRM device",
            "    drm: ARef<Device<T::Driver>>,\n}\n",
            "    /// The device.\n    pub fn dev(&self) -> &Device {\n        &self.drm\n    }\n",
            ".teardown();\n\n        release(this);",
            "    ffi::c_void,\n    mem::MaybeUninit,",
            "for SgTable {",
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
                "`Object::free_callback()` does not mention `sgt_res`",
            ),
            (
                "    SetOnce, //\n",
                "",
                "`SetOnce` is not imported where it is expected",
            ),
        ] {
            assert!(BY_HAND.contains(from), "{from}");
            let text = BY_HAND.replace(from, to);
            assert_eq!(convert(&text).err().unwrap().to_string(), error);
        }
    }
}
