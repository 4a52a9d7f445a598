// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What one kernel is booted for: most suites share a boot, and some cannot.

use super::{
    apply::Object,
    prepare::Variant, //
};

/// The suites that are run if no others are asked for: ours, and the tree's own for the object.
const SUITES: &str = "rust_d*";

/// A suite that leaves nothing for others to be tested with.
struct Alone {
    name: &'static str,
    suite: &'static str,
    object: Object,
    /// Where it would be skipped.
    not_in: Option<Variant>,
}

const ALONE: [Alone; 2] = [
    // Lockdep reports once.
    Alone {
        name: "lockdep",
        suite: "rust_lazy_lockdep",
        object: Object::Annotated,
        not_in: Some(Variant::Fast),
    },
    // The kernel does not survive it.
    Alone {
        name: "oops",
        suite: "rust_lazy_oops",
        object: Object::ByHand,
        not_in: None,
    },
];

/// One boot.
#[derive(Debug, PartialEq)]
pub(crate) struct Planned {
    /// What its log is called.
    pub(crate) log: String,
    pub(crate) filter: String,
}

/// All boots: one if a filter is given.
pub(crate) fn boots(variant: Variant, object: Object, filter: Option<&str>) -> Vec<Planned> {
    let shared = Planned {
        log: "console".to_owned(),
        filter: filter.unwrap_or(SUITES).to_owned(),
    };
    let alone = ALONE
        .iter()
        .filter(|it| filter.is_none() && it.object == object && it.not_in != Some(variant))
        .map(|it| Planned {
            log: format!("console-{}", it.name),
            filter: it.suite.to_owned(),
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
            ByHand, //
        };
        use Variant::{
            Debug,
            Fast, //
        };

        assert_eq!(logs(Fast, Annotated, None), ["console"]);
        assert_eq!(logs(Debug, Annotated, None), ["console", "console-lockdep"]);
        assert_eq!(logs(Fast, ByHand, None), ["console", "console-oops"]);
        assert_eq!(logs(Debug, ByHand, None), ["console", "console-oops"]);
    }

    #[test]
    fn a_filter_is_one_boot() {
        assert_eq!(
            boots(Variant::Debug, Object::Annotated, Some("drm_*")),
            [Planned {
                log: "console".to_owned(),
                filter: "drm_*".to_owned()
            }]
        );
    }

    #[test]
    fn no_boot_has_what_cannot_share() {
        let prefix = SUITES.strip_suffix('*').unwrap();
        for alone in &ALONE {
            assert!(!alone.suite.starts_with(prefix), "{}", alone.suite);
        }
    }
}
