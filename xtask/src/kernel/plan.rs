// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The boots of one kernel: most suites share a boot, and some cannot.

use super::flavour::{Flavour, Variant};

/// The suites that share a boot if no others are asked for: the tree's own in Rust, and ours. The
/// names of ours that need a boot alone begin with `rust_lazy_`.
const SUITES: &str = "rust_[!l]*";

/// The same for the control: of the tree's own, only that for the object.
const SUITES_BY_HAND: &str = "rust_d*";

pub(crate) struct Planned<'a> {
    /// The name of its log.
    pub(crate) log: &'static str,
    pub(crate) filter: &'a str,
    /// Whether to look for memory that nobody refers to any more, when the tests are over.
    pub(crate) leaks: bool,
}

/// The suites that share a boot: those of the filter, if one is given.
pub(crate) fn shared<'a>(flavour: &Flavour, filter: Option<&'a str>) -> &'a str {
    filter.unwrap_or(if flavour.object.is_lazy() {
        SUITES
    } else {
        SUITES_BY_HAND
    })
}

/// All boots: one if a filter is given.
pub(crate) fn boots<'a>(flavour: &Flavour, filter: Option<&'a str>) -> Vec<Planned<'a>> {
    let is_lazy = flavour.object.is_lazy();
    let is_debug = flavour.variant == Variant::Debug;
    // The fast variant has no search for leaks, and the object by hand is known to leak.
    let leaks = is_debug && is_lazy;
    let boot = |log, filter, leaks| Planned { log, filter, leaks };

    let mut boots = vec![boot("console", shared(flavour, filter), leaks)];
    if filter.is_some() {
        return boots;
    }
    if is_lazy {
        // The tree's own, in C: a filter has one pattern.
        boots.push(boot("console-gem", "drm_gem_shmem", false));
        // Measures how much memory is in use.
        boots.push(boot("console-stress", "rust_lazy_stress*", leaks));
    }
    // Lockdep reports once, and so does KASAN.
    if is_lazy && is_debug {
        boots.push(boot("console-lockdep", "rust_lazy_lockdep", false));
    }
    if is_debug {
        boots.push(boot("console-kasan", "rust_lazy_kasan", false));
    }
    // The kernel does not survive it.
    if !is_lazy {
        boots.push(boot("console-oops", "rust_lazy_oops", false));
    }
    boots
}

#[cfg(test)]
mod tests {
    use super::{super::flavour::Object, *};
    use Object::{Annotated, ByHand, Expanded};
    use Variant::{Debug, Fast};

    /// The ends of all logs' names, with `+` behind those that look for leaks.
    fn logs(variant: Variant, object: Object, filter: Option<&str>) -> String {
        boots(&Flavour::new(variant, object), filter)
            .into_iter()
            .map(|boot| boot.log.replace("console", "") + if boot.leaks { "+" } else { "" })
            .collect()
    }

    #[test]
    fn suites_that_cannot_share_have_a_boot() {
        for object in [Annotated, Expanded] {
            assert_eq!(logs(Fast, object, None), "-gem-stress");
            assert_eq!(logs(Debug, object, None), "+-gem-stress+-lockdep-kasan");
        }
        assert_eq!(logs(Fast, ByHand, None), "-oops");
        assert_eq!(logs(Debug, ByHand, None), "-kasan-oops");
        // A filter is one boot.
        assert_eq!(logs(Debug, Annotated, Some("drm_*")), "+");
        let flavour = Flavour::new(Debug, Annotated);
        assert_eq!(boots(&flavour, Some("drm_*"))[0].filter, "drm_*");
    }
}
