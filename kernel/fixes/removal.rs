// SPDX-License-Identifier: GPL-2.0

//! A node is removed from a device's list without a walk: the test, for `rust/kernel/devres.rs`.

#[kunit_tests(rust_devres)]
mod tests {
    use super::*;
    use crate::faux;

    // The shortest of several drops, each of a resource that is older than `others` others. Each
    // number of resources has a device of its own.
    fn shortest_drop(name: &CStr, others: usize) -> Result<i64> {
        use crate::time::{
            Instant,
            Monotonic, //
        };
        const DROPS: usize = 16;

        let reg = faux::Registration::new(name, None)?;
        let dev: &Device<Bound> = reg.as_ref().as_ref();
        let mut oldest = KVec::with_capacity(DROPS, GFP_KERNEL)?;
        let mut newer = KVVec::with_capacity(others, GFP_KERNEL)?;
        for _ in 0..DROPS {
            oldest.push(Devres::new(dev, 0)?, GFP_KERNEL)?;
        }
        for _ in 0..others {
            newer.push(Devres::new(dev, 0)?, GFP_KERNEL)?;
        }

        let mut shortest = i64::MAX;
        for devres in oldest {
            let begin = Instant::<Monotonic>::now();
            drop(devres);
            shortest = shortest.min(begin.elapsed().as_nanos());
        }
        // The latest first.
        while newer.pop().is_some() {}
        Ok(shortest)
    }

    // A walk through 10,000 nodes takes much longer than all the rest of a drop. Less than 2 us are
    // taken for 2 us, as clocks may be coarse.
    #[test]
    fn drop_among_many() -> Result {
        let alone = shortest_drop(c"devres-alone", 0)?;
        let among = shortest_drop(c"devres-among", 10_000)?;

        pr_info!("dropped in {alone} ns alone, in {among} ns among 10,000\n");
        assert!(among <= 5 * alone.max(2_000));
        Ok(())
    }
}
