// SPDX-License-Identifier: Apache-2.0 OR MIT

//! All that is promised to an `unsafe` of the slot, of form B and of generated code: by whom, why it
//! holds, and which test fails when it does not. S1, S2, S4 and S10 are those of generated code,
//! and come from the table that the macro has.

use crate::safety::{
    self,
    Obligation, //
};

/// Who sees to it.
pub(crate) enum Party {
    Macro,
    Runtime,
    Author,
}

/// One obligation.
pub(crate) struct Row {
    pub(crate) number: &'static str,
    pub(crate) title: &'static str,
    /// Whose requirement it is.
    pub(crate) required_by: &'static str,
    pub(crate) requirement: &'static str,
    /// The `unsafe` in the runtime that leans on it.
    pub(crate) sites: &'static [&'static str],
    pub(crate) party: Party,
    pub(crate) how: String,
    /// `file` or `file: function`, and what was broken when it was seen to fail.
    pub(crate) tests: &'static [(&'static str, &'static str)],
}

/// The reason of a generated `unsafe`, for any field.
fn generated(obligation: &Obligation) -> String {
    obligation
        .reason
        .replace("{owner}", "Owner")
        .replace("{field}", "field")
}

/// All of them.
pub(crate) fn rows() -> Vec<Row> {
    let [outlives, stays] = &safety::NEW_MAPPED;
    let projected = &safety::PROJECTED;

    vec![
        Row {
            number: outlives.number,
            title: "the owner is valid until the mapping is dropped",
            required_by: "`Mapped::new()`",
            requirement: "`*owner` stays valid for shared access until the result is dropped.",
            sites: &["OwnerView::new", "Mapped::new", "Mapped::drop"],
            party: Party::Macro,
            how: generated(outlives),
            tests: &[
                (
                    "tests/ui/place/destructor_incomplete.rs",
                    "a destructor compiles that does not begin with the teardown",
                ),
                (
                    "tests/ui/imitation/slot_that_derefs.rs",
                    "what only looks like a slot holds a mapping",
                ),
                (
                    "tests/ui/imitation/teardown_that_does_nothing.rs",
                    "a `LazyOwner` of one's own compiles",
                ),
                (
                    "tests/ui/imitation/mapping_that_is_kept.rs",
                    "a mapping can be taken out of its slot",
                ),
                (
                    "tests/ui/pass/destructor_brings_nothing_back.rs",
                    "what the destructor populates again is kept",
                ),
                (
                    "kernel/tree/rust/kernel/devres/lazy_kunit.rs: free_before_unbind",
                    "freeing the owner leaves the resource to unbind",
                ),
            ],
        },
        Row {
            number: stays.number,
            title: "the owner does not move",
            required_by: "`Mapped::new()`",
            requirement: "`*owner` stays where it is until the result is dropped.",
            sites: &["OwnerView::new", "Mapped::new", "Mapped::drop"],
            party: Party::Macro,
            how: generated(stays),
            tests: &[
                (
                    "tests/ui/place/owner_is_pinned.rs",
                    "an owner can be taken out of its `Pin`",
                ),
                (
                    "tests/ui/pass/place_of_another_slot.rs",
                    "`Mapped::new()` does not compare the slot with the place",
                ),
            ],
        },
        Row {
            number: "S3",
            title: "what is mapped stays valid until it is unmapped",
            required_by: "`unsafe trait Map`",
            requirement: "The pointer that `map()` returns is valid for shared access, from any \
                          thread, until `unmap()` is called with it.",
            sites: &["Map", "Mapped::deref"],
            party: Party::Author,
            how: "The comment above the author's `unsafe impl Map` says who keeps the target where \
                  it is, and that nobody else unmaps it or writes to it. What unmapping needs, and \
                  the owner does not keep alive, is the marker's `Keep`."
                .into(),
            tests: &[
                (
                    "tests/field_shmem/purge.rs: a_purge_under_a_mapping_is_reported",
                    "C code frees the table under a mapping",
                ),
                (
                    "kernel/tree/rust/kernel/drm/gem/shmem/contract_kunit.rs: \
                     object_outlives_drm_device",
                    "the object holds no reference to its DRM device, as in Linux 7.3",
                ),
            ],
        },
        Row {
            number: "S4",
            title: "the owner's destructor begins with the teardown",
            required_by: "`unsafe trait Map` and `unsafe trait TeardownFirst`",
            requirement: "The destructor of the owner begins with `LazyOwner::teardown()`, so that \
                          it is whole when it is unmapped.",
            sites: &["Map", "Mapped::drop", "TeardownFirst"],
            party: Party::Macro,
            how: format!(
                "{} Both it and `unsafe impl TeardownFirst` are written by the same path, so that \
                 they mean the same trait. The author of an `unsafe impl Map` names the struct that \
                 `#[devres_lazy]` stands on, or bounds `O: TeardownFirst`. Attributes that could remove \
                 an author's destructor are refused. For a generated one, this assumes that \
                 `prelude::pinned_drop`, at the path given by `crate = path`, is that of pin-init: no \
                 type tells attribute macros apart.",
                generated(&safety::TEARDOWN_FIRST)
            ),
            tests: &[
                (
                    "tests/ui/place/destructor_incomplete.rs",
                    "a destructor compiles that does not begin with the teardown",
                ),
                (
                    "tests/ui/place/destructor_incomplete_generic.rs",
                    "the same, with generics",
                ),
                (
                    "tests/ui/imitation/attribute_that_removes_the_destructor.rs",
                    "another attribute may remove the destructor, and the promise stays",
                ),
                (
                    "tests/ui/pass/destructor_items.rs",
                    "the author's body is not a block of its own",
                ),
                (
                    "tests/ui/imitation/teardown_first_by_hand.rs",
                    "`TeardownFirst` can be implemented without `unsafe`",
                ),
                (
                    "tests/ui/imitation/destructor_of_another_runtime.rs",
                    "the promise and the call go by two paths",
                ),
                (
                    "tests/ui/imitation/attribute_of_a_tool_on_the_destructor.rs",
                    "an attribute that does nothing passes for `#[pinned_drop]`",
                ),
                (
                    "tests/ui/place/destructor_not_announced.rs",
                    "a second destructor compiles beside the one that the macro writes",
                ),
                (
                    "kernel/tree/rust/kernel/devres/lazy_kunit.rs: order_at_free",
                    "slots are dropped with the other fields, in the order of declaration",
                ),
            ],
        },
        Row {
            number: "S5",
            title: "`unmap()` gets what `map()` returned, once",
            required_by: "`Map::unmap()`",
            requirement: "`target` was returned by `map()` for this `owner`, and not unmapped since.",
            sites: &[
                "Map::unmap",
                "Mapped::drop",
                "Header::drop_resource",
                "Slot::drop_value",
            ],
            party: Party::Runtime,
            how: "By the invariants of `Mapped`: `Mapped::new()` stores both together, nobody \
                  changes them, and only `drop()` unmaps. A resource is dropped by the side that \
                  claims it, unbind or the exclusive owner: an exchange of `state` to `DROPPING` \
                  succeeds for one of them."
                .into(),
            tests: &[
                (
                    "kernel/tree/rust/kernel/devres/lazy_kunit.rs: free_and_unbind",
                    "both sides drop the resource",
                ),
                (
                    "kernel/tree/rust/kernel/devres/lazy_kunit.rs: revoke",
                    "revoking does not drop the resource",
                ),
            ],
        },
        Row {
            number: "S6",
            title: "nobody uses what is unmapped",
            required_by: "`Map::unmap()`",
            requirement: "Nobody uses `target` any more.",
            sites: &["Map::unmap", "Mapped::drop"],
            party: Party::Runtime,
            how: "`drop()` has exclusive access to the mapping. Who borrowed the target through an \
                  accessor has borrowed a bound device, which unbind waits for, and the owner; who \
                  has a guard of `try_access` is in an RCU read-side critical section, which unbind \
                  waits for. Where the resource can be evicted, who borrowed the target has a pin."
                .into(),
            tests: &[
                (
                    "kernel/tree/rust/kernel/devres/lazy_kunit.rs: try_access",
                    "unbind does not wait for a grace period",
                ),
                (
                    "tests/ui/borrow/after_unbind.rs",
                    "a table is used after unbind, and that compiles",
                ),
                (
                    "tests/ui/borrow/after_owner.rs",
                    "a table is used after its owner, and that compiles",
                ),
                (
                    "tests/ui/borrow/guard_after_owner.rs",
                    "a guard is used after the owner, and that compiles",
                ),
                (
                    "tests/ui/borrow/revoke_while_lent.rs",
                    "a table is lent while it is revoked, and that compiles",
                ),
            ],
        },
        Row {
            number: "S7",
            title: "who reads a resource, or its registry, does not race with who writes it",
            required_by: "accessing `UnsafeCell`",
            requirement: "There is no write to `value` or `registry` at the same time, and one \
                          before.",
            sites: &[
                "Slot::claim",
                "Slot::try_access",
                "Slot::evict",
                "Vacancy::populate",
                "Vacancy::drop",
                "Batched::new",
                "Sync for Lazy",
                "Sync for Batched",
            ],
            party: Party::Runtime,
            how: "Both are written by the one thread that has claimed the empty slot, and after that \
                  by the thread that evicts the resource, or by the exclusive owner, only. The state \
                  is released after the first, and a reader acquires it before. A thread that evicts \
                  reads the registry with a pin of its own, and another one does not evict meanwhile."
                .into(),
            tests: &[
                (
                    "kernel/tree/rust/kernel/devres/lazy_kunit.rs: racing_first_access",
                    "a thread that finds the slot being populated populates it as well",
                ),
                (
                    "verify/loom/src/properties.rs: evict_and_map_against_evict",
                    "a thread that evicts reads the registry without a pin",
                ),
            ],
        },
        Row {
            number: "S8",
            title: "what an accessor lends is alive for as long as it is lent",
            required_by: "lending `value`, and dereferencing `SlotGuard::value`",
            requirement: "`value` is a live resource for all of `'a`.",
            sites: &[
                "Slot::get",
                "Slot::value_for",
                "Slot::look",
                "Slot::claim",
                "Vacancy::populate",
                "SlotGuard::deref",
            ],
            party: Party::Runtime,
            how: "`state` holds a device only between being populated for it and being revoked, and \
                  the slot is marked as revoked before the resource goes. `dev` is that device, and \
                  bound for `'a`: whoever lends it sees to it that unbind has not come to the slots \
                  before `'a` is over. For the callbacks of a registration that devres owns, \
                  `devres::register()` takes the slots' place first, and a driver that registers by \
                  another function calls `prepare()` before. Who has a guard instead \
                  has found the device there after saying so, in an RCU read-side critical section: \
                  unbind sees that, and waits for a grace period. Dropping or revoking the slot \
                  takes exclusive access, which nobody has during `'a`."
                .into(),
            tests: &[
                (
                    "kernel/tree/rust/kernel/devres/lazy_kunit.rs: rebind",
                    "the fast path compares the device only, as in Linux 7.3",
                ),
                (
                    "kernel/tree/rust/kernel/devres/lazy_kunit.rs: access_during_unbind",
                    "the fast path compares the device only, as in Linux 7.3",
                ),
                (
                    "kernel/tree/rust/kernel/devres/lazy_kunit.rs: wrong_device",
                    "the device is not compared",
                ),
                (
                    "tests/ui/borrow/after_rebind.rs",
                    "a table of the last binding is used, and that compiles",
                ),
                (
                    "kernel/tree/rust/kernel/devres/callbacks_kunit.rs: lent_to_a_callback",
                    "`devres::register()` does not take the slots' place",
                ),
            ],
        },
        Row {
            number: "S9",
            title: "a registry knows no slot that is gone",
            required_by: "dereferencing a header",
            requirement: "A header is valid from being linked until its resource is gone.",
            sites: &[
                "Registry::claim",
                "Registry::abandon",
                "Registry::link",
                "Registry::remove",
                "Registry::drop_claimed",
                "Registry::drop_and_unlink",
                "Registry::evict",
                "Registry::release",
                "Header::older",
                "Header::state",
                "Header::drop_resource",
                "List::mark_some",
                "Slot::look",
                "Slot::claim",
                "Slot::drop_value",
                "Vacancy::populate",
                "Vacancy::drop",
                "Lazy::entry",
                "Batched::new",
                "Batched::drop",
                "Lazy::drop",
            ],
            party: Party::Runtime,
            how: "A slot is pinned, and its destructor retires it, which returns only once the \
                  resource is dropped and the header unlinked, by whichever side. Whether the header is \
                  on the list is read from `state`. An owner that cannot claim its resource waits for \
                  `GONE`, and unbind does not touch the header after it has released the lock under \
                  which it has stored that. A panic of the resource, or a report of the host, waits \
                  until then. This assumes of pin-init that what is pinned is not freed without its \
                  destructor. In Linux 7.3 safe code can do that: `Wrapper` makes an initialiser of \
                  `MaybeUninit` or `Opaque`, which drop nothing, from that of a `Batched`, or of an \
                  owner that `pin_chain()` then populates. It is assumed that nobody does this."
                .into(),
            tests: &[
                (
                    "kernel/tree/rust/kernel/devres/lazy_kunit.rs: unbind_wins",
                    "freeing the owner does not wait for unbind",
                ),
                (
                    "kernel/tree/rust/kernel/devres/lazy_kunit.rs: free_wins",
                    "unbind does not wait for the owner to be freed",
                ),
                (
                    "tests/panics/teardown.rs: the_authors_code_panics",
                    "a panic leaves the header of a freed slot on the list",
                ),
                (
                    "tests/panics/populate.rs: linking_reports",
                    "an empty slot is taken for a linked one after a panic",
                ),
            ],
        },
        Row {
            number: projected.number,
            title: "nothing is moved out of what is pinned",
            required_by: "`Pin::map_unchecked_mut()`",
            requirement: "The slot does not move for as long as the owner does not, and nothing is \
                          moved out of the owner.",
            sites: &[],
            party: Party::Macro,
            how: generated(projected),
            tests: &[(
                "tests/ui/place/owner_is_pinned.rs",
                "an owner can be taken out of its `Pin`, and its slots with it",
            )],
        },
        Row {
            number: "S11",
            title: "nobody excludes a view from its owner",
            required_by: "`unsafe trait Map`",
            requirement: "Until a view is unmapped, no part of the owner is written to, other than \
                          by interior mutability, and no exclusive reference is made to a part \
                          that is `Unpin`.",
            sites: &["Map", "Mapped::drop"],
            party: Party::Author,
            how: "Unmapping reads the owner, on the thread that unbinds, also while another \
                  thread has the owner to itself. Generated code makes no such reference: in a \
                  struct with a `map` field, teardown and revoke go by \
                  `Pin::map_unchecked_mut()` to one slot. In one without, no resource reads the \
                  owner, and they go by `project()`. An author who calls `project()` of a struct \
                  with a `map` field first unmaps all views by `revoke`, or does so in the \
                  destructor, which begins with the teardown."
                .into(),
            tests: &[
                (
                    "tests/aliasing.rs: teardown",
                    "under Miri: the teardown of a struct with a `map` field goes by `project()`",
                ),
                (
                    "tests/aliasing.rs: revoke",
                    "under Miri: revoking a slot beside a view goes by `project()`",
                ),
                (
                    "tests/aliasing.rs: unbind",
                    "under Miri: the same, while unbind drops the view",
                ),
            ],
        },
        Row {
            number: "S12",
            title: "a slot may be sent to and shared with any thread",
            required_by: "`Send` and `Sync`",
            requirement: "The resource is `Send` and `Sync`: it is borrowed on any thread, and \
                          dropped on the one that unbinds.",
            sites: &[
                "Send for Lazy",
                "Sync for Lazy",
                "Send for Batched",
                "Sync for Batched",
                "Send for List",
                "Send for LazyPin",
                "Sync for LazyPin",
                "Registry::link",
                "Send for Mapped",
                "Sync for Mapped",
            ],
            party: Party::Runtime,
            how: "`Lazy` asks for it in its implementations; `populate()`, which links all slots and \
                  makes all entries, in its bounds; `Map` in those of `Target` and `Keep`. Of the \
                  owner a mapping only uses a shared reference, and asks that it is `Sync`."
                .into(),
            tests: &[
                ("tests/ui/target/resource_not_send.rs", "a resource that is not `Send` compiles"),
                ("tests/ui/target/resource_not_sync.rs", "a resource that is not `Sync` compiles"),
                ("tests/ui/target/not_send.rs", "a target that is not `Send` compiles"),
                ("tests/ui/target/not_sync.rs", "a target that is not `Sync` compiles"),
            ],
        },
        Row {
            number: "S13",
            title: "the list is whole, and changed by one thread at a time",
            required_by: "accessing the links of a header",
            requirement: "The lock of the registry is held that the header is on. A header that is \
                          unlinked is on its list.",
            sites: &[
                "List::newer",
                "List::push",
                "List::unlink",
                "List::mark_some",
                "Registry::link",
                "Registry::drop_and_unlink",
            ],
            party: Party::Runtime,
            how: "The methods of the list take `&mut List`, which only the lock gives. A header is \
                  linked by the thread that has claimed the empty slot, and unlinked by the thread \
                  that has claimed its resource, or evicts it, with the state that says so. Where \
                  unbind goes on to mark stays on the list, as unlinking moves it. While a slot is \
                  being populated, `older`, which is atomic, has the number of the thread that does \
                  it."
                .into(),
            tests: &[
                (
                    "kernel/tree/rust/kernel/devres/registry_kunit.rs: order_among_owners",
                    "unlinking forgets a neighbour, or the end of the list",
                ),
                (
                    "kernel/tree/rust/kernel/devres/lazy_kunit.rs: free_and_unbind",
                    "both sides take the slot off the list",
                ),
                (
                    "kernel/tree/rust/kernel/devres/order_kunit.rs: order_while_an_owner_drops",
                    "an owner takes its slot off the list before its resource is gone",
                ),
            ],
        },
        Row {
            number: "S14",
            title: "who empties a slot has it for itself",
            required_by: "`Slot::revoke()` and `Slot::retire()`",
            requirement: "Nobody else uses the slot, but unbind, and what dropping the resource \
                          calls.",
            sites: &[
                "Lazy::revoke",
                "Lazy::retire",
                "Batched::drop",
                "Slot::revoke",
                "Slot::retire",
                "Slot::end",
                "Slot::vacate",
                "Registry::remove",
                "Lazy::drop",
            ],
            party: Party::Runtime,
            how: "`Lazy` takes `Pin<&mut Self>` for both. Unbind uses the header, and a resource that \
                  it has claimed; an owner that cannot claim its resource waits with the registry's \
                  lock until unbind has unlinked the header. Code that dropping the resource calls \
                  finds the state `DROPPING`, and neither the resource nor the registry."
                .into(),
            tests: &[
                (
                    "kernel/tree/rust/kernel/devres/callbacks_kunit.rs: slot_of_a_dying_resource",
                    "the state still says that the resource is there while it is dropped",
                ),
                (
                    "tests/ui/borrow/revoke_shared.rs",
                    "a shared slot is revoked, and that compiles",
                ),
                (
                    "tests/ui/borrow/revoke_while_lent.rs",
                    "a table is lent while it is revoked, and that compiles",
                ),
            ],
        },
        Row {
            number: "S15",
            title: "a place is filled once, and for the call that it was made for",
            required_by: "`pin_init_from_closure()`, and writing to and dropping in a `Place`",
            requirement: "When the initialiser succeeds there is a resource in the slot, and when it \
                          fails there is none.",
            sites: &["Vacant::populate_with", "Place::fill", "Place::init", "Storage::drop"],
            party: Party::Runtime,
            how: "Only `populate_with()` makes a `Place`, and only filling that makes a `Placed`, of \
                  the same lifetime. Both are invariant in it, and the initialiser has to work for \
                  every lifetime: it can return the proof for this call only. If it does not, \
                  `populate_with()` drops the resource."
                .into(),
            tests: &[
                (
                    "tests/ui/imitation/proof_for_another_slot.rs",
                    "`Place` and `Placed` are not invariant",
                ),
                (
                    "tests/ui/imitation/mapping_that_is_kept.rs",
                    "a proof can outlive its call",
                ),
                (
                    "tests/ui/pass/place_of_another_slot.rs",
                    "a resource stays in the slot whose proof was not returned",
                ),
            ],
        },
        Row {
            number: "S16",
            title: "what a resource borrows is there until the slot has dropped it",
            required_by: "`cast_pin_init()`, from `F::Of<'p>` to `F::Of<'static>`",
            requirement: "The resource of a `LazyLt` borrows nothing that ends before the slot has \
                          dropped it, and is returned for no longer than the device is bound.",
            sites: &["PlaceLt::make"],
            party: Party::Runtime,
            how: "The closure that makes it works for every lifetime `'p` of the bound device, so it \
                  can borrow from that device, or for `'static`, and from nothing else. Unbind drops \
                  the resource while the device is still bound to its driver, and the owner before \
                  unbind has come so far. `get_with()` and `get_or_populate_with()` return it as \
                  `F::Of<'a>`, `'a` being the lifetime of the caller's bound device; the closure \
                  `|resource| resource` compiles only if this shortens the lifetime of a covariant \
                  type. A guard leads to no resource: it would lend a bound device that it does not \
                  keep bound. All threads may use and drop the resource whatever its lifetime, by the \
                  bound `for<'p> F::Of<'p>: Send + Sync`. This assumes that what is borrowed through \
                  the device is released after the slots. A `Devres` that was created after the \
                  slots' place was taken, and is never freed, is not; so is the `&'static` PCI device \
                  that `TryFrom` returns in Linux 7.3.4, which a patch of the series mends."
                .into(),
            tests: &[
                (
                    "kernel/tree/rust/kernel/devres/lazy_lt_kunit.rs: borrowed_until_unbind",
                    "unbind drops the resource when the device is not bound any more",
                ),
                (
                    "tests/ui/borrowed/from_self.rs",
                    "a resource borrows from its owner, and that compiles",
                ),
                (
                    "tests/ui/borrowed/from_an_outer_device.rs",
                    "a resource borrows for as long as a caller has bound the device, and that \
                     compiles",
                ),
                (
                    "tests/ui/borrowed/kept_beyond_device.rs",
                    "what a resource has borrowed is used after unbind, and that compiles",
                ),
                (
                    "tests/ui/borrowed/not_covariant.rs",
                    "a resource compiles that a caller can put a reference of its own into",
                ),
                (
                    "tests/ui/borrowed/not_sync.rs",
                    "a resource that is not for all threads compiles",
                ),
                (
                    "tests/ui/borrowed/guard.rs",
                    "a guard leads to the resource, and that compiles",
                ),
                (
                    "tests/ui/borrowed/from_forever.rs",
                    "`TryFrom` has two lifetimes, as in Linux 7.3.4",
                ),
            ],
        },
        Row {
            number: "S17",
            title: "nobody uses what is evicted",
            required_by: "`Slot::evict()`, and dereferencing `LazyPin::value`",
            requirement: "Who uses the resource has a pin, taken before the slot was found \
                          populated, until the end of the use.",
            sites: &[
                "EvictableLazy::evict",
                "LazyPin::deref",
                "Slot::evict",
                "Slot::value_for",
                "Registry::evict",
                "Registry::drop_and_unlink",
            ],
            party: Party::Runtime,
            how: "The functions of `EvictableLazy` that return the resource take a pin first, and \
                  return a `LazyPin`, which has it. The `Lazy` inside is given to nobody else. Taking \
                  a pin is a full barrier, and a thread that evicts has one between what it stores to \
                  the state and its look at the number of pins: at least one of the two sees the \
                  other. Dropping a pin is a release, which that look acquires. `LazyPin::map()` takes \
                  a function for borrows of any length. A pin borrows the slot and the bound device, \
                  so neither the owner nor unbind drops the resource while there is one."
                .into(),
            tests: &[
                (
                    "kernel/tree/rust/kernel/devres/evict_kunit.rs: evict_while_pinned",
                    "the pins are not counted",
                ),
                (
                    "verify/loom/src/properties.rs: pin_against_evict",
                    "one of the orderings is relaxed",
                ),
                (
                    "tests/ui/borrow/target_after_pin.rs",
                    "a table is used after its pin, and that compiles",
                ),
                (
                    "tests/ui/borrow/pin_after_unbind.rs",
                    "a pin is kept after unbind, and that compiles",
                ),
                (
                    "tests/ui/borrow/pin_that_is_mapped_to_a_copy.rs",
                    "`LazyPin::map()` takes a function that keeps the borrow",
                ),
            ],
        },
        Row {
            number: "S18",
            title: "the chains of the table are whole, and changed by one thread at a time",
            required_by: "accessing `Link::next`",
            requirement: "The lock of the bucket is held that the registry is in, or nobody else has \
                          the registry yet.",
            sites: &[
                "Sync for Link",
                "table::find_in",
                "table::add",
                "table::remove",
            ],
            party: Party::Runtime,
            how: "`find_in()` borrows the chain, which only the lock gives, and so does what it \
                  returns. `remove()` goes on from the chain to parts of registries that are in \
                  it. A registry in the table is valid, as the table has a reference to it. `add()` \
                  links one that was just made."
                .into(),
            tests: &[
                (
                    "verify/loom/src/properties.rs: two_devices_in_one_bucket",
                    "a registry is looked for without the lock, or taken out with those behind it",
                ),
                (
                    "verify/loom/src/properties.rs: rebind",
                    "a registry stays in the table",
                ),
            ],
        },
    ]
}
