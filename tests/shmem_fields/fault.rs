// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The ways in which an object can be broken, and what is said of it then.

use devres_lazy::prelude::*;
use std::{
    any::type_name,
    panic::{
        self,
        AssertUnwindSafe, //
    },
};

/// One way to be broken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Not broken.
    None,
    /// The view is a page too short.
    Short,
    /// Unmaps without the reservation lock.
    NoLock,
    /// Leaves the memory mapped.
    KeepsMapping,
    /// Frees the table, but leaves the pages in use.
    KeepsPages,
    /// Fails after it has mapped, and leaves that mapped.
    Unbalanced,
    /// Unmaps as often as it takes until nobody has it mapped.
    UnmapsForAll,
    /// Maps the memory of an imported object.
    MapsImported,
    /// Unmapping reads the DRM device.
    ReadsDrmDevice,
    /// The mapping holds a reference to its object.
    HoldsOwner,
    /// Revoking one field revokes the other.
    RevokesBoth,
    /// Whoever maps the table maps the memory first.
    MapsEarly,
    /// The free callback tears down in the order of declaration.
    TableFirst,
}

/// A fault, as a type.
pub(crate) trait Fault: Send + Sync + 'static {
    /// Which one.
    const KIND: Kind;
}

macro_rules! faults {
    ($($name:ident),+ $(,)?) => {
        $(
            #[doc = concat!("[`Kind::", stringify!($name), "`]")]
            pub(crate) struct $name;

            impl Fault for $name {
                const KIND: Kind = Kind::$name;
            }
        )+
    };
}

faults!(
    None,
    Short,
    NoLock,
    KeepsMapping,
    KeepsPages,
    Unbalanced,
    UnmapsForAll,
    MapsImported,
    ReadsDrmDevice,
    HoldsOwner,
    RevokesBoth,
    MapsEarly,
    TableFirst,
);

/// What is wrong with an object.
pub(crate) struct Wrong(pub(crate) String);

impl From<Error> for Wrong {
    fn from(error: Error) -> Self {
        Self(format!("unexpected {error:?}"))
    }
}

/// Goes through a scenario with an object.
pub(crate) type Scenario = fn() -> Result<(), Wrong>;

/// Runs a scenario. A panic is something wrong, too.
fn run(scenario: Scenario) -> Result<(), Wrong> {
    panic::catch_unwind(AssertUnwindSafe(scenario)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(Wrong(text.unwrap_or_else(|| "panic".to_owned())))
    })
}

/// Asserts that nothing is wrong with an object that is not broken.
#[track_caller]
pub(crate) fn holds(scenario: Scenario) {
    if let Err(Wrong(wrong)) = run(scenario) {
        panic!("{wrong}");
    }
}

/// Asserts that the scenario finds out what is wrong with an object that has the fault `F`.
#[track_caller]
pub(crate) fn caught<F: Fault>(scenario: Scenario) {
    match run(scenario) {
        Err(Wrong(wrong)) => println!("{} is caught: {wrong}", type_name::<F>()),
        Ok(()) => panic!("{} is not caught", type_name::<F>()),
    }
}
