// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Why an item of the host is not as in the kernel.

/// The items, and the reason. A name that ends with `*` stands for all that begin so.
pub(super) const REASONS: &[(&str, &str)] = &[
    (
        "Atomic::add()",
        "the operand has the type of the variable; pointers are not supported",
    ),
    (
        "Atomic::fetch_*",
        "the operand has the type of the variable; pointers are not supported",
    ),
    (
        "BaseObjectPrivate*",
        "private to the kernel crate there; abstractions live outside of this one",
    ),
    ("Class::*", "a macro makes it there"),
    (
        "Device::as_raw()",
        "private to the kernel crate there; abstractions live outside of this one",
    ),
    ("DriverObject::DEFAULT_ARGS", ADDED),
    ("SgTable", ADDED),
    ("Vendor::*", "a macro makes it there"),
    ("lock_class_key", "of the C headers there"),
    (
        "rcu_grace_periods()",
        "for tests, which find it in `testing`",
    ),
    ("smp_mb()", "the full barrier only"),
];

/// Of items that the annotated object needs.
const ADDED: &str = "not in the tree itself; `cargo xtask kernel apply` adds it";

/// Returns the reason for an item.
pub(super) fn of(place: &str) -> Option<&'static str> {
    let mut reasons = REASONS.iter();
    let (_, reason) = reasons.find(|(item, _)| matches(item, place))?;
    Some(reason)
}

/// Returns whether a name of the table stands for an item.
pub(super) fn matches(item: &str, place: &str) -> bool {
    match item.strip_suffix('*') {
        Some(prefix) => place.starts_with(prefix),
        None => item == place,
    }
}
