// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The documentation of generated functions: what may fail and how, whether they may sleep, and
//! what unbind does.

use super::{
    attributes,
    model::Slot, //
};
use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;

/// `#[doc = ..]` attributes, one for each line.
fn lines<S: AsRef<str>>(lines: impl IntoIterator<Item = S>) -> TokenStream {
    lines
        .into_iter()
        .map(|line| {
            let line = line.as_ref();
            let line = if line.is_empty() {
                String::new()
            } else {
                format!(" {line}")
            };
            quote!(#[doc = #line])
        })
        .collect()
}

/// The accessor: the author's words, then the contract.
pub(crate) fn accessor(slot: &Slot<'_>) -> TokenStream {
    let words = attributes::words(slot.attrs);
    let has_words = slot
        .attrs
        .iter()
        .any(|attr| attributes::is_word(&attr.meta));
    // Words that depend on a condition may not be there.
    let summary = (!has_words).then(|| {
        let summary = format!("Returns `{}`, which is mapped on first use.", slot.name);
        lines([summary])
    });
    let summary = quote!(#summary #(#words)*);
    let is_evictable = slot.is_evictable;
    let mut contract = lines([
        "",
        "The first call maps it; later calls return the same one without taking a lock.",
    ]);
    if let Some(evict) = &slot.evict {
        let evict = evict.unraw();
        contract.extend(lines([
            "",
            "Returns a pin, which may be held while sleeping. While there is one,",
            &format!("`{evict}()` fails. After an eviction the next call maps it anew."),
        ]));
    }
    contract.extend(lines([
        "",
        "# Errors",
        "",
        "- `EINVAL` if `dev` is not the device that this object belongs to; nothing is mapped.",
        "- `ENXIO` if it was revoked when the device was unbound, also once it is bound again;",
        "  or if unbind has started and it is not mapped yet.",
        "- `EDEADLK` if the caller is mapping it already; `EBUSY` if a caller in an earlier",
        "  binding of `dev` is still mapping it.",
    ]));
    if is_evictable {
        contract.extend(lines([
            "- `EDEADLK` if the caller is evicting it, and its destructor calls this.",
        ]));
    }
    contract.extend(lines([
        "- `ENOMEM` if there is no memory to keep track of it; nothing is mapped.",
        "- The error of mapping; the object stays unmapped, and a later call tries again.",
        "",
        "# Context",
        "",
        "May sleep until it is mapped; callers that race sleep, and get the same one.",
    ]));
    if is_evictable {
        contract.extend(lines([
            "A caller that comes while it is being evicted sleeps until it is gone.",
        ]));
    }
    contract.extend(lines([
        "",
        "Unbinding the device unmaps it. `dev` keeps it bound for as long as it is borrowed.",
        "Everything that unmapping needs is acquired before the registration whose callbacks call",
        "this, or kept by the resource, or lazily mapped for the same device.",
    ]));
    let borrowing = slot.borrowing.as_ref().map(|_| {
        lines([
            "",
            "It borrows from the device: no part of it can be kept for longer than `dev` is",
            "borrowed.",
        ])
    });

    quote!(#summary #contract #borrowing)
}

/// The slow path.
pub(crate) fn slow_path(slot: &Slot<'_>) -> TokenStream {
    lines([format!(
        "The slow path of `{}()`: maps, or fails.",
        slot.accessor.name.unraw()
    )])
}

/// The comparison of devices.
pub(crate) fn device_is() -> TokenStream {
    lines(["Returns whether this object belongs to the given device."])
}

/// `peek`.
pub(crate) fn peek(slot: &Slot<'_>) -> TokenStream {
    let name = slot.accessor.name.unraw();

    lines([
        format!("As `{name}()`, but only if it is mapped already.").as_str(),
        "",
        "`None` if it is not, or if it was revoked when the device was unbound. Never maps.",
        "",
        "# Errors",
        "",
        "`EINVAL` if `dev` is not the device that this object belongs to.",
        "",
        "# Context",
        "",
        "Does not sleep.",
    ])
}

/// `try_access`.
pub(crate) fn try_access(slot: &Slot<'_>) -> TokenStream {
    let name = slot.accessor.name.unraw();

    lines([
        format!("Returns what `{name}()` has mapped, without a bound device.").as_str(),
        "",
        "`None` if nothing is mapped, or if it was revoked by unbinding the device. Never maps.",
        "",
        "# Context",
        "",
        "Does not sleep, and nobody may sleep while holding the guard: it is an RCU read-side",
        "critical section, which unbind waits for.",
    ])
}

/// `revoke`.
pub(crate) fn revoke(slot: &Slot<'_>) -> TokenStream {
    let name = slot.accessor.name.unraw();

    lines([
        format!("Unmaps now what `{name}()` has mapped, if anything.").as_str(),
        "",
        "The next call of it maps anew, also if the device was unbound in between.",
        "",
        "# Context",
        "",
        "May sleep: if the device is being unbound, until that has unmapped it.",
    ])
}

/// `evict`.
pub(crate) fn evict(slot: &Slot<'_>) -> TokenStream {
    let name = slot.accessor.name.unraw();

    lines([
        format!("Unmaps now what `{name}()` has mapped, unless somebody uses it.").as_str(),
        "",
        "Returns `true` if it was unmapped, and `false` if nothing was mapped. The next call of",
        format!("`{name}()` maps it anew.").as_str(),
        "",
        "# Errors",
        "",
        "`EBUSY` if somebody has a pin or is taking one, if it is being mapped or unmapped, or if",
        "unbind is to unmap it.",
        "",
        "# Context",
        "",
        "Waits for nobody, and allocates nothing: a shrinker may call this. Sleeps where unmapping",
        "does. With a shrinker, unmapping allocates no memory with `GFP_KERNEL`, and takes no lock",
        "under which anybody does.",
    ])
}
