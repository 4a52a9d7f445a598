// SPDX-License-Identifier: GPL-2.0

//! The cost of a lazily mapped table: to unbind, to free, to map, to access, and in bytes.
//!
//! No test here fails because of a number. All numbers are printed, and `cargo xtask kernel bench`
//! makes tables of them. The tests measure [`Object::sg_table()`](super::Object::sg_table), and an
//! owner that has only a slot. `candidate` has the parts that depend on the tree.

mod access;
mod candidate;
mod first;
mod measure;
mod together;

use super::{
    contract_kunit::{
        Gem,
        Gpu, //
    },
    ObjectConfig, //
};
use crate::{
    bindings,
    device::{
        Bound,
        Device, //
    },
    devres::kunit_support::ensure,
    drm::gem::IntoGEMObject,
    error::from_err_ptr,
    page::PAGE_SIZE,
    prelude::*,
    sync::{
        aref::ARef,
        Mutex, //
    },
    time::{
        delay::fsleep,
        Delta, //
    },
};
use candidate::Owner;
use measure::{
    Random,
    Stopwatch, //
};

/// A step that is expected to take longer than this is not measured.
const LIMIT: Delta = Delta::from_secs(60);

/// A step that was repeated for this long, and [`ENOUGH`] times, is not repeated again.
const PATIENCE: Delta = Delta::from_secs(10);

/// The least number of rounds of a measurement.
const ENOUGH: usize = 3;

/// The number of parts in which a free is measured.
const PARTS: usize = 8;

/// The size of the measurements.
struct Scale {
    /// The largest number of rounds of a measurement.
    rounds: usize,
    /// How many objects are mapped when the device is unbound.
    unbind: &'static [usize],
    /// How many objects are freed.
    free: &'static [usize],
    /// How many objects are mapped one by one.
    first: usize,
    /// How often each of two threads populates and frees.
    together: usize,
    /// How often an object is accessed.
    access: &'static [usize],
    /// How many objects and owners are weighed.
    weigh: usize,
}

const FULL: Scale = Scale {
    rounds: 9,
    unbind: &[1, 10, 100, 400, 1_000, 10_000],
    free: &[1_000, 2_000, 4_000, 8_000, 16_000, 32_000],
    first: 1_000,
    together: 20_000,
    access: &[1_000_000],
    weigh: 30_000,
};

/// A scale that takes seconds.
const QUICK: Scale = Scale {
    rounds: ENOUGH,
    unbind: &[1, 100],
    free: &[1_000],
    first: 1_000,
    together: 5_000,
    access: &[100_000],
    weigh: 10_000,
};

/// A scale for a machine that traces its instructions, which is slow.
const TRACED: Scale = Scale {
    rounds: 1,
    unbind: &[1, 10, 100, 400, 10_000],
    free: &[],
    first: 0,
    together: 0,
    // The difference of the two gives the cost of one access.
    access: &[1_000, 2_000],
    weigh: 0,
};

impl Scale {
    /// Calls `once` with the number of the round, again and again.
    fn repeat(&self, mut once: impl FnMut(usize) -> Result) -> Result {
        let watch = Stopwatch::start();
        for round in 0..self.rounds {
            if round >= ENOUGH && watch.elapsed() > PATIENCE {
                break;
            }
            once(round)?;
        }
        Ok(())
    }
}

/// An object or an owner that is freed.
trait Freed: Sized {
    /// The name in the output.
    const NAME: &'static str;

    /// Keeps the part that another thread would release later.
    type Rest;

    /// Creates one, which is populated for the device below.
    fn new(gpu: &Gpu) -> Result<Self>;

    /// Takes a reference to that part.
    fn rest(&self) -> Self::Rest;
}

impl Freed for ARef<Gem> {
    const NAME: &'static str = "object";

    /// A worker would release the file and its pages, in parallel with the measurement.
    type Rest = ShmemFile;

    fn new(gpu: &Gpu) -> Result<Self> {
        let obj = object(gpu)?;
        obj.sg_table(gpu.bound()?)?;
        Ok(obj)
    }

    fn rest(&self) -> ShmemFile {
        ShmemFile::of(self)
    }
}

/// An object that only the C helper maps, and unmaps when the object is freed: measures the C
/// helper by itself.
struct BareObject(ARef<Gem>);

impl Freed for BareObject {
    const NAME: &'static str = "object_bare";

    type Rest = ShmemFile;

    fn new(gpu: &Gpu) -> Result<Self> {
        let obj = object(gpu)?;

        // SAFETY: The object is initialised, and only the C helper uses its table.
        from_err_ptr(unsafe { bindings::drm_gem_shmem_get_pages_sgt(obj.as_raw_shmem()) })?;
        Ok(Self(obj))
    }

    fn rest(&self) -> ShmemFile {
        ShmemFile::of(&self.0)
    }
}

impl Freed for Pin<KBox<Owner>> {
    const NAME: &'static str = "owner";

    type Rest = ();

    fn new(gpu: &Gpu) -> Result<Self> {
        let owner = Owner::new()?;
        owner.populate(gpu.bound()?)?;
        Ok(owner)
    }

    fn rest(&self) {}
}

/// An owner that was never populated: measures the free of an owner by itself.
struct EmptyOwner {
    _owner: Pin<KBox<Owner>>,
}

impl Freed for EmptyOwner {
    const NAME: &'static str = "owner_empty";

    type Rest = ();

    fn new(_gpu: &Gpu) -> Result<Self> {
        Ok(Self {
            _owner: Owner::new()?,
        })
    }

    fn rest(&self) {}
}

/// A reference to the file that has the memory of an object.
struct ShmemFile(*mut bindings::file);

impl ShmemFile {
    fn of(obj: &Gem) -> Self {
        // SAFETY: The object is initialised, and has its file for as long as it lives.
        let file = unsafe { (*obj.as_raw()).filp };

        // SAFETY: The object holds a reference to the file.
        Self(unsafe { bindings::get_file(file) })
    }
}

impl Drop for ShmemFile {
    fn drop(&mut self) {
        // SAFETY: `self` owns the reference.
        unsafe { bindings::fput(self.0) };
    }
}

/// Creates an object of one page.
fn object(gpu: &Gpu) -> Result<ARef<Gem>> {
    Gem::new(&gpu.drm, PAGE_SIZE, ObjectConfig::default(), ())
}

/// Calls `new` `n` times.
fn many<T>(n: usize, new: impl Fn() -> Result<T>) -> Result<KVVec<T>> {
    let mut all = KVVec::with_capacity(n, GFP_KERNEL)?;
    for _ in 0..n {
        all.push(new()?, GFP_KERNEL)?;
    }
    Ok(all)
}

/// The order in which objects are freed.
#[derive(Clone, Copy)]
enum Order {
    Creation,
    Reverse,
    Random,
}

impl Order {
    const ALL: [Self; 3] = [Self::Creation, Self::Reverse, Self::Random];

    fn name(self) -> &'static str {
        match self {
            Self::Creation => "creation",
            Self::Reverse => "reverse",
            Self::Random => "random",
        }
    }

    /// Rearranges objects from the order of creation, so that [`KVVec::pop()`] returns them in this
    /// order.
    fn arrange<T>(self, all: &mut [T]) {
        match self {
            Self::Creation => all.reverse(),
            Self::Reverse => (),
            Self::Random => Random::new().shuffle(all),
        }
    }
}

/// Forecasts the time of a measurement, from the time that it took with fewer objects.
struct Forecast {
    /// The growth of the time: 1 if linear, 2 if quadratic.
    exponent: u32,
    last: Option<(usize, Delta)>,
}

impl Forecast {
    fn new(exponent: u32) -> Self {
        Self {
            exponent,
            last: None,
        }
    }

    /// Returns whether a measurement with `n` objects is expected to stay within the limit. If not,
    /// prints a row.
    fn allows(&self, what: &str, how: &str, n: usize) -> bool {
        let Some((before, time)) = self.last else {
            return true;
        };
        let mut expected = time.as_nanos();
        for _ in 0..self.exponent {
            expected = expected.saturating_mul(n as i64) / before as i64;
        }
        let allowed = expected <= LIMIT.as_nanos();
        if !allowed {
            measure::row("too_long", what, how, n, 0, expected);
        }
        allowed
    }
}

/// Measures the time of unbind, and its grace periods.
fn unbind(scale: &Scale) -> Result {
    for (how, is_tried) in [("plain", false), ("tried", true)] {
        if is_tried && !candidate::HAS_TRY_ACCESS {
            continue;
        }
        let mut forecast = Forecast::new(1);
        for &n in scale.unbind {
            if !forecast.allows("unbind", how, n) {
                continue;
            }
            scale.repeat(|round| {
                let time = unbind_once(n, how, is_tried, round)?;
                forecast.last = Some((n, time));
                Ok(())
            })?;
        }
    }
    Ok(())
}

/// Unbinds a device with `n` mapped objects, after an attempt to get a guard to an object if
/// `is_tried`.
fn unbind_once(n: usize, how: &str, is_tried: bool, round: usize) -> Result<Delta> {
    let mut gpu = Gpu::new()?;
    // Dropped last: see `Gpu`.
    let _drm = gpu.drm.clone();
    let objects = many(n, || <ARef<Gem>>::new(&gpu))?;
    if is_tried {
        ensure!(candidate::try_access(&objects[0]), "there is no guard");
    }
    measure::settle();

    measure::row("section", "unbind", how, n, round, 0);
    let before = measure::grace_periods();
    access::mark();
    let watch = Stopwatch::start();
    gpu.dev.unbind();
    let time = watch.elapsed();
    access::mark();
    let passed = measure::grace_periods() - before;
    measure::row("ns", "unbind", how, n, round, time.as_nanos());
    measure::row("grace_periods", "unbind", how, n, round, passed);

    if round == 0 {
        measure::settle();
        let before = measure::grace_periods();
        fsleep(time);
        let passed = measure::grace_periods() - before;
        measure::row("grace_periods", "idle", how, n, round, passed);
    }

    drop(objects);
    measure::settle();
    Ok(time)
}

/// Measures the time of freeing mapped objects, with and without a slot. The two take turns, so
/// that other load on the machine affects both.
fn free<T: Freed, Bare: Freed>(scale: &Scale) -> Result {
    for order in Order::ALL {
        let mut forecast = Forecast::new(2);
        for &n in scale.free {
            if !forecast.allows(T::NAME, order.name(), n) {
                continue;
            }
            scale.repeat(|round| {
                free_once::<Bare>(n, order, round)?;
                let time = free_once::<T>(n, order, round)?;
                forecast.last = Some((n, time));
                Ok(())
            })?;
        }
    }
    Ok(())
}

/// Frees `n` objects in this order.
fn free_once<T: Freed>(n: usize, order: Order, round: usize) -> Result<Delta> {
    let gpu = Gpu::new()?;
    let mut all = many(n, || T::new(&gpu))?;
    let mut rest = KVVec::with_capacity(n, GFP_KERNEL)?;
    for one in &all {
        rest.push(one.rest(), GFP_KERNEL)?;
    }
    order.arrange(&mut all);
    measure::settle();

    let watch = Stopwatch::start();
    let mut times = [Delta::from_nanos(0); PARTS];
    for (part, time) in times.iter_mut().enumerate() {
        while all.len() > n - n * (part + 1) / PARTS {
            drop(all.pop());
        }
        *time = watch.elapsed();
    }

    measure::parts(T::NAME, order.name(), n, round, &times);
    drop(rest);
    measure::settle();
    Ok(times[PARTS - 1])
}

/// Measures the time of accesses to a mapped object.
fn fast_path(scale: &Scale) -> Result {
    type Function = fn(&Gem, &Device<Bound>, usize) -> Result;
    const SHAPES: [(&str, Function); 3] = [
        ("out_of_line", access::call),
        ("in_loop", access::in_loop),
        ("nothing", access::nothing),
    ];

    let gpu = Gpu::new()?;
    let obj = <ARef<Gem>>::new(&gpu)?;
    for &n in scale.access {
        scale.repeat(|round| {
            for (shape, function) in SHAPES {
                measure::row("section", "access", shape, n, round, 0);
                access::mark();
                let watch = Stopwatch::start();
                function(&obj, gpu.bound()?, n)?;
                let time = watch.elapsed();
                access::mark();
                measure::row("ns", "access", shape, n, round, time.as_nanos());
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// Measures the bytes of an object's parts, and of its allocations.
fn bytes(scale: &Scale) -> Result {
    // SAFETY: `kmalloc_size_roundup()` accepts any size.
    let allocated = |size| unsafe { bindings::kmalloc_size_roundup(size) };
    let object = size_of::<Gem>();
    let sizes = [
        ("object", object),
        ("object_allocated", allocated(object)),
        ("slot", candidate::SLOT),
        ("lock", size_of::<Mutex<()>>()),
    ];
    for (what, size) in sizes {
        measure::row("bytes", what, "inline", 1, 0, size as i64);
    }

    let gpu = Gpu::new()?;
    gpu.map_another()?;
    let n = scale.weigh;

    measure::settle();
    let empty = measure::slab_bytes();
    let owners = many(n, Owner::new)?;
    let created = measure::slab_bytes();
    for owner in &owners {
        owner.populate(gpu.bound()?)?;
    }
    let populated = measure::slab_bytes();
    measure::row("bytes", "owner", "created", n, 0, created - empty);
    measure::row("bytes", "owner", "populated", n, 0, populated - created);
    drop(owners);

    measure::settle();
    let empty = measure::slab_bytes();
    let objects = many(n, || self::object(&gpu))?;
    let created = measure::slab_bytes();
    for obj in &objects {
        obj.sg_table(gpu.bound()?)?;
    }
    let mapped = measure::slab_bytes();
    measure::row("bytes", "object", "created", n, 0, created - empty);
    measure::row("bytes", "object", "populated", n, 0, mapped - created);
    drop(objects);
    measure::settle();
    Ok(())
}

// Each of the suites has a boot of its own.

#[kunit_tests(rust_lazy_bench)]
mod full {
    use super::*;

    /// Runs first, as memory that was freed before can be allocated again without growing slabs.
    #[test]
    fn bytes() -> Result {
        super::bytes(&FULL)
    }

    #[test]
    fn first_access() -> Result {
        first::accesses(&FULL)
    }

    #[test]
    fn two_cpus() -> Result {
        together::owners(&FULL)
    }

    #[test]
    fn fast_path() -> Result {
        super::fast_path(&FULL)
    }

    #[test]
    fn free_owners() -> Result {
        free::<Pin<KBox<Owner>>, EmptyOwner>(&FULL)
    }

    #[test]
    fn free_objects() -> Result {
        free::<ARef<Gem>, BareObject>(&FULL)
    }

    #[test]
    fn unbind() -> Result {
        super::unbind(&FULL)
    }

    #[test]
    fn end() -> Result {
        measure::end();
        Ok(())
    }
}

#[kunit_tests(rust_lazy_bench_quick)]
mod quick {
    use super::*;

    #[test]
    fn all() -> Result {
        bytes(&QUICK)?;
        first::accesses(&QUICK)?;
        together::owners(&QUICK)?;
        fast_path(&QUICK)?;
        free::<Pin<KBox<Owner>>, EmptyOwner>(&QUICK)?;
        free::<ARef<Gem>, BareObject>(&QUICK)?;
        unbind(&QUICK)?;
        measure::end();
        Ok(())
    }
}

#[kunit_tests(rust_lazy_bench_traced)]
mod traced {
    use super::*;

    #[test]
    fn all() -> Result {
        fast_path(&TRACED)?;
        unbind(&TRACED)?;
        measure::end();
        Ok(())
    }
}
