// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `rust/kernel/devres.rs`: `Devres::access()` fails if the data was revoked, and the tests of this
//! and of `base::remove_without_walk()`.

use super::{super::source::Source, suite};
use anyhow::{bail, ensure, Context, Result};

/// The parts that are added.
const ACCESS: &str = include_str!("../../../../../kernel/fixes/access.rs");

/// A test of another fix.
const REMOVAL: &str = include_str!("../../../../../kernel/fixes/removal.rs");

/// The line that the documentation of `access()` stands in front of.
const EXAMPLES: &str = "    /// # Examples\n";

/// `rust/kernel/revocable.rs`: whether the data was revoked.
pub(super) fn is_revoked(text: &str) -> Result<String> {
    let ours = Source::parse(ACCESS)?;
    let source = Source::parse(text)?;
    ensure!(
        source.function("Revocable", "is_revoked").is_err(),
        "there is `Revocable::is_revoked()` already"
    );

    let before = source.lines_of(source.function("Revocable", "access")?);
    let new = ours.text_of(ours.function("Revocable", "is_revoked")?);
    source.insert(before.start, format!("{new}\n"));
    Ok(source.finish())
}

/// `Devres::access()` looks at that.
pub(super) fn access(text: &str) -> Result<String> {
    let ours = Source::parse(ACCESS)?;
    let new = ours.function("Devres", "access")?;
    let source = Source::parse(text)?;
    let function = source.function("Devres", "access")?;
    let [_, end] = &function.block.stmts[..] else {
        bail!("`Devres::access()` does not compare and then return");
    };
    let lines = source.lines_of(function);
    let examples = source
        .text(lines.clone())
        .find(EXAMPLES)
        .map(|at| lines.start + at)
        .context("the documentation of `Devres::access()` has no examples")?;

    let docs = new.attrs.iter();
    let docs: String = docs
        .map(|attr| format!("    {}\n", ours.text(ours.range(attr))))
        .collect();
    source.insert(examples, docs);
    let [first, last] = &new.block.stmts[..] else {
        bail!("our own `access()` has to have two statements");
    };
    let body = ours.lines_of(first).start..ours.lines_of(last).end;
    source.replace_item(end, ours.text(body));
    Ok(source.finish())
}

/// The test of `access()`.
pub(super) fn access_tests(text: &str) -> Result<String> {
    suite::add(text, &Source::parse(ACCESS)?, "tests")
}

/// The test of a removal, which takes the time.
pub(super) fn removal_tests(text: &str) -> Result<String> {
    suite::add(text, &Source::parse(REMOVAL)?, "tests")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parts of a tree's `devres.rs` that this step looks at.
    const DEVRES: &str = "\
use a::b;

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
";

    #[test]
    fn what_was_revoked_is_refused() {
        let text = access(DEVRES).unwrap();

        for new in [
            "    /// Obtains.\n    ///\n    /// [`ENXIO`] is returned",
            "bound again.\n    ///\n    /// # Examples\n",
            "        }\n\n        // `dev` may",
            "            return Err(ENXIO);\n        }\n\n        // SAFETY: `self.data` has",
            "        Ok(unsafe { self.data().access() })\n    }\n}\n",
        ] {
            assert!(text.contains(new), "{new}:\n{text}");
        }
        assert!(!text.contains("It is the device."));
        assert!(access(&text).is_err());
    }

    #[test]
    fn a_revocable_says_whether_it_is() {
        let text = "impl<T> Revocable<T> {\n    /// Accesses.\n    unsafe fn access() {}\n}\n";
        let text = is_revoked(text).unwrap();

        assert!(
            text.contains("Relaxed)\n    }\n\n    /// Accesses.\n"),
            "{text}"
        );
        assert!(is_revoked(&text).is_err());
    }

    #[test]
    fn two_fixes_have_tests_in_one_suite() {
        let text = removal_tests(&access_tests(DEVRES).unwrap()).unwrap();

        assert_eq!(text.matches("#[kunit_tests(").count(), 1);
        let both = ["fn access_after_rebind()", "fn drop_among_many()"];
        assert!(both.iter().all(|test| text.contains(test)), "{text}");
    }
}
