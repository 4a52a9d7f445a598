// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The targets that a measurement has to meet, and which run can tell.

use anyhow::{ensure, Result};
use std::thread;

/// How much longer something may take with many than with few.
pub(crate) const FLAT: f64 = 1.25;

/// Something that has to hold.
pub(crate) struct Target {
    pub(crate) text: String,
    /// The measured value, or why there is none.
    pub(crate) found: String,
    /// [`None`] if the value was not measured.
    pub(crate) held: Option<bool>,
    of: Of,
}

/// The kind of values that are compared.
#[derive(Clone, Copy)]
enum Of {
    /// Values that are the same in each run, or times that lie far apart.
    Exact,
    /// Times that lie close to each other, so it depends on what else the machine does.
    Time,
    /// Times of two threads, which need a CPU each.
    Threads,
}

impl Target {
    pub(crate) fn exact(text: impl Into<String>, found: impl Into<String>, held: bool) -> Self {
        Self::new(text, found, Some(held), Of::Exact)
    }

    pub(crate) fn time(text: impl Into<String>, found: impl Into<String>, held: bool) -> Self {
        Self::new(text, found, Some(held), Of::Time)
    }

    pub(crate) fn threads(text: impl Into<String>, found: impl Into<String>, held: bool) -> Self {
        Self::new(text, found, Some(held), Of::Threads)
    }

    pub(crate) fn not_measured(text: impl Into<String>, why: impl Into<String>) -> Self {
        Self::new(text, why, None, Of::Exact)
    }

    /// Two threads that populate and free on one device do not less than one does: so many times as
    /// much.
    pub(crate) fn together(times: f64, found: impl Into<String>) -> Self {
        let text = "two threads populate and free on one device at least as fast as one";
        Self::threads(text, found, times >= 1.0)
    }

    /// Other managed resources of a device do not count when a slot is populated.
    pub(crate) fn among(alone: f64, among: f64, unit: &str) -> Self {
        let text = format!(
            "a first access takes at most {:.0} % longer among 10,000 other managed resources of \
             the device",
            (FLAT - 1.0) * 100.0
        );
        let found = format!("{among:.2} {unit}, without them {alone:.2}");
        Self::time(text, found, among <= alone * FLAT)
    }

    fn new(text: impl Into<String>, found: impl Into<String>, held: Option<bool>, of: Of) -> Self {
        Self {
            text: text.into(),
            found: found.into(),
            held,
            of,
        }
    }

    /// How it stands, and whether that is a failure: a quick run shows times that are close, and
    /// does not judge them.
    fn judge(&self, run: &Judge, cpus: usize) -> (&'static str, bool) {
        match (self.held, self.of) {
            (Some(true), _) => ("held", false),
            (None, _) => ("not measured", run.needs_all),
            (Some(false), Of::Threads) if cpus < 2 => ("warning: missed, with one CPU", false),
            (Some(false), Of::Threads | Of::Time) if run.is_quick => {
                ("missed, in a quick run", false)
            }
            (Some(false), _) => ("MISSED", true),
        }
    }
}

/// How a run is judged.
pub(crate) struct Judge {
    pub(crate) is_quick: bool,
    /// Whether a target that was not measured is a failure.
    pub(crate) needs_all: bool,
}

impl Judge {
    /// Prints how the targets stand, and fails if one is missed that this run can tell about.
    pub(crate) fn run(&self, targets: &[Target]) -> Result<()> {
        let cpus = thread::available_parallelism()?.get();
        let mut missed = 0;

        println!();
        for target in targets {
            let (mark, fails) = target.judge(self, cpus);
            println!("{mark}: {} ({})", target.text, target.found);
            missed += u32::from(fails);
        }
        ensure!(missed == 0, "{missed} of the targets missed");
        Ok(())
    }
}

/// The targets for a page.
pub(crate) fn list(targets: &[Target]) -> String {
    let line = |target: &Target| {
        let verdict = match target.held {
            Some(true) => "held",
            Some(false) => "**missed**",
            None => "not measured",
        };
        format!("- {verdict}: {} ({})\n", target.text, target.found)
    };
    targets.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_judges_what_it_can_tell_about() {
        let judge = |is_quick, cpus, target: Target| {
            let needs_all = false;
            target
                .judge(
                    &Judge {
                        is_quick,
                        needs_all,
                    },
                    cpus,
                )
                .1
        };

        // Whether a quick run judges it, and a full one, with two CPUs and with one.
        type New = fn(String, String, bool) -> Target;
        for (new, judged) in [
            (Target::exact as New, [true, true, true]),
            (Target::time, [false, true, true]),
            (Target::threads, [false, true, false]),
        ] {
            let fails = |is_quick, cpus| {
                let of = |held| judge(is_quick, cpus, new(String::new(), String::new(), held));
                assert!(!of(true));
                of(false)
            };
            assert_eq!([fails(true, 2), fails(false, 2), fails(false, 1)], judged);
        }
    }

    #[test]
    fn limits_are_limits() {
        assert_eq!(Target::together(1.0, "").held, Some(true));
        assert_eq!(Target::together(0.99, "").held, Some(false));
        assert_eq!(Target::among(100.0, 125.0, "ns").held, Some(true));
        assert_eq!(Target::among(100.0, 126.0, "ns").held, Some(false));
    }

    #[test]
    fn what_was_not_measured_fails_if_it_is_needed() {
        let fails = |needs_all| {
            let run = Judge {
                is_quick: false,
                needs_all,
            };
            run.run(&[Target::not_measured("it is fast", "no Valgrind")])
        };

        assert!(fails(false).is_ok());
        assert!(fails(true).is_err());
    }

    #[test]
    fn a_page_says_what_was_missed() {
        let targets = [
            Target::time("it is fast", "it is not", false),
            Target::not_measured("it is small", "no scales"),
        ];
        assert_eq!(
            list(&targets),
            "- **missed**: it is fast (it is not)\n- not measured: it is small (no scales)\n"
        );
    }
}
