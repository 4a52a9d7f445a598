// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What follows from the measured values, and the targets.

use super::{
    callgrind::Count,
    rows::Rows,
    BY_HAND,
    SUBJECTS, //
};
use crate::spread::Spread;
use anyhow::Result;

/// How much more two threads have to do than one.
const THREADS: f64 = 1.9;

/// The same, where they populate and free on one device.
const POPULATING: f64 = 1.0;

/// How much longer populating may take among other managed resources of the device.
const AMONG: f64 = 1.25;

/// How two threads compare with one.
#[derive(Clone, Copy)]
pub(crate) struct Threads {
    /// The best round of two threads over the best one of one thread.
    pub(crate) best: f64,
    /// The same within each round, and the median of that.
    pub(crate) median: f64,
}

impl Threads {
    fn new(rows: &Rows, what: &str, subject: &str) -> Result<Self> {
        let one = rows.get(&format!("{what}_1_thread"), subject)?;
        let two = rows.get(&format!("{what}_2_threads"), subject)?;
        let best = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);

        Ok(Self {
            best: best(two) / best(one),
            median: Spread::new(&ratios(two, one))?.median,
        })
    }
}

/// Round by round.
fn ratios(values: &[f64], to: &[f64]) -> Vec<f64> {
    values
        .iter()
        .zip(to)
        .map(|(value, to)| value / to)
        .collect()
}

/// Round by round.
fn differences(values: &[f64], to: &[f64]) -> Vec<f64> {
    values
        .iter()
        .zip(to)
        .map(|(value, to)| value - to)
        .collect()
}

/// Everything about one subject but its instructions.
pub(crate) struct Subject {
    pub(crate) title: &'static str,
    /// Nanoseconds of an access, many of which overlap.
    pub(crate) ns: Spread,
    /// Nanoseconds until the table is there, without the loop's own.
    pub(crate) chained_ns: Spread,
    /// The same over that by hand, round by round.
    pub(crate) ratio: Spread,
    pub(crate) threads: Threads,
    /// Bytes in the object.
    pub(crate) inline: f64,
    /// Bytes on the heap, and allocations, beside those of the mapping itself.
    pub(crate) heap: f64,
    pub(crate) blocks: f64,
    /// Nanoseconds of the first access to an object.
    pub(crate) first_ns: Spread,
}

/// What it takes to populate an owner with nothing but the slot, and to free it.
pub(crate) struct Populated {
    pub(crate) title: &'static str,
    /// Owners that a thread creates, populates and frees in a microsecond.
    pub(crate) cycles: Spread,
    /// The same on two threads, for one device.
    pub(crate) threads: Threads,
    /// Nanoseconds of populating one, and the same on a device with many other managed resources.
    pub(crate) alone: Spread,
    pub(crate) among: Spread,
}

/// Everything.
pub(crate) struct Results {
    /// Instructions, unless there is no Valgrind.
    pub(crate) counts: Option<Vec<Count>>,
    /// In the order of [`SUBJECTS`].
    pub(crate) subjects: Vec<Subject>,
    /// Nanoseconds of the C helper alone, which every first access calls.
    pub(crate) helper_ns: Spread,
    /// Bytes that it allocates.
    pub(crate) helper_bytes: f64,
    /// Two threads that do write to shared memory.
    pub(crate) control: Threads,
    /// Ours, and by hand.
    pub(crate) populated: Vec<Populated>,
}

impl Results {
    /// Draws them from the rows.
    pub(crate) fn new(counts: Option<Vec<Count>>, rows: &Rows) -> Result<Self> {
        let subjects = SUBJECTS
            .iter()
            .map(|&super::Subject { name, title }| {
                let one = |measure, subject| -> Result<f64> {
                    Ok(Spread::new(rows.get(measure, subject)?)?.median)
                };
                let by_hand = rows.get("ns", BY_HAND)?;
                let ns = rows.get("ns", name)?;
                Ok(Subject {
                    title,
                    ns: Spread::new(ns)?,
                    chained_ns: Spread::new(&differences(
                        rows.get("chained_ns", name)?,
                        rows.get("chained_ns", "nothing")?,
                    ))?,
                    ratio: Spread::new(&ratios(ns, by_hand))?,
                    threads: Threads::new(rows, "per_us", name)?,
                    inline: one("inline_bytes", name)?,
                    heap: one("heap_bytes", name)? - one("heap_bytes", "helper")?,
                    blocks: one("heap_blocks", name)? - one("heap_blocks", "helper")?,
                    first_ns: Spread::new(rows.get("first_ns", name)?)?,
                })
            })
            .collect::<Result<_>>()?;

        Ok(Self {
            counts,
            subjects,
            helper_ns: Spread::new(rows.get("first_ns", "helper")?)?,
            helper_bytes: Spread::new(rows.get("heap_bytes", "helper")?)?.median,
            control: Threads::new(rows, "per_us", "control")?,
            populated: SUBJECTS[..2]
                .iter()
                .map(|&super::Subject { name, title }| {
                    Ok(Populated {
                        title,
                        cycles: Spread::new(rows.get("cycles_per_us_1_thread", name)?)?,
                        threads: Threads::new(rows, "cycles_per_us", name)?,
                        alone: Spread::new(rows.get("populate_ns", name)?)?,
                        among: Spread::new(rows.get("populate_among_ns", name)?)?,
                    })
                })
                .collect::<Result<_>>()?,
        })
    }

    /// How the targets stand.
    pub(crate) fn targets(&self) -> Vec<Target> {
        let counts = self.counts.as_deref();

        vec![
            fewest(
                "in a loop, `#[devres_lazy]` takes no more instructions than the others",
                counts.map(|counts| counts.iter().map(|count| count.in_loop).collect()),
            ),
            fewest(
                "out of line, `#[devres_lazy]` takes no more instructions than the others",
                counts.map(|counts| counts.iter().map(|count| count.out_of_line).collect()),
            ),
            threads(self.subjects[0].threads.best, self.control.best),
            // Not the best round: two threads that have one CPU in turns do not get in each other's
            // way.
            populating(self.populated[0].threads.median),
            among(self.populated[0].alone.low, self.populated[0].among.low),
        ]
    }
}

/// The first one is not more than any other.
fn fewest(text: &'static str, instructions: Option<Vec<u64>>) -> Target {
    let (verdict, found) = match instructions.as_deref() {
        Some([ours, others @ ..]) => {
            let held = others.iter().all(|other| ours <= other);
            let others: Vec<String> = others.iter().map(u64::to_string).collect();
            (
                Verdict::of(held),
                format!("{ours}, and {}", others.join(", ")),
            )
        }
        _ => (Verdict::NotMeasured, "no Valgrind".to_owned()),
    };

    Target {
        text: text.to_owned(),
        found,
        verdict,
        of_time: false,
    }
}

/// Two threads do enough, and the control does not.
fn threads(ours: f64, control: f64) -> Target {
    let (verdict, found) = if control >= THREADS {
        (
            Verdict::Missed,
            format!("the control reaches {control:.2}, so that {ours:.2} says nothing"),
        )
    } else if ours >= THREADS {
        (
            Verdict::Held,
            format!("{ours:.2} times, the control {control:.2}"),
        )
    } else {
        (Verdict::Missed, format!("{ours:.2} times"))
    };

    Target {
        text: format!("two threads do at least {THREADS} times what one does"),
        found,
        verdict,
        of_time: true,
    }
}

/// Two threads that populate and free on one device do not less than one.
fn populating(ours: f64) -> Target {
    Target {
        text: format!(
            "two threads populate and free on one device at least {POPULATING:.1} times as fast as one"
        ),
        found: format!("{ours:.2} times"),
        verdict: Verdict::of(ours >= POPULATING),
        of_time: true,
    }
}

/// Other managed resources of a device do not count.
fn among(alone: f64, among: f64) -> Target {
    Target {
        text: format!(
            "populating takes at most {:.0} % longer among 10,000 other managed resources of the device",
            (AMONG - 1.0) * 100.0
        ),
        found: format!("{among:.0} ns, without them {alone:.0}"),
        verdict: Verdict::of(among <= alone * AMONG),
        of_time: true,
    }
}

/// Something that has to hold.
pub(crate) struct Target {
    pub(crate) text: String,
    /// What was found.
    pub(crate) found: String,
    pub(crate) verdict: Verdict,
    /// Whether it depends on time, and so on what else the machine does.
    pub(crate) of_time: bool,
}

/// Whether it does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Verdict {
    Held,
    Missed,
    NotMeasured,
}

impl Verdict {
    fn of(held: bool) -> Self {
        if held {
            Self::Held
        } else {
            Self::Missed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_other_may_take_fewer() {
        let verdict = |counts: Option<&[u64]>| fewest("", counts.map(<[u64]>::to_vec)).verdict;

        assert_eq!(verdict(Some(&[5, 46, 7, 5])), Verdict::Held);
        assert_eq!(verdict(Some(&[5, 46, 7, 4])), Verdict::Missed);
        assert_eq!(verdict(None), Verdict::NotMeasured);
    }

    #[test]
    fn limits_are_limits() {
        assert_eq!(populating(1.0).verdict, Verdict::Held);
        assert_eq!(populating(0.99).verdict, Verdict::Missed);
        assert_eq!(among(100.0, 125.0).verdict, Verdict::Held);
        assert_eq!(among(100.0, 126.0).verdict, Verdict::Missed);
    }

    #[test]
    fn two_threads_do_enough_if_the_control_does_not() {
        assert_eq!(threads(1.95, 0.4).verdict, Verdict::Held);
        assert_eq!(threads(1.85, 0.4).verdict, Verdict::Missed);
        assert_eq!(threads(1.95, 1.95).verdict, Verdict::Missed);
    }
}
