// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Scenarios of the field: objects of drivers and devices that come and go.
//!
//! Each scenario states the right outcome, and the function of Linux 7.3 that decides it. The
//! annotated object and the reference copy have to hold. The scenario has to catch mutants of the
//! reference copy.

mod driver_data;
mod driver_override;
mod file;
mod hotplug;
// `tests/protocol` and `tests/support` are shared.
#[path = "../protocol/probe.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod probe;
mod probing;
#[path = "../protocol/real.rs"]
mod real;
#[path = "../protocol/reference_copy.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod reference_copy;
#[path = "../support/scenario.rs"]
mod scenario;
mod signal;
mod supplier;
mod support;
#[path = "../protocol/tested.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod tested;

/// A test of a scenario, with the mutants that it has to catch.
macro_rules! field {
    ($(
        $(#[$attr:meta])*
        $scenario:ident catches $($fault:ident),+;
    )*) => {
        $(
            $(#[$attr])*
            #[test]
            fn $scenario() {
                use $crate::{
                    real::Real,
                    scenario::{
                        caught,
                        holds,
                    },
                    reference_copy::{
                        fault,
                        ReferenceCopy,
                    },
                };

                holds::<Real>(scenarios::$scenario::<Real>);
                holds::<ReferenceCopy<fault::None>>(scenarios::$scenario::<ReferenceCopy<fault::None>>);
                $(caught::<ReferenceCopy<fault::$fault>>(scenarios::$scenario::<ReferenceCopy<fault::$fault>>);)+
            }
        )*
    };
}
pub(crate) use field;
