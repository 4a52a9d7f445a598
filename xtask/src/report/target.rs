// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The targets that a measurement has to meet, and which run can tell.

use anyhow::{ensure, Result};
use std::thread;

/// How much longer something may take with many than with few.
pub(crate) const FLAT: f64 = 1.25;

/// The verdict that fails a run.
const MISSED: &str = "MISSED";

/// The kind of values that are compared.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Of {
    /// Values that are the same in each run, or times that lie far apart.
    Exact,
    /// Times that lie close to each other, so it depends on what else the machine does.
    Time,
    /// Times of two threads, which need a CPU each.
    Threads,
}

/// Something that has to hold.
pub(crate) struct Target {
    of: Of,
    pub(crate) text: String,
    /// The measured value, or why there is none.
    pub(crate) found: String,
    /// [`None`] if the value was not measured.
    pub(crate) held: Option<bool>,
}

impl Target {
    pub(crate) fn new(
        of: Of,
        text: impl Into<String>,
        found: impl Into<String>,
        held: impl Into<Option<bool>>,
    ) -> Self {
        Self {
            of,
            text: text.into(),
            found: found.into(),
            held: held.into(),
        }
    }

    /// Two threads that populate and free on one device do not less than one does: so many times as
    /// much.
    pub(crate) fn together(times: f64, found: String) -> Self {
        let text = "two threads populate and free on one device at least as fast as one";
        Self::new(Of::Threads, text, found, times >= 1.0)
    }

    /// Other managed resources of a device do not count when a slot is populated.
    pub(crate) fn among(alone: f64, among: f64, unit: &str) -> Self {
        let text = format!(
            "a first access takes at most {:.0} % longer among 10,000 other managed resources of \
             the device",
            (FLAT - 1.0) * 100.0
        );
        let found = format!("{among:.2} {unit}, without them {alone:.2}");
        Self::new(Of::Time, text, found, among <= alone * FLAT)
    }

    /// How it stands. A quick run shows times that are close, and does not judge them.
    fn verdict(&self, is_quick: bool, cpus: usize) -> &'static str {
        match (self.held, self.of) {
            (Some(true), _) => "held",
            (None, _) => "not measured",
            (_, Of::Threads) if cpus < 2 => "warning: missed, with one CPU",
            (_, Of::Threads | Of::Time) if is_quick => "missed, in a quick run",
            _ => MISSED,
        }
    }
}

/// Prints how the targets stand, and fails if one is missed that this run can tell about.
pub(crate) fn judge(targets: &[Target], is_quick: bool) -> Result<()> {
    let cpus = thread::available_parallelism()?.get();
    let mut missed = 0;

    println!();
    for target in targets {
        let verdict = target.verdict(is_quick, cpus);
        println!("{verdict}: {} ({})", target.text, target.found);
        missed += u32::from(verdict == MISSED);
    }
    ensure!(missed == 0, "{missed} of the targets missed");
    Ok(())
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
        // Whether a quick run judges it, and a full one, with two CPUs and with one.
        for (of, judged) in [
            (Of::Exact, [true, true, true]),
            (Of::Time, [false, true, true]),
            (Of::Threads, [false, true, false]),
        ] {
            for (run, judged) in [(true, 2), (false, 2), (false, 1)].into_iter().zip(judged) {
                let fails = |held: Option<bool>| {
                    let target = Target::new(of, "", "", held);
                    target.verdict(run.0, run.1) == MISSED
                };
                assert_eq!(fails(Some(false)), judged, "{of:?} {run:?}");
                assert!(!fails(Some(true)) && !fails(None));
            }
        }
        let missed = Target::new(Of::Exact, "", "", false);
        assert!(judge(&[missed], false).is_err());
        assert!(judge(&[], false).is_ok());
    }

    #[test]
    fn limits_are_limits() {
        for (target, held) in [
            (Target::together(1.0, String::new()), true),
            (Target::together(0.99, String::new()), false),
            (Target::among(100.0, 125.0, "ns"), true),
            (Target::among(100.0, 126.0, "ns"), false),
        ] {
            assert_eq!(target.held, Some(held), "{}: {}", target.text, target.found);
        }
    }

    #[test]
    fn a_page_says_what_was_missed() {
        let targets = [
            Target::new(Of::Time, "it is fast", "it is not", false),
            Target::new(Of::Exact, "it is small", "no scales", None),
        ];
        assert_eq!(
            list(&targets),
            "- **missed**: it is fast (it is not)\n- not measured: it is small (no scales)\n"
        );
    }
}
