// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The rows of the contract about what else happens to an object: its own device owns it, a signal
//! comes, or C code calls the functions of `drm_gem_shmem_helper.c` for it.

use super::{
    contract::{
        gpu,
        seen,
        tell,
        told,
        Fleet,
        Outcome,
        Shmem,
        Size, //
    },
    driver::Driver,
    resv::DmaResvGuard,
};
use kernel::{
    bindings, container_of, drm,
    error::from_err_ptr,
    prelude::*,
    sync::aref::ARef,
    testing::{
        self,
        Task, //
    },
};
use std::{
    ptr,
    sync::mpsc,
    thread,
    time::Duration, //
};

/// How long something that has to happen is given.
const LIMIT: Duration = Duration::from_secs(10);

/// The shmem object in an object.
fn raw<O: Shmem>(object: &O) -> *mut bindings::drm_gem_shmem_object {
    // SAFETY: The GEM object in an object is the base of a shmem object.
    unsafe { container_of!(object.as_raw(), bindings::drm_gem_shmem_object, base) }
}

/// Uses of the pages of an object.
fn page_uses<O: Shmem>(object: &O) -> i32 {
    // SAFETY: The object is initialised, and the field is atomic.
    unsafe { &(*raw(object)).pages_use_count }.read()
}

/// Makes the table as C code does, without the accessor.
fn make_table<O: Shmem>(object: &O) -> Result<*mut bindings::sg_table> {
    // SAFETY: The object is initialised.
    from_err_ptr(unsafe { bindings::drm_gem_shmem_get_pages_sgt(raw(object)) })
}

pub(crate) fn data_owns_object<O: Shmem>(size: Size) -> Result<Outcome> {
    let mut gpu = gpu()?;
    let device = gpu.device();
    let (told, hears) = mpsc::channel();

    // A thread of its own: an unbind that waits for itself does not return.
    thread::spawn(move || {
        let result = (|| {
            let bound = gpu.bind()?;
            let Fleet { mut objects, drm } = Fleet::<O>::one(&bound, size)?;
            let object = objects.pop().ok_or(EINVAL)?;
            object.table(&bound)?;
            let raw = drm.as_raw();
            drm.own(object);

            let ((), warnings) = testing::collect_warnings(|| {
                drop(drm);
                bound.unbind();
            });

            // The cycle, which the object by hand is no part of, keeps both.
            // SAFETY: The memory of a DRM device is never given back.
            let refs = unsafe { (*raw).ref_.refcount.read() };
            if refs != 0 {
                // SAFETY: There is a reference.
                let drm = ARef::from(unsafe { drm::Device::<Driver>::from_raw(raw) });
                drop(drm.disown());
            }
            // SAFETY: The memory of a DRM device is never given back.
            let left = unsafe { (*raw).ref_.refcount.read() };
            Ok::<_, Error>((warnings, refs, left))
        })();
        // The row is over, if nobody hears.
        let _ = told.send(result);
    });
    let Ok(result) = hears.recv_timeout(LIMIT) else {
        return seen("unbind HANGS", false, testing::ledger(&device));
    };
    let (warnings, refs, left) = result?;
    let ledger = testing::ledger(&device);

    seen(
        format!(
            "unbound with {}; {refs} references to the DRM device, {left} without the object",
            self::told(&warnings)
        ),
        warnings.is_empty() && refs <= 1 && left == 0 && ledger.unmapped == 1,
        ledger,
    )
}

pub(crate) fn interrupted<O: Shmem>(size: Size) -> Result<Outcome> {
    let mut gpu = gpu()?;
    let bound = gpu.bind()?;
    let fleet = Fleet::<O>::one(&bound, size)?;
    let object: &O = &fleet;

    let (tell_task, tasks) = mpsc::channel();
    let (tell_result, results) = mpsc::channel();
    let first = thread::scope(|scope| {
        let resv = DmaResvGuard::new(object);
        scope.spawn(|| {
            let _ = tell_task.send(Task::current());
            let result = tell(object.table(&bound));
            Task::flush_signals();
            let _ = tell_result.send(result);
        });
        if let Ok(task) = tasks.recv() {
            task.send_signal();
        }
        let first = results.recv_timeout(LIMIT);
        drop(resv);
        first.unwrap_or_else(|_| "WAITS for the lock".to_owned())
    });
    let (uses, mapped) = (page_uses(object), testing::ledger(&bound).mapped);
    let again = tell(object.table(&bound));
    let uses_again = page_uses(object);

    seen(
        format!("{first}, {mapped} mappings, {uses} uses; then {again}, {uses_again} uses"),
        (first.as_str(), uses, mapped) == ("EINTR", 0, 0)
            && (again.as_str(), uses_again) == ("Ok", 1),
        testing::ledger(&bound),
    )
}

pub(crate) fn purge<O: Shmem>(size: Size) -> Result<Outcome> {
    let mut gpu = gpu()?;
    let bound = gpu.bind()?;
    let fleet = Fleet::<O>::one(&bound, size)?;

    let (uses, warnings) = testing::collect_warnings(|| -> Result<_> {
        let object: &O = &fleet;
        make_table(object)?;
        let resv = DmaResvGuard::new(object);
        // SAFETY: The object is initialised, and its reservation lock is held.
        unsafe { bindings::drm_gem_shmem_madvise_locked(raw(object), 1) };
        // SAFETY: As above. Nobody uses the table.
        unsafe { bindings::drm_gem_shmem_purge_locked(raw(object)) };
        drop(resv);
        let purged = page_uses(object);

        object.table(&bound)?;
        let mapped = page_uses(object);
        bound.unbind();
        drop(fleet);
        Ok([purged, mapped])
    });
    let uses = uses?;
    let ledger = testing::ledger(&gpu.device());

    seen(
        format!(
            "{} uses of the pages, {} once mapped; freed with {}",
            uses[0],
            uses[1],
            told(&warnings)
        ),
        uses == [0, 1] && warnings.is_empty() && ledger.unmapped == 2,
        ledger,
    )
}

pub(crate) fn table_of_c<O: Shmem>(size: Size) -> Result<Outcome> {
    let mut gpu = gpu()?;
    let bound = gpu.bind()?;

    let (uses, warnings) = testing::collect_warnings(|| -> Result<_> {
        // The slot stays empty.
        let fleet = Fleet::<O>::one(&bound, size)?;
        make_table(&*fleet)?;
        let made = page_uses(&*fleet);
        drop(fleet);

        // The first access finds the table of C.
        let fleet = Fleet::<O>::one(&bound, size)?;
        let theirs = make_table(&*fleet)?;
        let same = ptr::eq(fleet.table(&bound)?, theirs.cast());
        let found = page_uses(&*fleet);
        bound.unbind();
        drop(fleet);
        Ok([made, if same { found } else { 0 }])
    });
    let uses = uses?;
    let ledger = testing::ledger(&gpu.device());

    seen(
        format!(
            "{} uses of the pages, {} once it is lent; freed with {}",
            uses[0],
            uses[1],
            told(&warnings)
        ),
        uses == [1, 1] && warnings.is_empty() && ledger.live == 0 && ledger.unmapped == 2,
        ledger,
    )
}
