// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Everything but instructions: prints one row per measured value.
//!
//! Nothing is computed from the rows here. The variants are measured in turns within one round,
//! and each round starts with another one, so that other load disturbs all alike.

use super::{
    driver::Driver,
    heap,
    measured::{self, Access, Nothing},
    object::{ByHand, CrateOnce, Generated, Shmem, StdOnce},
    once::SGTableMap,
    populate,
};
use kernel::{
    bindings,
    device::{Bound, Device},
    drm,
    error::Result,
    sync::aref::ARef,
};
use std::{
    hint::black_box,
    mem::size_of,
    panic,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

/// How much is measured.
struct Size {
    /// Accesses that are timed at once.
    accesses: u64,
    rounds: usize,
    /// The same, for one thread against two.
    thread_accesses: u64,
    thread_rounds: usize,
    /// Fresh objects that are accessed first, timed at once.
    objects: usize,
    first_rounds: usize,
    populate: populate::Size,
}

/// Batches of about a millisecond. They are long enough that reading the clock and starting threads
/// do not count. They are short enough that some rounds are undisturbed on a busy machine.
const FULL: Size = Size {
    accesses: 4_000_000,
    rounds: 101,
    thread_accesses: 4_000_000,
    thread_rounds: 201,
    objects: 100,
    first_rounds: 101,
    populate: populate::Size {
        rounds: 101,
        cycles: 10_000,
        owners: 1_000,
    },
};

const QUICK: Size = Size {
    accesses: 400_000,
    rounds: 11,
    thread_accesses: 2_000_000,
    thread_rounds: 21,
    objects: 20,
    first_rounds: 11,
    populate: populate::Size {
        rounds: 11,
        cycles: 5_000,
        owners: 500,
    },
};

/// Does something so many times.
pub(crate) type Accesses<'a> = Box<dyn Fn(u64) -> Result + Sync + 'a>;

/// Someone whose turn it is.
struct Turn<'a> {
    name: &'static str,
    /// Accesses a mapped object this many times.
    accesses: Accesses<'a>,
    /// The same, one after the other.
    chained: Accesses<'a>,
}

/// Someone who makes fresh objects.
struct Fresh<'a> {
    name: &'static str,
    /// Makes this many objects, and returns how long the first access to all of them takes.
    first: Box<dyn Fn(usize) -> Result<Duration> + 'a>,
}

/// Measures everything, and prints it.
pub(crate) fn all(drm: &drm::Device<Driver>, dev: &Device<Bound>, quick: bool) -> Result {
    let size = if quick { QUICK } else { FULL };
    let objects = (
        mapped::<Generated>(drm, dev)?,
        mapped::<ByHand>(drm, dev)?,
        mapped::<StdOnce>(drm, dev)?,
        mapped::<CrateOnce>(drm, dev)?,
    );
    let control = Control(AtomicU64::new(0));

    let turns = [
        turn("nothing", &Nothing, dev),
        turn(Generated::NAME, &*objects.0, dev),
        turn(ByHand::NAME, &*objects.1, dev),
        turn(StdOnce::NAME, &*objects.2, dev),
        turn(CrateOnce::NAME, &*objects.3, dev),
        turn("control", &control, dev),
    ];
    let fresh = [
        fresh_access::<Generated>(drm, dev),
        fresh_access::<ByHand>(drm, dev),
        fresh_access::<StdOnce>(drm, dev),
        fresh_access::<CrateOnce>(drm, dev),
        fresh_helper(drm),
    ];
    // The empty loop is there to be compared with, and the control is about threads.
    let timed = &turns[..turns.len() - 1];
    let threaded = &turns[1..];

    println!("measure,object,round,value");

    bytes(drm, dev)?;

    in_turns(timed, size.rounds, |turn, round| {
        for (measure, f) in [("ns", &turn.accesses), ("chained_ns", &turn.chained)] {
            let begin = Instant::now();
            f(size.accesses)?;
            let ns = begin.elapsed().as_secs_f64() * 1e9 / size.accesses as f64;
            row(measure, turn.name, round, ns);
        }
        Ok(())
    })?;

    in_turns(threaded, size.thread_rounds, |turn, round| {
        for (measure, threads) in [("per_us_1_thread", 1), ("per_us_2_threads", 2)] {
            let time = together(&turn.accesses, threads, size.thread_accesses)?;
            let accesses = threads as f64 * size.thread_accesses as f64;
            row(
                measure,
                turn.name,
                round,
                accesses / (time.as_secs_f64() * 1e6),
            );
        }
        Ok(())
    })?;

    in_turns(&fresh, size.first_rounds, |fresh, round| {
        let time = (fresh.first)(size.objects)?;
        let ns = time.as_secs_f64() * 1e9 / size.objects as f64;
        row("first_ns", fresh.name, round, ns);
        Ok(())
    })?;

    populate::all(dev, &size.populate)
}

/// Prints a row.
pub(crate) fn row(measure: &str, name: &str, round: usize, value: f64) {
    println!("{measure},{name},{round},{value}");
}

/// Runs `f` for each of `all`, `rounds` times, each time with another one first.
pub(crate) fn in_turns<T>(
    all: &[T],
    rounds: usize,
    mut f: impl FnMut(&T, usize) -> Result,
) -> Result {
    for round in 0..rounds {
        for turn in 0..all.len() {
            f(&all[(round + turn) % all.len()], round)?;
        }
    }

    Ok(())
}

/// Creates an object, and maps it.
fn mapped<O: Shmem>(drm: &drm::Device<Driver>, dev: &Device<Bound>) -> Result<ARef<O>> {
    let object = O::create(drm)?;
    object.access(dev)?;

    Ok(object)
}

fn turn<'a, A: Access>(name: &'static str, object: &'a A, dev: &'a Device<Bound>) -> Turn<'a> {
    Turn {
        name,
        accesses: Box::new(|n| measured::in_loop(object, dev, n)),
        chained: Box::new(|n| measured::chained(object, dev, n)),
    }
}

/// Writes to shared memory on each access. One that two threads at a time do not do twice as much
/// of, or the measurement could not tell.
struct Control(AtomicU64);

impl Access for Control {
    type Lent = Device<Bound>;

    #[inline(always)]
    fn access<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a Self::Lent> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(dev)
    }
}

/// How long `threads` threads take, from the first one's begin to the last one's end, for
/// `accesses` accesses each.
pub(crate) fn together(access: &Accesses<'_>, threads: usize, accesses: u64) -> Result<Duration> {
    let ready = AtomicUsize::new(0);
    let run = || {
        // Not a barrier, from which threads wake up one after the other.
        ready.fetch_add(1, Ordering::Relaxed);
        while ready.load(Ordering::Relaxed) < threads {
            thread::yield_now();
        }

        let begin = Instant::now();
        access(accesses)?;
        Ok((begin, Instant::now()))
    };

    let times: Vec<(Instant, Instant)> = thread::scope(|scope| {
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        handles
            .into_iter()
            .map(|handle| {
                handle
                    .join()
                    .unwrap_or_else(|what| panic::resume_unwind(what))
            })
            .collect::<Result<_>>()
    })?;

    let begin = times.iter().map(|(begin, _)| *begin).min();
    let end = times.iter().map(|(_, end)| *end).max();
    Ok(begin
        .zip(end)
        .map_or(Duration::ZERO, |(begin, end)| end - begin))
}

/// The first access to fresh objects.
fn fresh_access<'a, O: Shmem>(drm: &'a drm::Device<Driver>, dev: &'a Device<Bound>) -> Fresh<'a> {
    Fresh {
        name: O::NAME,
        first: Box::new(|objects| {
            first(
                objects,
                || O::create(drm),
                |object| {
                    black_box(object.access(dev)?);
                    Ok(())
                },
            )
        }),
    }
}

/// The common part of all first accesses: the C helper that maps.
fn fresh_helper(drm: &drm::Device<Driver>) -> Fresh<'_> {
    Fresh {
        name: "helper",
        first: Box::new(|objects| first(objects, || CrateOnce::create(drm), helper)),
    }
}

/// Calls the C helper.
fn helper(object: &ARef<CrateOnce>) -> Result<SGTableMap> {
    // SAFETY: Callers drop the result first.
    unsafe { object.map() }
}

/// Makes objects, and returns how long `access` takes for all of them. Its results are dropped
/// before the objects.
fn first<O, T>(
    objects: usize,
    create: impl Fn() -> Result<O>,
    access: impl Fn(&O) -> Result<T>,
) -> Result<Duration> {
    let objects: Vec<O> = (0..objects).map(|_| create()).collect::<Result<_>>()?;
    let mut results = Vec::with_capacity(objects.len());

    let begin = Instant::now();
    for object in &objects {
        results.push(access(object)?);
    }
    let time = begin.elapsed();

    drop(results);
    Ok(time)
}

/// Prints what the lazy part takes in the object, and on the heap once it is populated.
fn bytes(drm: &drm::Device<Driver>, dev: &Device<Bound>) -> Result {
    fn of<O: Shmem>(drm: &drm::Device<Driver>, dev: &Device<Bound>) -> Result {
        // `Buffer` has no size.
        let bare = size_of::<bindings::drm_gem_shmem_object>() + O::OTHERS;
        row("inline_bytes", O::NAME, 0, (size_of::<O>() - bare) as f64);

        allocated(
            O::NAME,
            || O::create(drm),
            |object| {
                black_box(object.access(dev)?);
                Ok(())
            },
        )
    }

    of::<Generated>(drm, dev)?;
    of::<ByHand>(drm, dev)?;
    of::<StdOnce>(drm, dev)?;
    of::<CrateOnce>(drm, dev)?;
    allocated("helper", || CrateOnce::create(drm), helper)
}

/// Prints what is on the heap after `access` that was not before: the median of some objects, as
/// lists that the host keeps grow now and then.
fn allocated<O, T>(
    name: &str,
    create: impl Fn() -> Result<O>,
    access: impl Fn(&O) -> Result<T>,
) -> Result {
    let mut bytes = Vec::new();
    let mut blocks = Vec::new();

    for _ in 0..31 {
        let object = create()?;
        let before = heap::live();
        let result = access(&object)?;
        let live = heap::live() - before;
        bytes.push(live.bytes);
        blocks.push(live.blocks);
        drop(result);
    }
    bytes.sort_unstable();
    blocks.sort_unstable();

    row("heap_bytes", name, 0, bytes[bytes.len() / 2] as f64);
    row("heap_blocks", name, 0, blocks[blocks.len() / 2] as f64);
    Ok(())
}
