// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The ways in which an object can be broken.

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
    /// The object has no reference to its DRM device.
    NoDrmDevice,
    /// The destructor puts the DRM device before it releases the object.
    DrmDeviceFirst,
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
    NoDrmDevice,
    DrmDeviceFirst,
    HoldsOwner,
    RevokesBoth,
    MapsEarly,
    TableFirst,
);
