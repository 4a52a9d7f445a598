// SPDX-License-Identifier: Apache-2.0 OR MIT

//! KUnit: suites of tests that run in a kernel and on the host.
//!
//! Stands for `rust/kernel/kunit.rs`. C header: `include/kunit/test.h`.
//!
//! On the host `#[kunit_tests(suite)]` makes each test one of Rust's. A test fails if it returns an
//! error or panics. A test that says that it is skipped, as in a kernel, passes; the reason is
//! printed.

use crate::{bindings, fmt};
use std::cell::RefCell;

std::thread_local! {
    /// The messages of the running test.
    static MESSAGES: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Prints a message of a failing test: with the test's other output.
#[doc(hidden)]
pub fn err(args: fmt::Arguments<'_>) {
    MESSAGES.with_borrow_mut(|messages| messages.push_str(&args.to_string()));
}

/// Prints a message of a test.
#[doc(hidden)]
pub fn info(args: fmt::Arguments<'_>) {
    print!("{args}");
}

/// A type that a test may return.
#[doc(hidden)]
pub trait TestResult {
    /// Whether the test has passed.
    fn is_test_result_ok(&self) -> bool;
}

impl TestResult for () {
    fn is_test_result_ok(&self) -> bool {
        true
    }
}

impl<T, E> TestResult for Result<T, E> {
    fn is_test_result_ok(&self) -> bool {
        self.is_ok()
    }
}

/// Returns whether a test has passed, by what it has returned.
#[doc(hidden)]
#[must_use]
pub fn is_test_result_ok(t: impl TestResult) -> bool {
    t.is_test_result_ok()
}

/// Returns whether a test runs on this thread.
#[must_use]
pub fn in_kunit_test() -> bool {
    // SAFETY: There are no requirements.
    let test = unsafe { bindings::kunit_get_current_test() };
    !test.is_null()
}

/// Runs a test. `#[kunit_tests]` makes calls of it.
///
/// Prints a line that says how the test has ended, for `cargo xtask kernel compare`.
///
/// # Panics
///
/// If the test fails.
#[doc(hidden)]
pub fn run<R: TestResult>(suite: &'static str, test: &'static str, body: fn() -> R) {
    let running = Running { suite, test };
    let (is_ok, why) = bindings::kunit::with(|| is_test_result_ok(body()));
    let messages = MESSAGES.take();
    assert!(is_ok, "{suite}.{test} has failed\n{messages}");
    running.passed(why.as_deref());
}

/// A test that runs, and fails unless it is said that it has passed.
struct Running {
    suite: &'static str,
    test: &'static str,
}

impl Running {
    /// It has passed, or was skipped for this reason.
    fn passed(self, skipped: Option<&str>) {
        let skipped = skipped.map_or(String::new(), |why| format!(" # SKIP {why}"));
        self.ended(&format!("ok{skipped}"));
        core::mem::forget(self);
    }

    fn ended(&self, how: &str) {
        println!("# kunit: {}.{} {how}", self.suite, self.test);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.ended("not ok");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{devres::kunit_skip::skip, prelude::*};
    use std::panic::catch_unwind;

    #[test]
    fn a_test_fails_by_an_error_or_a_panic() {
        run("suite", "passes", || assert!(in_kunit_test()));
        run("suite", "passes", || -> Result { Ok(()) });
        let failed = catch_unwind(|| {
            run("suite", "fails", || -> Result {
                err(fmt!("it was {}\n", 5));
                Err(EIO)
            });
        });
        let message = failed.unwrap_err().downcast::<String>().unwrap();
        assert_eq!(*message, "suite.fails has failed\nit was 5\n");
        assert!(catch_unwind(|| run::<()>("suite", "panics", || panic!("no"))).is_err());
        assert!(!in_kunit_test());
    }

    #[test]
    fn a_test_is_skipped() {
        let (result, why) = bindings::kunit::with(|| skip(c"not today"));

        assert_eq!(result, Ok(()));
        assert_eq!(why.as_deref(), Some("not today"));
        // No test runs.
        assert_eq!(skip(c"not today"), Err(EINVAL));
    }
}
