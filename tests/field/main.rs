// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Scenarios of the field: what happens to objects around drivers and devices that come and go.
//!
//! Each says what is right, and which function of Linux 7.3 says so. It is run on the annotated
//! object and on the slot that the contract's tests have written from scratch, which have to hold,
//! and on mutants of that slot, which it has to catch.

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
#[path = "../support/scenario.rs"]
mod scenario;
mod signal;
#[path = "../protocol/subject.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod subject;
mod supplier;
mod support;
#[path = "../protocol/twin.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod twin;

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
                        holds, //
                    },
                    twin::{
                        fault,
                        Twin, //
                    },
                };

                holds::<Real>(scenarios::$scenario::<Real>);
                holds::<Twin<fault::None>>(scenarios::$scenario::<Twin<fault::None>>);
                $(caught::<Twin<fault::$fault>>(scenarios::$scenario::<Twin<fault::$fault>>);)+
            }
        )*
    };
}
pub(crate) use field;
