// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Regular expressions for the lines of consoles and logs.

/// A regular expression, in one part or several, that is compiled when it is first used.
macro_rules! pattern {
    ($($part:literal)+) => {
        std::sync::LazyLock::new(|| {
            regex_lite::Regex::new(concat!($($part),+)).expect("a regular expression")
        })
    };
}

pub(crate) use pattern;
