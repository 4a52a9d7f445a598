// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Resources that are released when the driver of their device is unbound.
//!
//! Stands for `rust/kernel/devres.rs`. C header: `include/linux/device/devres.h`.

mod lt;

pub use self::lt::{DevresGuard, DevresLt};

use crate::{
    alloc::Flags,
    bindings,
    device::{Bound, Device},
    error::to_result,
    prelude::*,
    protocol::place,
    revocable::{Revocable, RevocableGuard},
    sync::{aref::ARef, rcu, Arc, Completion},
    types::{Opaque, ScopeGuard},
    unwind,
};
use core::{any::type_name, cell::RefCell};

/// The part that the [`Devres`] and the list of the device share.
#[repr(C)]
#[pin_data]
struct Inner<T> {
    /// The first field: the code casts a pointer to it to a pointer to the struct.
    #[pin]
    node: Opaque<bindings::devres_node>,
    #[pin]
    data: Revocable<T>,
    /// Done when the data has been dropped, on whichever side.
    #[pin]
    revocation: Completion,
}

std::thread_local! {
    /// The addresses of what this thread is just revoking, the innermost last.
    static REVOKING: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// Accesses the list of what this thread is revoking, unless the thread is ending and has none.
fn revoking<R>(f: impl FnOnce(&mut Vec<usize>) -> R) -> Option<R> {
    REVOKING.try_with(|list| f(&mut list.borrow_mut())).ok()
}

impl<T> Inner<T> {
    /// Has `revoke` revoke and drop the data, or waits until the other side has done that.
    ///
    /// Returns whether `revoke` did it.
    #[track_caller]
    fn revoke_or_wait(&self, revoke: impl FnOnce(&Revocable<T>) -> bool) -> bool {
        let me = (&raw const *self).addr();
        let nested = revoking(|list| {
            let nested = list.contains(&me);
            list.push(me);
            nested
        });
        let leave = ScopeGuard::new(|| {
            revoking(|list| list.pop());
        });

        // Also if dropping the data panics: it is not there any more then, and nobody drops it.
        let complete = ScopeGuard::new(|| self.revocation.complete_all());
        if revoke(&self.data) {
            return true;
        }
        complete.dismiss();
        drop(leave);

        if nested == Some(true) {
            unwind::fatal(&format!(
                "deadlock: dropping what a Devres<{}> holds drops the Devres itself, which then \
                 waits for that drop",
                type_name::<T>()
            ));
        }
        self.revocation.wait_for_completion();
        false
    }
}

/// A resource that belongs to a device, and is dropped with the `Devres` or when the driver is
/// unbound, whichever comes first.
///
/// # Unbind
///
/// Resources are dropped in the reverse order of their registration, before unbind returns. Users
/// that came by [`try_access()`](Self::try_access) are waited for, by an RCU grace period for each
/// `Devres`.
///
/// # Drop
///
/// The resource is dropped at once, without a grace period: nobody can be using it. If the driver
/// is being unbound on another thread, each side waits until the resource has been dropped by the
/// one that was first. So it may sleep.
///
/// If dropping the resource drops the `Devres`, it would wait for itself. In the kernel it does,
/// and here it panics.
///
/// # Examples
///
/// ```
/// use kernel::{devres::Devres, prelude::*, testing::TestDevice};
///
/// struct Registers([u32; 4]);
///
/// let mut gpu = TestDevice::new(c"gpu0")?;
/// let bound = gpu.bind()?;
///
/// let registers = Devres::new(&bound, Registers([0, 1, 2, 3]))?;
/// assert_eq!(registers.access(&bound)?.0[2], 2);
///
/// bound.unbind();
/// assert!(registers.try_access().is_none());
/// # Ok::<(), Error>(())
/// ```
pub struct Devres<T: Send + 'static> {
    dev: ARef<Device>,
    inner: Arc<Inner<T>>,
}

// SAFETY: Only the node is not `Send` by itself. It is used by the device's list, under its lock,
// or by the code that took it off the list. The data may be dropped on any thread, as `T: Send`.
unsafe impl<T: Send> Send for Devres<T> {}

// SAFETY: The node is used under the list's lock, or by the code that took it off the list. A
// shared `Devres` gives out `&T`, and `T: Sync`.
unsafe impl<T: Send + Sync> Sync for Devres<T> {}

impl<T: Send + 'static> Devres<T> {
    /// Initialises a resource and registers it with its device.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, in which case `data` is not run, or what `data` returns. Nothing is registered
    /// then.
    ///
    /// # Context
    ///
    /// May sleep.
    #[track_caller]
    pub fn new<E>(dev: &Device<Bound>, data: impl PinInit<T, E>) -> Result<Self>
    where
        Error: From<E>,
    {
        let inner = Arc::pin_init::<Error>(
            try_pin_init!(Inner {
                node <- Opaque::ffi_init(|node| {
                    // SAFETY: `node` is valid for writes.
                    unsafe {
                        bindings::devres_node_init(
                            node,
                            Some(Self::devres_node_release),
                            Some(Self::devres_node_free_node),
                        )
                    };
                }),
                data <- Revocable::new(data),
                revocation <- Completion::new(),
            }),
            GFP_KERNEL,
        )?;

        // The list's own reference, which `devres_node_free_node()` or `drop()` takes back.
        let node = inner.clone().into_raw().cast_mut().cast();
        // SAFETY:
        // - `dev` is valid.
        // - `node` was initialised above, as the first field of `Inner`, and there is a reference
        //   count for as long as it is on the list.
        // - The functions can be called on any thread, as `T: Send`.
        unsafe { bindings::devres_node_add(dev.as_raw(), node) };

        Ok(Self {
            dev: dev.into(),
            inner,
        })
    }

    unsafe extern "C-unwind" fn devres_node_release(
        _dev: *mut bindings::device,
        node: *mut bindings::devres_node,
    ) {
        // CAST: `node` is the first field of an `Inner<T>`.
        // SAFETY: The list owns a reference to it until `devres_node_free_node()`.
        let inner = unsafe { &*node.cast::<Inner<T>>() };

        inner.revoke_or_wait(Revocable::revoke);
    }

    unsafe extern "C-unwind" fn devres_node_free_node(node: *mut bindings::devres_node) {
        // CAST: `node` is the first field of an `Inner<T>`.
        // SAFETY: `new()` has got it from `into_raw()`, and the list gives up its reference.
        drop(unsafe { Arc::from_raw(node.cast::<Inner<T>>()) });
    }

    #[inline]
    fn data(&self) -> &Revocable<T> {
        &self.inner.data
    }

    /// Takes the node off the device's list, and returns whether it was there.
    fn remove_node(&self) -> bool {
        let node = Arc::as_ptr(&self.inner).cast_mut().cast();

        // SAFETY: The device is valid, as `self` owns a reference to it.
        unsafe { bindings::devres_node_remove(self.dev.as_raw(), node) }
    }

    /// Returns the device that the resource belongs to.
    #[inline]
    pub fn device(&self) -> &Device {
        &self.dev
    }

    /// Returns the resource, for as long as the device is known to be bound.
    ///
    /// It costs a comparison, and takes no lock and no read-side section.
    ///
    /// # Errors
    ///
    /// `EINVAL` if `dev` is not the device that the resource belongs to.
    ///
    /// # Panics
    ///
    /// If the driver was unbound since the resource was registered, and `dev` is a later binding of
    /// the same device: "use after revoke". The resource is gone. Linux 7.3 does not notice, and
    /// returns a reference to it; the panic stands for what KASAN would then report.
    ///
    /// # Context
    ///
    /// Does not sleep.
    ///
    /// # Examples
    ///
    /// ```should_panic
    /// use kernel::{devres::Devres, prelude::*, testing::TestDevice};
    ///
    /// let mut gpu = TestDevice::new(c"gpu0").unwrap();
    ///
    /// let bound = gpu.bind().unwrap();
    /// let value = Devres::new(&bound, 5).unwrap();
    /// bound.unbind();
    ///
    /// let rebound = gpu.bind().unwrap();
    /// let _ = value.access(&rebound); // use after revoke
    /// ```
    #[inline]
    #[track_caller]
    pub fn access<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a T> {
        if self.dev.as_raw() != dev.as_raw() {
            return Err(EINVAL);
        }
        if self.data().is_revoked() {
            self.use_after_revoke();
        }

        // SAFETY:
        // - The data has not been revoked: that was checked.
        // - It is not revoked during `'a`: `dev`, which the node is registered with, is bound for
        //   as long. Nor is it dropped, as `self` is borrowed.
        Ok(unsafe { self.data().access() })
    }

    /// The report of [`access()`](Self::access).
    #[cold]
    #[track_caller]
    fn use_after_revoke(&self) -> ! {
        panic!(
            "use after revoke: what this Devres<{}> held was dropped when the driver of `{}` was \
             unbound, and the device has been bound again since",
            type_name::<T>(),
            self.dev.name().to_string_lossy(),
        );
    }

    /// Returns the resource, with an RCU read-side section that keeps it, or [`None`] after the
    /// driver was unbound: see [`Revocable::try_access()`].
    ///
    /// # Context
    ///
    /// Does not sleep, and nothing may until the guard is dropped.
    #[inline]
    pub fn try_access(&self) -> Option<RevocableGuard<'_, T>> {
        self.data().try_access()
    }

    /// Runs `f` on the resource in an RCU read-side section, or returns [`None`] after the driver
    /// was unbound: see [`Revocable::try_access_with()`].
    ///
    /// # Context
    ///
    /// Does not sleep, and `f` must not.
    #[inline]
    pub fn try_access_with<R, F: FnOnce(&T) -> R>(&self, f: F) -> Option<R> {
        self.data().try_access_with(f)
    }

    /// Returns the resource for as long as the caller's RCU read-side section lasts, or [`None`]
    /// after the driver was unbound: see [`Revocable::try_access_with_guard()`].
    ///
    /// # Context
    ///
    /// Does not sleep.
    #[inline]
    pub fn try_access_with_guard<'a>(&'a self, guard: &'a rcu::Guard) -> Option<&'a T> {
        self.data().try_access_with_guard(guard)
    }
}

impl<T: Send + 'static> Drop for Devres<T> {
    fn drop(&mut self) {
        let revoked = self.inner.revoke_or_wait(|data| {
            // SAFETY: Every user of the data has borrowed `self`, so there is none.
            unsafe { data.revoke_nosync() }
        });

        // Otherwise the release callback has taken the node off the list.
        if revoked && self.remove_node() {
            // SAFETY: The pointer is the one that `new()` has got from `into_raw()`, for the list;
            // as the node was on the list, nobody else takes that reference back.
            drop(unsafe { Arc::from_raw(Arc::as_ptr(&self.inner)) });
        }
    }
}

/// Initialises a value that is kept until the driver is unbound, and dropped then.
///
/// For registrations and the like, which nobody needs to reach. Stands for
/// `devm_add_action_or_reset()`.
///
/// # Unbind
///
/// The value is dropped, in the reverse order of registration.
///
/// The first call in a binding also gives the slots of the device their place, as
/// [`prepare()`](crate::devres::prepare) does. At unbind the value is dropped first, and its drop
/// waits for its callbacks. So a callback may keep what an accessor returned until the callback
/// returns. The first call allocates the registry of the slots and its devres node, also for a
/// driver that has no slots.
///
/// A devres group that is released before unbind must not contain the first call: all slots of the
/// device would be revoked with the group. Call `prepare()` before opening the group.
///
/// # Errors
///
/// `ENOMEM`, or what `data` returns. Nothing is registered then; if the value was initialised, it
/// has been dropped.
///
/// # While unbind is under way
///
/// The call succeeds as it does without slots. A value that the driver's `remove()` registers is
/// dropped by the same unbind. A value that a devres callback registers is not: the next binding is
/// refused until the device is gone, as in Linux 7.3. A device whose slots have no place yet gets
/// none then, and a first access fails with `ENXIO`.
///
/// # Context
///
/// May sleep, whatever `flags` are: they are those of the value's own memory.
///
/// # Examples
///
/// ```
/// use kernel::{devres, prelude::*, testing::TestDevice};
///
/// /// Says when it is unregistered.
/// struct Registration;
///
/// impl Drop for Registration {
///     fn drop(&mut self) {
///         println!("unregistered");
///     }
/// }
///
/// let mut gpu = TestDevice::new(c"gpu0")?;
/// let bound = gpu.bind()?;
/// devres::register(&bound, Registration, GFP_KERNEL)?;
/// # Ok::<(), Error>(())
/// ```
#[track_caller]
pub fn register<T, E>(dev: &Device<Bound>, data: impl PinInit<T, E>, flags: Flags) -> Result
where
    T: Send + 'static,
    Error: From<E>,
{
    place::take(dev)?;

    let data = KBox::pin_init(data, flags)?;
    // SAFETY: The value stays where it is until it is dropped, by `register_foreign()`.
    register_foreign(dev, unsafe { Pin::into_inner_unchecked(data) })
}

/// Drops the box when the device is unbound.
pub(crate) fn register_foreign<T: Send + 'static>(dev: &Device<Bound>, data: KBox<T>) -> Result {
    unsafe extern "C-unwind" fn drop_box<T>(data: *mut c_void) {
        // SAFETY: `data` comes from `into_raw()` below, for this one call.
        drop(unsafe { KBox::<T>::from_raw(data.cast()) });
    }

    let data = KBox::into_raw(data);

    // SAFETY: `dev` is valid. The box is given up for the action, and as `T: Send` it may be
    // dropped on any thread.
    to_result(unsafe {
        bindings::devm_add_action_or_reset(dev.as_raw(), drop_box::<T>, data.cast())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        sync::{
            atomic::{Acquire, Atomic, Relaxed, Release},
            SetOnce,
        },
        testing::{fail_nth, rcu_grace_periods, TestDevice},
    };
    use std::{
        panic::{catch_unwind, AssertUnwindSafe},
        sync::{mpsc, Barrier, Mutex},
        thread,
        time::Duration,
    };

    fn report(f: impl FnOnce()) -> String {
        let report = catch_unwind(AssertUnwindSafe(f)).expect_err("no failure");
        match report.downcast::<String>() {
            Ok(text) => *text,
            Err(report) => (*report.downcast_ref::<&str>().unwrap()).into(),
        }
    }

    /// Sends its number when it is dropped.
    struct Tell(u32, mpsc::Sender<u32>);

    impl Drop for Tell {
        fn drop(&mut self) {
            let _ = self.1.send(self.0);
        }
    }

    #[test]
    fn unbind_drops_in_reverse_order() {
        let (tx, rx) = mpsc::channel();
        let mut dev = TestDevice::new(c"dev0").unwrap();
        let bound = dev.bind().unwrap();

        let first = Devres::new(&bound, Tell(1, tx.clone())).unwrap();
        register(&bound, Tell(2, tx.clone()), GFP_KERNEL).unwrap();
        let third = Devres::new(&bound, Tell(3, tx.clone())).unwrap();
        drop(Devres::new(&bound, Tell(4, tx.clone())).unwrap());
        assert_eq!(rx.try_iter().collect::<Vec<_>>(), [4]);

        bound.unbind();
        assert_eq!(rx.try_iter().collect::<Vec<_>>(), [3, 2, 1]);
        drop((first, third));
        assert_eq!(rx.try_iter().count(), 0);
    }

    #[test]
    fn access_checks_the_device_and_the_binding() {
        let mut dev = TestDevice::new(c"dev1").unwrap();
        let mut other = TestDevice::new(c"dev2").unwrap();
        let other = other.bind().unwrap();

        let bound = dev.bind().unwrap();
        let value = Devres::new(&bound, 5).unwrap();
        assert_eq!(value.access(&bound), Ok(&5));
        assert_eq!(value.access(&other), Err(EINVAL));
        assert_eq!(value.try_access().map(|v| *v), Some(5));
        assert_eq!(value.try_access_with_guard(&rcu::read_lock()), Some(&5));
        assert_eq!(value.device().name(), c"dev1");

        bound.unbind();
        let bound = dev.bind().unwrap();
        assert_eq!(value.device().as_raw(), bound.as_raw());
        assert!(value.try_access().is_none());
        assert!(value.try_access_with(|_| ()).is_none());
        let report = report(|| _ = value.access(&bound));
        assert!(
            report.starts_with("use after revoke: ") && report.contains("`dev1`"),
            "{report}"
        );
        assert_eq!(value.access(&other), Err(EINVAL));
    }

    #[test]
    fn unbind_waits_for_users_and_drop_waits_for_unbind() {
        static STEP: Atomic<u32> = Atomic::new(0);

        fn reach(step: u32) {
            while STEP.load(Acquire) < step {
                thread::yield_now();
            }
        }

        /// Takes its time to be dropped.
        struct Slow;
        impl Drop for Slow {
            fn drop(&mut self) {
                STEP.store(2, Release);
                thread::sleep(Duration::from_millis(30));
                STEP.store(3, Release);
            }
        }

        let mut dev = TestDevice::new(c"dev3").unwrap();
        let bound = dev.bind().unwrap();

        thread::scope(|s| {
            let value = Devres::new(&bound, Slow).unwrap();
            let guard = value.try_access();
            s.spawn(move || bound.unbind());
            thread::sleep(Duration::from_millis(20));
            assert_eq!(STEP.load(Acquire), 0, "dropped under a user");
            drop(guard);

            reach(2);
            drop(value);
            assert_eq!(STEP.load(Acquire), 3, "drop did not wait for unbind");
        });
    }

    #[test]
    fn unbind_waits_for_drop() {
        static STEP: Atomic<u32> = Atomic::new(0);

        /// Takes its time to be dropped.
        struct Slow;
        impl Drop for Slow {
            fn drop(&mut self) {
                STEP.store(1, Release);
                thread::sleep(Duration::from_millis(30));
                STEP.store(2, Release);
            }
        }

        let mut dev = TestDevice::new(c"dev4").unwrap();
        let bound = dev.bind().unwrap();
        let value = Devres::new(&bound, Slow).unwrap();

        thread::scope(|s| {
            s.spawn(move || drop(value));
            while STEP.load(Acquire) < 1 {
                thread::yield_now();
            }
            bound.unbind();
            assert_eq!(STEP.load(Acquire), 2, "unbind did not wait for drop");
        });
    }

    #[test]
    fn both_at_once_drop_it_once() {
        let dropped = std::sync::Arc::new(());

        for _ in 0..300 {
            let mut dev = TestDevice::new(c"dev5").unwrap();
            let bound = dev.bind().unwrap();
            let value = Devres::new(&bound, dropped.clone()).unwrap();

            let start = Barrier::new(2);
            thread::scope(|s| {
                s.spawn(|| {
                    start.wait();
                    drop(value);
                    assert_eq!(std::sync::Arc::strong_count(&dropped), 1);
                });
                start.wait();
                bound.unbind();
                assert_eq!(std::sync::Arc::strong_count(&dropped), 1);
            });
        }
    }

    #[test]
    fn drop_does_not_wait_for_a_grace_period() {
        let mut dev = TestDevice::new(c"dev6").unwrap();
        let bound = dev.bind().unwrap();
        let value = Devres::new(&bound, 5).unwrap();

        // With a reader around, a grace period could not end.
        let _guard = rcu::read_lock();
        drop(value);
    }

    #[test]
    fn unbind_waits_for_a_grace_period_for_each() {
        let mut dev = TestDevice::new(c"dev7").unwrap();
        let bound = dev.bind().unwrap();
        let _values: Vec<_> = (0..5).map(|i| Devres::new(&bound, i).unwrap()).collect();

        let before = rcu_grace_periods();
        bound.unbind();
        assert!(rcu_grace_periods() - before >= 5);
    }

    #[test]
    fn a_failure_leaves_nothing_behind() {
        let (tx, rx) = mpsc::channel();
        let mut dev = TestDevice::new(c"dev8").unwrap();
        let bound = dev.bind().unwrap();

        let fault = fail_nth(1);
        assert_eq!(Devres::new(&bound, 5).err(), Some(ENOMEM));
        drop(fault);
        assert_eq!(
            Devres::<u8>::new(&bound, Err::<_, Error>(EIO)).err(),
            Some(EIO)
        );

        // The first three allocations are the slots' registry, its node, and the value. The
        // registry stays, so the next call allocates the value and its action only.
        for nth in [1, 2, 3, 2] {
            let fault = fail_nth(nth);
            let result = register(&bound, Tell(9, tx.clone()), GFP_KERNEL);
            assert_eq!(result, Err(ENOMEM));
            assert!(fault.tripped());
            assert_eq!(rx.try_iter().collect::<Vec<_>>(), [9]);
        }
        bound.unbind();
        assert_eq!(rx.try_iter().count(), 0);
    }

    #[test]
    fn a_resource_that_panics_does_not_hang_anybody() {
        /// Fails to be dropped.
        struct Bad;
        impl Drop for Bad {
            fn drop(&mut self) {
                panic!("bad");
            }
        }

        let (tx, rx) = mpsc::channel();
        let mut dev = TestDevice::new(c"dev9").unwrap();

        // Unbind is first.
        let bound = dev.bind().unwrap();
        let first = Devres::new(&bound, Tell(1, tx)).unwrap();
        let bad = Devres::new(&bound, Bad).unwrap();
        assert_eq!(report(|| bound.unbind()), "bad");
        assert_eq!(rx.try_iter().collect::<Vec<_>>(), [1]);
        drop((bad, first));

        // Drop is first.
        let bound = dev.bind().unwrap();
        let bad = Devres::new(&bound, Bad).unwrap();
        assert_eq!(report(|| drop(bad)), "bad");
        bound.unbind();
    }

    #[test]
    fn waiting_for_oneself_is_loud() {
        /// Owns the `Devres` it is in.
        struct Owner(std::sync::Arc<Mutex<Option<Devres<Owner>>>>);
        impl Drop for Owner {
            fn drop(&mut self) {
                let own = self.0.lock().unwrap().take();
                drop(own);
            }
        }

        let mut dev = TestDevice::new(c"dev10").unwrap();
        let bound = dev.bind().unwrap();

        let place = std::sync::Arc::new(Mutex::new(None));
        let owner = Devres::new(&bound, Owner(place.clone())).unwrap();
        *place.lock().unwrap() = Some(owner);

        assert!(report(|| bound.unbind()).starts_with("deadlock: "));
    }

    #[test]
    fn the_device_outlives_its_resources() {
        let value = {
            let mut dev = TestDevice::new(c"dev11").unwrap();
            let bound = dev.bind().unwrap();
            Devres::new(&bound, 5).unwrap()
        };
        assert!(value.try_access().is_none());
        assert_eq!(value.device().name(), c"dev11");
    }

    #[test]
    fn shared_between_threads() {
        let mut dev = TestDevice::new(c"dev12").unwrap();
        let bound = dev.bind().unwrap();
        let value = SetOnce::new();
        let hits = Atomic::new(0u32);

        thread::scope(|s| {
            for _ in 0..3 {
                s.spawn(|| {
                    if let Ok(new) = Devres::new(&bound, [7u32; 4]) {
                        value.populate(new);
                    }
                    while value.as_ref().is_none() {
                        thread::yield_now();
                    }
                    let value = value.as_ref().unwrap().access(&bound).unwrap();
                    hits.add(value[3], Relaxed);
                });
            }
        });
        assert_eq!(hits.load(Relaxed), 21);
    }
}
