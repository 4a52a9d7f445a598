// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Prints what happened, in the order in which it did.

use super::contract::{
    Outcome,
    Row, //
};
use std::time::{
    Duration,
    Instant, //
};

/// What has been printed so far.
pub(crate) struct Timeline {
    start: Instant,
    held: usize,
    off: usize,
    not_offered: usize,
}

impl Timeline {
    /// Starts the clock.
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            held: 0,
            off: 0,
            not_offered: 0,
        }
    }

    /// Prints a row that took from `begin` to now.
    pub(crate) fn print(&mut self, row: &Row, begin: Instant, outcome: &Outcome) {
        let (mark, happened) = match outcome {
            Outcome::Seen {
                happened, holds, ..
            } => (if *holds { "ok " } else { "OFF" }, happened.clone()),
            Outcome::NotOffered => ("-- ", "this object has no such function".to_owned()),
            Outcome::Compiler(test) => ("ok ", format!("the compiler refuses it: {test}")),
        };
        match mark {
            "OFF" => self.off += 1,
            "-- " => self.not_offered += 1,
            _ => self.held += 1,
        }

        println!(
            "{} {mark} {}: {}",
            milliseconds(begin.duration_since(self.start)),
            row.name,
            row.situation
        );
        println!("                expected  {}", row.expected);
        println!("                happened  {happened}");
        if let Outcome::Seen {
            ledger: Some(ledger),
            ..
        } = outcome
        {
            println!("                ledger    {ledger}");
        }
        println!();
    }

    /// Prints the sum, and tells whether every row held.
    pub(crate) fn finish(self) -> bool {
        print!(
            "{}     {} rows hold, {} off",
            milliseconds(self.start.elapsed()),
            self.held,
            self.off
        );
        if self.not_offered > 0 {
            print!(", {} not offered", self.not_offered);
        }
        println!();

        self.off == 0
    }
}

/// A point in time, for a column.
fn milliseconds(time: Duration) -> String {
    format!("{:>8.1} ms", time.as_secs_f64() * 1e3)
}
