// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Messages for the log: `pr_*!`.
//!
//! Stands for `rust/kernel/print.rs`. C header: `include/linux/printk.h`. Tests read the messages
//! with [`testing::collect_printed()`](crate::testing::collect_printed).
//!
//! The prefix of a message is the name of the crate. In the kernel it is that of the module.

use crate::{
    bindings,
    sync::atomic::{AtomicFlag, Relaxed},
};
use core::fmt;

#[doc(hidden)]
pub mod format_strings {
    //! The levels, under the names that the macros pass.

    pub use crate::bindings::{
        KERN_ALERT as ALERT, KERN_CONT as CONT, KERN_CRIT as CRIT, KERN_DEBUG as DEBUG,
        KERN_EMERG as EMERG, KERN_ERR as ERR, KERN_INFO as INFO, KERN_NOTICE as NOTICE,
        KERN_WARNING as WARNING,
    };
}

/// Adds a message of a crate to the log; called by the macros.
#[doc(hidden)]
pub fn call_printk(level: &[u8; 3], module_path: &str, args: fmt::Arguments<'_>) {
    let name = module_path.split("::").next().unwrap_or(module_path);
    bindings::printk(level, format!("{name}: {args}"));
}

/// Continues a message; called by [`pr_cont!`](crate::pr_cont).
#[doc(hidden)]
pub fn call_printk_cont(args: fmt::Arguments<'_>) {
    bindings::printk(bindings::KERN_CONT, args.to_string());
}

/// The common part of the macros.
#[doc(hidden)]
#[macro_export]
macro_rules! print_macro {
    ($level:path, false, $($arg:tt)+) => {
        $crate::print::call_printk(
            $level,
            ::core::module_path!(),
            $crate::prelude::fmt!($($arg)+),
        )
    };
    ($level:path, true, $($arg:tt)+) => {
        $crate::print::call_printk_cont($crate::prelude::fmt!($($arg)+))
    };
}

/// Prints a message of level 0: the system is unusable. Stands for `pr_emerg()`.
///
/// # Context
///
/// Does not sleep.
///
/// # Examples
///
/// ```
/// use kernel::prelude::*;
///
/// pr_emerg!("temperature is {} degrees\n", 120);
/// ```
#[macro_export]
macro_rules! pr_emerg {
    ($($arg:tt)*) => {
        $crate::print_macro!($crate::print::format_strings::EMERG, false, $($arg)*)
    };
}

/// Prints a message of level 1: action must be taken immediately. Stands for `pr_alert()`.
///
/// # Context
///
/// Does not sleep.
///
/// # Examples
///
/// ```
/// use kernel::prelude::*;
///
/// pr_alert!("fan {} stands still\n", 2);
/// ```
#[macro_export]
macro_rules! pr_alert {
    ($($arg:tt)*) => {
        $crate::print_macro!($crate::print::format_strings::ALERT, false, $($arg)*)
    };
}

/// Prints a message of level 2: a critical condition. Stands for `pr_crit()`.
///
/// # Context
///
/// Does not sleep.
///
/// # Examples
///
/// ```
/// use kernel::prelude::*;
///
/// pr_crit!("ring {} is corrupted\n", 0);
/// ```
#[macro_export]
macro_rules! pr_crit {
    ($($arg:tt)*) => {
        $crate::print_macro!($crate::print::format_strings::CRIT, false, $($arg)*)
    };
}

/// Prints a message of level 3: an error. Stands for `pr_err()`.
///
/// # Context
///
/// Does not sleep.
///
/// # Examples
///
/// ```
/// use kernel::prelude::*;
///
/// pr_err!("probe failed: {:?}\n", ENODEV);
/// ```
#[macro_export]
macro_rules! pr_err {
    ($($arg:tt)*) => {
        $crate::print_macro!($crate::print::format_strings::ERR, false, $($arg)*)
    };
}

/// Prints a message of level 4: a warning. Stands for `pr_warn()`.
///
/// # Context
///
/// Does not sleep.
///
/// # Examples
///
/// ```
/// use kernel::prelude::*;
///
/// pr_warn!("firmware is {} versions old\n", 2);
/// ```
#[macro_export]
macro_rules! pr_warn {
    ($($arg:tt)*) => {
        $crate::print_macro!($crate::print::format_strings::WARNING, false, $($arg)*)
    };
}

/// Prints a message of level 5: normal, but significant. Stands for `pr_notice()`.
///
/// # Context
///
/// Does not sleep.
///
/// # Examples
///
/// ```
/// use kernel::prelude::*;
///
/// pr_notice!("{} of 8 lanes in use\n", 4);
/// ```
#[macro_export]
macro_rules! pr_notice {
    ($($arg:tt)*) => {
        $crate::print_macro!($crate::print::format_strings::NOTICE, false, $($arg)*)
    };
}

/// Prints a message of level 6: informational. Stands for `pr_info()`.
///
/// # Context
///
/// Does not sleep.
///
/// # Examples
///
/// ```
/// use kernel::{prelude::*, testing};
///
/// let ((), printed) = testing::collect_printed(|| pr_info!("{} queues\n", 4));
/// assert!(printed[0].text().ends_with(": 4 queues"));
/// ```
#[macro_export]
macro_rules! pr_info {
    ($($arg:tt)*) => {
        $crate::print_macro!($crate::print::format_strings::INFO, false, $($arg)*)
    };
}

/// Prints a message of level 7, for debugging. Stands for `pr_debug()`.
///
/// In a crate that is built without debug assertions, it prints nothing and its arguments are not
/// evaluated.
///
/// # Context
///
/// Does not sleep.
///
/// # Examples
///
/// ```
/// use kernel::prelude::*;
///
/// pr_debug!("seqno {}\n", 7);
/// ```
#[macro_export]
macro_rules! pr_debug {
    ($($arg:tt)*) => {
        if ::core::cfg!(debug_assertions) {
            $crate::print_macro!($crate::print::format_strings::DEBUG, false, $($arg)*)
        }
    };
}

/// Continues the last message of this thread, if that has no newline at its end. Stands for
/// `pr_cont()`.
///
/// # Context
///
/// Does not sleep.
///
/// # Examples
///
/// ```
/// use kernel::{pr_cont, prelude::*, testing};
///
/// let ((), printed) = testing::collect_printed(|| {
///     pr_info!("rings:");
///     for ring in 0..2 {
///         pr_cont!(" {ring}");
///     }
///     pr_cont!("\n");
/// });
/// assert!(printed[0].text().ends_with(": rings: 0 1"));
/// assert_eq!(printed.len(), 1);
/// ```
#[macro_export]
macro_rules! pr_cont {
    ($($arg:tt)*) => {
        $crate::print_macro!($crate::print::format_strings::CONT, true, $($arg)*)
    };
}

/// Runs a function at most once. Stands for `DO_ONCE_LITE()`; see
/// [`do_once_lite!`](crate::do_once_lite).
pub struct OnceLite(AtomicFlag);

impl OnceLite {
    /// Makes one that has not run its function.
    #[inline(always)]
    #[allow(clippy::new_without_default, reason = "as in the kernel")]
    pub const fn new() -> Self {
        Self(AtomicFlag::new(false))
    }

    /// Runs `f` if this is the first call, and returns whether it is.
    ///
    /// It orders nothing else: another thread's call may return `false` while `f` is running.
    pub fn call_once<F>(&self, f: F) -> bool
    where
        F: FnOnce(),
    {
        if self.0.load(Relaxed) || self.0.xchg(true, Relaxed) {
            return false;
        }

        f();
        true
    }
}

/// Runs the statements the first time that this place is reached. Stands for `DO_ONCE_LITE()`.
///
/// # Examples
///
/// ```
/// let mut runs = 0;
/// for _ in 0..3 {
///     kernel::do_once_lite! { runs += 1 };
/// }
/// assert_eq!(runs, 1);
/// ```
#[macro_export]
macro_rules! do_once_lite {
    { $($e:tt)* } => {{
        static ONCE: $crate::print::OnceLite = $crate::print::OnceLite::new();
        ONCE.call_once(|| { $($e)* });
    }};
}

/// As [`pr_emerg!`], the first time that this place is reached only. Stands for
/// `pr_emerg_once()`.
#[macro_export]
macro_rules! pr_emerg_once {
    ($($arg:tt)*) => {
        $crate::do_once_lite! { $crate::pr_emerg!($($arg)*) }
    };
}

/// As [`pr_alert!`], the first time that this place is reached only. Stands for
/// `pr_alert_once()`.
#[macro_export]
macro_rules! pr_alert_once {
    ($($arg:tt)*) => {
        $crate::do_once_lite! { $crate::pr_alert!($($arg)*) }
    };
}

/// As [`pr_crit!`], the first time that this place is reached only. Stands for `pr_crit_once()`.
#[macro_export]
macro_rules! pr_crit_once {
    ($($arg:tt)*) => {
        $crate::do_once_lite! { $crate::pr_crit!($($arg)*) }
    };
}

/// As [`pr_err!`], the first time that this place is reached only. Stands for `pr_err_once()`.
#[macro_export]
macro_rules! pr_err_once {
    ($($arg:tt)*) => {
        $crate::do_once_lite! { $crate::pr_err!($($arg)*) }
    };
}

/// As [`pr_warn!`], the first time that this place is reached only. Stands for `pr_warn_once()`.
#[macro_export]
macro_rules! pr_warn_once {
    ($($arg:tt)*) => {
        $crate::do_once_lite! { $crate::pr_warn!($($arg)*) }
    };
}

/// As [`pr_notice!`], the first time that this place is reached only. Stands for
/// `pr_notice_once()`.
#[macro_export]
macro_rules! pr_notice_once {
    ($($arg:tt)*) => {
        $crate::do_once_lite! { $crate::pr_notice!($($arg)*) }
    };
}

/// As [`pr_info!`], the first time that this place is reached only. Stands for `pr_info_once()`.
#[macro_export]
macro_rules! pr_info_once {
    ($($arg:tt)*) => {
        $crate::do_once_lite! { $crate::pr_info!($($arg)*) }
    };
}

#[cfg(test)]
mod tests {
    use crate::bindings::collect_printed;

    #[test]
    fn each_level_has_its_number() {
        let ((), printed) = collect_printed(|| {
            pr_emerg!("{}\n", 0);
            pr_alert!("{}\n", 1);
            pr_crit!("{}\n", 2);
            pr_err!("{}\n", 3);
            pr_warn!("{}\n", 4);
            pr_notice!("{}\n", 5);
            pr_info!("{}\n", 6);
            pr_debug!("{}\n", 7);
        });

        let expected = if cfg!(debug_assertions) { 8 } else { 7 };
        assert_eq!(printed.len(), expected);
        for (level, message) in (0..).zip(&printed) {
            assert_eq!(message.level(), level);
            assert_eq!(message.text(), format!("kernel: {level}"));
        }
    }

    #[test]
    fn once_is_per_place() {
        let ((), printed) = collect_printed(|| {
            for round in 0..3 {
                crate::pr_emerg_once!("{round}\n");
                crate::pr_alert_once!("{round}\n");
                crate::pr_crit_once!("{round}\n");
                crate::pr_err_once!("{round}\n");
                crate::pr_warn_once!("{round}\n");
                crate::pr_notice_once!("{round}\n");
                crate::pr_info_once!("{round}\n");
            }
        });

        assert_eq!(printed.len(), 7);
        for (level, message) in (0..).zip(&printed) {
            assert_eq!(message.level(), level);
            assert_eq!(message.text(), "kernel: 0");
        }
    }
}
