// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Messages about a device: `dev_*!`.
//!
//! Stands for the part of `rust/kernel/device.rs` that prints. C header:
//! `include/linux/dev_printk.h`. Tests read the messages with
//! [`testing::collect_printed()`](crate::testing::collect_printed).
//!
//! The prefix of a message is the name of the device. In the kernel, the name of the driver, the bus
//! or the class comes before it.

use crate::{
    bindings,
    device::{Device, DeviceContext},
};
use core::fmt;

impl<Ctx: DeviceContext> Device<Ctx> {
    /// Prints a message of level 0; see [`dev_emerg!`](crate::dev_emerg).
    pub fn pr_emerg(&self, args: fmt::Arguments<'_>) {
        self.printk(bindings::KERN_EMERG, args);
    }

    /// Prints a message of level 1; see [`dev_alert!`](crate::dev_alert).
    pub fn pr_alert(&self, args: fmt::Arguments<'_>) {
        self.printk(bindings::KERN_ALERT, args);
    }

    /// Prints a message of level 2; see [`dev_crit!`](crate::dev_crit).
    pub fn pr_crit(&self, args: fmt::Arguments<'_>) {
        self.printk(bindings::KERN_CRIT, args);
    }

    /// Prints a message of level 3; see [`dev_err!`](crate::dev_err).
    pub fn pr_err(&self, args: fmt::Arguments<'_>) {
        self.printk(bindings::KERN_ERR, args);
    }

    /// Prints a message of level 4; see [`dev_warn!`](crate::dev_warn).
    pub fn pr_warn(&self, args: fmt::Arguments<'_>) {
        self.printk(bindings::KERN_WARNING, args);
    }

    /// Prints a message of level 5; see [`dev_notice!`](crate::dev_notice).
    pub fn pr_notice(&self, args: fmt::Arguments<'_>) {
        self.printk(bindings::KERN_NOTICE, args);
    }

    /// Prints a message of level 6; see [`dev_info!`](crate::dev_info).
    pub fn pr_info(&self, args: fmt::Arguments<'_>) {
        self.printk(bindings::KERN_INFO, args);
    }

    /// Prints a message of level 7, if this library is built with debug assertions; see
    /// [`dev_dbg!`](crate::dev_dbg).
    pub fn pr_dbg(&self, args: fmt::Arguments<'_>) {
        if cfg!(debug_assertions) {
            self.printk(bindings::KERN_DEBUG, args);
        }
    }

    /// Stands for `_dev_printk()`.
    fn printk(&self, level: &[u8; 3], args: fmt::Arguments<'_>) {
        let name = self.name().to_string_lossy();
        bindings::printk(level, format!("{name}: {args}"));
    }
}

/// The common part of the macros.
#[doc(hidden)]
#[macro_export]
macro_rules! dev_printk {
    ($method:ident, $dev:expr, $($f:tt)*) => {
        $crate::device::Device::$method($dev.as_ref(), $crate::prelude::fmt!($($f)*))
    };
}

/// Prints a message of level 0 about a device: the system is unusable. Stands for `dev_emerg()`.
///
/// # Context
///
/// Does not sleep.
#[macro_export]
macro_rules! dev_emerg {
    ($($f:tt)*) => { $crate::dev_printk!(pr_emerg, $($f)*) };
}

/// Prints a message of level 1 about a device: action must be taken immediately. Stands for
/// `dev_alert()`.
///
/// # Context
///
/// Does not sleep.
#[macro_export]
macro_rules! dev_alert {
    ($($f:tt)*) => { $crate::dev_printk!(pr_alert, $($f)*) };
}

/// Prints a message of level 2 about a device: a critical condition. Stands for `dev_crit()`.
///
/// # Context
///
/// Does not sleep.
#[macro_export]
macro_rules! dev_crit {
    ($($f:tt)*) => { $crate::dev_printk!(pr_crit, $($f)*) };
}

/// Prints a message of level 3 about a device: an error. Stands for `dev_err()`.
///
/// # Context
///
/// Does not sleep.
///
/// # Examples
///
/// ```
/// use kernel::{
///     device::{Bound, Device},
///     prelude::*,
///     testing::{self, TestDevice},
/// };
///
/// fn reset(dev: &Device<Bound>) -> Result {
///     dev_err!(dev, "reset timed out after {} ms\n", 20);
///     Err(ETIMEDOUT)
/// }
///
/// let mut gpu = TestDevice::new(c"gpu0")?;
/// let bound = gpu.bind()?;
/// let (result, printed) = testing::collect_printed(|| reset(&bound));
///
/// assert_eq!(result, Err(ETIMEDOUT));
/// assert_eq!(printed[0].text(), "gpu0: reset timed out after 20 ms");
/// # Ok::<(), Error>(())
/// ```
#[macro_export]
macro_rules! dev_err {
    ($($f:tt)*) => { $crate::dev_printk!(pr_err, $($f)*) };
}

/// Prints a message of level 4 about a device: a warning. Stands for `dev_warn()`.
///
/// # Context
///
/// Does not sleep.
#[macro_export]
macro_rules! dev_warn {
    ($($f:tt)*) => { $crate::dev_printk!(pr_warn, $($f)*) };
}

/// Prints a message of level 5 about a device: normal, but significant. Stands for `dev_notice()`.
///
/// # Context
///
/// Does not sleep.
#[macro_export]
macro_rules! dev_notice {
    ($($f:tt)*) => { $crate::dev_printk!(pr_notice, $($f)*) };
}

/// Prints a message of level 6 about a device: informational. Stands for `dev_info()`.
///
/// # Context
///
/// Does not sleep.
#[macro_export]
macro_rules! dev_info {
    ($($f:tt)*) => { $crate::dev_printk!(pr_info, $($f)*) };
}

/// Prints a message of level 7 about a device, for debugging. Stands for `dev_dbg()`.
///
/// If this library is built without debug assertions, it prints nothing.
///
/// # Context
///
/// Does not sleep.
#[macro_export]
macro_rules! dev_dbg {
    ($($f:tt)*) => { $crate::dev_printk!(pr_dbg, $($f)*) };
}

#[cfg(test)]
mod tests {
    use crate::{bindings::collect_printed, testing::TestDevice};

    #[test]
    fn each_level_has_its_number_and_the_name_of_the_device() {
        let mut test = TestDevice::new(c"npu0").unwrap();
        let bound = test.bind().unwrap();
        let kept = bound.device();

        let ((), printed) = collect_printed(|| {
            dev_emerg!(bound, "{}\n", 0);
            dev_alert!(&bound, "{}\n", 1);
            dev_crit!(&*bound, "{}\n", 2);
            dev_err!(kept, "{}\n", 3);
            dev_warn!(&kept, "{}\n", 4);
            dev_notice!(&*kept, "{}\n", 5);
            dev_info!(bound.device(), "{}\n", 6);
            dev_dbg!(bound, "{}\n", 7);
        });

        let expected = if cfg!(debug_assertions) { 8 } else { 7 };
        assert_eq!(printed.len(), expected);
        for (level, message) in (0..).zip(&printed) {
            assert_eq!(message.level(), level);
            assert_eq!(message.text(), format!("npu0: {level}"));
        }
    }
}
