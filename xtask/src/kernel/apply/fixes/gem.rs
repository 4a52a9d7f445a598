// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `rust/kernel/drm/gem/{mod,shmem}.rs`: an object keeps its DRM device, and unmapping the table
//! puts the pages.

use super::{
    super::{
        shmem::{self, OURS},
        source::Source,
    },
    suite,
};
use anyhow::{bail, ensure, Context, Result};
use quote::ToTokens;

/// The parts that `gem/mod.rs` gets.
const GEM: &str = include_str!("../../../../../kernel/fixes/gem.rs");

/// The parts that `gem/shmem.rs` gets.
const SHMEM: &str = include_str!("../../../../../kernel/fixes/shmem.rs");

/// `gem/mod.rs`: the object keeps its DRM device.
pub(super) fn keep(text: &str) -> Result<String> {
    let ours = Source::parse(GEM)?;
    let field = match Vec::from_iter(&ours.structure("Object")?.fields)[..] {
        [field] => field,
        _ => bail!("our own `Object` has to have one field"),
    };
    let source = Source::parse(text)?;
    shmem::document(&source, &ours, "")?;
    shmem::keep_device(&source, &ours, field)?;
    Ok(source.finish())
}

/// `gem/shmem.rs`: the same.
pub(super) fn keep_shmem(text: &str) -> Result<String> {
    let ours = Source::parse(OURS)?;
    let source = Source::parse(text)?;
    shmem::document(&source, &ours, "")?;
    shmem::keep_device(&source, &ours, shmem::fields(&ours)?.1)?;
    Ok(source.finish())
}

/// `gem/mod.rs`: the tests, which are its suite.
pub(super) fn keep_tests(text: &str) -> Result<String> {
    suite::add(text, &Source::parse(GEM)?, "tests")
}

/// `gem/shmem.rs`: the tests of a module of our own, and what they import.
pub(super) fn shmem_tests(text: &str, module: &str) -> Result<String> {
    suite::add(text, &Source::parse(SHMEM)?, module)
}

/// `gem/shmem.rs`: the drop of the table also puts the pages.
pub(super) fn put_pages(text: &str) -> Result<String> {
    let ours = Source::parse(SHMEM)?;
    let new = ours.trait_function("SGTableMap", "drop")?;
    let source = Source::parse(text)?;
    let drop = source.trait_function("SGTableMap", "drop")?;
    let last = drop.block.stmts.last().context("the drop is empty")?;
    let frees = last.to_token_stream().to_string();
    ensure!(
        frees.contains("__drm_gem_shmem_free_sgt_locked"),
        "the drop of `SGTableMap` does not end by freeing the table"
    );

    let end = source.lines_of(last).end;
    let put = new.block.stmts.first().context("there is no statement")?;
    source.insert(end, format!("\n{}", ours.text_of(put)));
    Ok(source.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

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
    use super::*;
}
";

    #[test]
    fn an_object_keeps_its_device() {
        for (keep, device) in [
            (keep as fn(&str) -> Result<String>, "drm::Device"),
            (keep_shmem, "Device"),
        ] {
            let text = keep(OBJECT).unwrap();
            for new in [
                format!("    drm: ARef<{device}<T::Driver>>,\n}}\n"),
                "            inner <- T::new(),\n            drm: dev.into(),\n        })"
                    .to_owned(),
                "/// # Cycles\n".to_owned(),
                "\n#[repr(C)]\npub struct Object".to_owned(),
            ] {
                assert!(text.contains(&new), "{new}:\n{text}");
            }
        }
    }

    #[test]
    fn a_drop_ends_with_the_pages() {
        let text = put_pages(OBJECT).unwrap();

        assert!(
            text.contains("_sgt_locked(obj) };\n\n        // Ends the use of the pages"),
            "{text}"
        );
        assert!(text.contains("put_pages_locked(obj.as_raw_shmem()) };\n    }\n}\n"));
        let error = put_pages(&text).unwrap_err().to_string();
        assert!(error.contains("does not end by freeing"), "{error}");
    }

    #[test]
    fn tests_join_the_suite() {
        let mut text = OBJECT.to_owned();
        for module in ["keep", "objects", "pages"] {
            text = shmem_tests(&text, module).unwrap();
        }

        syn::parse_file(&text).unwrap();
        assert_eq!(text.matches("    #[test]\n").count(), 4);
        shmem_tests(&text, "other").unwrap_err();
    }
}
