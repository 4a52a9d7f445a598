// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What one kernel is booted for: most suites share a boot, and some cannot.

use super::{
    apply::Object,
    prepare::Variant, //
};

/// The suites that share a boot if no others are asked for: the tree's own in Rust, and ours but
/// for those that need a boot alone, which begin with `rust_lazy_`.
const SUITES: &str = "rust_[!l]*";

/// The same for the control: of the tree's own, only that for the object.
const SUITES_BY_HAND: &str = "rust_d*";

/// A suite that cannot share.
struct Alone {
    name: &'static str,
    suite: &'static str,
    /// Whether it is of the object with lazy fields, or else of the one by hand.
    is_lazy: bool,
    /// Where it would be skipped.
    not_in: Option<Variant>,
    /// Whether to look for leaks, in the variant that can.
    leaks: bool,
}

const ALONE: [Alone; 6] = [
    // The tree's own, in C: a filter has one pattern.
    Alone {
        name: "gem",
        suite: "drm_gem_shmem",
        is_lazy: true,
        not_in: None,
        leaks: false,
    },
    // Measures how much memory is in use.
    Alone {
        name: "stress",
        suite: "rust_lazy_stress*",
        is_lazy: true,
        not_in: None,
        leaks: true,
    },
    // Lockdep reports once.
    Alone {
        name: "lockdep",
        suite: "rust_lazy_lockdep",
        is_lazy: true,
        not_in: Some(Variant::Fast),
        leaks: false,
    },
    // KASAN reports once.
    Alone {
        name: "kasan",
        suite: "rust_lazy_kasan",
        is_lazy: true,
        not_in: Some(Variant::Fast),
        leaks: false,
    },
    Alone {
        name: "kasan",
        suite: "rust_lazy_kasan",
        is_lazy: false,
        not_in: Some(Variant::Fast),
        leaks: false,
    },
    // The kernel does not survive it.
    Alone {
        name: "oops",
        suite: "rust_lazy_oops",
        is_lazy: false,
        not_in: None,
        leaks: false,
    },
];

/// One boot.
#[derive(Debug, PartialEq)]
pub(crate) struct Planned {
    /// What its log is called.
    pub(crate) log: String,
    pub(crate) filter: String,
    /// Whether to look for memory that nobody refers to any more, when the tests are over.
    pub(crate) leaks: bool,
}

/// The suites that share a boot: those of the filter, if one is given.
pub(crate) fn shared(object: Object, filter: Option<&str>) -> &str {
    filter.unwrap_or(if object.is_lazy() {
        SUITES
    } else {
        SUITES_BY_HAND
    })
}

/// All boots: one if a filter is given.
pub(crate) fn boots(variant: Variant, object: Object, filter: Option<&str>) -> Vec<Planned> {
    let shared = Planned {
        log: "console".to_owned(),
        filter: shared(object, filter).to_owned(),
        leaks: variant == Variant::Debug && object.is_lazy(),
    };
    let alone = ALONE
        .iter()
        .filter(|it| {
            filter.is_none() && it.is_lazy == object.is_lazy() && it.not_in != Some(variant)
        })
        .map(|it| Planned {
            log: format!("console-{}", it.name),
            filter: it.suite.to_owned(),
            leaks: it.leaks && variant == Variant::Debug,
        });

    [shared].into_iter().chain(alone).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logs(variant: Variant, object: Object, filter: Option<&str>) -> Vec<String> {
        boots(variant, object, filter)
            .into_iter()
            .map(|boot| boot.log)
            .collect()
    }

    #[test]
    fn suites_that_cannot_share_have_a_boot() {
        use Object::{
            Annotated,
            ByHand,
            Expanded, //
        };
        use Variant::{
            Debug,
            Fast, //
        };

        assert_eq!(
            logs(Fast, Annotated, None),
            ["console", "console-gem", "console-stress"]
        );
        assert_eq!(
            logs(Debug, Annotated, None),
            [
                "console",
                "console-gem",
                "console-stress",
                "console-lockdep",
                "console-kasan"
            ]
        );
        for variant in [Fast, Debug] {
            assert_eq!(
                boots(variant, Expanded, None),
                boots(variant, Annotated, None)
            );
        }
        assert_eq!(logs(Fast, ByHand, None), ["console", "console-oops"]);
        assert_eq!(
            logs(Debug, ByHand, None),
            ["console", "console-kasan", "console-oops"]
        );
    }

    #[test]
    fn leaks_are_searched_for_where_that_can_be_done() {
        let searched = |variant, object| -> Vec<String> {
            boots(variant, object, None)
                .into_iter()
                .filter(|boot| boot.leaks)
                .map(|boot| boot.log)
                .collect()
        };

        assert_eq!(
            searched(Variant::Debug, Object::Annotated),
            ["console", "console-stress"]
        );
        assert!(searched(Variant::Fast, Object::Annotated).is_empty());
        assert!(searched(Variant::Debug, Object::ByHand).is_empty());
    }

    #[test]
    fn a_filter_is_one_boot() {
        assert_eq!(
            boots(Variant::Debug, Object::Annotated, Some("drm_*")),
            [Planned {
                log: "console".to_owned(),
                filter: "drm_*".to_owned(),
                leaks: true,
            }]
        );
    }

    #[test]
    fn no_boot_has_what_cannot_share() {
        for alone in ALONE
            .iter()
            .filter(|alone| alone.suite.starts_with("rust_"))
        {
            assert!(alone.suite.starts_with("rust_lazy_"), "{}", alone.suite);
        }
        for suites in [SUITES, SUITES_BY_HAND] {
            assert!(["rust_[!l]*", "rust_d*"].contains(&suites), "{suites}");
        }
    }
}
