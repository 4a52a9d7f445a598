// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The objects that are measured on the host.

/// Something with a fast path.
pub(super) struct Object {
    /// As `benches/access` calls it.
    pub(super) name: &'static str,
    /// As the tables do.
    pub(super) title: &'static str,
}

impl Object {
    const fn new(name: &'static str, title: &'static str) -> Self {
        Self { name, title }
    }
}

/// The annotated object, and the one that it is compared with.
pub(super) const OURS: Object = Object::new("generated", "`#[devres_lazy]`");
pub(super) const BY_HAND: Object = Object::new("by_hand", "by hand");

/// All objects, in the order of columns.
pub(super) const OBJECTS: [Object; 4] = [
    OURS,
    BY_HAND,
    Object::new("once_lock", "`OnceLock`"),
    Object::new("once_cell", "`OnceCell`"),
];
