// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `rust/kernel/drm/gem/shmem.rs`: an annotated field and a pair of functions in place of the
//! scatter-gather table by hand.

use super::{imports, source::Source};
use anyhow::{Context, Result};

/// The items of the host that map and unmap the table.
const SG_TABLE: &str = include_str!("../../../../runtime/src/host/drm/gem/shmem/sg_table.rs");

/// The fields of `Object`, and statements of its functions.
pub(super) const OURS: &str = include_str!("../../../../kernel/items/shmem.rs");

/// Puts the annotated field in place of the table by hand, in an object that keeps its DRM device.
pub(super) fn convert(source: &mut Source) -> Result<()> {
    let ours = Source::parse(OURS)?;

    // The fields, and what the constructor makes of them.
    source.replace(source.lines("Object.sgt_res")?, ours.text_of("Object.sgt")?)?;
    source.replace(source.lines("Object.sgt_lock")?, "")?;
    let repr = "#[repr(C)]\n";
    source.substitute("struct Object", repr, &format!("#[devres_lazy]\n{repr}"))?;
    let resource = source.element("Object::new", "sgt_res")?;
    source.replace(resource, "sgt <- new_lazy!(),")?;
    let lock = source.element("Object::new", "sgt_lock")?;
    source.replace(source.lines_at(lock), "")?;
    source.replace(source.body("Object::dev")?, ours.text_in("Object::dev")?)?;

    // The accessor, which the macro writes, and the teardown.
    source.replace(source.lines("Object::sg_table")?, "")?;
    let by_hand = source.statement("Object::free_callback", "sgt_res")?;
    source.replace(
        by_hand,
        &format!("{}\n", ours.text_in("Object::free_callback")?),
    )?;

    // The type that unmapped the table.
    let items = format!("{}\n", Source::parse(SG_TABLE)?.behind_imports()?);
    source.replace(source.lines("struct SGTableMap")?, &items)?;
    remove_impls(source, "SGTableMap")?;

    let by_hand = ["new_mutex", "Mutex", "SetOnce"];
    imports::edit(source, "crate", &["devres_lazy"], &by_hand)?;
    imports::edit(source, "core", &[], &["ManuallyDrop"])
}

/// Adds the field that keeps the device, behind all that is there, where it is dropped last.
pub(super) fn keep_device(source: &mut Source, ours: &Source) -> Result<()> {
    let last = source.names().rfind(|name| name.starts_with("Object."));
    let last = last.context("`struct Object` has no fields")?.to_owned();

    let slot = source.element("Object::new", &last["Object.".len()..])?;
    source.insert_line(slot.end, "drm: dev.into(),")?;
    source.insert(source.lines(&last)?.end, ours.text_of("Object.drm")?)
}

/// Removes the implementations of a type, of traits and of its own functions.
fn remove_impls(source: &mut Source, ty: &str) -> Result<()> {
    let of_trait = format!(" for {ty}");
    let own = format!("impl {ty}");
    let names = source
        .names()
        .filter(|name| name.ends_with(&of_trait) || *name == own);
    for name in names.map(str::to_owned).collect::<Vec<_>>() {
        source.replace(source.lines(&name)?, "")?;
    }
    Ok(())
}

/// Makes two fixes to the object by hand: it keeps its DRM device, and only the driver makes
/// objects. Without the fixes, user space could use memory that is freed or of another kind.
pub(super) fn fix(source: &mut Source) -> Result<()> {
    keep_device(source, &Source::parse(OURS)?)?;
    make_no_objects(source)
}

/// Has only the driver make objects. C code would make some of another kind.
pub(super) fn make_no_objects(source: &mut Source) -> Result<()> {
    for operation in ["gem_prime_import_sg_table", "dumb_create"] {
        let by_hand = source.element("<Object as AllocImpl>::ALLOC_OPS", operation)?;
        source.replace(by_hand, &format!("{operation}: None,"))?;
    }
    Ok(())
}

/// Makes the annotated object one with a table that is never unmapped.
pub(super) fn leak(source: &mut Source) -> Result<()> {
    let unmap = source.body("<SgTable as Map>::unmap")?;
    source.replace(unmap, "        let _ = (obj, _keep, sgt);\n")
}

#[cfg(test)]
pub(super) mod tests {
    use super::{super::case::Case, *};

    /// The parts of a tree's `shmem.rs` that the steps look at.
    pub(in super::super) const BY_HAND: &str = "\
use crate::{
    devres::*,
    error::{
        from_err_ptr,
        to_result, //
    },
    prelude::*,
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
#[repr(C)]
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

    /// Maps.
    fn make_vmap() {}

    /// Creates.
    pub fn new() -> Result {
        let new = KBox::try_pin_init(try_pin_init!(Self {
            obj <- T::new(),
            sgt_res: ManuallyDrop::new(SetOnce::new()),
            sgt_lock <- new_mutex!(()),
            inner <- T::new(),
        }))?;

        // SAFETY: It is valid.
        unsafe { (*new.as_raw()).funcs = &Self::VTABLE };

        // SAFETY: They are valid.
        to_result(unsafe { bindings::drm_gem_shmem_init(new) })
    }
}

impl<T> AllocImpl for Object<T> {
    const ALLOC_OPS: AllocOps = AllocOps {
        gem_create_object: None,
        prime_handle_to_fd: None,
        gem_prime_import: None,
        gem_prime_import_sg_table: Some(theirs),
        dumb_create: Some(theirs),
        dumb_map_offset: None,
    };
}

/// The mapping.
pub struct SGTableMap<T>(T);

impl<T> SGTableMap<T> {}

impl<T> Drop for SGTableMap<T> {
    fn drop(&mut self) {}
}

mod tests {}
";

    const CONVERT: Case<'_> = Case {
        edit: convert,
        before: BY_HAND,
        gone: &[
            "sgt_res",
            "sgt_lock:",
            "sgt_lock <-",
            "SGTableMap",
            "ManuallyDrop",
            "new_mutex",
            "SetOnce",
            "pub fn sg_table(",
        ],
        new: &[
            "/// An object.\n#[devres_lazy]\n#[repr(C)]\n#[pin_data]",
            // In the order of declaration, which decides on the order of teardown.
            "    #[pin]\n    obj: T,\n    /// Scatter-gather table",
            "    sgt: Mapped<Self, SgTable>,\n    #[pin]\n    inner: T,\n}\n",
            "    /// The device.\n    pub fn dev(&self) -> &Device {\n        &self.drm\n    }\n",
            ".teardown();\n\n        release(this);",
            "            obj <- T::new(),\n            sgt <- new_lazy!(),\n            \
             inner <- T::new(),\n        }))?;\n",
            "    ffi::c_void,\n    mem::MaybeUninit,",
            "for SgTable {",
        ],
        refused: &[
            ("sgt_lock <- new_mutex!(()),\n", "\n", "has no `sgt_lock`"),
            ("(*this).sgt_res", "*this", "does not mention `sgt_res`"),
            ("    SetOnce, //\n", "", "`SetOnce` is not imported"),
            ("#[repr(C)]\n", "", "has `#[repr(C)]` 0 times"),
        ],
    };

    #[test]
    fn the_table_is_an_annotated_field() {
        CONVERT.check();
    }

    #[test]
    fn two_fixes_leave_the_table_by_hand() {
        Case {
            edit: fix,
            before: BY_HAND,
            gone: &["Some(theirs)"],
            new: &[
                "    sgt_lock: Mutex<()>,\n    #[pin]\n    inner: T,\n    /// The DRM device",
                "            inner <- T::new(),\n            drm: dev.into(),\n        }))?;\n",
                "        gem_prime_import_sg_table: None,\n        dumb_create: None,\n",
            ],
            refused: &[("AllocImpl for", "Other for", "AllocImpl>::ALLOC_OPS`")],
        }
        .check();
    }

    #[test]
    fn what_leaks_has_an_empty_unmap() {
        let converted = CONVERT.edited().unwrap();
        assert!(converted.contains("bindings::__drm_gem_shmem_free_sgt_locked"));
        // The function has just these arguments.
        assert!(converted.contains("unmap(obj: &Object<T>, _keep: &Self::Keep, sgt: "));

        Case {
            edit: leak,
            before: &converted,
            gone: &["bindings::__drm_gem_shmem_free_sgt_locked"],
            new: &["{\n        let _ = (obj, _keep, sgt);\n    }\n"],
            refused: &[("Map<Object<T>> for", "Other for", "no `<SgTable as Map>")],
        }
        .check();
    }
}
