// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The mutants: copies of the protocol with one fault each, and the property that has to find the
//! fault. The edits of a mutant must each fit in exactly one place of the source.

/// A broken copy of the protocol.
pub(crate) struct Mutant {
    /// The fault.
    pub(crate) name: &'static str,
    /// The property that finds it.
    pub(crate) caught_by: &'static str,
    /// The file, the text that is replaced, and the new text.
    pub(crate) edits: &'static [(&'static str, &'static str, &'static str)],
}

pub(crate) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "relaxed_publication",
        caught_by: "two_populators",
        edits: &[(
            "state.rs",
            "self.0.store(dev.as_raw(), Release);",
            "self.0.store(dev.as_raw(), Relaxed);",
        )],
    },
    Mutant {
        name: "relaxed_reader",
        caught_by: "two_populators",
        edits: &[(
            "state.rs",
            "sys::is_acquired(&self.0, dev.as_raw())",
            "self.0.load(Relaxed) == dev.as_raw()",
        )],
    },
    Mutant {
        name: "relaxed_guard",
        caught_by: "guard_against_populate",
        edits: &[(
            "state.rs",
            "is_device(self.0.load(Acquire))",
            "is_device(self.0.load(Relaxed))",
        )],
    },
    Mutant {
        name: "registry_comes_late",
        caught_by: "guard_against_populate",
        edits: &[
            (
                "slot.rs",
                "                unsafe { *self.registry.get() = Some(registry) };\n",
                "                drop(registry);\n",
            ),
            (
                "slot.rs",
                "            let registry = unsafe { &*slot.registry.get() }.as_ref();\n",
                "            let found = super::table::find(dev)?;\n            let registry = found.as_ref();\n",
            ),
            (
                "slot.rs",
                "        if let Err(error) = linked {\n",
                "        unsafe { *slot.registry.written() = super::table::find(dev)? };\n        if let Err(error) = linked {\n",
            ),
        ],
    },
    Mutant {
        name: "failure_is_final",
        caught_by: "failed_then_retried",
        edits: &[
            (
                "state.rs",
                "self.0.store(EMPTY, Release);",
                "self.0.store(RETIRED, Release);",
            ),
        ],
    },
    Mutant {
        name: "mark_is_left_out",
        caught_by: "access_against_unbind",
        edits: &[
            (
                "registry.rs",
                "        while list.mark_some() {\n            drop(list);\n            list = self.list.lock();\n        }\n",
                "",
            ),
            (
                "state.rs",
                "            if !is_device(seen) && seen != REVOKED {\n                return false;\n            }\n",
                "            if !is_device(seen) && seen != REVOKED {\n                return false;\n            }\n            return true;\n",
            ),
            (
                "state.rs",
                "        self.0.store(GONE, Relaxed);\n",
                "",
            ),
        ],
    },
    Mutant {
        name: "last_one_is_marked",
        caught_by: "guard_of_the_first",
        edits: &[(
            "registry.rs",
            "            self.unmarked = older;\n        }\n\n        !self.unmarked.is_null()\n",
            "            let _ = older;\n            self.unmarked = ptr::null();\n        }\n\n        \
             !self.unmarked.is_null()\n",
        )],
    },
    Mutant {
        name: "refuses_too_late",
        caught_by: "guard_of_a_late_one",
        edits: &[
            (
                "registry.rs",
                "        list.binding = Binding::Revoked;\n        list.unmarked = list.last;\n",
                "        list.unmarked = list.last;\n",
            ),
            (
                "registry.rs",
                "        let mut list = self.list.lock();\n        while let Some(header)",
                "        let mut list = self.list.lock();\n        list.binding = Binding::Revoked;\n        \
                 while let Some(header)",
            ),
        ],
    },
    Mutant {
        name: "no_grace_period",
        caught_by: "guard_against_unbind",
        edits: &[("registry.rs", "            rcu::synchronize_rcu();\n", "")],
    },
    Mutant {
        name: "grace_period_before_marking",
        caught_by: "guard_against_unbind",
        edits: &[
            (
                "registry.rs",
                "            rcu::synchronize_rcu();\n",
                "",
            ),
            (
                "registry.rs",
                "        let mut list = self.list.lock();\n        list.binding = Binding::Revoked;\n",
                "        rcu::synchronize_rcu();\n        let mut list = self.list.lock();\n        list.binding = Binding::Revoked;\n",
            ),
        ],
    },
    Mutant {
        name: "announce_without_barrier",
        caught_by: "guard_against_unbind",
        edits: &[
            (
                "registry.rs",
                "        // reader has set the flag.\n        smp_mb(Full);\n",
                "",
            ),
        ],
    },
    Mutant {
        name: "barrier_only_for_the_first",
        caught_by: "two_guards_against_unbind",
        edits: &[
            (
                "registry.rs",
                "            self.tried.store(true, Relaxed);\n",
                "            self.tried.store(true, Relaxed);\n            smp_mb(Full);\n",
            ),
            (
                "registry.rs",
                "        // reader has set the flag.\n        smp_mb(Full);\n",
                "",
            ),
        ],
    },
    Mutant {
        name: "release_without_barrier",
        caught_by: "guard_against_unbind",
        edits: &[(
            "registry.rs",
            "        // ORDERING: Pairs with the barrier in `announce()`.\n        smp_mb(Full);\n",
            "",
        )],
    },
    Mutant {
        name: "guard_without_second_look",
        caught_by: "guard_against_unbind",
        edits: &[(
            "state.rs",
            "        is_device(self.0.load(Relaxed))\n",
            "        true\n",
        )],
    },
    Mutant {
        name: "free_does_not_wait",
        caught_by: "free_against_unbind",
        edits: &[
            (
                "registry.rs",
                "        while state.is_dropping() {\n            unwind::before_waiting_for(header.addr());\n            self.wait(&mut list);\n        }\n",
                "        let _ = (&mut list, state);\n",
            ),
        ],
    },
    Mutant {
        name: "unbind_does_not_wait",
        caught_by: "free_against_unbind",
        edits: &[
            (
                "registry.rs",
                "                unwind::before_waiting_for(header.addr());\n                self.wait(&mut list);\n            }\n        }\n    }\n",
                "                return;\n            }\n        }\n    }\n",
            ),
        ],
    },
    Mutant {
        name: "overtakes_an_owner",
        caught_by: "order_while_an_owner_drops",
        edits: &[
            (
                "registry.rs",
                "        // Without the lock: a drop may release the last reference to another owner on this device.\n",
                "        let mut list = self.list.lock();\n        unsafe { list.unlink(header.as_ptr()) };\n        drop(list);\n",
            ),
            (
                "registry.rs",
                "        // SAFETY: The state has not changed, so by the invariants of `Header` it is on the list.\n        unsafe { list.unlink(header.as_ptr()) };\n",
                "",
            ),
        ],
    },
    Mutant {
        name: "skips_an_owner",
        caught_by: "order_beside_an_owner_that_drops",
        edits: &[
            (
                "registry.rs",
                "                unwind::before_waiting_for(header.addr());\n                self.wait(&mut list);\n            }\n        }\n    }\n",
                "                let older = NonNull::new(unsafe { Header::older(header.as_ptr()) }.load(Relaxed));\n                match older {\n                    Some(older) if unsafe { Header::state(older.as_ptr()) }.claim() => {\n                        drop(list);\n                        list = unsafe { self.drop_claimed(older) };\n                    }\n                    _ => self.wait(&mut list),\n                }\n            }\n        }\n    }\n",
            ),
        ],
    },
    Mutant {
        name: "nobody_is_woken",
        caught_by: "free_against_unbind",
        edits: &[
            (
                "registry.rs",
                "            self.changed.notify_all();\n",
                "",
            ),
        ],
    },
    Mutant {
        name: "mark_overwrites",
        caught_by: "free_against_unbind",
        edits: &[
            (
                "state.rs",
                "            let _ = self.0.cmpxchg(seen, REVOKED, Relaxed);\n",
                "            self.0.store(REVOKED, Relaxed);\n",
            ),
        ],
    },
    Mutant {
        name: "gone_is_seen_without_lock",
        caught_by: "owner_reuses_the_memory",
        edits: &[
            (
                "registry.rs",
                "        // The lock is needed even if the state is already `GONE`: it orders the accesses of unbind\n",
                "        if !state.is_dropping() {\n            return;\n        }\n        // The lock is needed even if the state is already `GONE`: it orders the accesses of unbind\n",
            ),
        ],
    },
    Mutant {
        name: "dying_is_lent_by_free",
        caught_by: "slot_of_a_dying_resource",
        edits: &[
            (
                "state.rs",
                "            if self.0.cmpxchg(seen, DROPPING, Relaxed).is_ok() {\n                return true;\n",
                "            if self.0.cmpxchg(seen, DROPPING, Relaxed).is_ok() {\n                self.0.store(seen, Relaxed);\n                return true;\n",
            ),
        ],
    },
    Mutant {
        name: "dying_is_empty",
        caught_by: "slot_of_a_dying_resource",
        edits: &[
            (
                "registry.rs",
                "        // Without the lock: a drop may release the last reference to another owner on this device.\n",
                "        unsafe { Header::state(header.as_ptr()) }.reset();\n",
            ),
        ],
    },
    Mutant {
        name: "not_prepared",
        caught_by: "lent_to_a_callback",
        edits: &[(
            "registry.rs",
            "        Self::of(dev)?;\n        Ok(())\n",
            "        let _ = dev;\n        Ok(())\n",
        )],
    },
    Mutant {
        name: "both_drop",
        caught_by: "free_against_unbind",
        edits: &[
            (
                "registry.rs",
                "        while state.is_dropping() {\n            unwind::before_waiting_for(header.addr());\n            self.wait(&mut list);\n        }\n",
                "        while state.is_dropping() {\n            self.wait(&mut list);\n        }\n        drop(list);\n        unsafe { Header::drop_resource(header) };\n",
            ),
        ],
    },
    Mutant {
        name: "both_claim",
        caught_by: "free_against_unbind",
        edits: &[
            (
                "state.rs",
                "            if self.0.cmpxchg(seen, DROPPING, Relaxed).is_ok() {\n                return true;\n            }\n",
                "            self.0.store(DROPPING, Relaxed);\n            return true;\n",
            ),
        ],
    },
    Mutant {
        name: "unlink_without_lock",
        caught_by: "neighbours_against_each_other",
        edits: &[
            (
                "registry.rs",
                "        // SAFETY: The state has not changed, so by the invariants of `Header` it is on the list.\n        unsafe { list.unlink(header.as_ptr()) };\n",
                "        let shared: *mut List = &mut *list;\n        drop(list);\n        unsafe { (*shared).unlink(header.as_ptr()) };\n        let list = self.list.lock();\n",
            ),
        ],
    },
    Mutant {
        name: "unlink_forgets_the_end",
        caught_by: "two_slots_last_first",
        edits: &[("registry.rs", "            self.last = older;\n", "")],
    },
    Mutant {
        name: "unlink_forgets_a_neighbour",
        caught_by: "two_slots_first_first",
        edits: &[(
            "registry.rs",
            "            unsafe { Header::older(newer) }.store(older, Relaxed);\n",
            "",
        )],
    },
    Mutant {
        name: "oldest_goes_first",
        caught_by: "order",
        edits: &[
            (
                "registry.rs",
                "        while let Some(header) = NonNull::new(list.last.cast_mut()) {\n",
                "        loop {\n            let mut first = list.last;\n            while !first.is_null() && !unsafe { Header::older(first) }.load(Relaxed).is_null() {\n                first = unsafe { Header::older(first) }.load(Relaxed);\n            }\n            let Some(header) = NonNull::new(first.cast_mut()) else {\n                break;\n            };\n",
            ),
        ],
    },
    Mutant {
        name: "link_after_unbind",
        caught_by: "unbind_during_populate",
        edits: &[(
            "registry.rs",
            "        if let Binding::Revoked = list.binding {\n            return Err(ENXIO);\n",
            "        if let Binding::Revoked = list.binding {\n",
        )],
    },
    Mutant {
        name: "late_registry_is_trusted",
        caught_by: "first_access_during_unbind",
        edits: &[(
            "registry.rs",
            "            Binding::Unknown if sys::is_bound(dev) => {\n",
            "            Binding::Unknown => {\n",
        ), (
            "registry.rs",
            "            Binding::Unknown => {\n                drop(list);\n",
            "            #[allow(unreachable_patterns)]\n            Binding::Unknown => {\n                \
             drop(list);\n",
        )],
    },
    Mutant {
        name: "late_registry_is_left",
        caught_by: "first_access_during_unbind",
        edits: &[("registry.rs", "                devres_node::withdraw(dev, self);\n", "")],
    },
    Mutant {
        name: "empty_after_unbind",
        caught_by: "rebind",
        edits: &[
            (
                "state.rs",
                "        self.0.store(GONE, Relaxed);\n",
                "        self.0.store(EMPTY, Relaxed);\n",
            ),
        ],
    },
    Mutant {
        name: "drop_with_lock_held",
        caught_by: "drop_of_another_owner",
        edits: &[
            (
                "registry.rs",
                "        // Without the lock: a drop may release the last reference to another owner on this device.\n",
                "        let mut list = self.list.lock();\n",
            ),
            (
                "registry.rs",
                "        let mut list = self.list.lock();\n        // SAFETY: The state has not changed, so by the invariants of `Header` it is on the list.\n",
                "        // SAFETY: The state has not changed, so by the invariants of `Header` it is on the list.\n",
            ),
        ],
    },
    Mutant {
        name: "both_populate",
        caught_by: "two_devices",
        edits: &[(
            "state.rs",
            "            if self.0.cmpxchg(EMPTY, ours, Acquire).is_ok() {\n",
            "            if self.0.load(Acquire) == EMPTY {\n                self.0.store(ours, Relaxed);\n",
        )],
    },
    Mutant {
        name: "relaxed_claim",
        caught_by: "two_devices_and_a_failure",
        edits: &[(
            "state.rs",
            "self.0.cmpxchg(EMPTY, ours, Acquire)",
            "self.0.cmpxchg(EMPTY, ours, Relaxed)",
        )],
    },
    Mutant {
        name: "relaxed_abandonment",
        caught_by: "two_devices_and_a_failure",
        edits: &[(
            "state.rs",
            "self.0.store(EMPTY, Release);",
            "self.0.store(EMPTY, Relaxed);",
        )],
    },
    Mutant {
        name: "relaxed_look",
        caught_by: "a_second_registry",
        edits: &[(
            "state.rs",
            "        // populated.\n        let word = self.0.load(Acquire);\n",
            "        // populated.\n        let word = self.0.load(Relaxed);\n",
        )],
    },
    Mutant {
        name: "waits_for_another_registry",
        caught_by: "two_devices",
        edits: &[(
            "state.rs",
            "            _ if word.addr() - tag(word) != registry.addr() => Found::BusyElsewhere,\n",
            "",
        )],
    },
    Mutant {
        name: "population_wakes_nobody",
        caught_by: "two_populators",
        edits: &[(
            "registry.rs",
            ".publish(dev);\n        self.wake(&list);\n",
            ".publish(dev);\n",
        )],
    },
    Mutant {
        name: "failure_wakes_nobody",
        caught_by: "dropped_then_retried",
        edits: &[(
            "registry.rs",
            "state.abandon();\n        self.wake(&list);\n",
            "state.abandon();\n",
        )],
    },
    Mutant {
        name: "failure_is_kept",
        caught_by: "dropped_then_retried",
        edits: &[(
            "slot.rs",
            "                unsafe { registry.abandon(slot.header()) };\n",
            "                let _ = &registry;\n",
        )],
    },
    Mutant {
        name: "own_populate_is_not_looked_for",
        caught_by: "access_in_its_own_initialiser",
        edits: &[
            (
                "registry.rs",
                "            && self.older.load(Relaxed).addr() == sys::current_task().get()\n",
                "            && self.older.load(Relaxed).addr() == 0\n",
            ),
        ],
    },
    Mutant {
        name: "task_is_not_noted",
        caught_by: "access_in_its_own_initialiser",
        edits: &[(
            "registry.rs",
            "        this.older.store(task, Relaxed);\n",
            "",
        )],
    },
    Mutant {
        name: "every_populate_is_its_own",
        caught_by: "two_populators",
        edits: &[(
            "registry.rs",
            "            && self.older.load(Relaxed).addr() == sys::current_task().get()\n",
            "",
        )],
    },
    Mutant {
        name: "task_is_kept",
        caught_by: "failed_then_retried",
        edits: &[(
            "registry.rs",
            "        this.older.store(ptr::null_mut(), Relaxed);\n",
            "",
        )],
    },
    Mutant {
        name: "task_is_kept_by_a_reset",
        caught_by: "forgotten_then_retried",
        edits: &[(
            "registry.rs",
            "        self.older.store(ptr::null_mut(), Relaxed);\n",
            "",
        )],
    },
    Mutant {
        name: "unlink_forgets_the_mark",
        caught_by: "two_slots_first_first",
        edits: &[(
            "registry.rs",
            "        if ptr::eq(self.unmarked, header) {\n            self.unmarked = older;\n        }\n",
            "",
        )],
    },
    Mutant {
        name: "stays_in_the_table",
        caught_by: "rebind",
        edits: &[("registry.rs", "        let _ours = table::remove(self);\n", "")],
    },
    Mutant {
        name: "group_refuses",
        caught_by: "prepare_against_a_group",
        edits: &[(
            "registry.rs",
            "                Err(error) if error == ENXIO && sys::is_bound(dev) => (),\n",
            "",
        )],
    },
    Mutant {
        name: "leaves_the_table_late",
        caught_by: "first_access_while_a_group_is_released",
        edits: &[
            ("registry.rs", "        let _ours = table::remove(self);\n", ""),
            (
                "registry.rs",
                "                unwind::before_waiting_for(header.addr());\n                self.wait(&mut list);\n            }\n        }\n    }\n",
                "                self.wait(&mut list);\n            }\n        }\n        drop(list);\n        \
                 let _ours = table::remove(self);\n    }\n",
            ),
        ],
    },
    Mutant {
        name: "two_registries",
        caught_by: "two_populators",
        edits: &[(
            "table.rs",
            "    if let Some(there) = find_in(&chain, device) {\n",
            "    if let (Some(there), true) = (find_in(&chain, device), false) {\n",
        )],
    },
    Mutant {
        name: "found_without_lock",
        caught_by: "two_devices_in_one_bucket",
        edits: &[(
            "table.rs",
            "    Ok(find_in(&chain, device).cloned())\n",
            "    let shared: *const Chain = &*chain;\n    drop(chain);\n    \
             Ok(find_in(unsafe { &*shared }, device).cloned())\n",
        )],
    },
    Mutant {
        name: "forgets_the_next_one",
        caught_by: "two_devices_in_one_bucket",
        edits: &[(
            "table.rs",
            "            return mem::replace(there, next);\n",
            "            drop(next);\n            return there.take();\n",
        )],
    },
    Mutant {
        name: "any_registry_of_the_bucket",
        caught_by: "two_devices_in_one_bucket",
        edits: &[(
            "table.rs",
            "        if registry.link.device == device {\n",
            "        if registry.link.device == device || device != 0 {\n",
        )],
    },
    Mutant {
        name: "pin_without_barrier",
        caught_by: "pin_against_evict",
        edits: &[("pins.rs", "        sys::smp_mb_after_full();\n", "")],
    },
    Mutant {
        name: "evict_without_barrier",
        caught_by: "pin_against_evict",
        edits: &[(
            "registry.rs",
            "        // resource is being evicted, or this thread sees the pin.\n        smp_mb(Full);\n",
            "",
        )],
    },
    Mutant {
        name: "pins_are_counted_first",
        caught_by: "pin_against_evict",
        edits: &[
            (
                "registry.rs",
                "        // INVARIANT: The header is on the list, and the resource is initialised, or the caller's.\n",
                "        let is_unused = pins.is_only(&hold);\n",
            ),
            (
                "registry.rs",
                "        let is_unused = pins.is_only(&hold);\n        // From",
                "        // From",
            ),
        ],
    },
    Mutant {
        name: "pins_are_not_counted",
        caught_by: "pin_against_evict",
        edits: &[("pins.rs", "        self.count.load(Acquire) == 1\n", "        true\n")],
    },
    Mutant {
        name: "pin_is_taken_last",
        caught_by: "pin_against_evict",
        edits: &[(
            "evictable.rs",
            "        let hold = self.pins.pin().ok()?;\n\n        self.lazy.get(dev).map(|value| LazyPin::new(value, hold))\n",
            "        let value = self.lazy.get(dev)?;\n\n        Some(LazyPin::new(value, self.pins.pin().ok()?))\n",
        )],
    },
    Mutant {
        name: "relaxed_unpin",
        caught_by: "pin_against_evict",
        edits: &[(
            "pins.rs",
            "        self.0.count.fetch_sub(1, Release);\n",
            "        self.0.count.fetch_sub(1, Relaxed);\n",
        )],
    },
    Mutant {
        name: "relaxed_count",
        caught_by: "pin_against_evict",
        edits: &[(
            "pins.rs",
            "        self.count.load(Acquire) == 1\n",
            "        self.count.load(Relaxed) == 1\n",
        )],
    },
    Mutant {
        name: "evicted_is_refused",
        caught_by: "pin_against_evict",
        edits: &[(
            "state.rs",
            "            _ => Found::Busy,\n",
            "            _ if tag(word) == EVICTING => Found::Refused,\n            _ => Found::Busy,\n",
        )],
    },
    Mutant {
        name: "eviction_wakes_nobody",
        caught_by: "pin_against_evict",
        edits: &[(
            "registry.rs",
            "        state.evicted();\n        self.wake(&list);\n",
            "        state.evicted();\n        let _ = &list;\n",
        )],
    },
    Mutant {
        name: "both_evict",
        caught_by: "evict_against_evict",
        edits: &[
            (
                "state.rs",
                "            _ if is_device(word) => Ok(true),\n            _ => Err(EBUSY),\n",
                "            _ => Ok(true),\n",
            ),
        ],
    },
    Mutant {
        name: "evict_takes_no_pin",
        caught_by: "evict_and_map_against_evict",
        edits: &[
            (
                "slot.rs",
                "        let hold = pins.pin()?;\n        if !self.header.state.can_evict()? {\n",
                "        if !self.header.state.can_evict()? {\n",
            ),
            (
                "slot.rs",
                "        let forget = || {\n",
                "        let hold = pins.pin()?;\n        let forget = || {\n",
            ),
        ],
    },
    Mutant {
        name: "populates_without_a_pin",
        caught_by: "evict_against_populate",
        edits: &[(
            "evictable.rs",
            "        Ok(LazyPin::new(vacant.populate(init)?, hold))\n",
            "        let pins = hold.0;\n        drop(hold);\n        let value = vacant.populate(init)?;\n\n        Ok(LazyPin::new(value, pins.pin()?))\n",
        ), ("pins.rs", "pub(super) struct Hold<'a>(&'a Pins);\n", "pub(super) struct Hold<'a>(pub(super) &'a Pins);\n")],
    },
    Mutant {
        name: "relaxed_eviction",
        caught_by: "evict_for_another_device",
        edits: &[(
            "state.rs",
            "self.0.store(EMPTY, Release);",
            "self.0.store(EMPTY, Relaxed);",
        )],
    },
    Mutant {
        name: "relaxed_look_to_evict",
        caught_by: "evict_against_populate",
        edits: &[(
            "state.rs",
            "        // ORDERING: Pairs with the release in `publish()`.\n        let word = self.0.load(Acquire);\n",
            "        let word = self.0.load(Relaxed);\n",
        )],
    },
    Mutant {
        name: "eviction_is_not_cancelled",
        caught_by: "eviction_that_is_cancelled",
        edits: &[(
            "registry.rs",
            "            state.cancel_eviction(dev);\n",
            "            let _ = dev;\n",
        )],
    },
    Mutant {
        name: "empty_while_evicting",
        caught_by: "evict_for_another_device",
        edits: &[(
            "state.rs",
            "        self.0.store(tagged(registry, EVICTING), Relaxed);\n",
            "        let _ = registry;\n        self.0.store(EMPTY, Relaxed);\n",
        )],
    },
    Mutant {
        name: "waits_for_the_eviction_of_another_registry",
        caught_by: "evict_for_another_device",
        edits: &[(
            "state.rs",
            "            _ if word.addr() - tag(word) != registry.addr() => Found::BusyElsewhere,\n",
            "            _ if tag(word) == EVICTING => Found::Busy,\n            _ if word.addr() - tag(word) != registry.addr() => Found::BusyElsewhere,\n",
        )],
    },
    Mutant {
        name: "evict_after_unbind_began",
        caught_by: "evict_against_unbind",
        edits: &[(
            "state.rs",
            "            _ if is_device(word) => Ok(true),\n            _ => Err(EBUSY),\n",
            "            _ if is_device(word) || word == REVOKED || word == DROPPING => Ok(true),\n            _ => Err(EBUSY),\n",
        )],
    },
    Mutant {
        name: "mark_overwrites_an_eviction",
        caught_by: "evict_against_unbind",
        edits: &[(
            "state.rs",
            "        if is_device(seen) {\n            // An owner",
            "        if is_device(seen) || tag(seen) == EVICTING {\n            // An owner",
        )],
    },
    Mutant {
        name: "overtakes_an_eviction",
        caught_by: "order_while_evicting",
        edits: &[
            (
                "registry.rs",
                "        // Without the lock: a drop may release the last reference to another owner on this device.\n",
                "        let mut list = self.list.lock();\n        unsafe { list.unlink(header.as_ptr()) };\n        drop(list);\n",
            ),
            (
                "registry.rs",
                "        // SAFETY: The state has not changed, so by the invariants of `Header` it is on the list.\n        unsafe { list.unlink(header.as_ptr()) };\n",
                "",
            ),
        ],
    },
    Mutant {
        name: "own_eviction_is_not_looked_for",
        caught_by: "slot_of_an_evicted_resource",
        edits: &[(
            "pins.rs",
            "        self.evicting.load(Relaxed) == sys::current_task().get()\n",
            "        false\n",
        )],
    },
    Mutant {
        name: "every_eviction_is_its_own",
        caught_by: "pin_against_evict",
        edits: &[(
            "pins.rs",
            "        self.evicting.load(Relaxed) == sys::current_task().get()\n",
            "        self.evicting.load(Relaxed) != 0\n",
        )],
    },
];
