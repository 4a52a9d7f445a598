// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The figures that follow from the rows and the traces.

use super::{
    candidate::{Candidate, BY_HAND, OURS},
    measure::Measured,
};
use crate::report::spread::Spread;
use anyhow::{Context, Result};
use std::collections::BTreeSet;

/// In which orders things are freed.
pub(super) const ORDERS: [&str; 3] = ["creation", "reverse", "random"];

/// The title of an order.
pub(super) fn order_title(order: &str) -> &'static str {
    match order {
        "creation" => "first one first",
        "reverse" => "last one first",
        _ => "random",
    }
}

/// How something is unbound, and what the names of candidates have behind them then.
pub(super) const HOWS: [(&str, &str); 2] = [("plain", ""), ("tried", ", after a `try_access`")];

/// A kind of thing that is freed.
pub(super) struct Freed {
    /// Its name in rows.
    pub(super) name: &'static str,
    /// The same without the part of the slot, and what that is.
    pub(super) bare: &'static str,
    pub(super) bare_text: &'static str,
    pub(super) text: &'static str,
    /// Whether times are compared as ratios to the same without the slot.
    pub(super) over_bare: bool,
    /// Whether random order is judged, too. For objects it is not: the cost of their memory, and of
    /// the C helper's, then varies more between the numbers of objects than the slot takes.
    pub(super) random: bool,
}

pub(super) const FREED: [Freed; 2] = [
    Freed {
        name: "object",
        bare: "object_bare",
        bare_text: "mapped by the C helper alone",
        text: "an object with its table",
        over_bare: true,
        random: false,
    },
    Freed {
        name: "owner",
        bare: "owner_empty",
        bare_text: "never populated",
        text: "an owner with nothing but the slot",
        over_bare: false,
        random: true,
    },
];

/// Everything about one candidate.
pub(super) struct Outcome {
    pub(super) candidate: &'static Candidate,
    pub(super) measured: Measured,
}

/// The measured values of all candidates.
pub(super) struct Results(pub(super) Vec<Outcome>);

impl Results {
    /// The outcome of the reference copy.
    pub(super) fn by_hand(&self) -> Result<&Outcome> {
        self.of(&BY_HAND)
    }

    pub(super) fn ours(&self) -> Result<&Outcome> {
        self.of(&OURS)
    }

    fn of(&self, candidate: &Candidate) -> Result<&Outcome> {
        self.0
            .iter()
            .find(|it| it.candidate.file == candidate.file)
            .with_context(|| format!("{} was not measured", candidate.title))
    }

    /// With how many something was timed, for any candidate.
    pub(super) fn numbers(&self, what: &str) -> Vec<u64> {
        self.distinct(|it| it.measured.rows.numbers(what))
    }

    /// With how many it was timed or traced.
    pub(super) fn traced_numbers(&self, what: &str) -> Vec<u64> {
        self.distinct(|it| {
            [&it.measured.rows, &it.measured.traced]
                .map(|rows| rows.numbers(what))
                .concat()
        })
    }

    fn distinct(&self, of: impl Fn(&Outcome) -> Vec<u64>) -> Vec<u64> {
        let numbers: BTreeSet<u64> = self.0.iter().flat_map(of).collect();
        numbers.into_iter().collect()
    }

    /// All values, as CSV.
    pub(super) fn csv(&self) -> String {
        let mut text = format!("candidate,boot,{}\n", super::rows::HEADER);
        for it in &self.0 {
            let file = it.candidate.file;
            for row in it.measured.rows.csv() {
                text += &format!("{file},timed,{row}\n");
            }
            // Times of the traced boot say nothing.
            for (how, n, calls) in it.synchronized() {
                text += &format!("{file},traced,calls,synchronize_rcu,{how},{n},0,{calls}\n");
            }
            let shapes = [
                ("out_of_line", &it.measured.out_of_line),
                ("in_loop", &it.measured.in_loop),
            ];
            for (shape, access) in shapes {
                text += &format!(
                    "{file},traced,instructions,access,{shape},1,0,{}\n",
                    access.instructions
                );
            }
        }
        text
    }
}

impl Outcome {
    /// Whether something was not timed because it would have taken too long.
    pub(super) fn is_too_long(&self, what: &str, how: &str, n: u64) -> bool {
        let values = self.measured.rows.values("too_long", what, how, n);
        !values.is_empty()
    }

    /// Milliseconds of an unbind; [`None`] if it was not measured.
    pub(super) fn unbind_ms(&self, how: &str, n: u64) -> Option<Spread> {
        self.spread("ns", "unbind", how, n, 1e6)
    }

    /// Grace periods of the system during `what`.
    pub(super) fn grace_periods(&self, what: &str, how: &str, n: u64) -> Option<f64> {
        let spread = self.spread("grace_periods", what, how, n, 1.0)?;
        Some(spread.median)
    }

    /// Calls of `synchronize_rcu()` during an unbind, if that was traced.
    pub(super) fn synchronize(&self, how: &str, n: u64) -> Option<u64> {
        let Measured {
            trace, synchronize, ..
        } = &self.measured;
        trace.calls("unbind", how, n, *synchronize)
    }

    /// All of these: how, with how many, and the calls.
    pub(super) fn synchronized(&self) -> Vec<(&'static str, u64, u64)> {
        let numbers = self.measured.traced.numbers("unbind");
        ["plain", "tried"]
            .into_iter()
            .flat_map(|how| numbers.iter().map(move |n| (how, *n)))
            .filter_map(|(how, n)| Some((how, n, self.synchronize(how, n)?)))
            .collect()
    }

    /// Microseconds of a free, of `n` in this order.
    pub(super) fn free_us(&self, what: &str, order: &str, n: u64) -> Option<Spread> {
        self.spread("ns", what, order, n, 1e3 * n as f64)
    }

    /// The same, of the best round for each of the parts: what else runs on a machine can only slow
    /// one down.
    pub(super) fn best_free_us(&self, what: &str, order: &str, n: u64) -> Option<f64> {
        let rows = &self.measured.rows;
        let rounds = rows.values("ns", what, order, n).len();
        best_of_parts(&rows.values("part_ns", what, order, n), rounds).map(|ns| ns / 1e3 / n as f64)
    }

    /// Microseconds of a first access.
    pub(super) fn first_us(&self, what: &str, how: &str) -> Option<Spread> {
        let n = *self.measured.rows.numbers_of(what, how).first()?;
        self.spread("ns", what, how, n, 1e3 * n as f64)
    }

    /// The same, of the best round for each of the parts.
    pub(super) fn best_first_us(&self, what: &str, how: &str) -> Result<f64> {
        let n = self.measured.rows.numbers_of(what, how).first().copied();
        n.and_then(|n| self.best_free_us(what, how, n))
            .with_context(|| format!("{what}, {how}, was not measured"))
    }

    /// How much faster two threads populate and free than one does, by the best rounds: where both
    /// use one device, or each its own.
    pub(super) fn speedup(&self, how: &str) -> Result<f64> {
        Ok(2.0 * self.best_cycle_us("one")? / self.best_cycle_us(how)?)
    }

    /// Microseconds of creating, populating and freeing an owner, of the best round.
    pub(super) fn best_cycle_us(&self, how: &str) -> Result<f64> {
        let rows = &self.measured.rows;
        let n = rows.numbers_of("together", how).first().copied();
        let n = n.with_context(|| format!("nobody has populated and freed: {how}"))?;
        let times = rows.values("ns", "together", how, n);

        Ok(times.into_iter().fold(f64::INFINITY, f64::min) / 1e3 / n as f64)
    }

    /// Nanoseconds of an access, in a loop of its own.
    pub(super) fn access_ns(&self, shape: &str) -> Option<Spread> {
        let n = *self.measured.rows.numbers("access").first()?;
        self.spread("ns", "access", shape, n, n as f64)
    }

    /// Bytes of a part of an object.
    pub(super) fn size(&self, what: &str) -> Result<f64> {
        self.measured.rows.each("bytes", what, "inline")
    }

    /// Bytes in slabs for each of many, when they are created and when they are populated.
    pub(super) fn slab(&self, what: &str, how: &str) -> Result<f64> {
        self.measured.rows.each("bytes", what, how)
    }

    /// Bytes that the lazy part takes of a mapped object: in it, and beside it.
    pub(super) fn mapped(&self) -> Result<f64> {
        Ok(self.size("slot")? + self.slab("owner", "populated")?.round())
    }

    fn spread(&self, unit: &str, what: &str, how: &str, n: u64, per: f64) -> Option<Spread> {
        Spread::new(&self.measured.rows.values(unit, what, how, n), per).ok()
    }
}

/// The sum of the best of each part; parts follow each other in each of the rounds.
fn best_of_parts(values: &[f64], rounds: usize) -> Option<f64> {
    let parts = values
        .len()
        .checked_div(rounds)
        .filter(|parts| *parts > 0)?;
    let best = |part| values.iter().skip(part).step_by(parts).copied();
    Some(
        (0..parts)
            .map(|part| best(part).fold(f64::INFINITY, f64::min))
            .sum(),
    )
}

#[cfg(test)]
pub(super) mod tests {
    use super::{
        super::{
            measure::Access,
            rows::tests::rows,
            trace::{tests::section, Trace},
        },
        *,
    };
    use crate::kernel::tree::Version;

    /// Where `synchronize_rcu()` is.
    const SYNCHRONIZE: u64 = 0x80;

    /// As many calls of it by hand as there are objects, and as few of ours as there have to be;
    /// times that are held, and instructions.
    pub(in super::super) fn results() -> Results {
        let of_both = [
            "ns,access,out_of_line,1000,0,20000",
            "part_ns,first_object_bare,alone,1000,0,7000000",
            "ns,first_object_bare,alone,1000,0,7000000",
            "part_ns,first_object,alone,1000,0,8000000",
            "ns,first_object,alone,1000,0,8000000",
            "part_ns,first_owner,alone,1000,0,500000",
            "ns,first_owner,alone,1000,0,500000",
            "part_ns,first_owner,among,1000,0,500000",
            "ns,first_owner,among,1000,0,500000",
            "ns,together,one,1000,0,1000000",
            "ns,together,one,1000,1,1100000",
            "ns,together,two,1000,0,1600000",
            "ns,together,apart,1000,0,1000000",
            "part_ns,object,creation,1000,0,3000000",
            "part_ns,object,creation,1000,1,1000000",
            "ns,object,creation,1000,0,4000000",
            "bytes,object,inline,1,0,488",
            "bytes,object_allocated,inline,1,0,512",
            "bytes,lock,inline,1,0,24",
            "bytes,object,created,10,0,15000",
            "bytes,object,populated,10,0,2000",
        ];
        let by_hand = [
            "ns,unbind,plain,100,0,1000000000",
            "grace_periods,unbind,plain,100,0,101",
            "grace_periods,idle,plain,100,0,0",
            "too_long,unbind,plain,10000,0,100000000000",
            "bytes,slot,inline,1,0,48",
            "bytes,owner,populated,10,0,1281",
        ];
        let ours = [
            "ns,unbind,plain,100,0,500000",
            "ns,unbind,tried,100,0,8000000",
            "bytes,slot,inline,1,0,88",
            "bytes,owner,populated,10,0,0",
        ];

        let by_hand = measured(&[&of_both[..], &by_hand].concat(), 38, &[("plain", 100)]);
        let calls = [("plain", 0), ("tried", 1)];
        let ours = measured(&[&of_both[..], &ours].concat(), 18, &calls);
        Results(vec![
            Outcome {
                candidate: &BY_HAND,
                measured: by_hand,
            },
            Outcome {
                candidate: &OURS,
                measured: ours,
            },
        ])
    }

    /// The traced sections are unbind with 100 and with 10,000 objects.
    fn measured(timed: &[&str], instructions: u64, calls: &[(&str, u64)]) -> Measured {
        let mut traced = Vec::new();
        let mut sections = Vec::new();
        for (how, calls) in calls {
            for n in [100, 10_000] {
                traced.push(format!("section,unbind,{how},{n},0,0"));
                traced.push(format!("ns,unbind,{how},{n},0,1"));
                // By hand it is one for each object.
                let calls = if *calls == 100 { n } else { *calls };
                sections.push(section(calls, &[SYNCHRONIZE]));
            }
        }
        let traced: Vec<&str> = traced.iter().map(String::as_str).collect();
        let traced = rows(&traced).unwrap();
        let access = |instructions| Access {
            instructions,
            calls_accessor: instructions > 20,
            listing: vec!["out_of_line:".to_owned(), "    retq".to_owned()],
        };

        Measured {
            rows: rows(timed).unwrap(),
            trace: Trace::new(sections, &traced).unwrap(),
            traced,
            out_of_line: access(instructions),
            in_loop: access(instructions / 2),
            synchronize: SYNCHRONIZE,
            linux: Version(7, 3, 4),
            clang: Version(19, 1, 7),
        }
    }

    #[test]
    fn values_come_from_rows_and_traces() {
        let results = results();
        let (hand, ours) = (results.by_hand().unwrap(), results.ours().unwrap());

        assert_eq!(hand.unbind_ms("plain", 100).unwrap().median, 1000.0);
        assert!(hand.unbind_ms("plain", 10_000).is_none());
        assert!(hand.is_too_long("unbind", "plain", 10_000));
        assert_eq!(hand.synchronize("plain", 10_000), Some(10_000));
        assert_eq!(ours.synchronize("tried", 10_000), Some(1));
        assert_eq!(ours.access_ns("out_of_line").unwrap().median, 20.0);
        assert_eq!(ours.best_free_us("object", "creation", 1000), Some(4.0));
        assert_eq!(ours.best_first_us("first_object", "alone").unwrap(), 8.0);
        assert!(ours.best_first_us("first_object", "among").is_err());
        assert_eq!(ours.speedup("two").unwrap(), 1.25);
        assert_eq!(ours.speedup("apart").unwrap(), 2.0);
        assert!(ours.speedup("three").is_err());
        assert_eq!(hand.mapped().unwrap(), 48.0 + 128.0);
        assert_eq!(ours.mapped().unwrap(), 88.0);
        assert_eq!(results.numbers("unbind"), [100, 10_000]);
    }

    #[test]
    fn all_values_are_in_the_csv() {
        let csv = results().csv();

        assert!(csv.starts_with("candidate,boot,unit,what,how,n,round,value\n"));
        for line in [
            "by_hand,timed,ns,unbind,plain,100,0,1000000000",
            "lazy,timed,part_ns,object,creation,1000,1,1000000",
            "lazy,traced,calls,synchronize_rcu,tried,10000,0,1",
            "by_hand,traced,instructions,access,out_of_line,1,0,38",
        ] {
            assert!(csv.lines().any(|of_csv| of_csv == line), "{line}");
        }
        assert!(!csv.contains("section"), "{csv}");
    }

    #[test]
    fn parts_have_their_best_round() {
        // Two rounds of three parts.
        let values = [1.0, 9.0, 3.0, 8.0, 2.0, 4.0];
        assert_eq!(best_of_parts(&values, 2), Some(6.0));
        assert_eq!(best_of_parts(&values, 1), Some(27.0));
        assert_eq!(best_of_parts(&values, 0), None);
        assert_eq!(best_of_parts(&[], 2), None);
    }
}
