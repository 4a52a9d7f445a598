// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The lines of a console, without what was printed twice.
//!
//! An urgent writer takes the console over in the middle of a line. The next line says that the
//! message is replayed, and then all of it comes again: see `nbcon_emit_next_record()` in
//! kernel/printk/nbcon.c.

use std::mem;

/// The line between the message that was cut off and the whole one.
const REPLAY: &str = "** replaying previous printk message **";

/// A console.
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

    fn read(text: &str) -> Vec<String> {
        let mut console = Console::default();
        let mut lines: Vec<String> = text.lines().filter_map(|line| console.line(line)).collect();
        lines.extend(console.finish());

        lines
    }

    #[test]
    fn lines_are_what_they_are() {
        assert_eq!(read(""), [""; 0]);
        assert_eq!(read("a\nab\nab\n\nc"), ["a", "ab", "ab", "", "c"]);
    }

    #[test]
    fn what_is_replayed_is_one_line() {
        for cut in ["[    1.0", "[    1.000000] ok 1", "[    1.000000] ok 1 a"] {
            assert_eq!(
                read(&format!("x\n{cut}\n{REPLAY}\n[    1.000000] ok 1 a\ny")),
                ["x", "[    1.000000] ok 1 a", "y"]
            );
        }
        // Twice.
        assert_eq!(
            read(&format!("x\no\n{REPLAY}\nok\n{REPLAY}\nok 1 a\ny")),
            ["x", "ok 1 a", "y"]
        );
        // At the end, and at the begin.
        assert_eq!(read(&format!("ok\n{REPLAY}")), ["ok"]);
        assert_eq!(read(&format!("{REPLAY}\nok")), ["ok"]);
    }

    #[test]
    fn what_is_not_there_again_stays() {
        assert_eq!(
            read(&format!("BUG: a\n{REPLAY}\nok 1 a\n")),
            ["BUG: a", "ok 1 a"]
        );
        assert_eq!(read(&format!("a\n{REPLAY}\nb\nbc\n")), ["a", "b", "bc"]);
    }
}
