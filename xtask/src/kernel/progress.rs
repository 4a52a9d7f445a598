// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Shows how far something is that takes a while.

use anyhow::Result;
use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};
use std::{
    io::{self, IsTerminal},
    time::{Duration, Instant},
};

/// Where there is no bar, a line says how far something is after so much time.
const REMINDER: Duration = Duration::from_secs(60);

/// Says what takes a while, until this is dropped.
pub(crate) fn spinner(what: String) -> ProgressBar {
    if !io::stderr().is_terminal() {
        println!("{what}");
    }
    let spinner = ProgressBar::new_spinner()
        .with_message(what)
        .with_finish(ProgressFinish::AndClear);
    spinner.enable_steady_tick(Duration::from_millis(250));
    spinner
}

/// Shows how far something with many steps is.
pub(crate) struct Progress {
    bar: ProgressBar,
    reminded: Instant,
}

impl Progress {
    /// A bar, if it is known how many steps there will be.
    pub(crate) fn new(what: &'static str, expected: Option<u64>) -> Result<Self> {
        let (bar, template) = match expected {
            Some(steps) => (
                ProgressBar::new(steps),
                "{prefix:8} {bar:30} {pos}/{len} {elapsed} {wide_msg}",
            ),
            None => (
                ProgressBar::new_spinner(),
                "{prefix:8} {spinner} {pos} {elapsed} {wide_msg}",
            ),
        };
        let style = ProgressStyle::with_template(template)?;

        Ok(Self {
            bar: bar.with_style(style).with_prefix(what),
            reminded: Instant::now(),
        })
    }

    /// One more step, about this file.
    pub(crate) fn step(&mut self, file: &str) {
        self.bar.inc(1);
        // There may be more than there were the last time.
        if self
            .bar
            .length()
            .is_some_and(|len| len < self.bar.position())
        {
            self.bar.set_length(self.bar.position());
        }
        self.bar.set_message(file.to_owned());
        self.tick();
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self) {
        self.bar.tick();
        if self.bar.is_hidden() && self.reminded.elapsed() >= REMINDER {
            self.reminded = Instant::now();
            println!(
                "{}, {}: {} steps, {}",
                self.bar.prefix(),
                seconds(self.bar.elapsed()),
                self.bar.position(),
                self.bar.message()
            );
        }
    }

    /// Prints text above the bar.
    pub(crate) fn print(&mut self, text: &str) {
        self.bar.suspend(|| print!("{text}"));
        self.reminded = Instant::now();
    }

    /// Takes the bar away. Returns how many steps there were.
    pub(crate) fn finish(self) -> u64 {
        let steps = self.bar.position();
        self.bar.finish_and_clear();
        steps
    }
}

/// A time, for people.
pub(crate) fn seconds(time: Duration) -> String {
    match (time.as_secs() / 60, time.as_secs() % 60) {
        (0, less) if less < 10 => format!("{:.1} s", time.as_secs_f64()),
        (0, seconds) => format!("{seconds} s"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}
