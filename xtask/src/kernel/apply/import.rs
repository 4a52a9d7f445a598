// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Makes every object of a driver an `Object`: dumb buffers and imported ones as well, which C code
//! creates in the tree.

use super::{imports, source::Source};
use anyhow::{ensure, Result};

/// The parts that only the kernel has.
const OURS: &str = include_str!("../../../../kernel/items/import.rs");

/// The function that the host has as well.
const OF_THE_HOST: &str = include_str!("../../../../runtime/src/host/drm/gem/shmem/import.rs");

/// `rust/kernel/drm/gem/mod.rs`: a constant says how a driver's part of an object is made by
/// default.
pub(super) fn default_args(source: &mut Source) -> Result<()> {
    let ours = Source::parse(OURS)?;
    let new = ours.paragraph("DriverObject::DEFAULT_ARGS")?;
    source.insert(source.lines("DriverObject::Args")?.end, &new)
}

/// `rust/kernel/drm/gem/shmem.rs`: `Object` gets the operations, and what they need.
pub(super) fn operations(source: &mut Source) -> Result<()> {
    let ours = Source::parse(OURS)?;

    // How an object is allocated, in a function of its own.
    let made = source.statement("Object::new", "try_pin_init")?;
    let set = source.statement("Object::new", "VTABLE")?;
    ensure!(
        made.start == source.body("Object::new")?.start && made.end == set.start,
        "`Object::new` does not begin by allocating an object and setting its functions"
    );
    let call = format!("{}\n", ours.text_in("Object::new")?);
    source.replace(made.start..set.end, &call)?;
    let allocate = ours.paragraph("Object::allocate")?;
    source.insert(source.lines("Object::new")?.start, &allocate)?;

    // The callbacks, in front of the first function that is none.
    for name in [
        "Object::dumb_create_callback",
        "Object::prime_import_callback",
    ] {
        let callback = ours.paragraph(name)?;
        source.insert(source.lines("Object::make_vmap")?.start, &callback)?;
    }

    // The import itself, and the operations.
    for operation in [
        "gem_create_object",
        "gem_prime_import",
        "gem_prime_import_sg_table",
        "dumb_create",
    ] {
        let lines = |of: &Source| {
            let operations = "<Object as AllocImpl>::ALLOC_OPS";
            Ok::<_, anyhow::Error>(of.lines_at(of.element(operations, operation)?))
        };
        source.replace(lines(source)?, &ours.text()[lines(&ours)?])?;
    }
    let import = format!("{}\n", Source::parse(OF_THE_HOST)?.behind_imports()?);
    source.insert(source.lines("impl AllocImpl for Object")?.start, &import)?;

    let names = ["error::{from_result}", "page::page_align"];
    imports::edit(source, "crate", &names, &[])
}

#[cfg(test)]
mod tests {
    use super::{
        super::{case::Case, shmem::tests::BY_HAND},
        *,
    };

    #[test]
    fn objects_are_all_made_here() {
        Case {
            edit: operations,
            before: BY_HAND,
            gone: &["theirs", "        gem_prime_import: None,\n"],
            new: &[
                "        from_err_ptr,\n        from_result,\n        to_result, //\n",
                "    page::page_align,\n    prelude::*",
                "    fn allocate(",
                "    extern \"C\" fn dumb_create_callback(",
                "    extern \"C\" fn prime_import_callback(",
                "    }\n\n    /// Maps.\n    fn make_vmap() {}\n\n    /// Allocates an object",
                "    pub(super) unsafe fn import(",
                "    pub fn new() -> Result {
        let parent = config.parent_resv_obj.map(|p| p.into());
        let new = Self::allocate(dev, size, parent, args)?;

        // SAFETY: They are valid.
        to_result(unsafe { bindings::drm_gem_shmem_init(new) })
    }
",
                "        gem_prime_import_sg_table: None,\n        dumb_create: if",
                "        },\n        dumb_map_offset: None,\n",
            ],
            refused: &[
                (
                    "let new = KBox",
                    "f();\n        let new = KBox",
                    "not begin by",
                ),
                ("try_pin_init", "f", "not mention"),
                (
                    "        dumb_create: Some(theirs),\n",
                    "",
                    "no `dumb_create`",
                ),
                ("AllocImpl for", "Other for", "AllocImpl>::ALLOC_OPS`"),
            ],
        }
        .check();
    }

    #[test]
    fn a_driver_says_how_objects_are_made() {
        let item = "    /// The arguments.\n    type Args;\n\n";
        Case {
            edit: default_args,
            before: &format!("trait DriverObject {{\n{item}    fn new();\n}}\n"),
            gone: &[],
            new: &[
                &format!("{item}    /// Makes"),
                "> = None;\n\n    fn new();\n}\n",
            ],
            refused: &[("Args;", "Other;", "there is no `DriverObject::Args`")],
        }
        .check();
    }
}
