// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Mutants of the reference copy, which the check of histories has to catch.

#![allow(
    dead_code,
    reason = "what only `tests/protocol` uses of its own modules"
)]

// Shared with `tests/protocol`.
#[path = "../../../tests/support/histories/one_field.rs"]
mod one_field;
#[path = "../../../tests/protocol/probe.rs"]
mod probe;
#[path = "../../../tests/protocol/reference_copy.rs"]
mod reference_copy;
#[path = "../../../tests/protocol/tested.rs"]
mod tested;

use crate::{histories, history::check_for};
use one_field::OneField;
use reference_copy::{fault, ReferenceCopy};
use std::panic::catch_unwind;

/// How many executions it may take.
const EXECUTIONS: usize = 100;

/// The bytes of a history that is as good as any: SplitMix64.
fn bytes(seed: usize) -> Vec<u8> {
    let word = |index: u64| {
        let mut word = (seed as u64 * 100 + index).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    };

    (1..38)
        .flat_map(|index| word(index).to_le_bytes())
        .collect()
}

/// How many executions it takes until a fault is found; [`None`] if that are too many.
fn found<F: fault::Fault>() -> Option<usize> {
    (0..EXECUTIONS).find(|&seed| {
        catch_unwind(|| check_for::<OneField<ReferenceCopy<F>>>(&bytes(seed))).is_err()
    })
}

#[test]
fn faults_are_found() {
    assert_eq!(found::<fault::None>(), None);

    macro_rules! finds {
        ($($fault:ident)+) => {
            $({
                let executions = found::<fault::$fault>();
                println!("{}: {executions:?}", stringify!($fault));
                assert!(executions.is_some(), "{} is not found", stringify!($fault));
            })+
        };
    }
    finds! {
        NoDeviceCheck NoRevokedCheck EmptyAfterUnbind StaysFailed Unbalanced PeekIgnoresDevice
        TryIgnoresRevoked RevokeIsFinal RevokeKeeps ReleaseKeeps DropKeeps DropsTwice
        MapsBeforeAllocating DeviceCheckAfterMap PeekMaps
    }
}
