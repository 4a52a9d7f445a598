// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Files where a macro writes the annotated item, which nobody but rustc knows then.

/// In the project.
pub(crate) const IN_A_MACRO: [&str; 6] = [
    "tests/ui/pass/borrowed_by_macro_rules.rs",
    "tests/ui/pass/crate_path.rs",
    "tests/ui/pass/macro_rules_fragments.rs",
    "tests/ui/pass/macro_rules_hygiene.rs",
    "tests/ui/pass/macro_rules_whole.rs",
    "tests/ui/pass/trait_objects_by_macro_rules.rs",
];
