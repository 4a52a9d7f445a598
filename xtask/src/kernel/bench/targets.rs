// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The targets that have to hold.

use super::results::{Freed, Outcome, Results, ALLOCATED, FREED, MAPPED, ORDERS};
use crate::report::{
    rows::Spread,
    table::thousands,
    target::{Of, Target, FLAT},
};
use anyhow::{Context, Result};

/// How much faster 400 objects have to be unbound, and how long 10,000 may take, in milliseconds.
const UNBIND_RATIO: (u64, f64) = (400, 100.0);
const UNBIND_LIMIT: (u64, f64) = (10_000, 1_000.0);

/// The same where few objects are measured, for seconds.
const QUICK_UNBIND_RATIO: (u64, f64) = (100, 10.0);

/// Instructions of an access: the shape, its name in rows, and at most how many.
const INSTRUCTIONS: [(&str, &str, f64); 2] = [
    ("out of line", "out_of_line", 18.0),
    ("in a loop", "in_loop", 10.0),
];

/// How many bytes a mapped object may have for each one that it has by hand.
const BYTES: f64 = 2.0 / 3.0;

/// How the targets stand; those that need many objects are left out if there were few.
pub(super) fn targets(results: &Results, quick: bool) -> Result<Vec<Target>> {
    let [_, ours] = &results.0;
    let mut targets = Vec::new();
    if quick {
        targets.push(unbind_ratio(results, QUICK_UNBIND_RATIO)?);
        targets.push(grace_periods(results)?);
    } else {
        targets.push(unbind_ratio(results, UNBIND_RATIO)?);
        targets.push(unbind_limit(ours)?);
        targets.push(grace_periods(results)?);
        for freed in &FREED {
            let is_judged = |(order, _): &(&str, &str)| freed.is_mostly_slot || *order != "random";
            for order in ORDERS.into_iter().filter(is_judged) {
                targets.push(flat(ours, freed, order)?);
            }
            for order in ORDERS {
                targets.push(no_slower(results, freed, order)?);
            }
        }
    }

    for (title, shape, most) in INSTRUCTIONS {
        let text = format!("{title}, an access takes at most {most} instructions");
        let both = results.both(|it| it.instructions(shape))?;
        targets.push(at_most(text, both, |_| most));
    }
    // The two were booted one after the other, so each is compared with what the C helper takes by
    // itself in the same boot.
    let [by_hand, object] = results.both(|it| {
        let alone = it.best_only_us("first_object_bare", "alone")?;
        Ok(it.best_only_us("first_object", "alone")? / alone)
    })?;
    targets.push(Target::new(
        Of::Time,
        "the first access to an object is no slower than by hand",
        format!("{object:.2} times what the C helper takes alone, by hand {by_hand:.2}"),
        object <= by_hand,
    ));
    let [by_hand, owner] = results.both(|it| it.best_only_us("first_owner", "alone"))?;
    targets.push(Target::new(
        Of::Time,
        "the first access to an owner with nothing but the slot is no slower than by hand",
        format!("{owner:.2} us, by hand {by_hand:.2}"),
        owner <= by_hand,
    ));
    let among = ours.best_only_us("first_owner", "among")?;
    targets.push(Target::among(owner, among, "us"));
    let [by_hand, together] = results.both(|it| it.speedup("two"))?;
    let found = format!("{together:.2} times, by hand {by_hand:.2}");
    targets.push(Target::together(together, found));
    targets.push(at_most(
        "a mapped object has at most two thirds of the bytes",
        results.both(|it| it.bytes(&MAPPED))?,
        |by_hand| by_hand * BYTES,
    ));
    targets.push(at_most(
        "an object is allocated from the size class that it has by hand",
        results.both(|it| it.bytes(&[ALLOCATED]))?,
        |by_hand| by_hand,
    ));
    Ok(targets)
}

/// Ours is at most what `most` makes of the one by hand.
fn at_most(
    text: impl Into<String>,
    [by_hand, ours]: [f64; 2],
    most: impl Fn(f64) -> f64,
) -> Target {
    let found = format!("{ours}, by hand {by_hand}");
    Target::new(Of::Exact, text, found, ours <= most(by_hand))
}

fn unbind_ratio(results: &Results, (n, least): (u64, f64)) -> Result<Target> {
    let [by_hand, ours] = results.both(|it| Ok(it.unbind_ms("plain", n)?.median))?;
    let ratio = by_hand / ours;
    let n = thousands(n);
    Ok(Target::new(
        Of::Exact,
        format!("unbind with {n} mapped objects is at least {least} times as fast"),
        format!("{ratio:.0} times"),
        ratio >= least,
    ))
}

fn unbind_limit(ours: &Outcome) -> Result<Target> {
    let (n, most) = UNBIND_LIMIT;
    let plain = ours.unbind_ms("plain", n)?.median;
    let tried = ours.unbind_ms("tried", n)?.median;
    let n = thousands(n);
    Ok(Target::new(
        Of::Time,
        format!("unbind with {n} mapped objects takes less than {most} ms"),
        format!("{plain:.0} ms, and {tried:.0} ms after a `try_access`"),
        plain.max(tried) < most,
    ))
}

/// None and one are waited for, and by hand as many as there are objects: else calls are not
/// counted.
fn grace_periods(results: &Results) -> Result<Target> {
    let [hand, ours] = &results.0;
    let (n, _) = UNBIND_LIMIT;
    let waited = [ours.synchronize("plain", n)?, ours.synchronize("tried", n)?];
    let mut found = format!("{} and {}", waited[0], waited[1]);
    let control = hand.rows.numbers("synchronize_rcu,plain").into_iter();
    let control = control.map(|n| Ok((n, hand.synchronize("plain", n)?)));
    let control: Vec<(u64, f64)> = control.collect::<Result<_>>()?;
    let is_counted = !control.is_empty() && control.iter().all(|(n, calls)| *n as f64 == *calls);
    if !is_counted {
        found += &format!(", and by hand not one for each object: {control:?}");
    }

    let n = thousands(n);
    Ok(Target::new(
        Of::Exact,
        format!(
            "unbind with {n} mapped objects waits for no grace period, and for one after a \
             `try_access`"
        ),
        found,
        is_counted && waited == [0.0, 1.0],
    ))
}

fn flat(ours: &Outcome, freed: &Freed, (order, title): (&str, &str)) -> Result<Target> {
    let best = |what: &str| -> Result<Vec<f64>> {
        let numbers = ours.rows.numbers(freed.name).into_iter();
        numbers.map(|n| ours.best_us(what, order, n)).collect()
    };
    let (us, bare) = (best(freed.name)?, best(freed.bare)?);
    let list = |us: &[f64]| {
        let us: Vec<String> = us.iter().map(|us| format!("{us:.2}")).collect();
        us.join(", ")
    };
    Ok(Target::new(
        Of::Time,
        format!(
            "to free {}, {title}, takes at most {:.0} % longer with many than with few, beyond \
             what it takes longer without the slot",
            freed.text,
            (FLAT - 1.0) * 100.0
        ),
        format!("{} us, {} {} us", list(&us), freed.bare_text, list(&bare)),
        is_flat(&us, &bare).context("nothing was freed")?,
    ))
}

/// Freeing takes no longer with more objects than with the first number of them. Growth that is
/// also there without the slot is allowed: the slot does not cause it.
fn is_flat(us: &[f64], bare: &[f64]) -> Option<bool> {
    let (first, first_bare) = (us.first()?, bare.first()?);
    let is_flat = |(us, bare): (&f64, &f64)| us / first <= FLAT * (bare / first_bare).max(1.0);
    Some(us.iter().zip(bare).all(is_flat))
}

/// The median ratio of a free by hand to an annotated one, over all numbers that both have freed.
fn no_slower(results: &Results, freed: &Freed, (order, title): (&str, &str)) -> Result<Target> {
    // Freeing an object takes time that the slot has no part in, and that differs between boots.
    let best = |it: &Outcome, n| -> Result<f64> {
        let all = it.best_us(freed.name, order, n)?;
        match freed.is_mostly_slot {
            true => Ok(all),
            false => Ok(all / it.best_us(freed.bare, order, n)?),
        }
    };
    let numbers = results.numbers(freed.name).into_iter();
    let both = numbers.filter_map(|n| results.both(|it| best(it, n)).ok());
    let ratios: Vec<f64> = both.map(|[by_hand, ours]| by_hand / ours).collect();
    let ratio = Spread::new(&ratios, 1.0)?.median;
    let beyond = match freed.is_mostly_slot {
        true => String::new(),
        false => format!(", each over {}", freed.bare_text),
    };

    Ok(Target::new(
        Of::Time,
        format!(
            "to free {}, {title}, takes no longer than by hand{beyond}",
            freed.text
        ),
        format!("by hand {ratio:.2} times as long"),
        ratio >= 1.0,
    ))
}

#[cfg(test)]
mod tests {
    use super::{super::results::tests::results, *};

    /// How many targets of a quick run are missed if a candidate has another value.
    fn missed(candidate: usize, of: &str, value: f64) -> usize {
        let mut results = results();
        let it = &mut results.0[candidate];
        for row in &mut it.rows.0 {
            if row.of == of {
                row.value = value;
            }
        }
        let targets = targets(&results, true).unwrap();
        assert_eq!(targets.len(), 10);
        targets.iter().filter(|it| it.held != Some(true)).count()
    }

    #[test]
    fn limits_are_limits() {
        // Each is missed beyond a limit. After a `try_access`, one grace period has to be waited for.
        for (of, held, not) in [
            ("ns,unbind,plain,100", 1e8, 1e8 + 1.0),
            ("bytes,slot,inline,1", 117.0, 118.0),
            ("bytes,object_allocated,inline,1", 512.0, 1024.0),
            ("instructions,access,out_of_line,1", 18.0, 19.0),
            ("instructions,access,in_loop,1", 10.0, 11.0),
            ("calls,synchronize_rcu,plain,10000", 0.0, 1.0),
            ("calls,synchronize_rcu,tried,10000", 1.0, 2.0),
            ("calls,synchronize_rcu,tried,10000", 1.0, 0.0),
        ] {
            assert_eq!(missed(1, of, held), 0, "{of}");
            assert_eq!(missed(1, of, not), 1, "{of}");
        }
        // By hand, each object waits for one: else calls are not counted.
        assert_eq!(missed(0, "calls,synchronize_rcu,plain,100", 0.0), 1);
    }

    #[test]
    fn what_was_not_measured_is_not_held() {
        assert!(super::targets(&results(), false).is_err());
    }

    #[test]
    fn what_grows_is_not_flat() {
        for (us, bare, held) in [
            ([1.0, 1.2, 0.97], [0.5, 0.5, 0.5], true),
            ([1.0, 1.3, 1.0], [0.5, 0.5, 0.5], false),
            // The memory is slower.
            ([1.0, 1.3, 2.0], [0.5, 0.6, 1.0], true),
            ([1.0, 1.3, 3.0], [0.5, 0.6, 1.0], false),
            // Without the slot, it may become faster: that does not lower the limit.
            ([1.0, 1.2, 1.0], [0.5, 0.2, 0.5], true),
        ] {
            assert_eq!(is_flat(&us, &bare), Some(held), "{us:?} {bare:?}");
        }
        assert_eq!(is_flat(&[], &[]), None);
    }
}
