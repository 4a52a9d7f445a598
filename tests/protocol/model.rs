// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Random histories against a model: of the annotated object, of the reference copy, and of mutants
//! of the reference copy, which have to be caught.

use super::{
    histories::{run, Annotated, Object, Step},
    one_field::OneField,
    real::Real,
    reference_copy::{fault, ReferenceCopy},
};
use proptest::{
    prelude::*,
    test_runner::{Config, TestError, TestRunner},
};

/// The parts of a history.
type Bytes = Vec<[u8; 3]>;

/// Runs many histories. [`Err`] has the shortest history that fails.
fn histories<O: Object>() -> Result<(), TestError<Bytes>> {
    let mut runner = TestRunner::new(Config {
        failure_persistence: None,
        ..Config::default()
    });
    let bytes = prop::collection::vec(any::<[u8; 3]>(), 0..100);

    runner.run(&bytes, |bytes| {
        Ok(run::<O>(bytes.into_iter().map(Step::from_bytes))?)
    })
}

#[test]
fn holds() {
    histories::<Annotated>().unwrap();
    histories::<OneField<Real>>().unwrap();
    histories::<OneField<ReferenceCopy<fault::None>>>().unwrap();
}

/// A test that these faults are caught.
macro_rules! catches {
    ($($fault:ident)+) => {
        #[test]
        fn catches() {
            $(histories::<OneField<ReferenceCopy<fault::$fault>>>().unwrap_err();)+
        }
    };
}

catches! {
    NoDeviceCheck NoRevokedCheck EmptyAfterUnbind StaysFailed Unbalanced PeekIgnoresDevice
    TryIgnoresRevoked RevokeIsFinal RevokeKeeps ReleaseKeeps DropKeeps DropsTwice
    MapsBeforeAllocating DeviceCheckAfterMap PeekMaps
}
