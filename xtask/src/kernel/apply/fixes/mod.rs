// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Fixes of what Linux has, without a line of the slot. Each has an edit that mends, and where KUnit
//! can show the fault, tests that fail without the edit.
//!
//! | fix | in the tree | what |
//! |---|---|---|
//! | `access` | `rust/kernel/{devres,revocable}.rs` | `Devres::access()` fails if the data was revoked |
//! | `try_from` | `rust/kernel/{i2c,pci,platform}.rs` | one lifetime for both sides of `TryFrom` |
//! | `late` | `drivers/base/devres.c` | unbind also releases what is added meanwhile |
//! | `removal` | `drivers/base/{devres.c,base.h}` | a node is removed without a walk |
//! | `keep` | `rust/kernel/drm/gem/{mod,shmem}.rs` | a GEM object keeps its DRM device |
//! | `objects` | `rust/kernel/drm/gem/shmem.rs` | DRM makes no objects that are no `Object` |
//! | `pages` | `rust/kernel/drm/gem/shmem.rs` | unmapping the table puts the pages |
//!
//! What is added is in `kernel/fixes/`. A tree with some of the fixes has the tests of all.

mod base;
mod c;
mod devres;
mod gem;
mod suite;

use super::{edit, Step};
use crate::kernel::tree::Tree;
use anyhow::{ensure, Result};

/// A fix.
pub(crate) struct Fix {
    /// Its number in the project's list, which has the measurements.
    pub(crate) number: &'static str,
    /// The fix and its tests, as a step.
    step: Step,
    /// The tests alone, which fail.
    tests: Step,
    /// The names of these tests.
    pub(crate) shown_by: &'static [&'static str],
}

/// All fixes, in the order of the series: first those of the device core, then those of DRM.
pub(crate) const FIXES: [Fix; 7] = [
    Fix {
        number: "P1",
        step: ("fixes/access", access),
        tests: ("fixes/access", access_tests),
        shown_by: &["rust_devres.access_after_rebind"],
    },
    Fix {
        number: "P8",
        step: ("fixes/try_from", super::try_from),
        // No test at run time can show a lifetime.
        tests: ("fixes/try_from", |_| Ok(())),
        shown_by: &[],
    },
    Fix {
        number: "P6",
        step: ("fixes/late", late),
        tests: ("fixes/late", late_tests),
        shown_by: &["devres.devres_late_test"],
    },
    Fix {
        number: "P5",
        step: ("fixes/removal", removal),
        tests: ("fixes/removal", removal_tests),
        shown_by: &["rust_devres.drop_among_many"],
    },
    Fix {
        number: "P2",
        step: ("fixes/keep", keep),
        tests: ("fixes/keep", keep_tests),
        shown_by: &[
            "rust_drm_gem.object_keeps_drm_device",
            "rust_drm_gem_shmem.object_keeps_drm_device",
        ],
    },
    Fix {
        number: "P3",
        step: ("fixes/objects", objects),
        tests: ("fixes/objects", objects_tests),
        shown_by: &[
            "rust_drm_gem_shmem.dumb_buffer_is_object",
            "rust_drm_gem_shmem.import_is_object",
        ],
    },
    Fix {
        number: "P4",
        step: ("fixes/pages", pages),
        tests: ("fixes/pages", pages_tests),
        shown_by: &["rust_drm_gem_shmem.unmapping_puts_pages"],
    },
];

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
        if fixes.has(place) {
            fix.step
        } else {
            fix.tests
        }
    });
    chosen.collect()
}

const BASE_H: &str = "drivers/base/base.h";
const BASE_TESTS: &str = "drivers/base/test/Makefile";
const DEVRES_C: &str = "drivers/base/devres.c";
const DEVRES_TEST_C: &str = "drivers/base/test/devres-test.c";
const REVOCABLE: &str = "rust/kernel/revocable.rs";

fn access(tree: &mut Tree) -> Result<()> {
    edit(tree, REVOCABLE, devres::is_revoked)?;
    edit(tree, super::DEVRES, devres::access)?;
    access_tests(tree)
}

fn access_tests(tree: &mut Tree) -> Result<()> {
    edit(tree, super::DEVRES, devres::access_tests)
}

fn late(tree: &mut Tree) -> Result<()> {
    edit(tree, DEVRES_C, base::release_until_empty)?;
    late_tests(tree)
}

fn late_tests(tree: &mut Tree) -> Result<()> {
    ensure!(!tree.has(DEVRES_TEST_C), "{DEVRES_TEST_C} is there already");
    tree.write(DEVRES_TEST_C, base::TESTS);
    edit(tree, BASE_TESTS, base::declare_tests)
}

fn removal(tree: &mut Tree) -> Result<()> {
    edit(tree, BASE_H, base::releasing_field)?;
    edit(tree, DEVRES_C, base::remove_without_walk)?;
    removal_tests(tree)
}

fn removal_tests(tree: &mut Tree) -> Result<()> {
    edit(tree, super::DEVRES, devres::removal_tests)
}

fn keep(tree: &mut Tree) -> Result<()> {
    edit(tree, super::GEM, gem::keep)?;
    edit(tree, super::SHMEM, gem::keep_shmem)?;
    keep_tests(tree)
}

fn keep_tests(tree: &mut Tree) -> Result<()> {
    edit(tree, super::GEM, gem::keep_tests)?;
    edit(tree, super::SHMEM, |text| gem::shmem_tests(text, "keep"))
}

fn objects(tree: &mut Tree) -> Result<()> {
    edit(tree, super::SHMEM, super::shmem::make_no_objects)?;
    objects_tests(tree)
}

fn objects_tests(tree: &mut Tree) -> Result<()> {
    edit(tree, super::SHMEM, |text| gem::shmem_tests(text, "objects"))
}

fn pages(tree: &mut Tree) -> Result<()> {
    edit(tree, super::SHMEM, gem::put_pages)?;
    pages_tests(tree)
}

fn pages_tests(tree: &mut Tree) -> Result<()> {
    edit(tree, super::SHMEM, |text| gem::shmem_tests(text, "pages"))
}
