// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Prints what happened, in the order in which it did.

use super::life::{Outcome, Row};
use std::time::{Duration, Instant};

/// The rows that were printed so far.
pub(crate) struct Timeline {
    start: Instant,
    held: usize,
    off: usize,
}

impl Timeline {
    /// Starts the clock.
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            held: 0,
            off: 0,
        }
    }

    /// Prints a row that took from `begin` to now.
    pub(crate) fn print(&mut self, row: &Row, begin: Instant, outcome: &Outcome) {
        let mark = if outcome.holds {
            self.held += 1;
            "ok "
        } else {
            self.off += 1;
            "OFF"
        };

        println!(
            "{} {mark} {}: {}",
            milliseconds(begin.duration_since(self.start)),
            row.name,
            row.situation
        );
        println!("                expected  {}", row.expected);
        println!("                happened  {}", outcome.happened);
        if let Some(ledger) = &outcome.ledger {
            println!("                ledger    {ledger}");
        }
        println!();
    }

    /// Prints the sum. Returns whether every row held.
    pub(crate) fn finish(self) -> bool {
        println!(
            "{}     {} rows hold, {} off",
            milliseconds(self.start.elapsed()),
            self.held,
            self.off
        );

        self.off == 0
    }
}

/// A point in time, for a column.
fn milliseconds(time: Duration) -> String {
    format!("{:>8.1} ms", time.as_secs_f64() * 1e3)
}
