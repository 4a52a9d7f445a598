// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The words of the comments in a printed expansion, for this owner and this slot: who may be
//! inside at the same time, what is held while it sleeps, what cannot happen and why, and who
//! unmaps. Those of `// SAFETY:` are in the table of obligations.

use super::{
    model::{
        Slot,
        Source, //
    },
    safety::{
        self,
        Obligation, //
    },
};
use quote::ToTokens;
use syn::{
    Expr,
    Ident,
    Type, //
};

/// Above the fast path.
pub(crate) fn fast_path(slot: &Slot<'_>) -> String {
    let pin = if slot.is_evictable {
        " The pin was taken before that was looked at, and keeps it so."
    } else {
        ""
    };

    format!(
        "Fast path: `self.{}` is populated for `dev`, and has not been revoked.{pin}",
        slot.name
    )
}

/// Where the accessor leaves the fast path.
pub(crate) fn not_fast(slot: &Slot<'_>) -> String {
    format!(
        "Not populated, revoked, or `dev` is another device: `{}()` maps, or tells which.",
        slot.accessor.slow_path()
    )
}

/// Above the assertion about the target.
pub(crate) fn assertion(slot: &Slot<'_>) -> String {
    format!(
        "Any thread may borrow what `self.{}` lends: it has to be `Send` and `Sync`.",
        slot.name
    )
}

/// Above the comparison of devices in the slow path.
pub(crate) fn refuse_other_device() -> String {
    "Refuse any device but the one that `self` belongs to, before anything is made for it.".into()
}

/// Above `entry()`.
pub(crate) fn entry(slot: &Slot<'_>) -> String {
    format!(
        "Slow path: one caller at a time populates `self.{}`. The others sleep here until that \
         caller is done.",
        slot.name
    )
}

/// Above `populate()`, called on `vacant`.
pub(crate) fn populate(slot: &Slot<'_>, vacant: &Ident) -> String {
    let field = slot.name;
    let (calls, fails) = match &slot.source {
        Source::Map(marker) => {
            let map = format!("`{}::map()`", without_spaces(marker));
            (
                format!("`Mapped::new()` calls {map}"),
                format!("what {map} fails with"),
            )
        }
        Source::Init(init) => {
            let init = initialiser(init);
            (
                format!("{init} makes the resource"),
                format!("what {init} fails with"),
            )
        }
    };

    let evicted = if slot.is_evictable {
        " or, once all pins are dropped, evicted"
    } else {
        ""
    };

    format!(
        "`populate()` cannot find `self.{field}` populated: nobody else populates it while this \
         caller has `{vacant}`.\n\
         \n\
         The closure runs when all other checks have passed: {calls}. On an error (`ENXIO` if \
         unbind has begun meanwhile, or {fails}) `self.{field}` is empty again, and a later call \
         may succeed.\n\
         \n\
         INVARIANT: When this succeeds, `self.{field}` holds the resource, for `dev`, until `dev` \
         is unbound, `self.{field}` is revoked{evicted}, or `*self` is dropped."
    )
}

/// Above `get_or_populate_with()`.
pub(crate) fn populate_borrowed(slot: &Slot<'_>) -> String {
    let field = slot.name;
    let init = match &slot.source {
        Source::Init(init) => initialiser(init),
        Source::Map(marker) => without_spaces(marker),
    };

    format!(
        "Slow path: one caller at a time populates `self.{field}`. The others sleep here until \
         that caller is done, and find it populated.\n\
         \n\
         The first closure runs when all other checks have passed: {init} makes the resource. It \
         compiles for every lifetime of the device, so the resource borrows from that device only, \
         and unbind drops it first. The second one shows that the resource's type is covariant. On \
         an error (`ENXIO` if unbind has begun meanwhile, or what {init} fails with) \
         `self.{field}` is empty again, and a later call may succeed.\n\
         \n\
         INVARIANT: When this succeeds, `self.{field}` holds the resource, for `dev`, until `dev` \
         is unbound, `self.{field}` is revoked, or `*self` is dropped."
    )
}

/// Above the `unsafe` of form B: one bullet for each requirement of `Mapped::new()`.
pub(crate) fn new_mapped(owner: &Ident, slot: &Slot<'_>) -> String {
    let mut text = "SAFETY:".to_owned();
    for obligation in &safety::NEW_MAPPED {
        text.push_str("\n- ");
        text.push_str(&obligation.explained(owner, slot.name));
    }

    text
}

/// Above the comparison of devices in `peek`.
pub(crate) fn peek_other_device(slot: &Slot<'_>) -> String {
    format!(
        "`self.{}` has nothing for `dev`. Tell the wrong device from a slot that is empty or \
         revoked.",
        slot.name
    )
}

/// In `try_access`.
pub(crate) fn try_access(slot: &Slot<'_>) -> String {
    format!(
        "No lock and no device: the guard is an RCU read-side critical section, and unbind waits \
         for it before it drops what `self.{}` holds.",
        slot.name
    )
}

/// In `revoke`.
pub(crate) fn revoke(slot: &Slot<'_>, owner_has_view: bool) -> String {
    let text = format!(
        "`self` is borrowed exclusively, so nobody borrows what `self.{}` holds.",
        slot.name
    );
    if !owner_has_view {
        return text;
    }

    format!("{text}\n\n{}", projected(slot))
}

/// Above the `unsafe` that projects an owner with a view to one of its slots.
pub(crate) fn projected(slot: &Slot<'_>) -> String {
    let Obligation { number, reason } = safety::PROJECTED;
    let reason = reason.replace("{field}", &slot.name.to_string());

    format!("SAFETY: {number}: {reason}")
}

/// In `evict`.
pub(crate) fn evict(slot: &Slot<'_>) -> String {
    format!(
        "Who borrows what `self.{}` holds has a pin, which is counted before the slot is looked \
         at.",
        slot.name
    )
}

/// Above the implementation that makes `Mapped<Self, marker>` a type.
pub(crate) fn view(marker: &Type) -> String {
    let marker = without_spaces(marker);
    format!("`{marker}` maps and unmaps the views that `Mapped<Self, {marker}>` holds.")
}

/// In `teardown()`: what goes, in which order, and why.
pub(crate) fn teardown(slots: &[Slot<'_>]) -> String {
    let teardown = safety::OWNER_OUTLIVES_MAPPING.number;

    match slots {
        [slot] => format!(
            "`self.{}` goes first: what it holds is dropped while all other parts of `*self` are \
             whole, and nobody populates it again ({teardown}).",
            slot.name
        ),
        _ => {
            let order: Vec<_> = slots
                .iter()
                .rev()
                .map(|slot| format!("`self.{}`", slot.name))
                .collect();
            format!(
                "{}: in the reverse order of declaration, as one may lean on those before it. What \
                 each holds is dropped while all other parts of `*self` are whole, and nobody \
                 populates it again ({teardown}).",
                order.join(", ")
            )
        }
    }
}

/// In the destructor, whoever writes it.
pub(crate) fn destructor() -> String {
    format!(
        "First of all, while all of `*self` is whole: drops what the lazy fields hold, for good \
         ({}).",
        safety::OWNER_OUTLIVES_MAPPING.number
    )
}

/// Above the `unsafe` promise that the destructor does so.
pub(crate) fn teardown_first() -> String {
    let teardown_first = safety::TEARDOWN_FIRST;

    format!(
        "SAFETY: {}: {}",
        teardown_first.number, teardown_first.reason
    )
}

/// Above the assertion that the author's destructor does so.
pub(crate) fn assert_teardown_first() -> String {
    format!(
        "The destructor is the author's: `#[devres_lazy]` on it makes it begin with this ({}).",
        safety::TEARDOWN_FIRST.number
    )
}

/// The function that is really called, as one would name it in prose.
fn initialiser(init: &Expr) -> String {
    match init {
        Expr::Call(call) => format!("`{}()`", without_spaces(&call.func)),
        Expr::MethodCall(call) => format!("`.{}()`", call.method),
        Expr::Path(path) => format!("`{}`", without_spaces(path)),
        Expr::Struct(literal) => format!("`{}`", without_spaces(&literal.path)),
        Expr::Macro(invocation) => format!("`{}!`", without_spaces(&invocation.mac.path)),
        Expr::Try(tried) => initialiser(&tried.expr),
        Expr::Group(group) => initialiser(&group.expr),
        Expr::Paren(paren) => initialiser(&paren.expr),
        _ => "the initialiser in it".to_owned(),
    }
}

/// Tokens as one would write them.
fn without_spaces(tokens: &impl ToTokens) -> String {
    let text = tokens.to_token_stream().to_string();
    let text = text.replace(" :: ", "::").replace(":: ", "::");

    text.replace(" < ", "<")
        .replace(" >", ">")
        .replace(" ,", ",")
}
