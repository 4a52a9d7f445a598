// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The steps in which the code is added: the files that each adds, and what it edits.

use super::{
    edit::Edit::{self, Before, Behind, Items, Option, Target},
    edu, fixes, import,
    others::{attribute, declare, devres, one_lifetime, write_combined},
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
const SAMPLES_KCONFIG: &str = "samples/rust/Kconfig";
const SAMPLES_MAKEFILE: &str = "samples/rust/Makefile";
const UAPI_HELPER: &str = "rust/uapi/uapi_helper.h";

/// The option that new samples stand in front of: it is of another kind than they are.
const HOSTPROGS: &str = "SAMPLE_RUST_HOSTPROGS";

/// The part of the suites that is in the host's library and knows nothing of the annotated object.
const KUNIT_SKIP: Files = files("runtime/src/devres", "rust/kernel/devres", |file| {
    file == "kunit_skip.rs"
});

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

/// The slot, and `map` fields.
const SLOT: Step = step(
    "slot",
    &[
        files("runtime/src/protocol", "rust/kernel/devres", |file| {
            file != "mod.rs"
        }),
        of_tree(|file| file.starts_with("rust/kernel/devres/") && !file.contains("kunit")),
    ],
    &[(DEVRES, Items(devres))],
);

const MACRO: Step = step(
    "macro",
    &[files(
        "macros/src/devres_lazy",
        "rust/macros/devres_lazy",
        |_| true,
    )],
    &[
        ("rust/macros/lib.rs", Items(attribute)),
        (
            "rust/kernel/lib.rs",
            Behind("pub use macros;", "pub use macros::devres_lazy;"),
        ),
    ],
);

/// The conversion of the object.
pub(super) const SG_TABLE: Step = step("sg_table", &[], &[(SHMEM, Items(shmem::convert))]);

/// Objects that user space creates by DRM itself, imported ones among them.
const IMPORT: Step = step(
    "import",
    &[of_tree(|file| file.starts_with("rust/helpers/"))],
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

/// The test suites.
const KUNIT: Step = step(
    "kunit",
    &[
        of_tree(|file| file.contains("kunit") && !file.starts_with(GEM_DMA)),
        KUNIT_SKIP,
        files(
            "runtime/src/host/drm/gem/shmem",
            "rust/kernel/drm/gem/shmem",
            |file| file.contains("kunit"),
        ),
    ],
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

/// The headers of what user space asks of two of the samples.
const UAPI_BOCHS: Edit = Before(
    "#include <uapi/drm/drm.h>",
    "#include <uapi/drm/bochs_drm.h>",
);
const UAPI_EDU: Edit = Behind("#include <uapi/drm/drm.h>", "#include <uapi/drm/edu_drm.h>");

/// The driver that user space uses, for the build.
const OPTION_EDU: Edit = Option(HOSTPROGS, "SAMPLE_RUST_DRM_EDU");
const TARGET_EDU: Edit = Target("RUST_DRM_EDU");

/// The sample drivers.
const SAMPLE: Step = step(
    "sample",
    &[of_tree(|file| {
        ["samples/", "include/"]
            .iter()
            .any(|of| file.starts_with(of))
    })],
    &[
        (UAPI_HELPER, UAPI_BOCHS),
        (UAPI_HELPER, UAPI_EDU),
        (
            SAMPLES_KCONFIG,
            Option(HOSTPROGS, "SAMPLE_RUST_DEVRES_LAZY"),
        ),
        (SAMPLES_KCONFIG, Option(HOSTPROGS, "SAMPLE_RUST_DRM_BOCHS")),
        (SAMPLES_KCONFIG, OPTION_EDU),
        (SAMPLES_MAKEFILE, Target("RUST_DEVRES_LAZY")),
        (SAMPLES_MAKEFILE, Target("RUST_DRM_BOCHS")),
        (SAMPLES_MAKEFILE, TARGET_EDU),
    ],
);

/// The files that do not use the annotated object: the suite of the contract, and the files of
/// `kernel/control/`.
const CONTROL: Step = step(
    "control",
    &[
        of_tree(|file| {
            let support = ["kunit_machine.rs", "kunit_support.rs"];
            file == CONTRACT || support.iter().any(|it| file.ends_with(it))
        }),
        KUNIT_SKIP,
        files("kernel/control", "", |_| true),
    ],
    &[],
);

/// The driver that user space uses, without the annotation.
const SAMPLE_BY_HAND: Step = step(
    "sample",
    &[of_tree(|file| file == EDU || file.starts_with("include/"))],
    &[
        (EDU, Items(edu::by_hand)),
        (UAPI_HELPER, UAPI_BOCHS),
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

/// The steps for an object, in order. Its printed form needs no macro.
pub(super) fn of(object: Object) -> Vec<Step> {
    if let Object::Mended(fixes) = object {
        return fixes::steps(fixes);
    }
    let mut steps = if object.is_lazy() {
        let first = [TRY_FROM, SLOT, MACRO, SG_TABLE, IMPORT];
        [&first[..], &[KUNIT, GEM_DMA_HELPER, PCI_WC, SAMPLE]].concat()
    } else {
        vec![CONTROL, SAMPLE_BY_HAND]
    };
    match object {
        Object::Expanded => steps.retain(|step| step.name != MACRO.name),
        Object::Fixed => steps.push(FIX),
        Object::Leaking => steps.push(LEAK),
        Object::Annotated | Object::ByHand | Object::Mended(_) => (),
    }
    steps
}
