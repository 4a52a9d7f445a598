// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Makes the mutants that ThreadSanitizer has to report, from the mutants of the model checker. A
//! copy without edits proves that ThreadSanitizer reports the edits.

// Shared with the model checker's build script.
#[path = "../loom/copies.rs"]
mod copies;
#[path = "../loom/mutants.rs"]
mod mutants;

use anyhow::{Context, Result};
use copies::{replace, without_macro, Copies};
use mutants::MUTANTS;
use std::{fmt::Write, fs};

const COPIES: Copies<'_> = Copies {
    sources: &[
        "../../runtime/src/protocol/slot.rs",
        "../../runtime/src/protocol/devres_node.rs",
        "../../runtime/src/protocol/lazy.rs",
        "../../runtime/src/protocol/pins.rs",
        "../../runtime/src/protocol/registry.rs",
        "../../runtime/src/protocol/state.rs",
        "../../runtime/src/protocol/table.rs",
        "../../runtime/src/host/sys.rs",
        "../../runtime/src/host/unwind.rs",
    ],
    adapt,
    with: &["src/stress.rs", "../loom/src/dep_map.rs"],
};

/// The mutants that fail often enough to be found within seconds. Other mutants fail only on a
/// machine that reorders more, or in orders that are very rare.
const SEEN: [&str; 12] = [
    "relaxed_publication",
    "relaxed_reader",
    "mark_is_left_out",
    "no_grace_period",
    "grace_period_before_marking",
    "free_does_not_wait",
    "unbind_does_not_wait",
    "both_drop",
    "unlink_without_lock",
    "unlink_forgets_the_end",
    "unlink_forgets_a_neighbour",
    "empty_after_unbind",
];

/// Changes the text of a file where a copy has to differ from the runtime.
fn adapt(file: &str, text: &str) -> Result<String> {
    match file {
        "lazy.rs" => without_macro(text),
        // `as_raw()` is not public.
        "devres_node.rs" => replace(text, "GFP_KERNEL.as_raw()", "0"),
        "sys.rs" => {
            let text = replace(text, "    protocol::{devres_node, table::Table},\n", "")?;
            replace(
                &text,
                "use crate::{\n",
                "use super::{devres_node, table::Table};\nuse crate::{\n",
            )
        }
        _ => Ok(text.to_owned()),
    }
}

fn main() -> Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../loom/copies.rs");
    println!("cargo::rerun-if-changed=../loom/mutants.rs");

    let mut modules = COPIES.write("unedited", &[])?;
    let mut tests = String::new();
    for name in SEEN {
        let mutant = MUTANTS
            .iter()
            .find(|mutant| mutant.name == name)
            .with_context(|| format!("there is no mutant `{name}`"))?;
        modules.push_str(&COPIES.write(name, mutant.edits)?);
        let caught_by = mutant.caught_by;
        writeln!(
            tests,
            "    /// `{caught_by}` is what the model checker catches it by.\n    \
             #[test]\n    \
             #[ignore = \"broken; `cargo xtask tsan` runs it, and it has to fail\"]\n    \
             fn {name}() {{\n        crate::{name}::stress::run();\n    }}\n"
        )?;
    }
    writeln!(modules, "mod mutants {{\n{tests}}}")?;
    fs::write(Copies::out()?.join("variants.rs"), modules)?;

    Ok(())
}
