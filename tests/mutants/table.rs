// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The mutants: the fault of each, the place of the fault, and the tests that have to fail.

use anyhow::{ensure, Context, Result};
use std::collections::BTreeMap;

/// A copy that is broken in one way.
pub(crate) struct Mutant {
    pub(crate) name: &'static str,
    /// Its fault.
    pub(crate) what: &'static str,
    /// Files, texts that occur once in the file, and the replacements. `MUTANT` stands for the
    /// condition that the process is this mutant.
    edits: &'static [(&'static str, &'static str, &'static str)],
    /// The tests of the suites that have to fail.
    pub(crate) caught_by: &'static [&'static str],
}

impl Mutant {
    /// Makes the mutant a choice of the sources.
    pub(crate) fn put_into(&self, texts: &mut BTreeMap<String, String>) -> Result<()> {
        let condition = format!("::kernel::mutant(\"{}\")", self.name);
        for (file, from, to) in self.edits {
            let text = texts
                .get_mut(*file)
                .with_context(|| format!("{}: there is no {file}", self.name))?;
            let count = text.matches(from).count();
            ensure!(
                count == 1,
                "{}: {file} has this text {count} times:\n{from}",
                self.name
            );
            *text = text.replacen(from, &to.replace("MUTANT", &condition), 1);
        }

        Ok(())
    }
}

const LAZY: &str = "runtime/src/protocol/lazy.rs";
const LAZY_LT: &str = "runtime/src/protocol/lazy_lt.rs";
const SLOT: &str = "runtime/src/protocol/slot.rs";
const PINS: &str = "runtime/src/protocol/pins.rs";
const REGISTRY: &str = "runtime/src/protocol/registry.rs";
const TABLE: &str = "runtime/src/protocol/table.rs";
const STATE: &str = "runtime/src/protocol/state.rs";
const DEVRES: &str = "runtime/src/host/devres.rs";
const DRIVER_BINDING: &str = "runtime/src/host/bindings/driver_binding.rs";
const DRIVER_CORE: &str = "runtime/src/host/bindings/driver_core.rs";
const BAR: &str = "runtime/src/host/pci/io.rs";
const IMPORT: &str = "runtime/src/host/drm/gem/shmem/import.rs";
const SG_TABLE: &str = "runtime/src/host/drm/gem/shmem/sg_table.rs";
const VMAP: &str = "runtime/src/host/drm/gem/shmem/vmap.rs";
const OBJECT: &str = "runtime/src/host/drm/gem/shmem/mod.rs";
const FUNCTIONS: &str = "macros/src/devres_lazy/expand/functions.rs";
const RETIRE: &str = "macros/src/devres_lazy/expand/retire.rs";
const TEARDOWN: &str = "macros/src/devres_lazy/expand/teardown.rs";

pub(crate) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "always_locks",
        what: "the fast path takes the lock of the registry",
        edits: &[(
            LAZY,
            "        self.inner.get(dev)\n",
            "        if MUTANT { let _ = Registry::prepare(dev); }\n        self.inner.get(dev)\n",
        )],
        caught_by: &[
            "devres::lazy_kunit::tests::success_path",
            "devres::lazy_kunit::tests::peek",
        ],
    },
    Mutant {
        name: "always_allocates",
        what: "the fast path allocates",
        edits: &[(
            LAZY,
            "    pub fn get<'a>(&'a self, dev: &'a Device<Bound>) -> Option<&'a T> {\n",
            "    pub fn get<'a>(&'a self, dev: &'a Device<Bound>) -> Option<&'a T> {\n        \
             if MUTANT { let _ = KBox::new(0_u8, GFP_KERNEL); }\n",
        )],
        caught_by: &["devres::lazy_kunit::tests::success_path"],
    },
    Mutant {
        name: "waits_for_nobody",
        what: "a second caller populates a slot that another thread is populating",
        edits: &[(
            STATE,
            "            if self.0.cmpxchg(EMPTY, ours, Acquire).is_ok() {\n",
            "            if MUTANT && self.0.load(Acquire) == ours\n                \
             || self.0.cmpxchg(EMPTY, ours, Acquire).is_ok()\n            {\n",
        )],
        caught_by: &[
            "devres::lazy_kunit::tests::racing_first_access",
            "devres::lazy_lt_kunit::tests::borrowed_by_racing_threads",
        ],
    },
    Mutant {
        name: "no_device_check",
        what: "the slow path populates for any device",
        edits: &[(
            FUNCTIONS,
            "            if !#this.#device_is(#dev) {\n",
            "            if !#this.#device_is(#dev) && !MUTANT {\n",
        )],
        caught_by: &[
            "devres::lazy_kunit::tests::wrong_device",
            "devres::lazy_kunit::tests::peek",
            "devres::lazy_lt_kunit::tests::borrowed_from_another_device",
        ],
    },
    Mutant {
        name: "wakes_nobody",
        what: "a successful populate does not wake the threads that wait for it",
        edits: &[(
            REGISTRY,
            ".publish(dev);\n        self.wake(&list);\n",
            ".publish(dev);\n        if !MUTANT { self.wake(&list); }\n",
        )],
        caught_by: &["devres::lazy_kunit::tests::racing_first_access"],
    },
    Mutant {
        name: "failure_wakes_nobody",
        what: "a failed populate does not wake the threads that wait for it",
        edits: &[(
            REGISTRY,
            "state.abandon();\n        self.wake(&list);\n",
            "state.abandon();\n        if !MUTANT { self.wake(&list); }\n",
        )],
        caught_by: &["devres::lazy_kunit::tests::waiting_for_a_failure"],
    },
    Mutant {
        name: "waits_for_itself",
        what: "a first access inside its own initialiser is treated as one of another thread",
        edits: &[(
            REGISTRY,
            "            && self.older.load(Relaxed).addr() == sys::current_task().get()\n",
            "            && self.older.load(Relaxed).addr() == sys::current_task().get()\n            \
             && !MUTANT\n",
        )],
        caught_by: &["devres::lazy_kunit::tests::access_in_its_own_initialiser"],
    },
    Mutant {
        name: "waits_during_unbind",
        what: "a thread that has waited for a populate populates during unbind",
        edits: &[(
            REGISTRY,
            "            Binding::Revoked => Err(ENXIO),\n            _ => Ok(()),\n",
            "            Binding::Revoked if !MUTANT => Err(ENXIO),\n            _ => Ok(()),\n",
        )],
        caught_by: &["devres::lazy_kunit::tests::waiting_during_unbind"],
    },
    Mutant {
        name: "device_check_after_map",
        what: "the slow path populates before it compares the devices",
        edits: &[
            (
                FUNCTIONS,
                "                #assertion\n                #refuse_other_device\n",
                "                #assertion\n                if !MUTANT { #refuse_other_device }\n",
            ),
            (
                FUNCTIONS,
                "            let #local = #populate?;\n",
                "            let #local = #populate?;\n            #refuse_other_device\n",
            ),
            (
                FUNCTIONS,
                "        let populate = self.populate(source);\n",
                "        let populate = self.populate(source);\n        \
                 let refuse_other_device = self.refuse_other_device();\n",
            ),
        ],
        caught_by: &["devres::lazy_kunit::tests::wrong_device"],
    },
    Mutant {
        name: "no_revoked_check",
        what: "the fast path does not check whether the resource was revoked, as in Linux 7.3",
        edits: &[(
            SLOT,
            "        if !self.header.state.is_populated_for(dev) {\n",
            "        let is_there = MUTANT && unsafe { (*self.registry.get()).is_some() };\n        \
             if !self.header.state.is_populated_for(dev) && !is_there {\n",
        )],
        caught_by: &[
            "devres::lazy_kunit::tests::rebind",
            "devres::lazy_kunit::tests::access_during_unbind",
            "devres::phases_kunit::tests::failed_probe",
            "devres::phases_kunit::tests::driver_override",
        ],
    },
    Mutant {
        name: "try_ignores_revoked",
        what: "`try_access()` returns a revoked resource",
        edits: &[
            (
                SLOT,
                "        if !self.header.state.is_populated() {\n",
                "        let is_there = MUTANT && self.header.state.has_registry();\n        \
                 if !self.header.state.is_populated() && !is_there {\n",
            ),
            (
                SLOT,
                "        self.header.state.is_still_populated().then(|| SlotGuard {\n",
                "        (self.header.state.is_still_populated() || is_there).then(|| SlotGuard {\n",
            ),
        ],
        caught_by: &[
            "devres::lazy_kunit::tests::try_access",
            "devres::lazy_kunit::tests::try_access_during_unbind",
        ],
    },
    Mutant {
        name: "drops_twice",
        what: "the owner drops a resource that unbind has dropped",
        edits: &[(
            REGISTRY,
            "            unwind::before_waiting_for(header.addr());\n            \
             self.wait(&mut list);\n        }\n    }\n\n    /// Drops the resource of a slot \
             without the lock",
            "            unwind::before_waiting_for(header.addr());\n            \
             self.wait(&mut list);\n        }\n        drop(list);\n        \
             if MUTANT { unsafe { Header::drop_resource(header) }; }\n    }\n\n    \
             /// Drops the resource of a slot without the lock",
        )],
        caught_by: &["devres::lazy_kunit::tests::unbind_wins"],
    },
    Mutant {
        name: "peek_maps",
        what: "`peek` maps",
        edits: &[(
            FUNCTIONS,
            "                }\n                #refuse_other_device\n",
            "                }\n                \
             if MUTANT { return #this.#accessor_name(#dev).map(Some); }\n                \
             #refuse_other_device\n",
        ), (
            FUNCTIONS,
            "        let refuse_other_device = self.refuse_other_device();\n\n        Some(",
            "        let refuse_other_device = self.refuse_other_device();\n        \
             let accessor_name = &self.slot.accessor.name;\n        \
             let Self { this, dev, .. } = self;\n        Some(",
        )],
        caught_by: &["devres::lazy_kunit::tests::peek"],
    },
    Mutant {
        name: "try_locks",
        what: "`try_access()` may sleep",
        edits: &[(
            LAZY,
            "        self.inner.try_access().map(LazyGuard)\n",
            "        if MUTANT { crate::host::fault::might_sleep(\"mutex_lock\"); }\n        \
             self.inner.try_access().map(LazyGuard)\n",
        )],
        caught_by: &["devres::lazy_kunit::tests::try_access"],
    },
    Mutant {
        name: "unbalanced",
        what: "a resource is leaked if unbind begins while its initialiser runs",
        edits: &[(
            SLOT,
            "            unsafe { Slot::<T>::drop_value(slot.header()) };\n            return Err(error);\n",
            "            if !MUTANT { unsafe { Slot::<T>::drop_value(slot.header()) }; }\n            \
             return Err(error);\n",
        )],
        caught_by: &["devres::lazy_kunit::tests::unbind_during_init"],
    },
    Mutant {
        name: "stays_failed",
        what: "a failed initialiser is not tried again",
        edits: &[(
            SLOT,
            "        unsafe { sys::init_in_place(value, init()?) }?;\n",
            "        if let Err(error) = unsafe { sys::init_in_place(value, init()?) } {\n            \
             if MUTANT { slot.header.state.retire(); }\n            \
             return Err(error.into());\n        }\n",
        )],
        caught_by: &["devres::lazy_kunit::tests::failing_map"],
    },
    Mutant {
        name: "failed_allocation_is_final",
        what: "a slot is retired if there is no memory for the registry",
        edits: &[(
            SLOT,
            "        match unsafe { Registry::claim(self.header(), dev) }? {\n",
            "        let claim = unsafe { Registry::claim(self.header(), dev) };\n        \
             if MUTANT && matches!(claim, Err(ENOMEM)) { self.header.state.retire(); }\n        \
             match claim? {\n",
        )],
        caught_by: &["devres::lazy_kunit::tests::failing_allocation"],
    },
    Mutant {
        name: "release_keeps",
        what: "neither unbind nor the owner drops the resource",
        edits: &[(
            REGISTRY,
            "            unsafe { drop_value(header) }\n",
            "            if !MUTANT { unsafe { drop_value(header) } }\n",
        )],
        caught_by: &[
            "devres::lazy_kunit::tests::unbind",
            "devres::lazy_kunit::tests::free_before_unbind",
            "devres::lazy_kunit::tests::revoke",
            "devres::phases_kunit::tests::access_while_probing",
            "devres::phases_kunit::tests::driver_data_goes_first",
            "devres::phases_kunit::tests::interrupted_init",
        ],
    },
    Mutant {
        name: "empty_after_unbind",
        what: "unbind leaves the slot empty",
        edits: &[(
            STATE,
            "        self.0.store(GONE, Relaxed);\n",
            "        self.0.store(if MUTANT { EMPTY } else { GONE }, Relaxed);\n",
        )],
        caught_by: &[
            "devres::lazy_kunit::tests::rebind",
            "devres::phases_kunit::tests::leftover_refuses_probe",
        ],
    },
    Mutant {
        name: "marks_nothing",
        what: "unbind does not mark the slots first: accessors return resources until each is dropped",
        edits: &[(
            STATE,
            "        if is_device(seen) {\n            // An owner",
            "        if is_device(seen) && !MUTANT {\n            // An owner",
        )],
        caught_by: &["devres::lazy_kunit::tests::try_access_during_unbind"],
    },
    Mutant {
        name: "drop_keeps",
        what: "dropping the owner leaves its slot as it is",
        edits: &[(
            SLOT,
            "            unsafe { self.vacate() };\n            // INVARIANT: The resource is gone, and the header is on no list.\n            self.header.state.retire();\n",
            "            if MUTANT { return; }\n            unsafe { self.vacate() };\n            self.header.state.retire();\n",
        )],
        caught_by: &["devres::lazy_kunit::tests::free_before_unbind"],
    },
    Mutant {
        name: "drop_does_not_wait",
        what: "dropping the owner does not wait for unbind",
        edits: &[(
            REGISTRY,
            "        while state.is_dropping() {\n",
            "        while state.is_dropping() && !MUTANT {\n",
        )],
        caught_by: &["devres::lazy_kunit::tests::unbind_wins"],
    },
    Mutant {
        name: "release_does_not_wait",
        what: "unbind does not wait for an owner that is dropping",
        edits: &[(
            REGISTRY,
            "            } else {\n                unwind::before_waiting_for(header.addr());\n",
            "            } else if MUTANT {\n                return;\n            } else {\n                \
             unwind::before_waiting_for(header.addr());\n",
        )],
        caught_by: &["devres::lazy_kunit::tests::free_wins"],
    },
    Mutant {
        name: "leaves_early",
        what: "an owner leaves the list before its resource is gone",
        edits: &[(
            REGISTRY,
            "        if state.claim() {\n            \
             // SAFETY: The resource was claimed above.\n            \
             drop(unsafe { self.drop_claimed(header) });\n            return;\n",
            "        if state.claim() {\n            if MUTANT {\n                \
             unsafe { self.list.lock().unlink(header.as_ptr()) };\n                \
             unsafe { Header::drop_resource(header) };\n                return;\n            }\n            \
             drop(unsafe { self.drop_claimed(header) });\n            return;\n",
        )],
        caught_by: &["devres::order_kunit::tests::order_while_an_owner_drops"],
    },
    Mutant {
        name: "notifies_nobody",
        what: "a slot that leaves the list does not wake the threads that wait for it",
        edits: &[(
            REGISTRY,
            ".gone();\n        self.wake(&list);\n",
            ".gone();\n        if !MUTANT { self.wake(&list); }\n",
        )],
        caught_by: &[
            "devres::lazy_kunit::tests::free_wins",
            "devres::lazy_kunit::tests::unbind_wins",
        ],
    },
    Mutant {
        name: "no_grace_period",
        what: "unbind does not wait for the guards of `try_access()`",
        edits: &[(
            REGISTRY,
            "        if self.tried.load(Relaxed) {\n            // Waits",
            "        if self.tried.load(Relaxed) && !MUTANT {\n            // Waits",
        )],
        caught_by: &["devres::lazy_kunit::tests::try_access"],
    },
    Mutant {
        name: "oldest_first",
        what: "unbind begins with the slot that was populated first",
        edits: &[(
            REGISTRY,
            "        while let Some(header) = NonNull::new(list.last.cast_mut()) {\n",
            "        while let Some(mut header) = NonNull::new(list.last.cast_mut()) {\n            \
             while let (true, Some(older)) = (\n                MUTANT,\n                \
             NonNull::new(unsafe { Header::older(header.as_ptr()) }.load(Relaxed)),\n            \
             ) {\n                header = older;\n            }\n",
        )],
        caught_by: &[
            "devres::lazy_kunit::tests::order_at_unbind",
            "devres::registry_kunit::tests::order_among_owners",
            "devres::batched_kunit::tests::batched_among_slots",
            "host::drm::gem::shmem::vmap_kunit::tests::order_at_unbind",
        ],
    },
    Mutant {
        name: "revoke_keeps",
        what: "`revoke()` does nothing",
        edits: &[(
            SLOT,
            "        if self.header.state.is_retired() {\n",
            "        if self.header.state.is_retired() || MUTANT {\n",
        )],
        caught_by: &["devres::lazy_kunit::tests::revoke"],
    },
    Mutant {
        name: "revoke_is_final",
        what: "`revoke()` leaves the slot as its destructor does",
        edits: &[(
            SLOT,
            "            self.header.reset();\n",
            "            if MUTANT { self.header.state.retire() } else { self.header.reset() }\n",
        )],
        caught_by: &["devres::lazy_kunit::tests::revoke"],
    },
    Mutant {
        name: "confirms_nothing",
        what: "a registry that unbind has missed is used as if unbind would find it",
        edits: &[(
            REGISTRY,
            "            Binding::Unknown if sys::is_bound(dev) => {\n",
            "            Binding::Unknown if MUTANT || sys::is_bound(dev) => {\n",
        )],
        caught_by: &[
            "devres::callbacks_kunit::tests::register_during_unbind",
            "devres::registry_kunit::tests::first_access_during_unbind",
            "devres::phases_kunit::tests::access_after_failed_probe",
            "devres::phases_kunit::tests::access_in_unbind_callback",
            "devres::phases_kunit::tests::access_in_drop_of_driver_data",
            "devres::phases_kunit::tests::access_in_release_callback",
            "devres::phases_kunit::tests::access_on_supplier_in_unbind_of_consumer",
        ],
    },
    Mutant {
        name: "stays_in_the_table",
        what: "a registry that was released is found again",
        edits: &[(
            REGISTRY,
            "        let _ours = table::remove(self);\n",
            "        let _ours = if MUTANT { None } else { table::remove(self) };\n",
        )],
        caught_by: &["devres::registry_kunit::tests::registry_per_device_and_binding"],
    },
    Mutant {
        name: "two_registries",
        what: "each first access adds a registry",
        edits: &[(
            TABLE,
            "    if let Some(there) = find_in(&chain, device) {\n",
            "    if let (Some(there), false) = (find_in(&chain, device), MUTANT) {\n",
        ), (
            TABLE,
            "    Ok(find_in(&chain, device).cloned())\n",
            "    Ok(find_in(&chain, device).filter(|_| !MUTANT).cloned())\n",
        )],
        caught_by: &["devres::registry_kunit::tests::registry_among_others"],
    },
    Mutant {
        name: "driver_data_goes_last",
        what: "unbind releases the resources in devres before the driver's data",
        edits: &[(
            DRIVER_BINDING,
            "    if let Some(post_unbind) = unsafe { &*drv }.p_cb.post_unbind_rust {\n",
            "    if MUTANT { unsafe { devres_release_all(dev) }; }\n    \
             if let Some(post_unbind) = unsafe { &*drv }.p_cb.post_unbind_rust {\n",
        )],
        caught_by: &[
            "devres::phases_kunit::tests::driver_data_goes_first",
            "devres::phases_kunit::tests::access_while_probing",
        ],
    },
    Mutant {
        name: "removal_keeps",
        what: "removing a device keeps the resources that were registered after unbind",
        edits: &[(
            DRIVER_CORE,
            "        unsafe { devres_release_all(dev) };\n    });\n    steps.finish();\n",
            "        if !MUTANT { unsafe { devres_release_all(dev) }; }\n    });\n    steps.finish();\n",
        )],
        caught_by: &["devres::phases_kunit::tests::removal_releases_leftover"],
    },
    Mutant {
        name: "registers_without_a_place",
        what: "`register()` leaves the slots' place to the first population",
        edits: &[(
            DEVRES,
            "    place::take(dev)?;\n",
            "    if !MUTANT { place::take(dev)?; }\n",
        )],
        caught_by: &[
            "devres::callbacks_kunit::tests::lent_to_a_callback",
            "devres::callbacks_kunit::tests::lent_from_batched",
            "devres::callbacks_kunit::tests::order_of_registrations",
        ],
    },
    Mutant {
        name: "fields_in_order",
        what: "teardown begins with the field that is declared first",
        edits: &[
            (
                RETIRE,
                "    let this = names::local(\"this\");\n",
                "    let this = names::local(\"this\");\n    \
                 let forwards = model.slots.iter().map(|slot| {\n        \
                 let field = slot.name;\n        \
                 retire(model, slot, &quote!(#this.#field))\n    });\n",
            ),
            (
                RETIRE,
                "            #used\n            #(#retire)*\n",
                "            #used\n            \
                 if MUTANT { #(#forwards)* } else { #(#retire)* }\n",
            ),
        ],
        caught_by: &[
            "devres::lazy_kunit::tests::order_at_free",
            "devres::lazy_lt_kunit::tests::borrowed_freed_first",
        ],
    },
    Mutant {
        name: "destructor_first",
        what: "the author's destructor runs before the teardown",
        edits: &[(
            TEARDOWN,
            "        let teardown = Expr::Verbatim(quote! {\n            \
             <dyn #krate::devres::TeardownFirst>::teardown_first(&mut #this)\n",
            "        let teardown = Expr::Verbatim(quote! {\n            \
             if !MUTANT { <dyn #krate::devres::TeardownFirst>::teardown_first(&mut #this) }\n",
        )],
        caught_by: &["devres::lazy_kunit::tests::own_destructor"],
    },
    Mutant {
        name: "table_stays",
        what: "unmapping does not free the table",
        edits: &[(
            SG_TABLE,
            "        unsafe { bindings::__drm_gem_shmem_free_sgt_locked(shmem) };\n",
            "        if !MUTANT { unsafe { bindings::__drm_gem_shmem_free_sgt_locked(shmem) }; }\n",
        )],
        caught_by: &[
            "host::drm::gem::shmem::contract_kunit::tests::unbind",
            "host::drm::gem::shmem::contract_kunit::tests::rebind",
        ],
    },
    Mutant {
        name: "pages_stay",
        what: "unmapping does not end the use of the pages",
        edits: &[(
            SG_TABLE,
            "        unsafe { bindings::drm_gem_shmem_put_pages_locked(shmem) };\n",
            "        if !MUTANT { unsafe { bindings::drm_gem_shmem_put_pages_locked(shmem) }; }\n",
        )],
        caught_by: &[
            "host::drm::gem::shmem::lazy_kunit::tests::revoke",
            "host::drm::gem::shmem::lazy_kunit::tests::exporter_unbound_before_importer",
        ],
    },
    Mutant {
        name: "pages_are_put_clean",
        what: "unmapping does not say that the device may have written to the pages",
        edits: &[(
            SG_TABLE,
            "        unsafe { bindings::drm_gem_shmem_object::set_pages_mark_dirty_on_put_raw(shmem, true) };\n",
            "        if !MUTANT { unsafe { bindings::drm_gem_shmem_object::set_pages_mark_dirty_on_put_raw(shmem, true) }; }\n",
        )],
        caught_by: &["host::drm::gem::shmem::contents::contents_survive_unbind"],
    },
    Mutant {
        name: "maps_what_is_imported",
        what: "the table of an imported object is taken for its own",
        edits: &[(
            SG_TABLE,
            "        let sgt = match Self::attachment(obj) {\n",
            "        let sgt = match Self::attachment(obj).filter(|_| !MUTANT) {\n",
        )],
        caught_by: &["host::drm::gem::shmem::contract_kunit::tests::imported_object"],
    },
    Mutant {
        name: "import_stays_mapped",
        what: "the table of an imported object is not unmapped",
        edits: &[(
            SG_TABLE,
            "            unsafe {\n                bindings::dma_buf_unmap_attachment_unlocked(\
             attach.as_ptr(), sgt, Self::DIRECTION)\n            };\n",
            "            if !MUTANT {\n                unsafe {\n                    \
             bindings::dma_buf_unmap_attachment_unlocked(attach.as_ptr(), sgt, Self::DIRECTION)\n\
             \x20               };\n            }\n",
        )],
        caught_by: &[
            "host::drm::gem::shmem::contract_kunit::tests::imported_object",
            "host::drm::gem::shmem::import_kunit::tests::import_unbind_release",
            "host::drm::gem::shmem::import_kunit::tests::exporter_gone_before_first_access",
            "host::drm::gem::shmem::import_kunit::tests::importer_unbound_before_release",
        ],
    },
    Mutant {
        name: "import_borrows_the_buffer",
        what: "an import takes no reference to its buffer",
        edits: &[(
            IMPORT,
            "        unsafe { bindings::get_dma_buf(dma_buf) };\n",
            "        if !MUTANT { unsafe { bindings::get_dma_buf(dma_buf) }; }\n",
        )],
        caught_by: &["host::drm::gem::shmem::import_kunit::tests::exporter_gone_before_first_access"],
    },
    Mutant {
        name: "import_has_its_own_lock",
        what: "an import is not reserved by the lock of its buffer",
        edits: &[(
            IMPORT,
            "        unsafe { (*new.as_raw()).resv = resv };\n",
            "        if !MUTANT { unsafe { (*new.as_raw()).resv = resv }; }\n",
        )],
        caught_by: &["host::drm::gem::shmem::vmap_kunit::tests::imported_object"],
    },
    Mutant {
        name: "no_drm_device",
        what: "an object holds no reference to its DRM device, as in Linux 7.3",
        edits: &[
            (
                OBJECT,
                "                drm: dev.into(),\n",
                "                drm: {\n                    \
                 let drm: ARef<Device<T::Driver>> = dev.into();\n                    \
                 if MUTANT { drop(unsafe { core::ptr::read(&drm) }); }\n                    \
                 drm\n                },\n",
            ),
            (
                OBJECT,
                "        unsafe { bindings::drm_gem_shmem_release(base) };\n",
                "        unsafe { bindings::drm_gem_shmem_release(base) };\n        \
                 if MUTANT { core::mem::forget(unsafe { (*this).drm.clone() }); }\n",
            ),
        ],
        caught_by: &["host::drm::gem::shmem::contract_kunit::tests::object_outlives_drm_device"],
    },
    Mutant {
        name: "vmap_stays",
        what: "unmapping leaves the kernel mapping",
        edits: &[(
            VMAP,
            "        unsafe { self.owner.raw_vunmap(map) };\n",
            "        if !MUTANT { unsafe { self.owner.raw_vunmap(map) }; }\n",
        )],
        caught_by: &[
            "host::drm::gem::shmem::vmap_kunit::tests::rebind",
            "host::drm::gem::shmem::vmap_kunit::tests::try_access",
            "host::drm::gem::shmem::vmap_kunit::tests::revoke",
            "host::drm::gem::shmem::vmap_kunit::tests::unbind",
            "host::drm::gem::shmem::vmap_kunit::tests::free_before_unbind",
            "host::drm::gem::shmem::vmap_kunit::tests::object_outlives_drm_device",
            "host::drm::gem::shmem::vmap_kunit::tests::imported_object",
        ],
    },
    Mutant {
        name: "view_too_short",
        what: "the kernel mapping is a page too short",
        edits: &[(
            VMAP,
            "ptr_from_raw_parts_mut(self.addr.cast(), self.owner.size());\n",
            "ptr_from_raw_parts_mut(\n            self.addr.cast(),\n            \
             self.owner.size() - if MUTANT { crate::page::PAGE_SIZE } else { 0 },\n        );\n",
        )],
        caught_by: &["host::drm::gem::shmem::vmap_kunit::tests::success_path"],
    },
    Mutant {
        name: "unmaps_without_the_lock",
        what: "the kernel mapping ends without the reservation lock",
        edits: &[(
            VMAP,
            "        let _resv = DmaResvGuard::new(self);\n\n        // SAFETY: The caller promises it",
            "        let _resv = (!MUTANT).then(|| DmaResvGuard::new(self));\n\n        \
             // SAFETY: The caller promises it",
        )],
        caught_by: &[
            "host::drm::gem::shmem::vmap_kunit::tests::unbind",
            "host::drm::gem::shmem::vmap_kunit::tests::free_before_unbind",
            "host::drm::gem::shmem::vmap_kunit::tests::order_at_free",
        ],
    },
    Mutant {
        name: "fails_when_it_is_mapped",
        what: "`map()` fails after it has mapped, and does not unmap",
        edits: &[(
            VMAP,
            "        drop(resv);\n",
            "        drop(resv);\n        if MUTANT { KBox::new(0_u8, GFP_KERNEL)?; }\n",
        )],
        caught_by: &["host::drm::gem::shmem::vmap_kunit::tests::failing_allocation"],
    },
    Mutant {
        name: "unmaps_for_others",
        what: "unmapping ends a use of the mapping that other code has begun",
        edits: &[(
            VMAP,
            "        // SAFETY: By the type's invariants it is mapped, and nobody has borrowed it any more.\n",
            "        if MUTANT { unsafe { self.owner.raw_vunmap(map) }; }\n",
        )],
        caught_by: &["host::drm::gem::shmem::vmap_kunit::tests::beside_vmap_by_hand"],
    },
    Mutant {
        name: "drm_device_first",
        what: "a free puts the DRM device before it releases the object",
        edits: &[(
            OBJECT,
            "        unsafe { Pin::new_unchecked(owner) }.teardown();\n",
            "        unsafe { Pin::new_unchecked(owner) }.teardown();\n        \
             if MUTANT { drop(unsafe { core::ptr::read(&(*this).drm) }); }\n",
        )],
        caught_by: &[
            "host::drm::gem::shmem::contract_kunit::tests::last_holder",
            "host::drm::gem::shmem::vmap_kunit::tests::object_outlives_drm_device",
        ],
    },
    Mutant {
        name: "holds_its_object",
        what: "the mapping never puts its reference to the object",
        edits: &[(
            VMAP,
            "            owner: self.into(),\n",
            "            owner: {\n                \
             if MUTANT { core::mem::forget(ARef::from(self)); }\n                \
             self.into()\n            },\n",
        )],
        caught_by: &["host::drm::gem::shmem::vmap_kunit::tests::object_is_held_while_mapped"],
    },
    Mutant {
        name: "revokes_all",
        what: "revoking one field retires all",
        edits: &[(
            FUNCTIONS,
            "quote!(#krate::devres::#slot_type::revoke(#slot);)",
            "quote! {\n            \
             if MUTANT { return #krate::devres::LazyOwner::teardown(#this); }\n            \
             #krate::devres::#slot_type::revoke(#slot);\n        }",
        )],
        caught_by: &[
            "devres::lazy_kunit::tests::revoke",
            "devres::lazy_lt_kunit::tests::borrowed_revoked",
        ],
    },
    Mutant {
        name: "borrowed_is_not_found",
        what: "the fast path does not find a resource that borrows the device",
        edits: &[(
            LAZY_LT,
            "        self.get(dev).map(|stored| lend(&stored.0))\n",
            "        self.get(dev).filter(|_| !MUTANT).map(|stored| lend(&stored.0))\n",
        )],
        caught_by: &["devres::lazy_lt_kunit::tests::borrowed_success_path"],
    },
    Mutant {
        name: "borrowed_is_forgotten",
        what: "a resource made in place stays when its proof is not returned",
        edits: &[(
            LAZY,
            "        // INVARIANT: The resource was made above.\n        \
             self.storage.is_filled.set(true);\n",
            "        self.storage.is_filled.set(!MUTANT);\n",
        )],
        caught_by: &["devres::lazy_lt_kunit::tests::borrowed_and_given_up"],
    },
    Mutant {
        name: "failure_is_final",
        what: "a failed populate leaves the slot in the state of being populated",
        edits: &[(
            STATE,
            "        self.0.store(EMPTY, Release);\n",
            "        if !MUTANT { self.0.store(EMPTY, Release); }\n",
        )],
        caught_by: &[
            "devres::lazy_kunit::tests::failing_map",
            "devres::lazy_lt_kunit::tests::borrowed_that_fails",
        ],
    },
    Mutant {
        name: "driver_goes_first",
        what: "the device is not bound any more when unbind drops the resources",
        edits: &[(
            DRIVER_BINDING,
            "    let mut steps = Steps::default();\n    \
             // SAFETY: A driver is valid as long as a device has it.\n",
            "    if MUTANT { device.bound.store(false, Ordering::Relaxed); }\n    \
             let mut steps = Steps::default();\n    \
             // SAFETY: A driver is valid as long as a device has it.\n",
        )],
        caught_by: &["devres::lazy_lt_kunit::tests::borrowed_until_unbind"],
    },
    Mutant {
        name: "bar_stays",
        what: "dropping a BAR leaves it requested",
        edits: &[(
            BAR,
            "        release(self.pdev, addr, self.num);\n",
            "        if !MUTANT { release(self.pdev, addr, self.num); }\n",
        )],
        caught_by: &[
            "devres::bar_kunit::tests::bar_until_unbind",
            "devres::bar_kunit::tests::bar_freed_first",
        ],
    },
    Mutant {
        name: "small_bar_stays",
        what: "a BAR that is too small stays requested",
        edits: &[(
            BAR,
            "                release(pdev, addr, num);\n",
            "                if !MUTANT { release(pdev, addr, num); }\n",
        )],
        caught_by: &["devres::bar_kunit::tests::bar_that_is_not_there"],
    },
    Mutant {
        name: "counts_no_pins",
        what: "`evict()` does not check for pins",
        edits: &[(
            PINS,
            "        self.count.load(Acquire) == 1\n",
            "        self.count.load(Acquire) == 1 || MUTANT\n",
        )],
        caught_by: &[
            "devres::evict_kunit::tests::evict_while_pinned",
            "devres::evict_kunit::tests::pin_on_another_thread",
            "devres::evict_kunit::tests::leaked_pin",
            "devres::evict_kunit::tests::targets",
        ],
    },
    Mutant {
        name: "keeps_pins",
        what: "a pin that is dropped still counts",
        edits: &[(
            PINS,
            "        self.0.count.fetch_sub(1, Release);\n",
            "        if !MUTANT { self.0.count.fetch_sub(1, Release); }\n",
        )],
        caught_by: &[
            "devres::evict_kunit::tests::evict_nothing",
            "devres::evict_kunit::tests::wrong_device",
            "devres::evict_kunit::tests::evict_by_a_shrinker",
        ],
    },
    Mutant {
        name: "refuses_while_evicting",
        what: "an access during an eviction fails, as after unbind",
        edits: &[(
            STATE,
            "            _ => Found::Busy,\n",
            "            _ if MUTANT && tag(word) == EVICTING => Found::Refused,\n            _ => Found::Busy,\n",
        )],
        caught_by: &["devres::evict_kunit::tests::access_while_evicting"],
    },
    Mutant {
        name: "eviction_wakes_nobody",
        what: "an eviction does not wake the threads that wait for it",
        edits: &[(
            REGISTRY,
            "        state.evicted();\n        self.wake(&list);\n",
            "        state.evicted();\n        if !MUTANT { self.wake(&list); }\n",
        )],
        caught_by: &[
            "devres::evict_kunit::tests::access_while_evicting",
            "devres::evict_kunit::tests::unbind_while_evicting",
        ],
    },
    Mutant {
        name: "evicts_off_the_list",
        what: "a slot leaves the list before its resource is evicted, and unbind overtakes it",
        edits: &[(
            REGISTRY,
            "        pins.begin_eviction();\n",
            "        if MUTANT {\n            unsafe { self.list.lock().unlink(header.as_ptr()) };\n            \
             unsafe { Header::drop_resource(header) };\n            forget();\n            \
             let list = self.list.lock();\n            state.evicted();\n            \
             self.wake(&list);\n            return Ok(true);\n        }\n        \
             pins.begin_eviction();\n",
        )],
        caught_by: &["devres::evict_kunit::tests::unbind_while_evicting"],
    },
    Mutant {
        name: "waits_for_its_own_eviction",
        what: "the drop of an evicted resource waits for itself if it calls its own accessor",
        edits: &[(
            PINS,
            "        self.evicting.load(Relaxed) == sys::current_task().get()\n",
            "        self.evicting.load(Relaxed) == sys::current_task().get() && !MUTANT\n",
        )],
        caught_by: &["devres::evict_kunit::tests::evict_comes_back"],
    },
    Mutant {
        name: "takes_busy_for_empty",
        what: "`evict()` returns `false` while the resource is being mapped, evicted or dropped",
        edits: &[(
            STATE,
            "            _ if is_device(word) => Ok(true),\n            _ => Err(EBUSY),\n",
            "            _ if is_device(word) => Ok(true),\n            _ if MUTANT => Ok(false),\n            \
             _ => Err(EBUSY),\n",
        )],
        caught_by: &[
            "devres::evict_kunit::tests::evict_while_being_mapped",
            "devres::evict_kunit::tests::access_while_evicting",
            "devres::evict_kunit::tests::evict_while_unbinding",
        ],
    },
    Mutant {
        name: "evict_leaves_it_revoked",
        what: "an evicted slot does not become empty, and every later access fails",
        edits: &[(
            STATE,
            "        self.abandon();\n",
            "        if MUTANT { self.gone() } else { self.abandon() }\n",
        )],
        caught_by: &[
            "devres::evict_kunit::tests::evict_nothing",
            "devres::evict_kunit::tests::access_while_evicting",
            "devres::evict_kunit::tests::evict_against_everybody",
        ],
    },
];
