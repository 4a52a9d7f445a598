// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The steps in which the code is added: the files that each adds, and what it edits.

use super::{
    edit::Edit::{self, Before, Behind, Items, Option, Target, Text},
    edu, fixes, import,
    others::{
        attribute, declare, export, modules, one_lifetime, place_first, unused, unused_macro,
        write_combined, EXPAND_ROOT_TEXT, MACRO_ROOT_TEXT,
    },
    shmem,
};
use crate::kernel::flavour::Object;

/// A part of what is done to a tree, as much as makes one patch. The tree can be built after it.
#[derive(Clone, Copy)]
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) files: &'static [Files],
    /// The edits, by file.
    pub(super) edits: &'static [(&'static str, Edit)],
}

/// Files that are added: those of a folder of ours that are wanted, to a folder of the tree.
pub(super) struct Files {
    pub(super) from: &'static str,
    pub(super) to: &'static str,
    pub(super) wanted: fn(&str) -> bool,
}

const fn step(
    name: &'static str,
    files: &'static [Files],
    edits: &'static [(&'static str, Edit)],
) -> Step {
    Step { name, files, edits }
}

const fn files(from: &'static str, to: &'static str, wanted: fn(&str) -> bool) -> Files {
    Files { from, to, wanted }
}

/// The files of `kernel/tree/` that are wanted.
const fn of_tree(wanted: fn(&str) -> bool) -> Files {
    files("kernel/tree", "", wanted)
}

const BINDINGS_HELPER: &str = "rust/bindings/bindings_helper.h";
const CONTRACT: &str = "rust/kernel/drm/gem/shmem/contract_kunit.rs";
pub(super) const DEVRES: &str = "rust/kernel/devres.rs";
const EDU: &str = "samples/rust/rust_drm_edu.rs";
pub(super) const GEM: &str = "rust/kernel/drm/gem/mod.rs";
const GEM_DMA: &str = "rust/kernel/drm/gem/dma";
pub(super) const SHMEM: &str = "rust/kernel/drm/gem/shmem.rs";
const EXPAND_ROOT: &str = "rust/macros/devres_lazy/expand/mod.rs";
pub(super) const KCONFIG_TEST: &str = "rust/kernel/Kconfig.test";
const MACRO_ROOT: &str = "rust/macros/devres_lazy/mod.rs";
const SAMPLES_KCONFIG: &str = "samples/rust/Kconfig";
const SAMPLES_MAKEFILE: &str = "samples/rust/Makefile";
const UAPI: &str = "include/uapi/drm/";
const UAPI_HELPER: &str = "rust/uapi/uapi_helper.h";

/// The option that new samples stand in front of: it is of another kind than they are.
const HOSTPROGS: &str = "SAMPLE_RUST_HOSTPROGS";

/// The part of the suites that is in the host's library and knows nothing of the annotated object.
const KUNIT_SKIP: Files = files("runtime/src/devres", "rust/kernel/devres", |file| {
    file == "kunit_skip.rs"
});

/// The files of the protocol that are wanted.
const fn of_protocol(wanted: fn(&str) -> bool) -> Files {
    files("runtime/src/protocol", "rust/kernel/devres", wanted)
}

/// The files of the macro that are wanted.
const fn of_macro(wanted: fn(&str) -> bool) -> Files {
    files("macros/src/devres_lazy", "rust/macros/devres_lazy", wanted)
}

/// Files of `kernel/tree/rust/kernel/devres/`, without the extension.
fn is_devres(file: &str, names: &[&str]) -> bool {
    is_one(file, "rust/kernel/devres/", names)
}

/// Files of `kernel/tree/rust/kernel/drm/gem/shmem/`, without the extension.
fn is_shmem(file: &str, names: &[&str]) -> bool {
    is_one(file, "rust/kernel/drm/gem/shmem/", names)
}

/// Whether a file is one of these Rust files of a folder.
fn is_one(file: &str, folder: &str, names: &[&str]) -> bool {
    let name = file
        .strip_prefix(folder)
        .and_then(|it| it.strip_suffix(".rs"));
    name.is_some_and(|name| names.contains(&name))
}

/// The devices of the buses.
pub(super) const TRY_FROM: Step = step(
    "try_from",
    &[],
    &[
        (
            "rust/kernel/i2c.rs",
            Items(|it| one_lifetime(it, "I2cClient")),
        ),
        ("rust/kernel/pci.rs", Items(|it| one_lifetime(it, "Device"))),
        (
            "rust/kernel/platform.rs",
            Items(|it| one_lifetime(it, "Device")),
        ),
    ],
);

/// A device's list of populated slots, and its node in devres.
const REGISTRY: Step = step(
    "registry",
    &[
        of_protocol(|file| {
            let names = ["state", "registry", "devres_node", "table", "pins"];
            is_one(file, "", &names)
        }),
        of_tree(|file| is_devres(file, &["sys", "unwind"])),
    ],
    &[(DEVRES, Items(|it| unused(it, REGISTRY_UNUSED)))],
);

/// The modules with items that are used by later steps only.
const REGISTRY_UNUSED: &[&str] = &["pins", "registry", "state", "sys", "unwind"];

/// The storage of a slot.
const SLOT: Step = step(
    "slot",
    &[of_protocol(|file| is_one(file, "", &["slot"]))],
    &[(DEVRES, Items(|it| unused(it, SLOT_UNUSED)))],
);

const SLOT_UNUSED: &[&str] = &["pins", "registry", "slot"];

/// The slot for a resource that an initialiser makes.
const LAZY: Step = step(
    "lazy",
    &[
        of_protocol(|file| is_one(file, "", &["lazy", "place"])),
        of_tree(|file| is_devres(file, &["dep_map"])),
    ],
    &[
        (DEVRES, Items(|it| unused(it, LAZY_UNUSED))),
        (DEVRES, Items(|it| export(it, "lazy"))),
        (DEVRES, Items(place_first)),
    ],
);

/// The modules with items that are used by `batched`, `mapped` and `evictable` only.
const LAZY_UNUSED: &[&str] = &["lazy", "pins", "slot"];

/// The parts that suites share.
const KUNIT_SUPPORT: Step = step(
    "kunit_support",
    &[of_tree(|file| is_devres(file, SUPPORT)), KUNIT_SKIP],
    &[
        (
            DEVRES,
            Items(|it| unused(it, &[LAZY_UNUSED, SUPPORT].concat())),
        ),
        (KCONFIG_TEST, OPTION_KUNIT),
    ],
);

/// The option of all suites.
const OPTION_KUNIT: Edit = Option("RUST_KUNIT_SELFTEST", "RUST_DEVRES_KUNIT_TEST");

const SUPPORT: &[&str] = &["kunit_machine", "kunit_support"];

/// The suite of several slots on one device.
const SLOT_KUNIT: Step = step(
    "slot_kunit",
    &[of_tree(|file| is_devres(file, &["registry_kunit"]))],
    &[],
);

/// The suite of the phases of a binding.
const PHASES_KUNIT: Step = step(
    "phases_kunit",
    &[of_tree(|file| {
        is_devres(file, &["phases_kunit", "kunit_driver"])
    })],
    &[],
);

/// Resources that are views into their owners.
const MAPPED: Step = step(
    "mapped",
    &[of_protocol(|file| is_one(file, "", &["mapped"]))],
    &[(DEVRES, Items(|it| export(it, "mapped")))],
);

/// The conversion of the object.
pub(super) const SG_TABLE: Step = step("sg_table", &[], &[(SHMEM, Items(shmem::convert))]);

/// The suite of the object's contract, which uses all of the support.
const SG_TABLE_KUNIT: Step = step(
    "sg_table_kunit",
    &[of_tree(|file| is_shmem(file, &["contract_kunit"]))],
    &[(DEVRES, Items(|it| unused(it, LAZY_UNUSED)))],
);

/// The suite of the accessors that only a slot has.
const ACCESSORS_KUNIT: Step = step(
    "accessors_kunit",
    &[of_tree(|file| is_shmem(file, &["lazy_kunit"]))],
    &[],
);

/// Objects that user space creates by DRM itself, imported ones among them.
const IMPORT: Step = step(
    "import",
    &[of_tree(|file| {
        file.starts_with("rust/helpers/") || is_shmem(file, &["import_kunit", "prime_kunit"])
    })],
    &[
        (
            "rust/helpers/helpers.c",
            Behind("#ifdef CONFIG_DMA_SHARED_BUFFER", "#include \"dma-buf.c\""),
        ),
        (
            BINDINGS_HELPER,
            Behind(
                "#include <drm/drm_drv.h>",
                "#include <drm/drm_dumb_buffers.h>",
            ),
        ),
        (GEM, Items(import::default_args)),
        (SHMEM, Items(import::operations)),
    ],
);

/// The macro, up to the entries as written.
const MACRO_PARSE: Step = step(
    "macro_parse",
    &[of_macro(|file| {
        file == "mod.rs" || is_one(file, "", PARSE_MODULES)
    })],
    &[
        ("rust/macros/lib.rs", Items(unused_macro)),
        (
            MACRO_ROOT,
            Text(|_| modules(MACRO_ROOT_TEXT, PARSE_MODULES)),
        ),
    ],
);

const PARSE_MODULES: &[&str] = &["attributes", "diagnostics", "parse", "target"];

/// The macro, up to the model.
const MACRO_CHECK: Step = step(
    "macro_check",
    &[of_macro(|file| is_one(file, "", CHECK_MODULES))],
    &[(
        MACRO_ROOT,
        Text(|_| modules(MACRO_ROOT_TEXT, &[PARSE_MODULES, CHECK_MODULES].concat())),
    )],
);

const CHECK_MODULES: &[&str] = &["borrowing", "model", "validate"];

/// The parts of the macro that keep a driver's names and expressions apart from generated code, and
/// its documentation.
const MACRO_APART: Step = step(
    "macro_apart",
    &[of_macro(|file| is_one(file, "", APART_MODULES))],
    &[(
        MACRO_ROOT,
        Text(|_| {
            modules(
                MACRO_ROOT_TEXT,
                &[PARSE_MODULES, CHECK_MODULES, APART_MODULES].concat(),
            )
        }),
    )],
);

const APART_MODULES: &[&str] = &["diverge", "docs", "hygiene", "names"];

/// The macro but for the accessors.
const MACRO_TEARDOWN: Step = step(
    "macro_teardown",
    &[of_macro(|file| {
        file == "expand/mod.rs" || is_one(file, "expand/", TEARDOWN_MODULES)
    })],
    &[
        (
            MACRO_ROOT,
            Text(|_| {
                let modules_of_macro = [PARSE_MODULES, CHECK_MODULES, APART_MODULES, &["expand"]];
                modules(MACRO_ROOT_TEXT, &modules_of_macro.concat())
            }),
        ),
        (
            EXPAND_ROOT,
            Text(|_| modules(EXPAND_ROOT_TEXT, TEARDOWN_MODULES)),
        ),
    ],
);

const TEARDOWN_MODULES: &[&str] = &["retire", "teardown", "tokens", "views"];

/// The whole macro.
const MACRO: Step = step(
    "macro",
    &[of_macro(|file| file.starts_with("expand/functions"))],
    &[
        (MACRO_ROOT, Text(|_| Ok(MACRO_ROOT_TEXT.to_owned()))),
        (EXPAND_ROOT, Text(|_| Ok(EXPAND_ROOT_TEXT.to_owned()))),
        ("rust/macros/lib.rs", Items(attribute)),
        (
            "rust/kernel/lib.rs",
            Behind("pub use macros;", "pub use macros::devres_lazy;"),
        ),
    ],
);

/// The object with the annotation: the steps before this add its printed form.
pub(super) const ANNOTATE: Step = step("annotate", &[], &[]);

/// The suite of accessors, and the objects that a suite of another crate compares with its own.
const MACRO_KUNIT: Step = step(
    "macro_kunit",
    &[
        of_tree(|file| is_devres(file, &["lazy_kunit", "kunit_gate", "kunit_lockdep"])),
        files(
            "runtime/src/host/drm/gem/shmem",
            "rust/kernel/drm/gem/shmem",
            |file| file.contains("kunit"),
        ),
    ],
    &[],
);

/// The slot in place of `Devres`.
const BATCHED: Step = step(
    "batched",
    &[
        of_protocol(|file| is_one(file, "", &["batched"])),
        of_tree(|file| is_devres(file, &["batched_kunit", "order_kunit"])),
    ],
    &[(DEVRES, Items(|it| export(it, "batched")))],
);

/// The suite of uses during unbind.
const CALLBACKS: Step = step(
    "callbacks",
    &[of_tree(|file| is_devres(file, &["callbacks_kunit"]))],
    &[],
);

/// The slot for what borrows the device.
const LAZY_LT: Step = step(
    "lazy_lt",
    &[
        of_protocol(|file| is_one(file, "", &["lazy_lt"])),
        of_tree(|file| is_devres(file, &["lazy_lt_kunit", "bar_kunit", "kunit_pci"])),
    ],
    &[(DEVRES, Items(|it| export(it, "lazy_lt")))],
);

/// The slot for what can be evicted.
const EVICTABLE: Step = step(
    "evictable",
    &[of_protocol(|file| is_one(file, "", &["evictable"]))],
    &[
        (DEVRES, Items(|it| unused(it, &[]))),
        (DEVRES, Items(|it| export(it, "evictable"))),
    ],
);

/// Its suite.
const EVICTABLE_KUNIT: Step = step(
    "evictable_kunit",
    &[of_tree(|file| {
        is_devres(file, &["evict_kunit", "kunit_shrinker"])
    })],
    &[],
);

/// The suite of a kernel mapping.
const VMAP: Step = step(
    "vmap_kunit",
    &[of_tree(|file| is_shmem(file, &["vmap_kunit"]))],
    &[],
);

/// The suites that bind and unbind a thousand times.
const STRESS: Step = step(
    "stress",
    &[of_tree(|file| {
        is_devres(file, &["stress_kunit", "kunit_stress"]) || is_shmem(file, &["stress_kunit"])
    })],
    &[],
);

/// The GEM DMA helper, with its suite.
const GEM_DMA_HELPER: Step = step(
    "gem_dma",
    &[of_tree(|file| file.starts_with(GEM_DMA))],
    &[
        (
            BINDINGS_HELPER,
            Before(
                "#include <drm/drm_gem_shmem_helper.h>",
                "#include <drm/drm_gem_dma_helper.h>",
            ),
        ),
        (
            "drivers/gpu/drm/Kconfig",
            Option("RUST_DRM_GEM_SHMEM_HELPER", "RUST_DRM_GEM_DMA_HELPER"),
        ),
        (
            GEM,
            Items(|source| {
                let module = "#[cfg(CONFIG_RUST_DRM_GEM_DMA_HELPER)]\npub mod dma;\n";
                declare(source, "dma", module)
            }),
        ),
    ],
);

/// A BAR that is mapped write-combined.
const PCI_WC: Step = step(
    "pci_wc",
    &[],
    &[("rust/kernel/pci/io.rs", Items(write_combined))],
);

/// The driver with three resources, and the suite of another crate.
const SAMPLE: Step = step(
    "sample",
    &[of_tree(|file| file == "samples/rust/rust_devres_lazy.rs")],
    &[
        (
            SAMPLES_KCONFIG,
            Option(HOSTPROGS, "SAMPLE_RUST_DEVRES_LAZY"),
        ),
        (SAMPLES_MAKEFILE, Target("RUST_DEVRES_LAZY")),
    ],
);

/// The driver with a framebuffer.
const SAMPLE_BOCHS: Step = step(
    "sample_bochs",
    &[of_tree(|file| {
        file.ends_with("rust_drm_bochs.rs") || file.ends_with("bochs_drm.h")
    })],
    &[
        (
            UAPI_HELPER,
            Before(
                "#include <uapi/drm/drm.h>",
                "#include <uapi/drm/bochs_drm.h>",
            ),
        ),
        (SAMPLES_KCONFIG, Option(HOSTPROGS, "SAMPLE_RUST_DRM_BOCHS")),
        (SAMPLES_MAKEFILE, Target("RUST_DRM_BOCHS")),
    ],
);

/// The headers of what user space asks of the driver that it uses, and the driver's option and
/// target.
const UAPI_EDU: Edit = Behind("#include <uapi/drm/drm.h>", "#include <uapi/drm/edu_drm.h>");
const OPTION_EDU: Edit = Option(HOSTPROGS, "SAMPLE_RUST_DRM_EDU");
const TARGET_EDU: Edit = Target("RUST_DRM_EDU");

/// The driver that user space uses.
const SAMPLE_EDU: Step = step(
    "sample_edu",
    &[of_tree(is_edu)],
    &[
        (UAPI_HELPER, UAPI_EDU),
        (SAMPLES_KCONFIG, OPTION_EDU),
        (SAMPLES_MAKEFILE, TARGET_EDU),
    ],
);

fn is_edu(file: &str) -> bool {
    file == EDU || file.ends_with("edu_drm.h")
}

/// The files that do not use the annotated object: the suite of the contract, and the files of
/// `kernel/control/`.
const CONTROL: Step = step(
    "control",
    &[
        of_tree(|file| file == CONTRACT || is_devres(file, SUPPORT)),
        KUNIT_SKIP,
        files("kernel/control", "", |_| true),
    ],
    &[(KCONFIG_TEST, OPTION_KUNIT)],
);

/// The driver that user space uses, without the annotation. The program of user space has scenarios
/// for the other driver, too, so it needs the headers of both.
const SAMPLE_BY_HAND: Step = step(
    "sample",
    &[of_tree(|file| file == EDU || file.starts_with(UAPI))],
    &[
        (EDU, Items(edu::by_hand)),
        (UAPI_HELPER, UAPI_EDU),
        (SAMPLES_KCONFIG, OPTION_EDU),
        (SAMPLES_MAKEFILE, TARGET_EDU),
    ],
);

/// The two fixes of the object by hand.
const FIX: Step = step("fix", &[], &[(SHMEM, Items(shmem::fix))]);

/// The table that is never unmapped.
const LEAK: Step = step("leak", &[], &[(SHMEM, Items(shmem::leak))]);

/// The suites that measure. The candidate that they measure is added by itself.
pub(super) const BENCH: Step = step(
    "bench",
    &[files("kernel/bench", "", |file| file.starts_with("rust/"))],
    &[],
);

/// The steps that only the macro needs.
const OF_THE_MACRO: [Step; 6] = [
    MACRO_PARSE,
    MACRO_CHECK,
    MACRO_APART,
    MACRO_TEARDOWN,
    MACRO,
    ANNOTATE,
];

/// The steps for an object, in order. Those for lazy fields begin with a tree that has all fixes.
pub(super) fn of(object: Object) -> Vec<Step> {
    let last = match object {
        Object::Mended(fixes) => return fixes::steps(fixes),
        Object::ByHand => return vec![CONTROL, SAMPLE_BY_HAND],
        Object::Fixed => return vec![CONTROL, SAMPLE_BY_HAND, FIX],
        Object::Annotated | Object::Expanded => None,
        Object::Leaking => Some(LEAK),
    };
    let slot = [
        REGISTRY,
        SLOT,
        LAZY,
        KUNIT_SUPPORT,
        SLOT_KUNIT,
        PHASES_KUNIT,
    ];
    let table = [MAPPED, SG_TABLE, SG_TABLE_KUNIT, ACCESSORS_KUNIT];
    let of_the_macro = match object {
        Object::Expanded => &[][..],
        _ => &OF_THE_MACRO,
    };
    let other_slots = [BATCHED, CALLBACKS, LAZY_LT, EVICTABLE, EVICTABLE_KUNIT];
    let users = [VMAP, STRESS, GEM_DMA_HELPER, PCI_WC];
    let samples = [SAMPLE, SAMPLE_BOCHS, SAMPLE_EDU];

    let steps = [&slot[..], &table, &[IMPORT], of_the_macro, &[MACRO_KUNIT]].concat();
    let steps = [&steps[..], &other_slots, &users, &samples].concat();
    steps.into_iter().chain(last).collect()
}
