// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Panics that wait until the protocol is in a state to unwind from.
//!
//! Has no counterpart in the kernel, which does not unwind. On the host, reports of the model and
//! the author's destructors may panic in the middle of the protocol. A *section* collects such
//! panics, and the first one goes on when the section ends. Where a thread can neither go on nor
//! unwind, [`give_up()`] says why and aborts.
//!
//! It uses thread-locals without destructors only, so that it also works while a thread ends.

use crate::types::ScopeGuard;
use core::{
    cell::Cell,
    num::NonZero,
    panic::Location,
    ptr,
    sync::atomic::{AtomicUsize, Ordering},
};
use std::{
    any::Any,
    collections::BTreeMap,
    io::{self, Write},
    panic::{catch_unwind, resume_unwind, AssertUnwindSafe},
    process,
    sync::{Mutex, PoisonError},
    thread,
};

/// The payload of a panic.
type Payload = Box<dyn Any + Send>;

/// A part of the protocol that has to be run to its end.
struct Section {
    first: Cell<Option<Payload>>,
}

impl Section {
    /// Keeps a panic until the section ends, unless there is an earlier one.
    fn keep(&self, panic: Payload) {
        let first = self.first.take();
        self.first.set(Some(first.unwrap_or(panic)));
    }
}

/// A resource that this thread is dropping.
struct Dropping {
    slot: NonZero<usize>,
    /// The resource whose destructor led here; null for the first one.
    outer: *const Dropping,
}

thread_local! {
    /// The section that this thread is in; null outside of sections, and in the author's code.
    static SECTION: Cell<*const Section> = const { Cell::new(ptr::null()) };

    /// The resource that this thread is dropping, the innermost one.
    static DROPPING: Cell<*const Dropping> = const { Cell::new(ptr::null()) };
}

/// Panics that go on when a slot is dropped, by the address of the slot.
static POSTPONED: Mutex<BTreeMap<NonZero<usize>, Payload>> = Mutex::new(BTreeMap::new());

/// The number of entries of [`POSTPONED`].
static POSTPONED_COUNT: AtomicUsize = AtomicUsize::new(0);

/// Calls `f` with the section that this thread is in.
fn with_section<R>(f: impl FnOnce(Option<&Section>) -> R) -> R {
    let section = SECTION.get();

    // SAFETY: A section is on the stack of this thread below the caller: `collect()` removes it
    // from `SECTION` before it returns.
    f(unsafe { section.as_ref() })
}

/// Runs `f` in a section, and returns the first panic with its result.
fn collect<R>(f: impl FnOnce() -> R) -> (R, Option<Payload>) {
    let section = Section {
        first: Cell::new(None),
    };
    let outer = SECTION.replace(&raw const section);
    let interrupted = ScopeGuard::new(|| {
        give_up("a panic has left a part of the protocol that has to be run to its end")
    });

    let result = f();

    interrupted.dismiss();
    SECTION.set(outer);
    (result, section.first.take())
}

/// Goes on with a panic that had to wait.
///
/// In a section, the panic waits for the end of that. A thread that is panicking already goes on
/// with its own panic.
pub(crate) fn go_on(panic: Payload) {
    let panic = with_section(|section| match section {
        Some(section) => {
            section.keep(panic);
            None
        }
        None => Some(panic),
    });

    if let Some(panic) = panic {
        if !thread::panicking() {
            resume_unwind(panic);
        }
    }
}

/// Runs `f` to its end. Reports, and panics of resources that are dropped, wait until then.
pub(crate) fn to_the_end<R>(f: impl FnOnce() -> R) -> R {
    let (result, first) = collect(f);

    if let Some(panic) = first {
        go_on(panic);
    }
    result
}

/// As [`to_the_end()`], but a panic goes on when [`resume()`] is called for `slot`.
///
/// A destructor retires all slots of its object before any part of the object is dropped. A panic
/// of the first slot must not keep the others from being retired.
pub(crate) fn postponed(slot: NonZero<usize>, f: impl FnOnce()) {
    let ((), first) = collect(f);

    if let Some(panic) = first {
        let mut postponed = POSTPONED.lock().unwrap_or_else(PoisonError::into_inner);
        postponed.entry(slot).or_insert(panic);
        POSTPONED_COUNT.store(postponed.len(), Ordering::Relaxed);
    }
}

/// Goes on with the panic that [`postponed()`] has kept for `slot`, if there is one.
pub(crate) fn resume(slot: NonZero<usize>) {
    // The owner that drops the slot has called `postponed()` itself, or is ordered with the thread
    // that has. So it sees its own entry counted.
    if POSTPONED_COUNT.load(Ordering::Relaxed) == 0 {
        return;
    }

    let panic = {
        let mut postponed = POSTPONED.lock().unwrap_or_else(PoisonError::into_inner);
        let panic = postponed.remove(&slot);
        POSTPONED_COUNT.store(postponed.len(), Ordering::Relaxed);
        panic
    };
    if let Some(panic) = panic {
        go_on(panic);
    }
}

/// Runs `f`, which drops the resource of `slot` by the author's code. Inside of it, reports panic
/// as usual, and the section keeps the panic that `f` ends with.
pub(crate) fn contained(slot: NonZero<usize>, f: impl FnOnce()) {
    let section = SECTION.replace(ptr::null());
    let dropping = Dropping {
        slot,
        outer: DROPPING.get(),
    };
    DROPPING.set(&raw const dropping);

    let result = catch_unwind(AssertUnwindSafe(f));

    DROPPING.set(dropping.outer);
    SECTION.set(section);
    if let Err(panic) = result {
        go_on(panic);
    }
}

/// Says that this thread is about to wait until the resource of `slot` is dropped.
///
/// If the thread itself is dropping that resource, it would wait for itself. It can then neither go
/// on nor unwind, as the resource's destructor is still running.
#[track_caller]
pub(crate) fn before_waiting_for(slot: NonZero<usize>) {
    let mut dropping = DROPPING.get();

    // SAFETY: The entries are on the stack of this thread below the caller: `contained()` removes
    // each one before it returns.
    while let Some(resource) = unsafe { dropping.as_ref() } {
        if resource.slot == slot {
            fatal(
                "deadlock: a thread waits until a resource is dropped, and is dropping that \
                 resource itself; does the resource drop its own owner, or unbind its own device?",
            );
        }
        dropping = resource.outer;
    }
}

/// Reports something that the kernel would warn about.
///
/// # Panics
///
/// At once, or at the end of the section that the thread is in. A thread that is panicking already
/// prints the report and goes on.
#[track_caller]
pub(crate) fn report(text: String) {
    if thread::panicking() {
        eprintln!("{text}");
        return;
    }

    let place = Location::caller();
    let kept = with_section(|section| {
        section.is_some_and(|section| {
            // The payload of a panic that is resumed is not printed.
            eprintln!("{text}\n    at {place}");
            section.keep(Box::new(text.clone()));
            true
        })
    });
    if !kept {
        panic!("{text}");
    }
}

/// Reports that the thread would wait for itself for ever.
///
/// # Panics
///
/// If the thread can unwind: it is not in a section, and not panicking already. Otherwise the
/// process is aborted.
#[track_caller]
pub(crate) fn fatal(text: &str) -> ! {
    if thread::panicking() || with_section(|section| section.is_some()) {
        give_up(text);
    }

    panic!("{text}");
}

/// Says why the thread can neither go on nor unwind, and aborts the process.
///
/// Writes to the standard error stream itself, which a test harness does not capture.
#[track_caller]
fn give_up(text: &str) -> ! {
    let place = Location::caller();
    let _ = writeln!(
        io::stderr(),
        "{text}\n    at {place}\nthis thread can neither go on nor unwind: aborting"
    );

    process::abort();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(panic: Payload) -> String {
        match panic.downcast::<String>() {
            Ok(text) => *text,
            Err(panic) => (*panic.downcast_ref::<&str>().unwrap()).into(),
        }
    }

    fn panics(f: impl FnOnce()) -> Option<String> {
        catch_unwind(AssertUnwindSafe(f)).err().map(text)
    }

    const SLOT: NonZero<usize> = NonZero::new(0x1000).unwrap();
    const OTHER: NonZero<usize> = NonZero::new(0x2000).unwrap();

    #[test]
    fn a_report_panics_at_once_outside_of_sections() {
        assert_eq!(panics(|| report("first".into())).unwrap(), "first");
    }

    #[test]
    fn the_first_panic_goes_on_at_the_end() {
        let mut ended = false;
        let found = panics(|| {
            to_the_end(|| {
                contained(SLOT, || panic!("first"));
                report("second".into());
                contained(SLOT, || panic!("third"));
                ended = true;
            });
        });

        assert_eq!(found.unwrap(), "first");
        assert!(ended);
        assert!(panics(|| to_the_end(|| ())).is_none());
    }

    #[test]
    fn sections_nest() {
        let mut ended = false;
        let found = panics(|| {
            to_the_end(|| {
                to_the_end(|| report("inner".into()));
                ended = true;
            });
        });

        assert_eq!(found.unwrap(), "inner");
        assert!(ended);
    }

    #[test]
    fn reports_in_the_authors_code_panic_there() {
        let mut went_on = false;
        let found = panics(|| {
            to_the_end(|| {
                contained(SLOT, || {
                    report("in the destructor".into());
                    went_on = true;
                });
            });
        });

        assert_eq!(found.unwrap(), "in the destructor");
        assert!(!went_on);
    }

    #[test]
    fn a_postponed_panic_goes_on_with_its_slot() {
        assert!(panics(|| postponed(SLOT, || contained(SLOT, || panic!("first")))).is_none());
        assert!(panics(|| resume(OTHER)).is_none());
        assert_eq!(panics(|| resume(SLOT)).unwrap(), "first");
        assert!(panics(|| resume(SLOT)).is_none());
    }

    #[test]
    fn a_thread_that_panics_goes_on_with_its_own_panic() {
        struct DropsAResource;

        impl Drop for DropsAResource {
            fn drop(&mut self) {
                to_the_end(|| contained(SLOT, || panic!("second")));
                report("third".into());
            }
        }

        let found = panics(|| {
            let _resource = DropsAResource;
            panic!("first");
        });
        assert_eq!(found.unwrap(), "first");
    }

    #[test]
    fn waiting_for_another_thread_is_fine() {
        contained(SLOT, || before_waiting_for(OTHER));
        before_waiting_for(SLOT);
        let found = panics(|| contained(SLOT, || before_waiting_for(SLOT)));
        assert!(found.unwrap().starts_with("deadlock: "));
    }
}
