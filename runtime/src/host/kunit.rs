// SPDX-License-Identifier: Apache-2.0 OR MIT

//! KUnit: suites of tests that run in a kernel and on the host.
//!
//! Stands for `rust/kernel/kunit.rs`. C header: `include/kunit/test.h`.
//!
//! On the host `#[kunit_tests(suite)]` makes each test one of Rust's. A test fails if it returns an
//! error or panics. A test that says that it is skipped, as in a kernel, passes; the reason is
//! printed.

use crate::{
    bindings,
    fmt, //
};
use std::cell::{
    Cell,
    RefCell, //
};

std::thread_local! {
    /// Whether a test runs on this thread.
    static RUNNING: Cell<bool> = const { Cell::new(false) };
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

/// What a test may return.
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
    RUNNING.get()
}

/// Runs a test. `#[kunit_tests]` makes calls of it.
///
/// Prints a line that says how the test has ended, for `cargo xtask kernel compare`.
///
/// # Panics
///
/// If the test fails.
#[doc(hidden)]
pub fn run<R: TestResult>(suite: &str, test: &str, body: fn() -> R) {
    let result = bindings::kunit::with(|| {
        RUNNING.set(true);
        let is_ok = is_test_result_ok(body());
        RUNNING.set(false);
        is_ok
    });
    let messages = MESSAGES.take();

    match result {
        (true, None) => println!("# kunit: {suite}.{test} ok"),
        (true, Some(why)) => println!("# kunit: {suite}.{test} ok # SKIP {why}"),
        (false, _) => {
            println!("# kunit: {suite}.{test} not ok");
            panic!("{suite}.{test} has failed\n{messages}");
        }
    }
}
