// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The SAFETY texts, as data: the obligations that the generated `unsafe` has to meet, and why it
//! does. One table, so that generated documentation, printed comments and the book of obligations
//! cannot disagree.

/// A requirement of the runtime, and the reason why generated code meets it.
pub(crate) struct Obligation {
    /// By which the texts refer to it.
    pub(crate) number: &'static str,
    /// Why it is met, with `{field}` for the name of the lazy field.
    reason: &'static str,
}

impl Obligation {
    /// The reason, for the field called `field`.
    pub(crate) fn reason(&self, field: &str) -> String {
        self.reason.replace("{field}", field)
    }
}

/// `Mapped::new()`: the owner is valid for shared access until the mapping is dropped.
const OWNER_OUTLIVES_MAPPING: Obligation = Obligation {
    number: "S1",
    reason: "The mapping is stored in `self.{field}`, which is revoked before any other part of \
             `*self` is dropped: the destructor of `*self` begins with `LazyOwner::teardown()`, \
             after which nobody populates it again.",
};

/// `Mapped::new()`: the owner stays where it is until the mapping is dropped.
const OWNER_STAYS: Obligation = Obligation {
    number: "S2",
    reason: "`*self` does not move: a slot can only be initialised in place, so `self.{field}` is \
             pinned, and `*self` with it.",
};

/// What the call of `Mapped::new()` in a slow path has to meet.
pub(crate) const NEW_MAPPED: [Obligation; 2] = [OWNER_OUTLIVES_MAPPING, OWNER_STAYS];
