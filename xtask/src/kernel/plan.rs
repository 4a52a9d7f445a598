// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The boots of one kernel: most suites share a boot, and some cannot.

use super::flavour::{Flavour, Variant};

/// The suites that share a boot if no others are asked for: the tree's own in Rust, and ours. The
/// names of ours that need a boot alone begin with `rust_lazy_`.
const SUITES: &str = "rust_[!l]*";

/// The same for the control: of the tree's own, only that for the object.
const SUITES_BY_HAND: &str = "rust_d*";

#[derive(Clone, Copy, Debug, PartialEq)]
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
    let alone = filter.is_none();

    let boots = [
        (true, "console", shared(flavour, filter), leaks),
        // The tree's own, in C: a filter has one pattern.
        (alone && is_lazy, "console-gem", "drm_gem_shmem", false),
        // Measures how much memory is in use.
        (
            alone && is_lazy,
            "console-stress",
            "rust_lazy_stress*",
            leaks,
        ),
        // Lockdep reports once, and so does KASAN.
        (
            alone && is_lazy && is_debug,
            "console-lockdep",
            "rust_lazy_lockdep",
            false,
        ),
        (alone && is_debug, "console-kasan", "rust_lazy_kasan", false),
        // The kernel does not survive it.
        (alone && !is_lazy, "console-oops", "rust_lazy_oops", false),
    ];
    boots
        .into_iter()
        .filter(|(is_planned, ..)| *is_planned)
        .map(|(_, log, filter, leaks)| Planned { log, filter, leaks })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{super::flavour::Object, *};
    use Object::{Annotated, ByHand, Expanded};
    use Variant::{Debug, Fast};

    /// The logs of all boots, with `+` behind those that look for leaks.
    fn logs(variant: Variant, object: Object) -> Vec<String> {
        boots(&Flavour::new(variant, object), None)
            .into_iter()
            .map(|boot| boot.log.to_owned() + if boot.leaks { "+" } else { "" })
            .collect()
    }

    #[test]
    fn suites_that_cannot_share_have_a_boot() {
        assert_eq!(
            logs(Fast, Annotated),
            ["console", "console-gem", "console-stress"]
        );
        assert_eq!(
            logs(Debug, Annotated),
            [
                "console+",
                "console-gem",
                "console-stress+",
                "console-lockdep",
                "console-kasan"
            ]
        );
        for variant in [Fast, Debug] {
            assert_eq!(logs(variant, Expanded), logs(variant, Annotated));
        }
        assert_eq!(logs(Fast, ByHand), ["console", "console-oops"]);
        assert_eq!(
            logs(Debug, ByHand),
            ["console", "console-kasan", "console-oops"]
        );
    }

    #[test]
    fn a_filter_is_one_boot() {
        assert_eq!(
            boots(&Flavour::new(Debug, Annotated), Some("drm_*")),
            [Planned {
                log: "console",
                filter: "drm_*",
                leaks: true,
            }]
        );
    }
}
