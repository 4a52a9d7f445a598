// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Prints what populating takes: on two CPUs at the same time, and on a device with many other
//! managed resources.

use super::{
    measure::{in_turns, row, together, Accesses},
    owner::{Owner, WithDevres, WithSlot},
};
use kernel::{
    device::{Bound, Device},
    devres::register,
    prelude::*,
    testing::TestDevice,
};
use std::time::Instant;

/// How many other managed resources a device has.
const OTHERS: usize = 10_000;

/// How much is measured.
pub(crate) struct Size {
    pub(crate) rounds: usize,
    /// Owners that each thread creates, populates and frees.
    pub(crate) cycles: u64,
    /// Owners that are populated, timed at once.
    pub(crate) owners: usize,
}

/// Someone whose turn it is.
struct Turn<'a> {
    name: &'static str,
    /// Creates, populates and frees so many.
    cycles: Accesses<'a>,
    /// Populates so many for this device, and returns how many nanoseconds each takes.
    populate: fn(usize, &Device<Bound>) -> Result<f64>,
}

impl<'a> Turn<'a> {
    fn new<O: Owner>(dev: &'a Device<Bound>) -> Self {
        Self {
            name: O::NAME,
            cycles: Box::new(|n| (0..n).try_for_each(|_| O::create()?.populate(dev))),
            populate: populate::<O>,
        }
    }
}

fn populate<O: Owner>(owners: usize, dev: &Device<Bound>) -> Result<f64> {
    let all: Vec<_> = (0..owners).map(|_| O::create()).collect::<Result<_>>()?;

    let begin = Instant::now();
    for owner in &all {
        owner.populate(dev)?;
    }
    let ns = begin.elapsed().as_secs_f64() * 1e9;

    // The last one first, which by hand is the fast order.
    all.into_iter().rev().for_each(drop);
    Ok(ns / owners as f64)
}

/// Measures it.
pub(crate) fn all(dev: &Device<Bound>, size: &Size) -> Result {
    let mut other = TestDevice::new(c"other0")?;
    let other = other.bind()?;
    // The registry is older than the other resources, as it is where a driver maps early.
    WithSlot::create()?.populate(&other)?;
    for _ in 0..OTHERS {
        register(&other, 0_u32, GFP_KERNEL)?;
    }

    let turns = [Turn::new::<WithSlot>(dev), Turn::new::<WithDevres>(dev)];
    in_turns(&turns, size.rounds, |turn, round| {
        for (measure, threads) in [
            ("cycles_per_us_1_thread", 1),
            ("cycles_per_us_2_threads", 2),
        ] {
            let us = together(&turn.cycles, threads, size.cycles)?.as_secs_f64() * 1e6;
            let cycles = threads as f64 * size.cycles as f64;
            row(measure, turn.name, round, cycles / us);
        }
        for (measure, dev) in [("populate_ns", dev), ("populate_among_ns", &*other)] {
            let ns = (turn.populate)(size.owners, dev)?;
            row(measure, turn.name, round, ns);
        }
        Ok(())
    })
}
