// SPDX-License-Identifier: GPL-2.0

//! The time of populating and freeing, on one CPU and on two at the same time.

use super::{
    measure::{
        self,
        Stopwatch, //
    },
    Gpu,
    Owner,
    Scale, //
};
use crate::{
    device::Device,
    devres::kunit_support::{
        meet,
        Thread, //
    },
    prelude::*,
    sync::{
        aref::ARef,
        atomic::Atomic,
        Arc, //
    },
    time::Delta, //
};

/// Creates an owner, populates it and frees it, `n` times. Returns the time from the moment at
/// which `threads` threads have arrived.
///
/// # Safety
///
/// `dev` stays bound until this returns.
unsafe fn cycles(dev: &Device, n: usize, arrived: &Atomic<i32>, threads: i32) -> Result<Delta> {
    // SAFETY: The caller keeps the device bound.
    let dev = unsafe { dev.as_bound() };

    meet(arrived, threads);
    let watch = Stopwatch::start();
    for _ in 0..n {
        let owner = Owner::new()?;
        owner.populate(dev)?;
    }
    Ok(watch.elapsed())
}

/// Lets a thread for each device do `n` cycles, and prints the time of the slowest.
fn once(gpus: &[&Gpu], how: &str, n: usize, round: usize) -> Result {
    let arrived = Arc::new(Atomic::new(0), GFP_KERNEL)?;
    let threads = gpus.len() as i32;

    let mut all = KVec::new();
    for gpu in gpus {
        let dev: ARef<Device> = ARef::from(&**gpu.bound()?);
        let arrived = arrived.clone();
        let thread = Thread::new(move || {
            // SAFETY: The thread is joined below, before the device is unbound.
            unsafe { cycles(&dev, n, &arrived, threads) }
        })?;
        all.push(thread, GFP_KERNEL)?;
    }
    for thread in &all {
        thread.start();
    }

    let mut slowest = Delta::from_nanos(0);
    for thread in all {
        slowest = slowest.max(thread.join()??);
    }
    measure::row("ns", "together", how, n, round, slowest.as_nanos());
    Ok(())
}

/// Measures one thread, two threads on one device, and two threads on two devices, in turns.
pub(super) fn owners(scale: &Scale) -> Result {
    let [gpu, other] = [Gpu::new()?, Gpu::new()?];
    for gpu in [&gpu, &other] {
        gpu.map_another()?;
    }

    scale.repeat(|round| {
        once(&[&gpu], "one", scale.together, round)?;
        once(&[&gpu, &gpu], "two", scale.together, round)?;
        once(&[&gpu, &other], "apart", scale.together, round)
    })
}
