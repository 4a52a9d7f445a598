// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The life of many objects, row by row: what is expected of them, and what happens.
//!
//! The contract of one object is the KUnit suite `rust_devres_lazy_contract`. The rows here are
//! those that show more with many objects and threads.

use super::{
    by_hand,
    driver::{Buffer, Driver},
    Object, ObjectConfig,
};
use kernel::{
    device::{Bound, Device},
    drm::{self, gem::BaseObject},
    page::PAGE_SIZE,
    prelude::*,
    scatterlist::SGTable,
    sync::aref::{ARef, AlwaysRefCounted},
    testing::{self, Ledger, TestDevice},
};
use std::{
    iter,
    panic::{self, AssertUnwindSafe},
    ptr,
    sync::Barrier,
    thread,
};

/// How large the run is.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) threads: usize,
    pub(crate) objects: usize,
    /// Of each object, in pages of `PAGE_SIZE` bytes.
    pub(crate) pages: usize,
}

impl Size {
    /// Bytes of one object.
    fn bytes(self) -> usize {
        self.pages * PAGE_SIZE
    }
}

/// The outcome of a row.
pub(crate) struct Outcome {
    pub(crate) happened: String,
    /// Whether that is what was expected.
    pub(crate) holds: bool,
    /// The DMA mappings of the device afterwards.
    pub(crate) ledger: Option<Ledger>,
}

impl Outcome {
    fn new(happened: impl Into<String>, holds: bool, ledger: Ledger) -> Result<Self> {
        Ok(Self {
            happened: happened.into(),
            holds,
            ledger: Some(ledger),
        })
    }

    /// The row has not come to its end.
    fn stopped(why: String) -> Self {
        Self {
            happened: why,
            holds: false,
            ledger: None,
        }
    }
}

/// One row.
pub(crate) struct Row {
    /// As the KUnit test of the same scenario is called.
    pub(crate) name: &'static str,
    pub(crate) situation: &'static str,
    pub(crate) expected: &'static str,
    run: fn(Size) -> Result<Outcome>,
}

impl Row {
    /// Runs the row. A panic is an outcome as well.
    pub(crate) fn run(&self, size: Size) -> Outcome {
        let result = panic::catch_unwind(AssertUnwindSafe(|| (self.run)(size)));

        match result {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => Outcome::stopped(format!("unexpected error {error:?}")),
            Err(panic) => Outcome::stopped(format!("panic: {}", message(&*panic))),
        }
    }
}

/// The message of a panic.
fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("(no message)")
}

/// The annotated object, or the one by hand.
pub(crate) trait Shmem: BaseObject + AlwaysRefCounted + Send + Sync + 'static {
    /// Creates an object of `size` bytes.
    fn create(drm: &drm::Device<Driver>, size: usize) -> Result<ARef<Self>>;

    /// The accessor.
    fn table<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a SGTable>;
}

impl Shmem for Object<Buffer> {
    fn create(drm: &drm::Device<Driver>, size: usize) -> Result<ARef<Self>> {
        Self::new(drm, size, ObjectConfig::default(), ())
    }

    fn table<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a SGTable> {
        self.sg_table(dev)
    }
}

impl Shmem for by_hand::Object<Buffer> {
    fn create(drm: &drm::Device<Driver>, size: usize) -> Result<ARef<Self>> {
        Self::new(drm, size, by_hand::ObjectConfig::default(), ())
    }

    fn table<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a SGTable> {
        self.sg_table(dev)
    }
}

/// The rows, in the order of an object's life.
pub(crate) fn rows<O: Shmem>() -> Vec<Row> {
    vec![
        Row {
            name: "racing_first_access",
            situation: "empty, right device",
            expected: "threads race: one table per object, the same address for all of them",
            run: racing_first_access::<O>,
        },
        Row {
            name: "success_path",
            situation: "populated, right device",
            expected: "the same table; no allocation, no grace period, nothing mapped",
            run: success_path::<O>,
        },
        Row {
            name: "unbind",
            situation: "device unbound",
            expected: "every table unmapped once, within one grace period; objects stay usable",
            run: unbind::<O>,
        },
        Row {
            name: "free_before_unbind",
            situation: "objects freed first",
            expected: "every table unmapped once; nothing left on the device",
            run: free_before_unbind::<O>,
        },
        Row {
            name: "free_and_unbind",
            situation: "both at once",
            expected: "every table unmapped once, no thread hangs",
            run: free_and_unbind::<O>,
        },
        Row {
            name: "rebind",
            situation: "same device bound again",
            expected: "ENXIO",
            run: rebind::<O>,
        },
    ]
}

fn gpu() -> Result<TestDevice> {
    TestDevice::new(c"gpu0")
}

/// Objects and their DRM device. The object by hand does not keep the device alive, so the device
/// is dropped last.
struct Fleet<O: Shmem> {
    objects: Vec<ARef<O>>,
    _drm: ARef<drm::Device<Driver>>,
}

impl<O: Shmem> Fleet<O> {
    /// Creates the objects.
    fn new(dev: &Device<Bound>, size: Size) -> Result<Self> {
        let drm = drm::UnregisteredDevice::<Driver>::new(dev, Ok(()))?;

        Ok(Self {
            objects: (0..size.objects)
                .map(|_| O::create(&drm, size.bytes()))
                .collect::<Result<_>>()?,
            _drm: ARef::from(&*drm),
        })
    }

    /// Creates the objects, and maps the table of each.
    fn mapped(dev: &Device<Bound>, size: Size) -> Result<Self> {
        let fleet = Self::new(dev, size)?;
        fleet.tables(dev)?;

        Ok(fleet)
    }

    /// Accesses each object, and returns the addresses of the tables.
    fn tables(&self, dev: &Device<Bound>) -> Result<Vec<usize>> {
        self.objects
            .iter()
            .map(|object| Ok(ptr::from_ref(object.table(dev)?).addr()))
            .collect()
    }
}

/// The sum of a table's entries, in bytes.
fn bytes(table: &SGTable) -> u64 {
    table.iter().map(|entry| entry.dma_len()).sum()
}

/// The first of the warnings, and how many there are.
fn told(warnings: &[String]) -> String {
    match warnings {
        [] => "no warning".to_owned(),
        [first, ..] => format!("{} warnings, the first: {first}", warnings.len()),
    }
}

fn racing_first_access<O: Shmem>(size: Size) -> Result<Outcome> {
    let mut gpu = gpu()?;
    let bound = gpu.bind()?;
    let dev: &Device<Bound> = &bound;
    let fleet = Fleet::<O>::new(dev, size)?;
    let barrier = Barrier::new(size.threads);

    // Addresses, per thread and object.
    let seen_by: Vec<Result<Vec<usize>>> = thread::scope(|scope| {
        let threads: Vec<_> = iter::repeat_with(|| {
            scope.spawn(|| {
                barrier.wait();
                fleet.tables(dev)
            })
        })
        .take(size.threads)
        .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or(Err(EIO)))
            .collect()
    });
    let seen_by: Vec<Vec<usize>> = seen_by.into_iter().collect::<Result<_>>()?;

    let same = seen_by.windows(2).all(|pair| pair[0] == pair[1]);
    let whole = fleet.objects.iter().all(|object| {
        object
            .table(dev)
            .is_ok_and(|table| bytes(table) == size.bytes() as u64)
    });
    let ledger = testing::ledger(dev);
    let holds = same && whole && ledger.mapped == size.objects as u64;

    Outcome::new(
        format!(
            "{} threads, {} objects: {} tables mapped, addresses {}, entries {} up to the size",
            size.threads,
            size.objects,
            ledger.mapped,
            if same { "equal" } else { "DIFFER" },
            if whole { "add" } else { "DO NOT ADD" },
        ),
        holds,
        ledger,
    )
}

fn success_path<O: Shmem>(size: Size) -> Result<Outcome> {
    const TIMES: usize = 1000;

    let mut gpu = gpu()?;
    let bound = gpu.bind()?;
    let fleet = Fleet::<O>::mapped(&bound, size)?;
    let [first, ..] = &fleet.objects[..] else {
        return Err(EINVAL);
    };
    let table = ptr::from_ref(first.table(&bound)?);

    let grace_periods = testing::rcu_grace_periods();
    let fault = testing::fail_nth(u64::MAX);
    let same = (0..TIMES).all(|_| first.table(&bound).is_ok_and(|again| ptr::eq(again, table)));
    let allocations = fault.allocations();
    drop(fault);
    let grace_periods = testing::rcu_grace_periods() - grace_periods;
    let ledger = testing::ledger(&bound);

    Outcome::new(
        format!(
            "{TIMES} accesses: the {} table, {allocations} allocations, \
             {grace_periods} grace periods",
            if same { "same" } else { "WRONG" },
        ),
        same && allocations == 0 && grace_periods == 0 && ledger.mapped == size.objects as u64,
        ledger,
    )
}

fn unbind<O: Shmem>(size: Size) -> Result<Outcome> {
    let mut gpu = gpu()?;
    let bound = gpu.bind()?;
    let fleet = Fleet::<O>::mapped(&bound, size)?;
    let mapped = testing::ledger(&bound).live;

    let grace_periods = testing::rcu_grace_periods();
    bound.unbind();
    let grace_periods = testing::rcu_grace_periods() - grace_periods;

    let ledger = testing::ledger(&gpu.device());
    let usable = fleet
        .objects
        .iter()
        .all(|object| object.size() == size.bytes());

    Outcome::new(
        format!(
            "{mapped} mapped, {} left when unbind returned, {grace_periods} grace periods, \
             objects {}",
            ledger.live,
            if usable { "usable" } else { "BROKEN" }
        ),
        mapped == size.objects
            && ledger.live == 0
            && ledger.unmapped == mapped as u64
            && grace_periods <= 1
            && usable,
        ledger,
    )
}

fn free_before_unbind<O: Shmem>(size: Size) -> Result<Outcome> {
    let mut gpu = gpu()?;
    let bound = gpu.bind()?;
    let fleet = Fleet::<O>::mapped(&bound, size)?;

    let ((), warnings) = testing::collect_warnings(|| drop(fleet));
    let left = testing::ledger(&bound).live;
    bound.unbind();
    let ledger = testing::ledger(&gpu.device());

    Outcome::new(
        format!("{left} mappings left after the free, {}", told(&warnings)),
        left == 0 && ledger.unmapped == size.objects as u64 && warnings.is_empty(),
        ledger,
    )
}

fn free_and_unbind<O: Shmem>(size: Size) -> Result<Outcome> {
    let rounds = 50;
    let mut gpu = gpu()?;

    for _ in 0..rounds {
        let bound = gpu.bind()?;
        let fleet = Fleet::<O>::mapped(&bound, size)?;

        let barrier = Barrier::new(2);
        thread::scope(|scope| {
            scope.spawn(|| {
                barrier.wait();
                drop(fleet);
            });
            barrier.wait();
            bound.unbind();
        });
    }
    let ledger = testing::ledger(&gpu.device());

    Outcome::new(
        format!("{rounds} rounds of {} objects", size.objects),
        ledger.live == 0
            && ledger.mapped == (rounds * size.objects) as u64
            && ledger.unmapped == ledger.mapped,
        ledger,
    )
}

fn rebind<O: Shmem>(size: Size) -> Result<Outcome> {
    let mut gpu = gpu()?;
    let bound = gpu.bind()?;
    let fleet = Fleet::<O>::mapped(&bound, size)?;
    bound.unbind();

    let bound = gpu.bind()?;
    let stale = fleet.objects.iter().map(|object| object.table(&bound));
    let refused = stale.filter(|table| table.as_ref().err() == Some(&ENXIO));
    let refused = refused.count();

    Outcome::new(
        format!("ENXIO from {refused} of {} objects", size.objects),
        refused == size.objects,
        testing::ledger(&bound),
    )
}
