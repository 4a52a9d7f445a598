// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The targets that have to hold.

use super::results::{order_title, Freed, Outcome, Results, FREED, ORDERS};
use crate::report::{
    spread::Spread,
    table::thousands,
    target::{Target, FLAT},
};
use anyhow::{Context, Result};

/// How much faster 400 objects have to be unbound, and how long 10,000 may take, in milliseconds.
const UNBIND_RATIO: (u64, f64) = (400, 100.0);
const UNBIND_LIMIT: (u64, f64) = (10_000, 1_000.0);

/// The same where few objects are measured, for seconds.
const QUICK_UNBIND_RATIO: (u64, f64) = (100, 10.0);

/// Instructions of an access.
const OUT_OF_LINE: u64 = 18;
const IN_LOOP: u64 = 10;

/// How many bytes a mapped object may have for each one that it has by hand.
const BYTES: f64 = 2.0 / 3.0;

/// How the targets stand; those that need many objects are left out if there were few.
pub(super) fn targets(results: &Results, quick: bool) -> Result<Vec<Target>> {
    let (hand, ours) = (results.by_hand()?, results.ours()?);

    let ratio = match quick {
        true => QUICK_UNBIND_RATIO,
        false => UNBIND_RATIO,
    };
    let mut targets = vec![unbind_ratio(hand, ours, ratio)?];
    if !quick {
        targets.push(unbind_limit(ours)?);
    }
    targets.push(grace_periods(hand, ours)?);
    if !quick {
        for freed in &FREED {
            let judged = ORDERS
                .into_iter()
                .filter(|&order| freed.random || order != "random");
            for order in judged {
                targets.push(flat(ours, freed, order)?);
            }
            for order in ORDERS {
                targets.push(no_slower(hand, ours, freed, order)?);
            }
        }
    }
    targets.push(instructions(
        "out of line, an access takes",
        OUT_OF_LINE,
        [hand, ours].map(|it| it.measured.out_of_line.instructions),
    ));
    targets.push(instructions(
        "in a loop, an access takes",
        IN_LOOP,
        [hand, ours].map(|it| it.measured.in_loop.instructions),
    ));
    targets.push(first_object(hand, ours)?);
    targets.push(first_owner(hand, ours)?);
    targets.push(among(ours)?);
    targets.push(together(hand, ours)?);
    targets.push(bytes([hand.mapped()?, ours.mapped()?]));
    targets.push(allocated([
        hand.size("object_allocated")?,
        ours.size("object_allocated")?,
    ]));
    Ok(targets)
}

fn unbind_ratio(hand: &Outcome, ours: &Outcome, (n, least): (u64, f64)) -> Result<Target> {
    let [hand, ours] = [hand, ours].map(|it| it.unbind_ms("plain", n));
    let (hand, ours) = hand
        .zip(ours)
        .with_context(|| format!("unbind with {n} objects was not measured"))?;
    let ratio = hand.median / ours.median;

    Ok(Target::exact(
        format!(
            "unbind with {} mapped objects is at least {least} times as fast",
            thousands(n)
        ),
        format!("{ratio:.0} times"),
        ratio >= least,
    ))
}

fn unbind_limit(ours: &Outcome) -> Result<Target> {
    let (n, most) = UNBIND_LIMIT;
    let [plain, tried] = ["plain", "tried"].map(|how| ours.unbind_ms(how, n));
    let (plain, tried) = plain
        .zip(tried)
        .with_context(|| format!("unbind with {n} objects was not measured"))?;

    Ok(Target::time(
        format!(
            "unbind with {} mapped objects takes less than {most} ms",
            thousands(n)
        ),
        format!(
            "{:.0} ms, and {:.0} ms after a `try_access`",
            plain.median, tried.median
        ),
        plain.median.max(tried.median) < most,
    ))
}

fn grace_periods(hand: &Outcome, ours: &Outcome) -> Result<Target> {
    let (n, _) = UNBIND_LIMIT;
    let calls = |how| {
        ours.synchronize(how, n)
            .with_context(|| format!("unbind with {n} objects was not traced"))
    };
    // Tells whether calls are counted at all.
    let control = hand.synchronized();
    Ok(waits(n, calls("plain")?, calls("tried")?, &control))
}

/// None and one are waited for, and by hand as many as there are objects.
fn waits(n: u64, plain: u64, tried: u64, control: &[(&str, u64, u64)]) -> Target {
    let control_holds = !control.is_empty() && control.iter().all(|(_, n, calls)| n == calls);
    let found = if control_holds {
        format!("{plain} and {tried}")
    } else {
        format!("{plain} and {tried}, and by hand not one for each object: {control:?}")
    };

    Target::exact(
        format!(
            "unbind with {} mapped objects waits for no grace period, and for one after a \
             `try_access`",
            thousands(n)
        ),
        found,
        control_holds && plain == 0 && tried == 1,
    )
}

fn flat(ours: &Outcome, freed: &Freed, order: &str) -> Result<Target> {
    let best = |what: &str| -> Result<Vec<f64>> {
        let numbers = ours.measured.rows.numbers(freed.name);
        let best = numbers.into_iter().map(|n| {
            ours.best_free_us(what, order, n)
                .with_context(|| format!("{what}: freeing {n}, {order}, was not measured"))
        });
        best.collect()
    };
    let what = format!("{}, {}", freed.text, order_title(order));
    is_flat(
        &what,
        &best(freed.name)?,
        &best(freed.bare)?,
        freed.bare_text,
    )
}

/// Freeing takes no longer with more objects than with the first number of them. Growth that is
/// also there without the slot is allowed: the slot does not cause it.
fn is_flat(what: &str, us: &[f64], bare: &[f64], bare_text: &str) -> Result<Target> {
    let growth = |us: &[f64]| -> Option<Vec<f64>> {
        let first = us.first()?;
        Some(us.iter().map(|us| us / first).collect())
    };
    let (grown, by_itself) = growth(us).zip(growth(bare)).context("nothing was freed")?;
    let held = grown
        .iter()
        .zip(&by_itself)
        .all(|(grown, by_itself)| *grown <= FLAT * by_itself.max(1.0));
    let list = |us: &[f64]| {
        let us: Vec<String> = us.iter().map(|us| format!("{us:.2}")).collect();
        us.join(", ")
    };

    Ok(Target::time(
        format!(
            "to free {what}, takes at most {:.0} % longer with many than with few, beyond what it \
             takes longer without the slot",
            (FLAT - 1.0) * 100.0
        ),
        format!("{} us, {bare_text} {} us", list(us), list(bare)),
        held,
    ))
}

/// The two were booted one after the other, so each is compared with what the C helper takes by
/// itself in the same boot.
fn first_object(hand: &Outcome, ours: &Outcome) -> Result<Target> {
    let over_bare = |it: &Outcome| -> Result<f64> {
        Ok(it.best_first_us("first_object", "alone")?
            / it.best_first_us("first_object_bare", "alone")?)
    };
    let (hand, ours) = (over_bare(hand)?, over_bare(ours)?);

    Ok(Target::time(
        "the first access to an object is no slower than by hand",
        format!("{ours:.2} times what the C helper takes alone, by hand {hand:.2}"),
        ours <= hand,
    ))
}

fn first_owner(hand: &Outcome, ours: &Outcome) -> Result<Target> {
    let [hand, ours] = [hand, ours].map(|it| it.best_first_us("first_owner", "alone"));
    let (hand, ours) = (hand?, ours?);

    Ok(Target::time(
        "the first access to an owner with nothing but the slot is no slower than by hand",
        format!("{ours:.2} us, by hand {hand:.2}"),
        ours <= hand,
    ))
}

fn among(ours: &Outcome) -> Result<Target> {
    let [alone, among] = ["alone", "among"].map(|how| ours.best_first_us("first_owner", how));
    Ok(Target::among(alone?, among?, "us"))
}

fn together(hand: &Outcome, ours: &Outcome) -> Result<Target> {
    let (hand, ours) = (hand.speedup("two")?, ours.speedup("two")?);
    let found = format!("{ours:.2} times, by hand {hand:.2}");
    Ok(Target::together(ours, found))
}

/// The median ratio of a free by hand to an annotated one, over all numbers that both have freed.
fn no_slower(hand: &Outcome, ours: &Outcome, freed: &Freed, order: &str) -> Result<Target> {
    // Freeing an object takes time that the slot has no part in, and that differs between boots.
    let best = |it: &Outcome, n| -> Option<f64> {
        let all = it.best_free_us(freed.name, order, n)?;
        match freed.over_bare {
            true => Some(all / it.best_free_us(freed.bare, order, n)?),
            false => Some(all),
        }
    };
    let numbers = ours.measured.rows.numbers(freed.name);
    let ratios = numbers
        .into_iter()
        .filter_map(|n| Some(best(hand, n)? / best(ours, n)?));
    let ratio = Spread::new(&ratios.collect::<Vec<_>>(), 1.0)?.median;
    let beyond = match freed.over_bare {
        true => format!(", each over {}", freed.bare_text),
        false => String::new(),
    };

    Ok(Target::time(
        format!(
            "to free {}, {}, takes no longer than by hand{beyond}",
            freed.text,
            order_title(order)
        ),
        format!("by hand {ratio:.2} times as long"),
        ratio >= 1.0,
    ))
}

fn instructions(text: &str, most: u64, [hand, ours]: [u64; 2]) -> Target {
    Target::exact(
        format!("{text} at most {most} instructions"),
        format!("{ours}, by hand {hand}"),
        ours <= most,
    )
}

fn bytes([hand, ours]: [f64; 2]) -> Target {
    Target::exact(
        "a mapped object has at most two thirds of the bytes",
        format!("{ours}, by hand {hand}"),
        ours <= hand * BYTES,
    )
}

fn allocated([hand, ours]: [f64; 2]) -> Target {
    Target::exact(
        "an object is allocated from the size class that it has by hand",
        format!("{ours}, by hand {hand}"),
        ours <= hand,
    )
}

#[cfg(test)]
mod tests {
    use super::{super::results::tests::results, *};

    #[test]
    fn targets_of_a_quick_run_need_few_objects() {
        let targets = targets(&results(), true).unwrap();

        assert_eq!(targets.len(), 10);
        for target in targets {
            assert_eq!(target.held, Some(true), "{}: {}", target.text, target.found);
        }
    }

    #[test]
    fn what_was_not_measured_is_not_held() {
        assert!(super::targets(&results(), false).is_err());
    }

    #[test]
    fn one_grace_period_is_enough() {
        let control = [("plain", 1, 1), ("plain", 100, 100)];
        assert_eq!(waits(9, 0, 1, &control).held, Some(true));
        assert_eq!(waits(9, 1, 1, &control).held, Some(false));
        assert_eq!(waits(9, 0, 2, &control).held, Some(false));
        // After a `try_access`, one has to be waited for.
        assert_eq!(waits(9, 0, 0, &control).held, Some(false));
        // If calls are not counted, there are none.
        assert_eq!(waits(9, 0, 1, &[("plain", 100, 0)]).held, Some(false));
        assert_eq!(waits(9, 0, 1, &[]).held, Some(false));
    }

    #[test]
    fn what_grows_is_not_flat() {
        let held =
            |us: &[f64], control: &[f64]| is_flat("", us, control, "").unwrap().held == Some(true);

        assert!(held(&[1.0, 1.2, 0.97], &[0.5, 0.5, 0.5]));
        assert!(!held(&[1.0, 1.3, 1.0], &[0.5, 0.5, 0.5]));
        // The memory is slower.
        assert!(held(&[1.0, 1.3, 2.0], &[0.5, 0.6, 1.0]));
        assert!(!held(&[1.0, 1.3, 3.0], &[0.5, 0.6, 1.0]));
        // Without the slot, it may become faster: that does not lower the limit.
        assert!(held(&[1.0, 1.2], &[0.5, 0.2]));
        assert!(is_flat("", &[], &[], "").is_err());
    }

    #[test]
    fn limits_are_limits() {
        assert_eq!(instructions("", 20, [38, 20]).held, Some(true));
        assert_eq!(instructions("", 20, [38, 21]).held, Some(false));
        assert_eq!(bytes([180.0, 120.0]).held, Some(true));
        assert_eq!(bytes([180.0, 121.0]).held, Some(false));
        assert_eq!(allocated([512.0, 512.0]).held, Some(true));
        assert_eq!(allocated([512.0, 1024.0]).held, Some(false));
    }
}
