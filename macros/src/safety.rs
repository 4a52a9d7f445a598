// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The SAFETY texts, as data: the obligations that the generated `unsafe` has to meet, and why it
//! does. One table, so that generated documentation, printed comments and the book of obligations
//! cannot disagree.

use syn::Ident;

/// A requirement of the runtime, and the reason why generated code meets it.
pub(crate) struct Obligation {
    /// By which the texts refer to it.
    pub(crate) number: &'static str,
    /// Why it is met, with `{owner}` for the name of the struct and `{field}` for that of the lazy
    /// field.
    pub(crate) reason: &'static str,
}

impl Obligation {
    /// The reason for the field called `field` of the struct called `owner`, and the number.
    pub(crate) fn explained(&self, owner: &Ident, field: &Ident) -> String {
        let reason = self
            .reason
            .replace("{owner}", &owner.to_string())
            .replace("{field}", &field.to_string());

        format!("{}: {reason}", self.number)
    }
}

/// `Mapped::new()`: the owner is valid for shared access until the mapping is dropped.
pub(crate) const OWNER_OUTLIVES_MAPPING: Obligation = Obligation {
    number: "S1",
    reason: "`*self` is valid until the mapping is dropped: the mapping is stored in \
             `self.{field}`, and the destructor of `{owner}` begins with `LazyOwner::teardown()`, \
             which drops it while all other parts of `*self` are whole, and after which nobody \
             populates `self.{field}` again.",
};

/// `Mapped::new()`: the owner stays where it is until the mapping is dropped.
const OWNER_STAYS: Obligation = Obligation {
    number: "S2",
    reason: "`*self` does not move: a slot can only be initialised in place, so `self.{field}` is \
             pinned, and with it the `{owner}` that it is a field of.",
};

/// `unsafe impl TeardownFirst`: the destructor begins with the teardown.
pub(crate) const TEARDOWN_FIRST: Obligation = Obligation {
    number: "S4",
    reason:
        "`drop()` above begins with `teardown_first()`, and nothing that the author has written \
             is in the scope of that call.",
};

/// `Pin::map_unchecked_mut()`: what is pinned does not move.
pub(crate) const PROJECTED: Obligation = Obligation {
    number: "S10",
    reason:
        "`self.{field}` is pinned, as every slot is, and the closure moves nothing. It borrows \
             no other part of `*self`: unbind may be dropping a view, which reads `*self`.",
};

/// What the call of `Mapped::new()` in a slow path has to meet.
pub(crate) const NEW_MAPPED: [Obligation; 2] = [OWNER_OUTLIVES_MAPPING, OWNER_STAYS];
