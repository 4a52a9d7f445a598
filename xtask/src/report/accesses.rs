// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The instructions of one access, from two runs of which one accesses twice as often.

use anyhow::{ensure, Context, Result};
use std::collections::BTreeMap;

/// Accesses of the two runs.
pub(crate) const ACCESSES: [u64; 2] = [1_000, 2_000];

/// How often one access executes the instruction at each place, from the counts of both runs. Each
/// access has to execute the same.
pub(crate) fn per_access<P: Clone + Ord>(
    less: &BTreeMap<P, u64>,
    more: &BTreeMap<P, u64>,
) -> Result<BTreeMap<P, u64>> {
    let accesses = ACCESSES[1] - ACCESSES[0];
    let fewer = "more accesses execute less";
    let mut per_access = BTreeMap::new();

    ensure!(less.keys().all(|place| more.contains_key(place)), fewer);
    for (place, count) in more {
        let before = less.get(place).copied().unwrap_or(0);
        let difference = count.checked_sub(before).context(fewer)?;
        ensure!(
            difference % accesses == 0,
            "accesses differ: {accesses} of them execute an instruction {difference} times"
        );
        if difference > 0 {
            per_access.insert(place.clone(), difference / accesses);
        }
    }

    ensure!(
        !per_access.is_empty(),
        "the measured function was not executed"
    );
    Ok(per_access)
}

/// The instructions of an access in a loop, without those of a loop that accesses nothing.
pub(crate) fn without_loop(access: u64, nothing: u64) -> Result<u64> {
    access
        .checked_sub(nothing)
        .context("an access takes less than none")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_access_is_the_difference() {
        let counts = |n| BTreeMap::from([("load", n), ("add", 2 * n), ("once", 1)]);
        let [less, more] = ACCESSES.map(counts);

        let expected = BTreeMap::from([("load", 1), ("add", 2)]);
        assert_eq!(per_access(&less, &more).unwrap(), expected);
        assert!(per_access(&less, &less).is_err());
        assert!(per_access(&more, &less).is_err());
        assert!(per_access(&less, &counts(ACCESSES[1] + 1)).is_err());
        assert!(per_access(&less, &BTreeMap::from([("load", 2_000)])).is_err());
        assert!(without_loop(1, 2).is_err());
    }
}
