// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Skips a KUnit test that cannot run in this kernel.

use crate::{
    bindings,
    prelude::*, //
};
use core::ptr::NonNull;

/// Marks the running test as skipped. The test then returns the result of this function.
///
/// # Errors
///
/// `EINVAL` if this thread runs no test.
pub(crate) fn skip(why: &CStr) -> Result {
    // SAFETY: Any thread may ask for its current test.
    let test = unsafe { bindings::kunit_get_current_test() };
    let test = NonNull::new(test).ok_or(EINVAL)?.as_ptr();

    // SAFETY: This thread runs `test`, and meanwhile no other code sets its status.
    unsafe { (*test).status = bindings::kunit_status_KUNIT_SKIPPED };

    // SAFETY: This thread runs `test`, and the borrow ends with this function.
    let comment = unsafe { &mut (*test).status_comment };
    let len = comment.len() - 1;
    for (to, from) in comment[..len].iter_mut().zip(why.to_bytes_with_nul()) {
        *to = *from;
    }

    Ok(())
}
