// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Fixes of what Linux has, without a line of the slot. Each has edits that mend, and where KUnit
//! can show the fault, tests that fail without these edits.
//!
//! The additions are in `kernel/fixes/`. A tree with some of the fixes has the tests of all.

mod base;
mod c;
mod items;
mod suite;

use super::{
    edit::Edit::{self, Before, Items, Text},
    shmem,
    steps::{Files, Step, DEVRES, GEM, SHMEM, TRY_FROM},
};
use crate::kernel::tree::Tree;
use anyhow::Result;

/// A fix.
pub(crate) struct Fix {
    /// Its number in the project's list, which has the measurements.
    pub(crate) number: &'static str,
    /// A file that the fix edits, and a text that it has with the fix only.
    sign: (&'static str, &'static str),
    /// The fix and its tests.
    step: Step,
    /// How many of the step's edits mend. The others add tests.
    mends: usize,
    /// The names of these tests.
    pub(crate) shown_by: &'static [&'static str],
}

const DEVRES_C: &str = "drivers/base/devres.c";

/// All fixes, in the order of the series: first those of the device core, then those of DRM.
pub(crate) const FIXES: [Fix; 7] = [
    // `Devres::access()` fails if the data was revoked.
    Fix {
        number: "P1",
        sign: ("rust/kernel/revocable.rs", "fn is_revoked("),
        step: Step {
            name: "fixes/access",
            files: &[],
            edits: &[
                ("rust/kernel/revocable.rs", Items(items::is_revoked)),
                (DEVRES, Items(items::access)),
                (DEVRES, Items(items::access_tests)),
            ],
        },
        mends: 2,
        shown_by: &["rust_devres.access_after_rebind"],
    },
    // One lifetime for both sides of `TryFrom`. No test at run time can show a lifetime.
    Fix {
        number: "P8",
        sign: ("rust/kernel/pci.rs", "TryFrom<&'a device::Device<"),
        step: Step {
            name: "fixes/try_from",
            ..TRY_FROM
        },
        mends: TRY_FROM.edits.len(),
        shown_by: &[],
    },
    // Unbind also releases what is added meanwhile.
    Fix {
        number: "P6",
        sign: (DEVRES_C, "cnt += remove_nodes("),
        step: Step {
            name: "fixes/late",
            files: &[Files {
                from: "kernel/fixes/tree",
                to: "",
                wanted: |_| true,
            }],
            edits: &[
                (DEVRES_C, Text(base::release_until_empty)),
                (
                    "drivers/base/test/Makefile",
                    Before(
                        "obj-$(CONFIG_DM_KUNIT_TEST)	+= root-device-test.o",
                        "obj-$(CONFIG_DM_KUNIT_TEST)	+= devres-test.o",
                    ),
                ),
            ],
        },
        mends: 1,
        shown_by: &["devres.devres_late_test"],
    },
    // A node is removed without a walk.
    Fix {
        number: "P5",
        sign: ("drivers/base/base.h", "\treleasing:1;"),
        step: Step {
            name: "fixes/removal",
            files: &[],
            edits: &[
                ("drivers/base/base.h", Text(base::releasing_field)),
                (DEVRES_C, Text(base::remove_without_walk)),
                (DEVRES, Items(items::removal_tests)),
            ],
        },
        mends: 2,
        shown_by: &["rust_devres.drop_among_many"],
    },
    // A GEM object keeps its DRM device.
    Fix {
        number: "P2",
        sign: (GEM, " drm: ARef<"),
        step: Step {
            name: "fixes/keep",
            files: &[],
            edits: &[
                (GEM, Items(items::keep)),
                (SHMEM, Items(items::keep_shmem)),
                (GEM, Items(items::keep_tests)),
                (SHMEM, Items(|source| items::shmem_tests(source, "keep"))),
            ],
        },
        mends: 2,
        shown_by: &[
            "rust_drm_gem.object_keeps_drm_device",
            "rust_drm_gem_shmem.object_keeps_drm_device",
        ],
    },
    // C makes no objects that are no `Object`.
    Fix {
        number: "P3",
        sign: (SHMEM, " dumb_create: None,"),
        step: Step {
            name: "fixes/objects",
            files: &[],
            edits: &[
                (SHMEM, Items(shmem::make_no_objects)),
                (SHMEM, Items(|source| items::shmem_tests(source, "objects"))),
            ],
        },
        mends: 1,
        shown_by: &[
            "rust_drm_gem_shmem.dumb_buffer_is_refused",
            "rust_drm_gem_shmem.import_is_refused",
        ],
    },
    // Unmapping the table puts the pages.
    Fix {
        number: "P4",
        sign: (SHMEM, "put_pages_locked("),
        step: Step {
            name: "fixes/pages",
            files: &[],
            edits: &[
                (SHMEM, Items(items::put_pages)),
                (SHMEM, Items(|source| items::shmem_tests(source, "pages"))),
            ],
        },
        mends: 1,
        shown_by: &["rust_drm_gem_shmem.unmapping_puts_pages"],
    },
];

impl Fix {
    /// Whether a tree has the fix.
    fn is_in(&self, tree: &Tree) -> bool {
        let (path, text) = self.sign;
        tree.read(path).is_ok_and(|file| file.contains(text))
    }

    /// Adds the fix and its tests to a tree, unless the tree has the fix.
    pub(super) fn ensure(&self, tree: &mut Tree) -> Result<()> {
        match self.is_in(tree) {
            true => Ok(()),
            false => self.step.run(tree),
        }
    }

    /// Its edits, by file.
    pub(super) fn edits(&self) -> &'static [(&'static str, Edit)] {
        self.step.edits
    }
}

/// Some of the fixes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Fixes(u8);

impl Fixes {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const ALL: Self = Self((1 << FIXES.len()) - 1);

    /// The fix at this place of [`FIXES`].
    pub(crate) fn one(place: usize) -> Self {
        Self(1 << place)
    }

    fn has(self, place: usize) -> bool {
        self.0 & (1 << place) != 0
    }
}

/// The steps for a tree with these fixes, and the tests of all.
pub(super) fn steps(fixes: Fixes) -> Vec<Step> {
    let chosen = FIXES.iter().enumerate().map(|(place, fix)| {
        let mends = if fixes.has(place) { 0 } else { fix.mends };
        Step {
            edits: &fix.step.edits[mends..],
            ..fix.step
        }
    });
    chosen.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_there_without_the_fix() {
        let edits = |fixes| -> Vec<_> {
            let steps = steps(fixes).into_iter();
            steps.map(|step| step.edits.len()).collect()
        };

        assert_eq!(edits(Fixes::NONE), [1, 0, 1, 1, 2, 1, 1]);
        assert_eq!(edits(Fixes::one(0)), [3, 0, 1, 1, 2, 1, 1]);
        assert_eq!(edits(Fixes::ALL), [3, 3, 2, 3, 4, 2, 2]);
    }
}
