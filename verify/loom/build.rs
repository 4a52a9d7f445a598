// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Makes the mutants: copies of the protocol, each with its edits. Also makes a copy without edits.
//!
//! With `DEVRES_LAZY_LOOM_SOUND` set, there are no mutants: `cargo xtask mutants` edits the sources
//! themselves, and the edits of a mutant may not fit.

mod copies;
mod mutants;

use anyhow::Result;
use copies::{replace, without_macro, Copies};
use mutants::{Mutant, MUTANTS};
use std::{env, fmt::Write, fs};

const COPIES: Copies<'_> = Copies {
    sources: &[
        "../../runtime/src/protocol/slot.rs",
        "../../runtime/src/protocol/lazy.rs",
        "../../runtime/src/protocol/evictable.rs",
        "../../runtime/src/protocol/pins.rs",
        "../../runtime/src/protocol/registry.rs",
        "../../runtime/src/protocol/state.rs",
        "../../runtime/src/protocol/table.rs",
    ],
    adapt,
    with: &[
        "src/dep_map.rs",
        "src/devres_node.rs",
        "src/sys.rs",
        "src/unwind.rs",
        "src/properties.rs",
    ],
};

/// The environment variable that leaves the mutants out.
const SOUND: &str = "DEVRES_LAZY_LOOM_SOUND";

/// Changes the text of a file for the checker, which follows the accesses to cells.
fn adapt(file: &str, text: &str) -> Result<String> {
    match file {
        "registry.rs" | "table.rs" => with_cells(text),
        "slot.rs" => {
            let text = text.replace(
                "unsafe { *self.registry.get() = ",
                "unsafe { *self.registry.written() = ",
            );
            let text = replace(
                &text,
                "unsafe { (*slot.registry.get()).take() }",
                "unsafe { (*slot.registry.written()).take() }",
            )?;
            // The place of the resource, which is no access: the resource has its own cell.
            let text = replace(
                &text,
                "    unsafe fn value_for<'a>(&'a self, _dev: &'a Device<Bound>) -> &'a T {\n        \
                 let value = self.value.get()",
                "    unsafe fn value_for<'a>(&'a self, _dev: &'a Device<Bound>) -> &'a T {\n        \
                 let value = self.value.place()",
            )?;
            with_cells(&text)
        }
        "lazy.rs" => without_macro(text),
        // The published `#[pin_data]` has no `project()`.
        "evictable.rs" => Ok(without_macro(text)?.replace(
            "self.project().lazy",
            "unsafe { self.map_unchecked_mut(|this| &mut this.lazy) }",
        )),
        _ => Ok(text.to_owned()),
    }
}

/// Returns the text with the cells of the checker in place of those of `core`.
fn with_cells(text: &str) -> Result<String> {
    let text = replace(text, "    cell::UnsafeCell,\n", "")?;
    replace(
        &text,
        "use crate::{\n",
        "use crate::{\n    cell::UnsafeCell,\n",
    )
}

fn main() -> Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=copies.rs");
    println!("cargo::rerun-if-changed=mutants.rs");
    println!("cargo::rerun-if-env-changed={SOUND}");
    let all = match env::var_os(SOUND) {
        Some(_) => &[],
        None => MUTANTS,
    };

    let mut modules = COPIES.write("sound", &[])?;
    let mut mutants = String::new();
    let mut variants = String::from("        \"sound\" => sound::properties::ALL,\n");
    for Mutant {
        name,
        caught_by,
        edits,
    } in all
    {
        modules.push_str(&COPIES.write(name, edits)?);
        writeln!(mutants, "    ({name:?}, {caught_by:?}),")?;
        writeln!(variants, "        {name:?} => {name}::properties::ALL,")?;
    }

    write!(
        modules,
        "/// All mutants, with the property that has to catch each.\n\
         const MUTANTS: &[(&str, &str)] = &[\n{mutants}];\n\
         \n\
         /// The properties, compiled for a variant of the protocol.\n\
         fn properties(variant: &str) -> Option<&'static [Property]> {{\n    \
             Some(match variant {{\n{variants}        _ => return None,\n    }})\n\
         }}\n"
    )?;
    fs::write(Copies::out()?.join("variants.rs"), modules)?;

    Ok(())
}
