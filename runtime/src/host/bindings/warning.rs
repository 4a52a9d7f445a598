// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `WARN()` of `include/asm-generic/bug.h`, for a test to trip over.
//!
//! A thread is in one of three modes, found out at the time of each report:
//!
//! - it is inside [`collect_warnings`]: the text is kept, and the caller goes on as the kernel does
//!   after a `WARN()`;
//! - it unwinds from a panic already: the text goes to the standard error stream, since a second
//!   panic would abort;
//! - otherwise: it panics with the text, at once or when the protocol allows: `unwind::report()`.

use crate::unwind;
use std::{cell::RefCell, mem};

std::thread_local! {
    /// The texts that the collectors of this thread have gathered, innermost last.
    static COLLECTED: RefCell<Vec<Vec<String>>> = const { RefCell::new(Vec::new()) };
}

/// Reports something that the kernel would `WARN()` about, see the module documentation for what
/// happens then.
///
/// `text` names the device or the object that it is about, and has no "WARNING:" in front.
///
/// # Panics
///
/// Unless this thread is inside [`collect_warnings`], or panicking already.
#[track_caller]
pub fn warn(text: impl Into<String>) {
    let mut text = Some(text.into());

    // A thread that is ending has no collectors any more.
    let _ = COLLECTED.try_with(|stack| {
        if let Some(innermost) = stack.borrow_mut().last_mut() {
            innermost.extend(text.take());
        }
    });

    let Some(text) = text else { return };

    unwind::report(format!("WARNING: {text}"));
}

/// Runs `f` and returns its result with every warning that this thread raised meanwhile, oldest
/// first.
///
/// This is how a test looks at broken code to its end. Collectors nest, the innermost one gets the
/// text; other threads, also those that `f` starts, are not covered. When `f` panics, what was
/// collected is printed and the panic goes on.
///
/// # Examples
///
/// ```
/// use kernel::{bindings, testing};
///
/// let (sum, warnings) = testing::collect_warnings(|| {
///     bindings::warn("gpu0: suspicious");
///     1 + 1
/// });
///
/// assert_eq!(sum, 2);
/// assert_eq!(warnings, ["gpu0: suspicious"]);
/// ```
pub fn collect_warnings<R>(f: impl FnOnce() -> R) -> (R, Vec<String>) {
    let mut collector = Collector::new();
    let result = f();

    (result, collector.take())
}

/// Runs a C function to its end before anything that it found wrong is reported.
///
/// Two things depend on this. A lock that the function took is released again. The frames between a
/// report and the place that raises it may include a callback of type `extern "C" fn`, through
/// which a panic cannot pass.
#[track_caller]
pub(crate) fn report_afterwards<R>(f: impl FnOnce() -> R) -> R {
    let (result, warnings) = collect_warnings(f);

    if !warnings.is_empty() {
        // One report each for a collector further out, which counts them; one panic for all
        // otherwise.
        if collecting() {
            warnings.into_iter().for_each(warn);
        } else {
            warn(warnings.join("\nWARNING: "));
        }
    }

    result
}

/// Whether a collector of this thread would get the next warning.
fn collecting() -> bool {
    COLLECTED
        .try_with(|stack| !stack.borrow().is_empty())
        .unwrap_or(false)
}

/// One level of the stack of collectors.
///
/// # Invariants
///
/// While `armed`, the innermost entry of `COLLECTED` is this collector's.
struct Collector {
    armed: bool,
}

impl Collector {
    fn new() -> Self {
        let armed = COLLECTED
            .try_with(|stack| stack.borrow_mut().push(Vec::new()))
            .is_ok();

        // INVARIANT: Pushed just now. Collectors are made in this file only, by functions that drop
        // them in reverse order.
        Self { armed }
    }

    fn take(&mut self) -> Vec<String> {
        // INVARIANT: Disarmed before the entry is taken away.
        if !mem::take(&mut self.armed) {
            return Vec::new();
        }

        COLLECTED
            .try_with(|stack| stack.borrow_mut().pop())
            .ok()
            .flatten()
            .unwrap_or_default()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        // Only an unwinding closure leaves something behind.
        for text in self.take() {
            eprintln!("WARNING: {text}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{panic, thread};

    #[test]
    #[should_panic(expected = "WARNING: gpu0: broken")]
    fn panics_by_default() {
        warn("gpu0: broken");
    }

    #[test]
    fn collectors_nest_and_end() {
        let (((), inner), outer) = collect_warnings(|| {
            warn("before");
            let inner = collect_warnings(|| warn("inside"));
            warn("after");
            inner
        });

        assert_eq!(inner, ["inside"]);
        assert_eq!(outer, ["before", "after"]);
        assert!(panic::catch_unwind(|| warn("alone")).is_err());
    }

    #[test]
    fn a_panic_ends_the_collector() {
        assert!(panic::catch_unwind(|| collect_warnings(|| panic!("other"))).is_err());
        assert!(!collecting());
    }

    #[test]
    fn another_thread_is_not_collected() {
        let (other, warnings) =
            collect_warnings(|| thread::spawn(|| warn("elsewhere")).join().is_err());

        assert!(other);
        assert!(warnings.is_empty());
    }

    #[test]
    fn no_second_panic_while_unwinding() {
        struct WarnOnDrop;

        impl Drop for WarnOnDrop {
            fn drop(&mut self) {
                warn("while unwinding");
            }
        }

        let caught = panic::catch_unwind(|| {
            let _guard = WarnOnDrop;
            panic!("first");
        });
        assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"first"));
    }

    #[test]
    fn a_report_waits_for_the_end() {
        let mut finished = false;
        let caught = panic::catch_unwind(panic::AssertUnwindSafe(|| {
            report_afterwards(|| {
                warn("first");
                warn("second");
                finished = true;
            });
        }));

        let text = caught.unwrap_err();
        let text = text.downcast_ref::<String>().map(String::as_str);
        assert_eq!(text, Some("WARNING: first\nWARNING: second"));
        assert!(finished);

        let ((), warnings) = collect_warnings(|| {
            report_afterwards(|| {
                warn("first");
                warn("second");
            });
        });
        assert_eq!(warnings, ["first", "second"]);
    }
}
