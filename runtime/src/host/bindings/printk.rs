// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The log: `printk()` of `kernel/printk/printk.c`, for a test to read.
//!
//! Each message goes to the standard error stream, as libtest captures it. A message also goes to
//! the innermost [`collect_printed()`] of its thread.
//!
//! # Differences from the kernel
//!
//! There is no ring buffer, and no rate or level is filtered. A message that has no newline at its
//! end can be continued by its own thread only.

use core::{
    cell::{Cell, RefCell},
    fmt,
};

/// `KERN_EMERG`: the system is unusable.
pub const KERN_EMERG: &[u8; 3] = b"\x010\0";
/// `KERN_ALERT`: action must be taken immediately.
pub const KERN_ALERT: &[u8; 3] = b"\x011\0";
/// `KERN_CRIT`: critical conditions.
pub const KERN_CRIT: &[u8; 3] = b"\x012\0";
/// `KERN_ERR`: error conditions.
pub const KERN_ERR: &[u8; 3] = b"\x013\0";
/// `KERN_WARNING`: warning conditions.
pub const KERN_WARNING: &[u8; 3] = b"\x014\0";
/// `KERN_NOTICE`: normal but significant conditions.
pub const KERN_NOTICE: &[u8; 3] = b"\x015\0";
/// `KERN_INFO`: informational.
pub const KERN_INFO: &[u8; 3] = b"\x016\0";
/// `KERN_DEBUG`: debug-level messages.
pub const KERN_DEBUG: &[u8; 3] = b"\x017\0";
/// `KERN_CONT`: the message continues one that had no newline at its end.
pub const KERN_CONT: &[u8; 3] = b"\x01c\0";

/// The level of a message that continues no other one: `MESSAGE_LOGLEVEL_DEFAULT`.
const DEFAULT_LEVEL: u8 = 4;

/// A message of the log.
///
/// It prints as `dmesg` shows it, without the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printed {
    level: u8,
    text: String,
}

impl Printed {
    /// Returns the level, from 0 (`KERN_EMERG`) to 7 (`KERN_DEBUG`).
    pub fn level(&self) -> u8 {
        self.level
    }

    /// Returns the text with its prefix, and without the newline at its end.
    ///
    /// The prefix is the device's name for `dev_*!`, and the name of the crate for `pr_*!`.
    pub fn text(&self) -> &str {
        self.text.strip_suffix('\n').unwrap_or(&self.text)
    }
}

impl fmt::Display for Printed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

std::thread_local! {
    /// The messages that the collectors of this thread have gathered, innermost last.
    static COLLECTED: RefCell<Vec<Vec<Printed>>> = const { RefCell::new(Vec::new()) };

    /// Whether the last message of this thread has no newline at its end.
    static OPEN: Cell<bool> = const { Cell::new(false) };
}

/// Adds a message to the log. Stands for `_printk()` and `_dev_printk()`.
///
/// `level` is one of the `KERN_*` constants. [`KERN_CONT`] continues the last message of the
/// thread, and is a message of its own if that has ended.
pub(crate) fn printk(level: &[u8; 3], text: String) {
    let continues = level == KERN_CONT && OPEN.get();

    if OPEN.replace(!text.ends_with('\n')) && !continues {
        eprintln!();
    }
    eprint!("{text}");

    // A thread that is ending has no collectors any more.
    let _ = COLLECTED.try_with(|stack| {
        let mut stack = stack.borrow_mut();
        let Some(innermost) = stack.last_mut() else {
            return;
        };
        match innermost.last_mut() {
            Some(last) if continues => last.text.push_str(&text),
            _ => innermost.push(Printed {
                level: match level[1] {
                    digit @ b'0'..=b'7' => digit - b'0',
                    _ => DEFAULT_LEVEL,
                },
                text,
            }),
        }
    });
}

/// Runs `f` and returns its result with every message that this thread printed meanwhile, oldest
/// first.
///
/// Collectors nest, and the innermost one gets the message. Other threads, also those that `f`
/// starts, are not covered, so tests may run in parallel. The messages go to stderr as well.
///
/// # Examples
///
/// ```
/// use kernel::{prelude::*, testing};
///
/// let gpu = testing::TestDevice::new(c"gpu0")?.device();
/// let ((), printed) = testing::collect_printed(|| {
///     dev_err!(gpu, "no firmware, status {:#x}\n", 16);
/// });
///
/// assert_eq!(printed[0].text(), "gpu0: no firmware, status 0x10");
/// assert_eq!(printed[0].level(), 3);
/// # Ok::<(), Error>(())
/// ```
pub fn collect_printed<R>(f: impl FnOnce() -> R) -> (R, Vec<Printed>) {
    let collector = Collector::new();
    let result = f();

    (result, collector.take())
}

/// One level of the stack of collectors, which is removed also if the closure panics.
struct Collector;

impl Collector {
    fn new() -> Self {
        // A message from before is not continued in here.
        if OPEN.replace(false) {
            eprintln!();
        }
        COLLECTED.with(|stack| stack.borrow_mut().push(Vec::new()));
        Self
    }

    fn take(self) -> Vec<Printed> {
        COLLECTED.with(|stack| {
            stack
                .borrow_mut()
                .last_mut()
                .map(core::mem::take)
                .unwrap_or_default()
        })
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        COLLECTED.with(|stack| stack.borrow_mut().pop());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{panic::catch_unwind, thread};

    fn texts(f: impl FnOnce()) -> Vec<(u8, String)> {
        let ((), printed) = collect_printed(f);
        printed
            .iter()
            .map(|message| (message.level(), message.to_string()))
            .collect()
    }

    #[test]
    fn a_message_is_continued_until_its_newline() {
        let printed = texts(|| {
            printk(KERN_INFO, "one".into());
            printk(KERN_CONT, " two".into());
            printk(KERN_CONT, " three\n".into());
            printk(KERN_CONT, "four\n".into());
            printk(KERN_ERR, "five".into());
            printk(KERN_DEBUG, "six\n".into());
        });

        let expected = [
            (6, "one two three"),
            (DEFAULT_LEVEL, "four"),
            (3, "five"),
            (7, "six"),
        ];
        assert_eq!(printed.len(), expected.len(), "{printed:?}");
        for (printed, (level, text)) in printed.iter().zip(expected) {
            assert_eq!((printed.0, &*printed.1), (level, text));
        }
    }

    #[test]
    fn collectors_nest_and_are_for_one_thread() {
        let outer = texts(|| {
            printk(KERN_INFO, "before\n".into());
            let inner = texts(|| printk(KERN_INFO, "inside\n".into()));
            assert_eq!(inner, [(6, "inside".to_owned())]);

            thread::spawn(|| printk(KERN_INFO, "elsewhere\n".into()))
                .join()
                .unwrap();
            printk(KERN_INFO, "after\n".into());
        });

        assert_eq!(outer, [(6, "before".into()), (6, "after".into())]);
    }

    #[test]
    fn a_panic_ends_the_collector() {
        assert!(catch_unwind(|| collect_printed(|| panic!("other"))).is_err());
        assert!(COLLECTED.with(|stack| stack.borrow().is_empty()));
    }
}
