// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The figures that follow from the rows and the traces.

use super::{candidate::Candidate, rows::TITLES};
use crate::{
    kernel::tree::Version,
    report::rows::{Rows, Spread},
};
use anyhow::{Context, Result};
use std::collections::BTreeSet;

/// The orders in which things are freed, and their titles.
pub(super) const ORDERS: [(&str, &str); 3] = [
    ("creation", "first one first"),
    ("reverse", "last one first"),
    ("random", "random"),
];

/// How something is unbound, and the titles of that.
pub(super) const HOWS: [(&str, &str); 2] = [("plain", ""), ("tried", "after a `try_access`")];

/// A kind of thing that is freed.
pub(super) struct Freed {
    /// Its name in rows.
    pub(super) name: &'static str,
    /// The same without the part of the slot, and what that is.
    pub(super) bare: &'static str,
    pub(super) bare_text: &'static str,
    pub(super) text: &'static str,
    /// Whether the slot takes most of the time. Otherwise, times are compared as ratios to the same
    /// without the slot. Random order is then not judged by itself: the cost of memory, and of the
    /// C helper's, varies more between the numbers of objects than the slot takes.
    pub(super) is_mostly_slot: bool,
}

pub(super) const FREED: [Freed; 2] = [
    Freed {
        name: "object",
        bare: "object_bare",
        bare_text: "mapped by the C helper alone",
        text: "an object with its table",
        is_mostly_slot: false,
    },
    Freed {
        name: "owner",
        bare: "owner_empty",
        bare_text: "never populated",
        text: "an owner with nothing but the slot",
        is_mostly_slot: true,
    },
];

/// The bytes that the lazy part takes of a mapped object: in it, and beside it.
pub(super) const MAPPED: [&str; 2] = ["slot,inline", "owner,populated"];

/// The bytes that an allocation of the object takes.
pub(super) const ALLOCATED: &str = "object_allocated,inline";

/// Everything that was seen of a candidate.
pub(super) struct Outcome {
    pub(super) candidate: &'static Candidate,
    /// Those of the timed boot, and the counts of the traced one, whose times say nothing.
    pub(super) rows: Rows,
    /// The instructions of an access, out of line.
    pub(super) listing: Vec<String>,
    pub(super) linux: Version,
    pub(super) clang: Version,
}

/// The outcomes of the reference copy, and of ours.
pub(super) struct Results(pub(super) [Outcome; 2]);

impl Results {
    /// A value by hand, and of ours.
    pub(super) fn both<T>(&self, of: impl Fn(&Outcome) -> Result<T>) -> Result<[T; 2]> {
        let [by_hand, ours] = &self.0;
        Ok([of(by_hand)?, of(ours)?])
    }

    /// With how many something was timed, or its calls counted, for any candidate.
    pub(super) fn numbers(&self, what: &str) -> BTreeSet<u64> {
        self.0.iter().flat_map(|it| it.rows.numbers(what)).collect()
    }

    pub(super) fn csv(&self) -> String {
        let mut text = format!("candidate,{TITLES},round,value\n");
        for it in &self.0 {
            let rows = it.rows.0.iter();
            let values = rows.filter(|row| !row.of.starts_with("section,"));
            text.extend(values.map(|row| format!("{},{row}\n", it.candidate.file)));
        }
        text
    }
}

impl Outcome {
    /// The candidate's title, with how something was done behind it.
    pub(super) fn title(&self, how: &str) -> String {
        let comma = if how.is_empty() { "" } else { ", " };
        format!("{}{comma}{how}", self.candidate.title)
    }

    /// Whether something was not timed because it would have taken too long.
    pub(super) fn is_too_long(&self, what: &str, how: &str, n: u64) -> bool {
        let values = self.rows.values(&format!("too_long,{what},{how},{n}"));
        !values.is_empty()
    }

    /// Milliseconds of an unbind.
    pub(super) fn unbind_ms(&self, how: &str, n: u64) -> Result<Spread> {
        self.rows.spread(&format!("ns,unbind,{how},{n}"), 1e6)
    }

    /// Calls of `synchronize_rcu()` during an unbind.
    pub(super) fn synchronize(&self, how: &str, n: u64) -> Result<f64> {
        self.rows
            .median(&format!("calls,synchronize_rcu,{how},{n}"))
    }

    /// Microseconds for each of `n`, of the best round for each of the parts, if there are parts:
    /// what else runs on a machine can only slow one down.
    pub(super) fn best_us(&self, what: &str, how: &str, n: u64) -> Result<f64> {
        let values = |unit| self.rows.values(&format!("{unit},{what},{how},{n}"));
        let (whole, parts) = (values("ns"), values("part_ns"));
        let values = if parts.is_empty() { &whole } else { &parts };
        best_of_parts(values, whole.len())
            .map(|ns| ns / 1e3 / n as f64)
            .with_context(|| format!("{what}, {how}, was not measured with {n}"))
    }

    /// The same of something that is done with one number only.
    pub(super) fn best_only_us(&self, what: &str, how: &str) -> Result<f64> {
        let of = format!("{what},{how}");
        let n = self.rows.numbers(&of).first().copied();
        let n = n.with_context(|| format!("{of} was not measured"))?;
        self.best_us(what, how, n)
    }

    /// How much faster two threads populate and free than one does, by the best rounds: where both
    /// use one device, or each its own.
    pub(super) fn speedup(&self, how: &str) -> Result<f64> {
        let cycle_us = |how| self.best_only_us("together", how);
        Ok(2.0 * cycle_us("one")? / cycle_us(how)?)
    }

    /// Instructions of an access.
    pub(super) fn instructions(&self, shape: &str) -> Result<f64> {
        let of = format!("instructions,access,{shape}");
        Ok(self.rows.each(&of, 1.0)?.median)
    }

    /// The sum of some bytes, each in whole ones: of parts of an object, or in slabs for each of
    /// many when they are created and when they are populated.
    pub(super) fn bytes(&self, parts: &[&str]) -> Result<f64> {
        let each = |of| Ok(self.rows.each(&format!("bytes,{of}"), 1.0)?.median.round());
        parts.iter().map(each).sum()
    }
}

/// The sum of the best of each part; parts follow each other in each of the rounds.
fn best_of_parts(values: &[f64], rounds: usize) -> Option<f64> {
    let parts = values.len().checked_div(rounds)?;
    let best = |part| {
        let of_rounds = values.iter().skip(part).step_by(parts).copied();
        of_rounds.fold(f64::INFINITY, f64::min)
    };
    (parts > 0).then(|| (0..parts).map(best).sum())
}

#[cfg(test)]
pub(super) mod tests {
    use super::{
        super::{candidate::CANDIDATES, rows::WORDS},
        *,
    };
    use crate::report::rows::tests::rows;

    const OF_BOTH: &str = "\
ns,access,out_of_line,1000,0,20000
part_ns,first_object_bare,alone,1000,0,7000000
ns,first_object_bare,alone,1000,0,7000000
part_ns,first_object,alone,1000,0,8000000
ns,first_object,alone,1000,0,8000000
part_ns,first_owner,alone,1000,0,500000
ns,first_owner,alone,1000,0,500000
part_ns,first_owner,among,1000,0,500000
ns,first_owner,among,1000,0,500000
ns,together,one,1000,0,1000000
ns,together,one,1000,1,1100000
ns,together,two,1000,0,1600000
ns,together,apart,1000,0,1000000
part_ns,object,creation,1000,0,3000000
part_ns,object,creation,1000,1,1000000
ns,object,creation,1000,0,4000000
bytes,object,inline,1,0,488
bytes,object_allocated,inline,1,0,512
bytes,lock,inline,1,0,24
bytes,object,created,10,0,15000
bytes,object,populated,10,0,2000
";

    const HAND: &str = "\
section,unbind,plain,100,0,0
ns,unbind,plain,100,0,1000000000
grace_periods,unbind,plain,100,0,101
grace_periods,idle,plain,100,0,0
too_long,unbind,plain,10000,0,100000000000
bytes,slot,inline,1,0,48
bytes,owner,populated,10,0,1281
calls,synchronize_rcu,plain,100,0,100
calls,synchronize_rcu,plain,10000,0,10000
instructions,access,out_of_line,1,0,38
instructions,access,in_loop,1,0,19
calls,accessor,out_of_line,1,0,1
calls,accessor,in_loop,1,0,1
";

    const OURS: &str = "\
ns,unbind,plain,100,0,500000
ns,unbind,tried,100,0,8000000
bytes,slot,inline,1,0,88
bytes,owner,populated,10,0,0
calls,synchronize_rcu,plain,100,0,0
calls,synchronize_rcu,plain,10000,0,0
calls,synchronize_rcu,tried,100,0,1
calls,synchronize_rcu,tried,10000,0,1
instructions,access,out_of_line,1,0,18
instructions,access,in_loop,1,0,9
calls,accessor,out_of_line,1,0,0
calls,accessor,in_loop,1,0,0
";

    /// As many grace periods by hand as there are objects, and as few of ours as there have to be;
    /// times that are held, and instructions.
    pub(in super::super) fn results() -> Results {
        let [by_hand, ours] = &CANDIDATES;
        Results(
            [(by_hand, HAND), (ours, OURS)].map(|(candidate, own)| Outcome {
                candidate,
                rows: rows(OF_BOTH.lines().chain(own.lines()), WORDS),
                listing: vec!["out_of_line:".to_owned(), "    retq".to_owned()],
                linux: Version(7, 3, 4),
                clang: Version(19, 1, 7),
            }),
        )
    }

    #[test]
    fn values_come_from_rows() {
        let results = results();
        let [hand, ours] = &results.0;

        assert!(hand.is_too_long("unbind", "plain", 10_000));
        assert_eq!(results.numbers("unbind"), [100, 10_000].into());
        assert_eq!(hand.rows.numbers("unbind,plain"), [100, 10_000].into());
        assert!(hand.rows.numbers("unbind,tried").is_empty());
        // Bytes of an object are of another number.
        assert_eq!(results.numbers("object"), [1000].into());
        let access = ours.rows.each("ns,access,out_of_line", 0.5).unwrap();
        assert_eq!(access.median, 40.0);
        for (value, expected) in [
            (
                hand.unbind_ms("plain", 100).map(|it| it.median),
                Some(1000.0),
            ),
            (hand.unbind_ms("plain", 10_000).map(|it| it.median), None),
            (hand.synchronize("plain", 10_000), Some(10_000.0)),
            (ours.synchronize("tried", 10_000), Some(1.0)),
            (ours.instructions("in_loop"), Some(9.0)),
            (ours.best_us("object", "creation", 1000), Some(4.0)),
            (ours.best_only_us("first_object", "alone"), Some(8.0)),
            (ours.best_only_us("first_object", "among"), None),
            (ours.speedup("two"), Some(1.25)),
            (ours.speedup("apart"), Some(2.0)),
            (ours.speedup("three"), None),
            (ours.bytes(&["object,created"]), Some(1500.0)),
            (ours.bytes(&["object,freed"]), None),
            (hand.bytes(&MAPPED), Some(48.0 + 128.0)),
            (ours.bytes(&MAPPED), Some(88.0)),
        ] {
            assert_eq!(value.as_ref().ok(), expected.as_ref(), "{value:?}");
        }
    }

    #[test]
    fn all_values_are_in_the_csv() {
        let csv = results().csv();

        assert!(csv.starts_with("candidate,unit,what,how,n,round,value\n"));
        for line in [
            "by_hand,ns,unbind,plain,100,0,1000000000",
            "lazy,part_ns,object,creation,1000,1,1000000",
            "lazy,calls,synchronize_rcu,tried,10000,0,1",
            "by_hand,instructions,access,out_of_line,1,0,38",
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
