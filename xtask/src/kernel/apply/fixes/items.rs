// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The edits of Rust files: `rust/kernel/{devres,revocable}.rs` and `rust/kernel/drm/gem/`.

use super::{
    super::{shmem, source::Source},
    suite,
};
use anyhow::{ensure, Result};

/// The parts of `Devres::access()`, with its test.
const ACCESS: &str = include_str!("../../../../../kernel/fixes/access.rs");

/// The test of a removal.
const REMOVAL: &str = include_str!("../../../../../kernel/fixes/removal.rs");

/// The parts that `gem/mod.rs` gets.
const OF_GEM: &str = include_str!("../../../../../kernel/fixes/gem.rs");

/// The parts that `gem/shmem.rs` gets.
const OF_SHMEM: &str = include_str!("../../../../../kernel/fixes/shmem.rs");

/// `revocable.rs`: whether the data was revoked.
pub(super) fn is_revoked(source: &mut Source) -> Result<()> {
    let name = "Revocable::is_revoked";
    ensure!(source.lines(name).is_err(), "there is `{name}` already");

    let new = Source::parse(ACCESS)?.paragraph(name)?;
    source.insert(source.lines("Revocable::access")?.start, &new)
}

/// `devres.rs`: `Devres::access()` looks at that.
pub(super) fn access(source: &mut Source) -> Result<()> {
    let name = "Devres::access";
    let ours = Source::parse(ACCESS)?;
    ensure!(
        source.statement(name, "is_revoked").is_err(),
        "`{name}` looks whether the data was revoked"
    );

    source.replace(source.statement(name, "unsafe")?, ours.text_in(name)?)?;
    let lines = ours.text_of(name)?.split_inclusive('\n');
    let docs = lines.take_while(|line| line.trim_start().starts_with("///"));
    let examples = "    /// # Examples\n";
    let new = docs.collect::<String>() + examples;
    source.substitute(name, examples, &new)
}

/// `devres.rs`: the test of `access()`.
pub(super) fn access_tests(source: &mut Source) -> Result<()> {
    suite::add(source, &Source::parse(ACCESS)?, "tests")
}

/// `devres.rs`: the test of a removal, which takes the time.
pub(super) fn removal_tests(source: &mut Source) -> Result<()> {
    suite::add(source, &Source::parse(REMOVAL)?, "tests")
}

/// `gem/mod.rs`: the object keeps its DRM device.
pub(super) fn keep(source: &mut Source) -> Result<()> {
    let ours = Source::parse(OF_GEM)?;
    document(source, &ours)?;
    shmem::keep_device(source, &ours)
}

/// `gem/shmem.rs`: the same.
pub(super) fn keep_shmem(source: &mut Source) -> Result<()> {
    let ours = Source::parse(shmem::OURS)?;
    document(source, &ours)?;
    shmem::keep_device(source, &ours)
}

/// Adds our documentation of `Object`.
fn document(source: &mut Source, ours: &Source) -> Result<()> {
    let repr = "#[repr(C)]\n";
    let docs = ours.docs("struct Object")? + repr;
    source.substitute("struct Object", repr, &docs)
}

/// `gem/mod.rs`: the test, which is its suite.
pub(super) fn keep_tests(source: &mut Source) -> Result<()> {
    suite::add(source, &Source::parse(OF_GEM)?, "tests")
}

/// `gem/shmem.rs`: the tests of a module of our own.
pub(super) fn shmem_tests(source: &mut Source, module: &str) -> Result<()> {
    suite::join(source, &Source::parse(OF_SHMEM)?, module)
}

/// `gem/shmem.rs`: the drop of the table also puts the pages.
pub(super) fn put_pages(source: &mut Source) -> Result<()> {
    let drop = "<SGTableMap as Drop>::drop";
    let frees = source.statement(drop, "__drm_gem_shmem_free_sgt_locked")?;
    let end = source.body(drop)?.end;
    ensure!(
        frees.end == end,
        "`{drop}` does not end by freeing the table"
    );

    let puts = format!("\n{}", Source::parse(OF_SHMEM)?.text_in(drop)?);
    source.insert(end, &puts)
}

#[cfg(test)]
mod tests {
    use super::{super::super::case::Case, *};

    #[test]
    fn what_was_revoked_is_refused() {
        Case {
            edit: access,
            before: "\
impl<T> Devres<T> {
    /// Obtains.
    ///
    /// # Examples
    ///
    /// ```
    /// ```
    pub fn access(&self) -> Result<&T> {
        if self.dev != dev {
            return Err(EINVAL);
        }

        // SAFETY: It is the device.
        Ok(unsafe { self.data().access() })
    }
}
",
            gone: &["It is the device."],
            new: &[
                "    /// Obtains.\n    ///\n    /// [`ENXIO`] is returned",
                "bound again.\n    ///\n    /// # Examples\n",
                "        }\n\n        // `dev` may",
                "            return Err(ENXIO);\n        }\n\n        // SAFETY: `self.data` has",
            ],
            refused: &[
                ("unsafe { self", "{ self", "does not mention `unsafe`"),
                ("self.dev != dev", "self.is_revoked()", "was revoked"),
                ("# Examples", "# Example", "has `/// # Examples` 0 times"),
            ],
        }
        .check();
    }

    #[test]
    fn a_revocable_says_whether_it_is() {
        Case {
            edit: is_revoked,
            before: "impl<T> Revocable<T> {\n    /// Accesses.\n    unsafe fn access() {}\n}\n",
            gone: &[],
            new: &["Relaxed)\n    }\n\n    /// Accesses.\n"],
            refused: &[(
                "fn access",
                "fn is_revoked",
                "`Revocable::is_revoked` already",
            )],
        }
        .check();
    }

    #[test]
    fn two_fixes_have_tests_in_one_suite() {
        let mut source = Source::parse("use a::b;\n").unwrap();
        access_tests(&mut source).unwrap();
        removal_tests(&mut source).unwrap();

        let text = source.text();
        assert_eq!(text.matches("#[kunit_tests(").count(), 1);
        let both = ["fn access_after_rebind()", "fn drop_among_many()"];
        assert!(both.iter().all(|test| text.contains(test)), "{text}");
    }

    /// The parts of a tree's `gem/mod.rs` and `gem/shmem.rs` that these steps look at.
    const OBJECT: &str = "\
/// An object.
#[repr(C)]
pub struct Object<T> {
    obj: T,
    inner: T,
}

impl<T> Object<T> {
    pub fn new() -> Result {
        try_pin_init!(Self {
            obj <- T::new(),
            inner <- T::new(),
        })
    }
}

impl<T> Drop for SGTableMap<T> {
    fn drop(&mut self) {
        // SAFETY: We have the lock.
        unsafe { bindings::__drm_gem_shmem_free_sgt_locked(obj) };
    }
}

mod tests {
    fn create() {}
}
";

    #[test]
    fn an_object_keeps_its_device() {
        let case = |edit, field| Case {
            edit,
            before: OBJECT,
            gone: &[],
            new: field,
            refused: &[("#[repr(C)]\n", "", "has `#[repr(C)]` 0 times")],
        };
        let of_gem = &[
            "    drm: ARef<drm::Device<T::Driver>>,\n}\n",
            "            inner <- T::new(),\n            drm: dev.into(),\n        })",
            "/// # Cycles\n",
        ];
        case(keep, of_gem).check();
        case(keep_shmem, &["    drm: ARef<Device<T::Driver>>,\n}\n"]).check();
    }

    #[test]
    fn a_drop_ends_with_the_pages() {
        let end = "does not end by freeing the table";
        Case {
            edit: put_pages,
            before: OBJECT,
            gone: &[],
            new: &[
                "_sgt_locked(obj) };\n\n        let shmem = obj.as_raw_shmem();\n        // The device",
                "put_pages_locked(shmem) };\n    }\n}\n",
            ],
            refused: &[
                (
                    "_locked(obj) };\n",
                    "_locked(obj) };\n        end();\n",
                    end,
                ),
                ("free_sgt", "put", "does not mention"),
            ],
        }
        .check();
    }

    #[test]
    fn tests_join_the_suite() {
        let mut source = Source::parse(OBJECT).unwrap();
        for module in ["keep", "objects", "pages"] {
            shmem_tests(&mut source, module).unwrap();
        }

        assert_eq!(source.text().matches("    #[test]\n").count(), 4);
    }
}
