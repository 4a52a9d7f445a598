// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The contract of a lazy field, row by row: what is expected of an object, and what happens.
//!
//! Rows have the names of the kernel's tests for the same scenarios, which
//! `cargo xtask kernel compare` puts side by side.

// What is built with a runtime without the attribute has the printed one.
#[cfg_attr(feature = "expanded", path = "probe_expanded.rs")]
#[cfg_attr(not(feature = "expanded"), path = "probe.rs")]
mod probe;

use super::{
    by_hand,
    driver::{
        Buffer,
        Data,
        Driver, //
    },
    helper, last_holder, neighbours, races, Object,
};
use kernel::{
    device::{
        Bound,
        Device, //
    },
    drm::{
        self,
        gem::BaseObject, //
    },
    page::PAGE_SIZE,
    prelude::*,
    scatterlist::SGTable,
    sync::aref::{
        ARef,
        AlwaysRefCounted, //
    },
    testing::{
        self,
        Ledger,
        TestDevice, //
    },
};
use probe::Probe;
use std::{
    iter,
    ops::Deref,
    panic::{
        self,
        AssertUnwindSafe, //
    },
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

/// What came of a row.
pub(crate) enum Outcome {
    /// What happened, and whether that is what was expected.
    Seen {
        happened: String,
        holds: bool,
        ledger: Option<Ledger>,
    },
    /// The object has no such function.
    NotOffered,
    /// Nothing runs: the compiler refuses, which a test shows.
    Compiler(&'static str),
}

/// One row of the contract.
pub(crate) struct Row {
    /// As the kernel's test of the same scenario is called.
    pub(crate) name: &'static str,
    pub(crate) situation: &'static str,
    pub(crate) expected: &'static str,
    pub(crate) run: fn(Size) -> Result<Outcome>,
}

impl Row {
    /// Goes through the row. A panic is something that happens, too.
    pub(crate) fn run(&self, size: Size) -> Outcome {
        let result = panic::catch_unwind(AssertUnwindSafe(|| (self.run)(size)));

        match result {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => Outcome::Seen {
                happened: format!("unexpected error {error:?}"),
                holds: false,
                ledger: None,
            },
            Err(panic) => Outcome::Seen {
                happened: format!("panic: {}", message(&*panic)),
                holds: false,
                ledger: None,
            },
        }
    }
}

/// What a panic said.
fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("(no message)")
}

/// An object that the contract is about: the annotated one, or the one by hand.
pub(crate) trait Shmem: BaseObject + AlwaysRefCounted + Send + Sync + 'static {
    /// Creates one of `size` bytes.
    fn create(drm: &drm::Device<Driver>, size: usize) -> Result<ARef<Self>>;

    /// The accessor.
    fn table<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a SGTable>;

    /// `peek`: is there a table? [`None`] if the object has no such function.
    fn peek(&self, _dev: &Device<Bound>) -> Option<Result<bool>> {
        None
    }

    /// `try_access`: the number of entries. [`None`] if the object has no such function.
    fn try_entries(&self) -> Option<Option<usize>> {
        None
    }

    /// `revoke`. [`None`] if the object has no such function.
    fn revoke(self: Pin<&mut Self>) -> Option<()> {
        None
    }
}

impl Shmem for Object<Buffer> {
    fn create(drm: &drm::Device<Driver>, size: usize) -> Result<ARef<Self>> {
        Self::new(drm, size, ())
    }

    fn table<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a SGTable> {
        self.sg_table(dev)
    }

    fn peek(&self, dev: &Device<Bound>) -> Option<Result<bool>> {
        Some(self.sg_table_if_mapped(dev).map(|table| table.is_some()))
    }

    fn try_entries(&self) -> Option<Option<usize>> {
        Some(self.try_sg_table().map(|table| table.iter().count()))
    }

    fn revoke(self: Pin<&mut Self>) -> Option<()> {
        self.unmap_sg_table();
        Some(())
    }
}

impl Shmem for by_hand::Object<Buffer> {
    fn create(drm: &drm::Device<Driver>, size: usize) -> Result<ARef<Self>> {
        Self::new(drm, size, ())
    }

    fn table<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a SGTable> {
        self.sg_table(dev)
    }
}

/// The rows, in the order of the contract.
pub(crate) fn rows<O: Shmem>() -> Vec<Row> {
    vec![
        Row {
            name: "racing_first_access",
            situation: "empty, right device",
            expected: "threads race: one table per object, the same address for all of them",
            run: first_access::<O>,
        },
        Row {
            name: "success_path",
            situation: "populated, right device",
            expected: "the same table; no allocation, no grace period, nothing mapped",
            run: later_access::<O>,
        },
        Row {
            name: "wrong_device",
            situation: "another device",
            expected: "EINVAL before and after populate, nothing mapped for it",
            run: other_device::<O>,
        },
        Row {
            name: "failing_map",
            situation: "mapping fails",
            expected: "EIO, nothing left; then Ok, and counts balanced when freed",
            run: mapping_fails::<O>,
        },
        Row {
            name: "failing_allocation",
            situation: "no memory",
            expected: "ENOMEM at every allocation in turn; then Ok, and counts balanced when freed",
            run: no_memory::<O>,
        },
        Row {
            name: "unbind",
            situation: "device unbound",
            expected: "every table unmapped once, before unbind returns; objects stay usable",
            run: unbound::<O>,
        },
        Row {
            name: "free_before_unbind",
            situation: "object freed first",
            expected: "table unmapped once; nothing left on the device",
            run: freed::<O>,
        },
        Row {
            name: "free_and_unbind",
            situation: "both at once",
            expected: "every table unmapped once, nobody hangs",
            run: freed_and_unbound::<O>,
        },
        Row {
            name: "unbind_wins",
            situation: "both at once, unbind first",
            expected: "neither returns before the table is unmapped, once",
            run: races::unbind_wins::<O>,
        },
        Row {
            name: "free_wins",
            situation: "both at once, the free first",
            expected: "neither returns before the table is unmapped, once",
            run: races::free_wins::<O>,
        },
        Row {
            name: "access_during_unbind",
            situation: "in the middle of unbind",
            expected: "ENXIO from a callback that runs after the table is gone",
            run: races::access_during_unbind::<O>,
        },
        Row {
            name: "lent_to_a_callback",
            situation: "unbind begins while a callback uses the table",
            expected: "the table is mapped until the callback has returned",
            run: races::lent_to_a_callback::<O>,
        },
        Row {
            name: "rebind",
            situation: "same device bound again",
            expected: "ENXIO",
            run: bound_again::<O>,
        },
        Row {
            name: "peek",
            situation: "look without mapping",
            expected: "None while empty or revoked, Some while mapped, EINVAL for another device",
            run: peek::<O>,
        },
        Row {
            name: "try_access",
            situation: "borrow without a bound device",
            expected: "None while empty or revoked, the table while mapped",
            run: try_access::<O>,
        },
        Row {
            name: "revoke",
            situation: "revoke by an exclusive owner",
            expected: "unmapped at once; the next access maps again, counts balanced",
            run: revoke::<O>,
        },
        Row {
            name: "object_outlives_drm_device",
            situation: "object created, mapped, freed",
            expected: "it has one reference to the DRM device all the time, and puts it in the end",
            run: neighbours::object_outlives_drm_device::<O>,
        },
        Row {
            name: "last_holder",
            situation: "DRM device put first, object freed",
            expected: "table unmapped once; nothing reads a freed DRM device",
            run: last_holder::last_holder::<O>,
        },
        Row {
            name: "last_holder_after_unbind",
            situation: "the same, after unbind",
            expected: "nothing reads a freed DRM device, neither the unbind nor the free",
            run: last_holder::last_holder_after_unbind::<O>,
        },
        Row {
            name: "last_holder_access",
            situation: "DRM device put first, object accessed",
            expected: "Ok, the first time and later; nothing reads a freed DRM device",
            run: last_holder::last_holder_access::<O>,
        },
        Row {
            name: "last_holder_peek",
            situation: "DRM device put first, look at the object",
            expected: "None while empty, Some while mapped; nothing reads a freed DRM device",
            run: last_holder::last_holder_peek::<O>,
        },
        Row {
            name: "registration_data",
            situation: "object in registration data, unbind",
            expected: "table unmapped once; nothing reads a freed DRM device",
            run: last_holder::registration_data::<O>,
        },
        Row {
            name: "data_owns_object",
            situation: "DRM device owns the object, unbind",
            expected: "unbind unmaps and returns; both stay until the object is taken out",
            run: helper::data_owns_object::<O>,
        },
        Row {
            name: "interrupted",
            situation: "signal during the first access",
            expected: "EINTR, nothing mapped, no use of the pages; then Ok",
            run: helper::interrupted::<O>,
        },
        Row {
            name: "purge",
            situation: "purged by C, then accessed",
            expected: "new pages are mapped, counts balanced when freed",
            run: helper::purge::<O>,
        },
        Row {
            name: "table_of_c",
            situation: "C made the table first",
            expected: "the same table, without a use of its own; counts balanced when freed",
            run: helper::table_of_c::<O>,
        },
        Row {
            name: "owner_is_held_weakly",
            situation: "object mapped and unmapped",
            expected: "the object's own reference count stays what it is",
            run: neighbours::owner_is_held_weakly::<O>,
        },
        Row {
            name: "imported_object",
            situation: "imported object",
            expected: "refused, as the table is the exporter's; then, as one's own object, Ok",
            run: neighbours::imported_object::<O>,
        },
        Row {
            name: "init_panics",
            situation: "init panics",
            expected: "the slot stays empty and usable",
            run: init_panics,
        },
        Row {
            name: "recursion",
            situation: "called inside its own init",
            expected: "a panic with the slot's name",
            run: recursion,
        },
        Row {
            name: "target_not_sync",
            situation: "Target not Send + Sync",
            expected: "a compile error that names the field",
            run: |_| Ok(Outcome::Compiler("tests/ui/target/")),
        },
    ]
}

/// A GPU and its DRM device.
pub(crate) fn gpu() -> Result<TestDevice> {
    TestDevice::new(c"gpu0")
}

/// Objects and their DRM device, which outlives them: the object by hand does not keep it alive.
pub(crate) struct Fleet<O: Shmem> {
    pub(crate) objects: Vec<ARef<O>>,
    pub(crate) drm: ARef<drm::Device<Driver>>,
}

impl<O: Shmem> Fleet<O> {
    /// Creates `count` objects.
    pub(crate) fn new(dev: &Device<Bound>, size: Size, count: usize) -> Result<Self> {
        let drm = drm::UnregisteredDevice::<Driver>::new(dev, Ok(Data::default()))?;

        Ok(Self {
            objects: (0..count)
                .map(|_| O::create(&drm, size.bytes()))
                .collect::<Result<_>>()?,
            drm: ARef::from(&*drm),
        })
    }

    /// Creates one object.
    pub(crate) fn one(dev: &Device<Bound>, size: Size) -> Result<Self> {
        Self::new(dev, size, 1)
    }

    /// Creates `size.objects` objects, and maps the table of each.
    fn mapped(dev: &Device<Bound>, size: Size) -> Result<Self> {
        let fleet = Self::new(dev, size, size.objects)?;
        for object in &fleet.objects {
            object.table(dev)?;
        }

        Ok(fleet)
    }
}

/// The first object.
impl<O: Shmem> Deref for Fleet<O> {
    type Target = O;

    fn deref(&self) -> &O {
        &self.objects[0]
    }
}

/// The sum of a table's entries, in bytes.
fn bytes(table: &SGTable) -> u64 {
    table.iter().map(|entry| entry.dma_len()).sum()
}

pub(crate) fn seen(happened: impl Into<String>, holds: bool, ledger: Ledger) -> Result<Outcome> {
    Ok(Outcome::Seen {
        happened: happened.into(),
        holds,
        ledger: Some(ledger),
    })
}

/// A result without its value, for people.
pub(crate) fn tell<T>(result: Result<T>) -> String {
    match result {
        Ok(_) => "Ok".to_owned(),
        Err(error) => format!("{error:?}"),
    }
}

fn first_access<O: Shmem>(size: Size) -> Result<Outcome> {
    let mut gpu = gpu()?;
    let bound = gpu.bind()?;
    let dev: &Device<Bound> = &bound;
    let fleet = Fleet::<O>::new(dev, size, size.objects)?;
    let barrier = Barrier::new(size.threads);

    // Addresses, per thread and object.
    let seen_by: Vec<Result<Vec<usize>>> = thread::scope(|scope| {
        let threads: Vec<_> = iter::repeat_with(|| {
            scope.spawn(|| {
                barrier.wait();
                fleet
                    .objects
                    .iter()
                    .map(|object| Ok(ptr::from_ref(object.table(dev)?).addr()))
                    .collect()
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

    seen(
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

fn later_access<O: Shmem>(size: Size) -> Result<Outcome> {
    let mut gpu = gpu()?;
    let bound = gpu.bind()?;
    let object = Fleet::<O>::one(&bound, size)?;
    let first = ptr::from_ref(object.table(&bound)?);
    let grace_periods = testing::rcu_grace_periods();

    let fault = testing::fail_nth(u64::MAX);
    let same = (0..1000).all(|_| {
        object
            .table(&bound)
            .is_ok_and(|table| ptr::eq(table, first))
    });
    let allocations = fault.allocations();
    drop(fault);

    let grace_periods = testing::rcu_grace_periods() - grace_periods;
    let ledger = testing::ledger(&bound);

    seen(
        format!(
            "1000 accesses: the {} table, {allocations} allocations, {grace_periods} grace periods",
            if same { "same" } else { "WRONG" },
        ),
        same && allocations == 0 && grace_periods == 0 && ledger.mapped == 1,
        ledger,
    )
}

fn other_device<O: Shmem>(size: Size) -> Result<Outcome> {
    let (mut gpu, mut other) = (gpu()?, TestDevice::new(c"gpu1")?);
    let (bound, other) = (gpu.bind()?, other.bind()?);
    let object = Fleet::<O>::one(&bound, size)?;

    let before = object.table(&other).err();
    let nothing = testing::ledger(&bound).mapped == 0;
    object.table(&bound)?;
    let after = object.table(&other).err();
    let ledger = testing::ledger(&other);

    seen(
        format!(
            "before: {before:?}, after: {after:?}, gpu1 has {} mappings",
            ledger.mapped
        ),
        before == Some(EINVAL) && after == Some(EINVAL) && nothing && ledger.mapped == 0,
        testing::ledger(&bound),
    )
}

fn mapping_fails<O: Shmem>(size: Size) -> Result<Outcome> {
    let mut gpu = gpu()?;
    gpu.set_dma_mask(24);
    let bound = gpu.bind()?;
    let object = Fleet::<O>::one(&bound, size)?;

    let (failed, overflow) = testing::collect_warnings(|| object.table(&bound).err());
    let is_told = overflow.len() == 1 && overflow[0].contains("overflow (mask ffffff,");
    let left = testing::ledger(&bound).live;
    bound.set_dma_mask(64);
    let again = tell(object.table(&bound));
    let ((), warnings) = testing::collect_warnings(|| drop(object));

    seen(
        format!(
            "{failed:?}, {left} mappings left; then {again}; freed with {}",
            told(&warnings)
        ),
        failed == Some(EIO) && is_told && left == 0 && again == "Ok" && warnings.is_empty(),
        testing::ledger(&bound),
    )
}

fn no_memory<O: Shmem>(size: Size) -> Result<Outcome> {
    let mut gpu = gpu()?;
    let bound = gpu.bind()?;
    let (mut failures, mut warnings) = (0, Vec::new());

    let (result, raised) = testing::collect_warnings(|| {
        for nth in 1.. {
            let object = Fleet::<O>::one(&bound, size)?;
            let fault = testing::fail_nth(nth);
            let result = tell(object.table(&bound));
            let tripped = fault.tripped();
            drop(fault);
            if !tripped {
                return Ok(());
            }

            if result != "ENOMEM" {
                return Err(EINVAL);
            }
            failures += 1;
            object.table(&bound)?;
        }
        Ok(())
    });
    warnings.extend(raised);

    seen(
        format!(
            "{failures} allocations, each failed once: {}; freed with {}",
            match result {
                Ok(()) => "ENOMEM, then Ok".to_owned(),
                Err(error) => format!("unexpected {error:?}"),
            },
            told(&warnings)
        ),
        result.is_ok() && failures > 0 && warnings.is_empty(),
        testing::ledger(&bound),
    )
}

/// The first of the warnings, and how many there are.
pub(crate) fn told(warnings: &[String]) -> String {
    match warnings {
        [] => "no warning".to_owned(),
        [first, ..] => format!("{} warnings, the first: {first}", warnings.len()),
    }
}

fn unbound<O: Shmem>(size: Size) -> Result<Outcome> {
    let mut gpu = gpu()?;
    let bound = gpu.bind()?;
    let fleet = Fleet::<O>::mapped(&bound, size)?;
    let mapped = testing::ledger(&bound).live;

    bound.unbind();

    let ledger = testing::ledger(&gpu.device());
    let usable = fleet
        .objects
        .iter()
        .all(|object| object.size() == size.bytes());

    seen(
        format!(
            "{mapped} mapped, {} left when unbind returned, objects {}",
            ledger.live,
            if usable { "usable" } else { "BROKEN" }
        ),
        mapped == size.objects && ledger.live == 0 && ledger.unmapped == mapped as u64 && usable,
        ledger,
    )
}

fn freed<O: Shmem>(size: Size) -> Result<Outcome> {
    let mut gpu = gpu()?;
    let bound = gpu.bind()?;
    let fleet = Fleet::<O>::mapped(&bound, size)?;

    let ((), warnings) = testing::collect_warnings(|| drop(fleet));
    let left = testing::ledger(&bound).live;
    bound.unbind();
    let ledger = testing::ledger(&gpu.device());

    seen(
        format!("{left} mappings left after the free, {}", told(&warnings)),
        left == 0 && ledger.unmapped == size.objects as u64 && warnings.is_empty(),
        ledger,
    )
}

fn freed_and_unbound<O: Shmem>(size: Size) -> Result<Outcome> {
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

    seen(
        format!("{rounds} rounds of {} objects", size.objects),
        ledger.live == 0
            && ledger.mapped == (rounds * size.objects) as u64
            && ledger.unmapped == ledger.mapped,
        ledger,
    )
}

fn bound_again<O: Shmem>(size: Size) -> Result<Outcome> {
    let mut gpu = gpu()?;
    let bound = gpu.bind()?;
    let object = Fleet::<O>::one(&bound, size)?;
    object.table(&bound)?;
    bound.unbind();

    let bound = gpu.bind()?;
    let again = tell(object.table(&bound));

    seen(again.as_str(), again == "ENXIO", testing::ledger(&bound))
}

fn peek<O: Shmem>(size: Size) -> Result<Outcome> {
    let (mut gpu, mut other) = (gpu()?, TestDevice::new(c"gpu1")?);
    let (bound, other) = (gpu.bind()?, other.bind()?);
    let object = Fleet::<O>::one(&bound, size)?;

    let Some(empty) = object.peek(&bound) else {
        return Ok(Outcome::NotOffered);
    };
    object.table(&bound)?;
    let mapped = object.peek(&bound);
    let wrong = object.peek(&other);
    bound.unbind();
    let bound = gpu.bind()?;
    let revoked = object.peek(&bound);

    seen(
        format!(
            "empty: {empty:?}; mapped: {}; revoked: {}; wrong: {}",
            show(&mapped),
            show(&revoked),
            show(&wrong)
        ),
        empty == Ok(false)
            && mapped == Some(Ok(true))
            && revoked == Some(Ok(false))
            && wrong == Some(Err(EINVAL)),
        testing::ledger(&bound),
    )
}

fn try_access<O: Shmem>(size: Size) -> Result<Outcome> {
    let mut gpu = gpu()?;
    let bound = gpu.bind()?;
    let object = Fleet::<O>::one(&bound, size)?;

    let Some(empty) = object.try_entries() else {
        return Ok(Outcome::NotOffered);
    };
    let entries = object.table(&bound)?.iter().count();
    let mapped = object.try_entries();
    bound.unbind();
    let revoked = object.try_entries();

    seen(
        format!(
            "empty: {empty:?}; mapped: {}; revoked: {}",
            show(&mapped),
            show(&revoked)
        ),
        empty.is_none() && mapped == Some(Some(entries)) && revoked == Some(None),
        testing::ledger(&gpu.device()),
    )
}

/// What an offered function returned.
pub(crate) fn show<T: std::fmt::Debug>(offered: &Option<T>) -> String {
    match offered {
        Some(value) => format!("{value:?}"),
        None => "not offered".to_owned(),
    }
}

fn revoke<O: Shmem>(size: Size) -> Result<Outcome> {
    let mut gpu = gpu()?;
    let bound = gpu.bind()?;
    let mut fleet = Fleet::<O>::one(&bound, size)?;
    fleet.table(&bound)?;

    let raw = ARef::into_raw(fleet.objects.pop().ok_or(EINVAL)?);
    // SAFETY: This was the only reference, and nobody else has a pointer to the object.
    let exclusive = unsafe { &mut *raw.as_ptr() };

    // SAFETY: GEM objects are pinned.
    let revoked = unsafe { Pin::new_unchecked(exclusive) }.revoke();
    let left = testing::ledger(&bound).live;

    // SAFETY: The reference that `into_raw()` returned.
    let object = unsafe { ARef::from_raw(raw) };
    if revoked.is_none() {
        return Ok(Outcome::NotOffered);
    }
    let again = tell(object.table(&bound));
    let ((), warnings) = testing::collect_warnings(|| drop(object));
    let ledger = testing::ledger(&bound);

    seen(
        format!(
            "{left} mappings left; then {again}; freed with {}",
            told(&warnings)
        ),
        left == 0 && again == "Ok" && warnings.is_empty() && ledger.mapped == 2,
        ledger,
    )
}

fn init_panics(_: Size) -> Result<Outcome> {
    let mut gpu = gpu()?;
    let bound = gpu.bind()?;
    let probe = Probe::new(&bound, |_, _| panic!("init panics"))?;

    let first = panic::catch_unwind(AssertUnwindSafe(|| probe.number(&bound).copied()));
    let second = probe.number(&bound).copied();

    seen(
        format!(
            "{}; then {second:?}",
            first.as_ref().map_or("panic", |_| "NO PANIC")
        ),
        first.is_err() && second == Ok(42),
        testing::ledger(&bound),
    )
}

fn recursion(_: Size) -> Result<Outcome> {
    let mut gpu = gpu()?;
    let bound = gpu.bind()?;
    let probe = Probe::new(&bound, |probe, dev| {
        let _ = probe.number(dev);
    })?;

    let result = panic::catch_unwind(AssertUnwindSafe(|| probe.number(&bound).copied()));
    let said = match &result {
        Ok(number) => format!("NO PANIC, {number:?}"),
        Err(panic) => message(&**panic).to_owned(),
    };
    let named = said.contains("Probe::number");

    seen(said, named && result.is_err(), testing::ledger(&bound))
}
