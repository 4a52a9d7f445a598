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
        "The first call maps the resource. Later calls return the same one without taking a lock.",
    ]);
    if let Some(evict) = &slot.evict {
        let evict = evict.unraw();
        contract.extend(lines([
            "",
            "Returns a pin. A thread may sleep while it holds a pin. While a pin exists,",
            &format!(
                "`{evict}()` fails. After an eviction, the next call maps the resource again."
            ),
        ]));
    }
    contract.extend(lines([
        "",
        "# Errors",
        "",
        "- `EINVAL` if `dev` is not the device that this object belongs to. Nothing is mapped.",
        "- `ENXIO` if unbind has revoked the resource, also after the device is bound again,",
        "  or if unbind has started and nothing is mapped yet.",
        "- `EDEADLK` if the caller is mapping the resource already.",
        "- `EBUSY` if a caller in an earlier binding of `dev` is still mapping the resource.",
    ]));
    if is_evictable {
        contract.extend(lines([
            "- `EDEADLK` if the destructor of the resource calls this during an eviction.",
        ]));
    }
    contract.extend(lines([
        "- `ENOMEM` if there is no memory to keep track of the resource. Nothing is mapped.",
        "- The error of mapping. Nothing stays mapped, and a later call tries again.",
        "",
        "# Context",
        "",
        "May sleep until the resource is mapped. Racing callers sleep, and get the same resource.",
    ]));
    if is_evictable {
        contract.extend(lines([
            "A call during an eviction sleeps until the eviction is over.",
        ]));
    }
    contract.extend(lines([
        "",
        "Unbind unmaps the resource. While `dev` is borrowed, the device stays bound.",
        "Everything that unmapping needs is acquired before the registration whose callbacks call",
        "this, or kept by the resource, or lazily mapped for the same device.",
    ]));
    let borrowing = slot.borrowing.as_ref().map(|_| {
        lines([
            "",
            "The resource borrows from the device: no part of the resource can be kept for longer",
            "than `dev` is borrowed.",
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
        format!("As `{name}()`, but only if the resource is mapped already.").as_str(),
        "",
        "`None` if nothing is mapped, or if unbind has revoked the resource. Never maps.",
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
        format!("Returns the resource that `{name}()` has mapped, without a bound device.")
            .as_str(),
        "",
        "`None` if nothing is mapped, or if unbind has revoked the resource. Never maps.",
        "",
        "# Context",
        "",
        "Does not sleep. The holder of the guard must not sleep either: the guard is an RCU",
        "read-side critical section, which unbind waits for.",
    ])
}

/// `revoke`.
pub(crate) fn revoke(slot: &Slot<'_>) -> TokenStream {
    let name = slot.accessor.name.unraw();

    lines([
        format!("Unmaps now the resource that `{name}()` has mapped, if there is one.").as_str(),
        "",
        format!(
            "The next call of `{name}()` maps anew, also if the device was unbound in between."
        )
        .as_str(),
        "",
        "# Context",
        "",
        "May sleep: if unbind is unmapping the resource, this waits for unbind.",
    ])
}

/// `evict`.
pub(crate) fn evict(slot: &Slot<'_>) -> TokenStream {
    let name = slot.accessor.name.unraw();

    lines([
        format!("Unmaps now the resource that `{name}()` has mapped, unless it is in use.")
            .as_str(),
        "",
        "Returns `true` if the resource was unmapped, and `false` if nothing was mapped.",
        format!("The next call of `{name}()` maps the resource again.").as_str(),
        "",
        "# Errors",
        "",
        "`EBUSY` if a thread has a pin or is taking one, if the resource is being mapped or",
        "unmapped, or if unbind is about to unmap it.",
        "",
        "# Context",
        "",
        "Waits for no other thread, and allocates nothing: a shrinker may call this. May sleep if",
        "unmapping may sleep. If a shrinker calls this, unmapping must not allocate memory with",
        "`GFP_KERNEL`, and must not take a lock under which another thread does.",
    ])
}
