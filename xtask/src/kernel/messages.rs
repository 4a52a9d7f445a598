// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The messages of rustc, Clippy and rustdoc in the log of a build.

use super::{job, pattern::pattern};
use anyhow::{ensure, Result};
use regex_lite::Regex;
use std::{path::Path, sync::LazyLock};

/// A warning or an error that says where it stands.
#[derive(Debug, PartialEq)]
pub(crate) struct Message<'a> {
    /// The file, by the name that the compiler was given.
    pub(crate) file: &'a str,
    /// All lines of it.
    pub(crate) text: &'a str,
}

/// The begin of a message: `warning: ..`, `error: ..`, `error[E0308]: ..`.
static TITLE: LazyLock<Regex> = pattern!(r"(?m)^(warning|error)[:\[]");

/// The place of a message, ` --> rust/kernel/lib.rs:1:2`.
static PLACE: LazyLock<Regex> = pattern!(r"(?m)^ *--> (.+):[0-9]+:[0-9]+");

/// Fails with the messages in the log of a build, if there are any.
pub(crate) fn ensure_none(log: &Path) -> Result<()> {
    let text = job::text(log)?;
    let messages = parse(&text).into_iter().map(|message| message.text);
    let messages = messages.collect::<Vec<_>>().join("\n\n");
    ensure!(messages.is_empty(), "the compiler complains:\n{messages}");
    Ok(())
}

/// Finds the messages in a log that say where they stand.
pub(crate) fn parse(log: &str) -> Vec<Message<'_>> {
    let message = |text| {
        let place = PLACE.captures(text)?.get(1)?;
        let file = place.as_str();
        Some(Message { file, text })
    };
    texts(log).into_iter().filter_map(message).collect()
}

/// The texts of all messages in a log. Each ends with an empty line, or where the next one begins.
pub(crate) fn texts(log: &str) -> Vec<&str> {
    let mut begins: Vec<usize> = TITLE.find_iter(log).map(|title| title.start()).collect();
    begins.push(log.len());
    let text = |range: &[usize]| {
        let text = &log[range[0]..range[1]];
        text.split("\n\n").next().unwrap_or(text).trim_end()
    };
    begins.windows(2).map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_places() {
        let log = "\
  CLIPPY L rust/kernel.o
warning: unused variable: `x`
  --> rust/kernel/devres/lazy.rs:74:1
   |
74 | let x = 1;
   |     ^
   = note: on by default

error[E0308]: mismatched types
 --> /a/b:c/rust/macros/lib.rs:1:2
warning: 1 warning emitted

error: aborting due to 1 previous error

warnings are not errors:
  --> a.rs:1:1
";
        let messages = parse(log);

        assert_eq!(messages.len(), 2, "{messages:?}");
        assert_eq!(messages[0].file, "rust/kernel/devres/lazy.rs");
        assert!(messages[0].text.starts_with("warning: unused"));
        assert!(messages[0].text.ends_with("= note: on by default"));
        assert_eq!(messages[1].file, "/a/b:c/rust/macros/lib.rs");
        assert_eq!(messages[1].text.lines().count(), 2);
    }
}
