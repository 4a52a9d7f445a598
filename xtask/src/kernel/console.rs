// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The lines of a console, without what was printed twice.
//!
//! An urgent writer takes the console over in the middle of a line. The next line says that the
//! message is replayed, and then all of it comes again: see `nbcon_emit_next_record()` in
//! kernel/printk/nbcon.c.

use std::mem;

/// The line between the message that was cut off and the whole one.
const REPLAY: &str = "** replaying previous printk message **";

#[derive(Default)]
pub(crate) struct Console {
    /// The last line, which may be replayed.
    last: Option<String>,
    replays: bool,
}

impl Console {
    /// Reads a line. Returns the one before, which is whole.
    pub(crate) fn line(&mut self, line: &str) -> Option<String> {
        if line.trim_end() == REPLAY {
            self.replays = true;
            return None;
        }

        let replays = mem::take(&mut self.replays);
        let before = self.last.replace(line.to_owned())?;
        // Only what is there again is left out.
        (!replays || !line.starts_with(&before)).then_some(before)
    }

    /// Ends it. Returns the last line.
    pub(crate) fn finish(self) -> Option<String> {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_replayed_is_one_line() {
        for (text, expected) in [
            // Lines are what they are.
            ("", ""),
            ("a|ab|ab||c", "a|ab|ab||c"),
            // A replayed one is left out, also twice, at the end, and at the begin.
            (
                "x|[    1.0|REPLAY|[    1.0] ok 1 a|y",
                "x|[    1.0] ok 1 a|y",
            ),
            (
                "x|[    1.0] ok 1 a|REPLAY|[    1.0] ok 1 a|y",
                "x|[    1.0] ok 1 a|y",
            ),
            ("x|o|REPLAY|ok|REPLAY|ok 1 a|y", "x|ok 1 a|y"),
            ("ok|REPLAY", "ok"),
            ("REPLAY|ok", "ok"),
            // A line that does not come again stays.
            ("BUG: a|REPLAY|ok 1 a", "BUG: a|ok 1 a"),
            ("a|REPLAY|b|bc", "a|b|bc"),
        ] {
            let mut console = Console::default();
            let lines = text.replace("REPLAY", REPLAY);
            let lines = lines.split('|').filter_map(|line| console.line(line));
            let mut lines: Vec<String> = lines.collect();
            lines.extend(console.finish());
            assert_eq!(lines.join("|"), expected);
        }
    }
}
