// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The messages of rustc, Clippy and rustdoc in the log of a build.

/// A warning or an error that says where it stands.
#[derive(Debug, PartialEq)]
pub(crate) struct Message<'a> {
    /// The file, by the name that the compiler was given.
    pub(crate) file: &'a str,
    /// All lines of it.
    pub(crate) text: String,
}

/// Finds the messages in a log.
pub(crate) fn parse(log: &str) -> Vec<Message<'_>> {
    let mut messages = Vec::new();
    let mut lines = log.lines().peekable();

    while let Some(title) = lines.next() {
        if !is_title(title) {
            continue;
        }
        // The explanation ends with an empty line, or where the next message begins.
        let mut text = vec![title];
        while let Some(line) = lines.next_if(|line| !line.is_empty() && !is_title(line)) {
            text.push(line);
        }
        if let Some(file) = text.iter().find_map(|line| place(line)) {
            messages.push(Message {
                file,
                text: text.join("\n"),
            });
        }
    }

    messages
}

/// Whether a message begins with this line: `warning: ..`, `error: ..`, `error[E0308]: ..`.
fn is_title(line: &str) -> bool {
    ["warning", "error"].iter().any(|kind| {
        line.strip_prefix(kind)
            .is_some_and(|rest| rest.starts_with([':', '[']))
    })
}

/// The file in a line such as ` --> rust/kernel/lib.rs:1:2`.
fn place(line: &str) -> Option<&str> {
    let place = line.trim_start().strip_prefix("--> ")?;
    let mut parts = place.rsplitn(3, ':');
    let (_column, _line) = (parts.next()?, parts.next()?);
    parts.next()
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
