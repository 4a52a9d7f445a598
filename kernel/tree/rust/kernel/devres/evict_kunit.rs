// SPDX-License-Identifier: GPL-2.0

//! The contract of a lazy field whose resource can be evicted, row by row, and eviction by a
//! shrinker while memory runs short.

use super::{
    kunit_gate::Gate,
    kunit_shrinker::{
        exhaust,
        Pages,
        Shrink,
        Shrinker, //
    },
    kunit_support::{
        comes_true,
        completion,
        ensure,
        ensure_ok,
        fail,
        let_others_run,
        TestDevice,
        Thread,
        GRACE, //
    },
    Batched,
    EvictableLazy,
    Lazy,
    LazyPin,
    Map,
    Mapped,
    PinEntry, //
};
use crate::{
    device::{
        Bound,
        Device, //
    },
    devres_lazy,
    new_evictable_lazy,
    new_lazy,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            AtomicFlag,
            Full,
            Relaxed, //
        },
        Arc, //
    },
    time::Delta,
    types::ScopeGuard, //
};
use core::{
    mem,
    ptr::NonNull, //
};

const _: () = {
    // A machine word.
    let word = size_of::<usize>();

    // Eviction adds two words to a slot that supports it, and none to other slots. A resource is
    // stored with five words of state. A `Batched` also has a reference to its device.
    assert!(size_of::<EvictableLazy<usize>>() == size_of::<Lazy<usize>>() + 2 * word);
    assert!(size_of::<Batched<usize>>() == 7 * word);

    // A pin is returned in registers, also in a `Result`.
    assert!(size_of::<LazyPin<'_, usize>>() == 2 * word);
    assert!(size_of::<Result<LazyPin<'_, usize>>>() == 2 * word);
};

/// The time limit of an event that must happen, on a slow and busy machine.
const PATIENCE: Delta = Delta::from_secs(60);

/// A test's view of its resources, and the places where it can stop them.
#[pin_data]
struct Probe {
    made: Atomic<i32>,
    dropped: Atomic<i32>,
    /// Making a resource passes this gate.
    #[pin]
    make_gate: Gate,
    /// Dropping a resource passes this gate.
    #[pin]
    drop_gate: Gate,
}

impl Probe {
    fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                made: Atomic::new(0),
                dropped: Atomic::new(0),
                make_gate <- Gate::new(),
                drop_gate <- Gate::new(),
            }),
            GFP_KERNEL,
        )
    }

    fn made(&self) -> i32 {
        self.made.load(Relaxed)
    }

    fn dropped(&self) -> i32 {
        self.dropped.load(Relaxed)
    }

    /// Returns the number of resources that are left. Negative if one was dropped twice.
    fn live(&self) -> i32 {
        self.made() - self.dropped()
    }
}

/// A resource.
struct Resource {
    /// The resource's number, from 1 in the order of creation.
    id: i32,
    probe: Arc<Probe>,
    /// The owner that its destructor uses.
    owner: Option<ComesBack>,
}

impl Resource {
    fn new(probe: &Arc<Probe>) -> Self {
        probe.make_gate.pass();

        Self {
            id: probe.made.fetch_add(1, Full) + 1,
            probe: probe.clone(),
            owner: None,
        }
    }
}

impl Drop for Resource {
    fn drop(&mut self) {
        if let Some(owner) = self.owner.take() {
            owner.look();
        }
        self.probe.drop_gate.pass();
        self.probe.dropped.fetch_add(1, Full);
    }
}

/// The object of most tests.
#[devres_lazy]
#[pin_data]
struct Object {
    dev: ARef<Device>,
    probe: Arc<Probe>,

    /// The object's resource.
    #[lazy(
        fn resource -> Resource,
        device = &self.dev,
        init = Resource::new(&self.probe),
        peek = resource_if_made,
        revoke = drop_resource,
        evict = evict_resource,
    )]
    resource: Resource,
}

impl Object {
    fn new(dev: &Device<Bound>, probe: &Arc<Probe>) -> Result<Arc<Self>> {
        Arc::pin_init(Self::init(dev, probe), GFP_KERNEL)
    }

    fn init<'a>(
        dev: &'a Device<Bound>,
        probe: &'a Arc<Probe>,
    ) -> impl PinInit<Self, core::convert::Infallible> + 'a {
        pin_init!(Self {
            dev: dev.into(),
            probe: probe.clone(),
            resource <- new_evictable_lazy!("Object::resource"),
        })
    }

    /// Calls the accessor, and returns the number of the resource.
    fn access(&self, dev: &Device<Bound>) -> Result<i32> {
        self.resource(dev).map(|resource| resource.id)
    }
}

/// Looks at an object while its resource is dropped, and notes what it finds.
struct ComesBack {
    object: *const Object,
    found: Arc<Atomic<i32>>,
}

// SAFETY: Any thread may use the object, which is not freed before its resource is dropped.
unsafe impl Send for ComesBack {}

// SAFETY: Any thread may use the object, which is not freed before its resource is dropped.
unsafe impl Sync for ComesBack {}

impl ComesBack {
    fn look(&self) {
        // SAFETY: The object is not freed before its resource is dropped.
        let object = unsafe { &*self.object };
        // SAFETY: The device is bound, in the tests that use this.
        let dev = unsafe { object.dev.as_bound() };

        let is_right = object.access(dev) == Err(EDEADLK)
            && object.evict_resource() == Err(EBUSY)
            && object
                .resource_if_made(dev)
                .is_ok_and(|resource| resource.is_none());
        self.found.store(if is_right { 1 } else { -1 }, Relaxed);
    }
}

/// An object whose resource is older than others, and cannot be evicted.
#[devres_lazy]
#[pin_data]
struct Older {
    dev: ARef<Device>,
    probe: Arc<Probe>,

    #[lazy(fn resource -> Resource, device = &self.dev, init = Resource::new(&self.probe))]
    resource: Resource,
}

impl Older {
    fn new(dev: &Device<Bound>, probe: &Arc<Probe>) -> Result<Pin<KBox<Self>>> {
        let init = pin_init!(Self {
            dev: dev.into(),
            probe: probe.clone(),
            resource <- new_lazy!("Older::resource"),
        });

        KBox::pin_init(init, GFP_KERNEL)
    }
}

/// An object whose pins dereference to other targets than the resource.
#[devres_lazy]
#[pin_data]
struct Targets {
    dev: ARef<Device>,
    window: u32,
    unmapped: Atomic<i32>,

    /// The accessor returns the array in the box.
    #[lazy(
        fn boxed -> [u32; 3],
        device = &self.dev,
        init = KBox::new([1, 2, 3], GFP_KERNEL)?,
        evict = evict_boxed,
    )]
    boxed: KBox<[u32; 3]>,

    /// A view into the object.
    #[lazy(
        fn view -> u32,
        device = &self.dev,
        map = Window,
        peek = view_if_mapped,
        evict = evict_view,
    )]
    view: Mapped<Self, Window>,
}

/// Maps the window of [`Targets`].
struct Window;

// SAFETY: `window` is a field of the owner, which outlives the mapping and does not move. No code
// writes to it.
unsafe impl Map<Targets> for Window {
    type Target = u32;
    type Keep = ();

    fn keep(_: &Targets) {}

    fn map(targets: &Targets, _dev: &Device<Bound>) -> Result<NonNull<u32>> {
        Ok(NonNull::from(&targets.window))
    }

    unsafe fn unmap(targets: &Targets, _keep: &(), _window: NonNull<u32>) {
        targets.unmapped.fetch_add(1, Full);
    }
}

/// A large resource. Its destructor overwrites its first word, so that a later use is noticed.
struct Buffer {
    pages: Pages,
    counts: Arc<Counts>,
}

impl Buffer {
    const WORD: usize = 0x1dea_f00d;

    fn new(counts: &Arc<Counts>) -> Result<Self> {
        let mut pages = Pages::new()?;
        pages.write(Self::WORD);
        counts.made.fetch_add(1, Relaxed);

        Ok(Self {
            pages,
            counts: counts.clone(),
        })
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.pages.write(0);
        self.counts.dropped.fetch_add(1, Relaxed);
    }
}

/// How often each event has happened.
struct Counts {
    made: Atomic<i32>,
    dropped: Atomic<i32>,
    reads: Atomic<i32>,
    /// Accesses that failed as there was no memory.
    no_memory: Atomic<i32>,
    evicted: Atomic<i32>,
    /// Evictions that failed, as the resource was in use.
    busy: Atomic<i32>,
}

impl Counts {
    fn new() -> Result<Arc<Self>> {
        let counts = Self {
            made: Atomic::new(0),
            dropped: Atomic::new(0),
            reads: Atomic::new(0),
            no_memory: Atomic::new(0),
            evicted: Atomic::new(0),
            busy: Atomic::new(0),
        };

        Ok(Arc::new(counts, GFP_KERNEL)?)
    }

    fn evict(&self, evict: impl FnOnce() -> Result<bool>) -> Result<bool> {
        match evict() {
            Ok(true) => {
                self.evicted.fetch_add(1, Relaxed);
                Ok(true)
            }
            Err(error) if error == EBUSY => {
                self.busy.fetch_add(1, Relaxed);
                Ok(false)
            }
            result => result,
        }
    }

    fn print(&self, what: &str) {
        let count = |count: &Atomic<i32>| count.load(Relaxed);
        crate::kunit::info(fmt!(
            "    # result: {what}: {} made, {} reads, {} evicted, {} busy, {} without memory\n",
            count(&self.made),
            count(&self.reads),
            count(&self.evicted),
            count(&self.busy),
            count(&self.no_memory)
        ));
    }
}

/// An object with a [`Buffer`].
#[devres_lazy]
#[pin_data]
struct Cached {
    dev: ARef<Device>,
    counts: Arc<Counts>,

    #[lazy(
        fn buffer -> Buffer,
        device = &self.dev,
        init = Buffer::new(&self.counts)?,
        evict = evict_buffer,
    )]
    buffer: Buffer,
}

impl Cached {
    fn new(dev: &Device<Bound>, counts: &Arc<Counts>) -> Result<Pin<KBox<Self>>> {
        let init = pin_init!(Self {
            dev: dev.into(),
            counts: counts.clone(),
            buffer <- new_evictable_lazy!("Cached::buffer"),
        });

        KBox::pin_init(init, GFP_KERNEL)
    }
}

/// Creates a thread that uses or evicts the objects of a cache.
type MakeThread = fn(&Arc<Cache>) -> Result<Thread<Result>>;

/// Objects, which threads use and a shrinker evicts.
struct Cache {
    objects: KVec<Pin<KBox<Cached>>>,
    dev: ARef<Device>,
    counts: Arc<Counts>,
    is_over: AtomicFlag,
    /// Whether a pin was found that refers to a dropped resource.
    is_wrong: AtomicFlag,
}

impl Cache {
    /// The number of objects.
    const OBJECTS: usize = 8;

    fn new(dev: &Device<Bound>) -> Result<Arc<Self>> {
        let counts = Counts::new()?;
        let mut objects = KVec::new();
        for _ in 0..Self::OBJECTS {
            objects.push(Cached::new(dev, &counts)?, GFP_KERNEL)?;
        }

        let cache = Self {
            objects,
            dev: dev.into(),
            counts,
            is_over: AtomicFlag::new(false),
            is_wrong: AtomicFlag::new(false),
        };
        Ok(Arc::new(cache, GFP_KERNEL)?)
    }

    /// Maps and reads all objects. Keeps each pin until the next one is taken.
    fn read_all(&self, dev: &Device<Bound>) -> Result {
        let mut last: Option<LazyPin<'_, Buffer>> = None;
        for object in &self.objects {
            match object.buffer(dev) {
                Ok(buffer) => {
                    for buffer in [last.as_ref(), Some(&buffer)].into_iter().flatten() {
                        if buffer.pages.read() != Buffer::WORD {
                            self.is_wrong.store(true, Relaxed);
                        }
                    }
                    self.counts.reads.fetch_add(1, Relaxed);
                    last = Some(buffer);
                }
                Err(error) if error == ENOMEM => {
                    self.counts.no_memory.fetch_add(1, Relaxed);
                }
                Err(error) => return Err(error),
            }
            let_others_run();
        }
        Ok(())
    }

    /// Creates a thread that reads all objects over and over.
    fn reader(this: &Arc<Self>) -> Result<Thread<Result>> {
        let cache = this.clone();

        Thread::new(move || {
            // SAFETY: The device is not unbound before this thread has returned.
            let dev = unsafe { cache.dev.as_bound() };
            while !cache.is_over.load(Relaxed) {
                cache.read_all(dev)?;
            }
            Ok(())
        })
    }

    /// Creates a thread that evicts all objects over and over.
    fn evictor(this: &Arc<Self>) -> Result<Thread<Result>> {
        let cache = this.clone();

        Thread::new(move || {
            while !cache.is_over.load(Relaxed) {
                for object in &cache.objects {
                    cache.counts.evict(|| object.evict_buffer())?;
                }
                let_others_run();
            }
            Ok(())
        })
    }

    /// Runs `function` while the threads run. Returns when all threads have returned.
    fn run(this: &Arc<Self>, threads: &[MakeThread], function: impl FnOnce()) -> Result {
        let mut running = KVec::new();
        // Ends the threads before they are joined, also if one cannot be created.
        let end = ScopeGuard::new(|| this.is_over.store(true, Relaxed));
        for thread in threads {
            running.push(thread(this)?, GFP_KERNEL)?;
        }
        for thread in &running {
            thread.start();
        }

        function();
        drop(end);
        for thread in running {
            ensure_ok!(thread.join()?, "a thread");
        }
        ensure!(
            !this.is_wrong.load(Relaxed),
            "a pin leads to a dropped resource"
        );
        Ok(())
    }

    /// Checks after unbind that all resources were dropped.
    fn check(&self, what: &str) -> Result {
        self.counts.print(what);
        let made = self.counts.made.load(Relaxed);
        let dropped = self.counts.dropped.load(Relaxed);
        ensure!(made == dropped, "{made} were made, {dropped} are dropped");
        Ok(())
    }
}

impl Shrink for Cache {
    fn count(&self) -> usize {
        Self::OBJECTS
    }

    fn scan(&self) -> usize {
        let evict = |object: &Pin<KBox<Cached>>| self.counts.evict(|| object.evict_buffer());

        self.objects
            .iter()
            .filter(|object| evict(object) == Ok(true))
            .count()
    }
}

#[kunit_tests(rust_devres_lazy_evict)]
mod tests {
    use super::*;

    /// Evicting an empty slot, before the first access or after an eviction, returns `Ok(false)`.
    #[test]
    fn evict_nothing() -> Result {
        let (probe, dev) = (Probe::new()?, TestDevice::new()?);
        let dev = dev.bound()?.as_ref();
        let object = Object::new(dev, &probe)?;

        let evicted = object.evict_resource();
        ensure!(evicted == Ok(false), "before the first access: {evicted:?}");

        ensure_ok!(object.access(dev), "the first access");
        let evicted = object.evict_resource();
        ensure!(evicted == Ok(true), "then: {evicted:?}");
        ensure!(probe.live() == 0, "{} are left", probe.live());
        let evicted = object.evict_resource();
        ensure!(evicted == Ok(false), "again: {evicted:?}");
        let peek = object.resource_if_made(dev)?.map(|resource| resource.id);
        ensure!(peek.is_none(), "after that, peek: {peek:?}");

        // The next access maps again, and dropping the owner unmaps.
        let again = object.access(dev);
        ensure!(again == Ok(2), "the next access: {again:?}");
        drop(object);
        ensure!(probe.live() == 0, "{} are left", probe.live());
        Ok(())
    }

    /// Evicting fails with `EBUSY` while there is a pin, including one from `peek`.
    #[test]
    fn evict_while_pinned() -> Result {
        let (probe, dev) = (Probe::new()?, TestDevice::new()?);
        let dev = dev.bound()?.as_ref();
        let object = Object::new(dev, &probe)?;

        let first = ensure_ok!(object.resource(dev), "the first access");
        let second = ensure_ok!(object.resource(dev), "the second access");
        let peeked = ensure_ok!(object.resource_if_made(dev), "peek");
        ensure!(peeked.is_some(), "nothing is mapped");
        for pin in [Some(first), Some(second), peeked] {
            let evicted = object.evict_resource();
            ensure!(evicted == Err(EBUSY), "while pinned: {evicted:?}");
            ensure!(probe.dropped() == 0, "dropped while pinned");
            drop(pin);
        }

        let evicted = object.evict_resource();
        ensure!(evicted == Ok(true), "when all are dropped: {evicted:?}");
        Ok(())
    }

    /// A pin may be kept while sleeping, and dropped on another thread.
    #[test]
    fn pin_on_another_thread() -> Result {
        let (probe, dev) = (Probe::new()?, TestDevice::new()?);
        let object = Object::new(dev.bound()?.as_ref(), &probe)?;
        let (go_on, done) = (completion()?, completion()?);

        let thread = {
            let (object, go_on, done) = (object.clone(), go_on.clone(), done.clone());
            Thread::new(move || {
                // SAFETY: The device is not unbound before this thread has returned.
                let dev = unsafe { object.dev.as_bound() };
                let resource = object.resource(dev);
                done.complete_all();
                go_on.wait_for_completion();
                resource.map(|resource| resource.id)
            })?
        };
        thread.start();
        done.wait_for_completion();
        let evicted = object.evict_resource();
        go_on.complete_all();
        let read = thread.join()?;

        ensure!(evicted == Err(EBUSY), "while pinned: {evicted:?}");
        ensure!(read == Ok(1), "what the thread reads: {read:?}");
        let evicted = object.evict_resource();
        ensure!(evicted == Ok(true), "then: {evicted:?}");
        Ok(())
    }

    /// A leaked pin prevents evictions, but not unbind.
    #[test]
    fn leaked_pin() -> Result {
        let (probe, mut dev) = (Probe::new()?, TestDevice::new()?);
        let object = Object::new(dev.bound()?.as_ref(), &probe)?;

        mem::forget(ensure_ok!(
            object.resource(dev.bound()?.as_ref()),
            "the first access"
        ));
        for _ in 0..2 {
            let evicted = object.evict_resource();
            ensure!(evicted == Err(EBUSY), "with a leaked pin: {evicted:?}");
        }

        dev.unbind();
        ensure!(probe.live() == 0, "{} are left after unbind", probe.live());
        let evicted = object.evict_resource();
        ensure!(evicted == Ok(false), "after unbind: {evicted:?}");
        Ok(())
    }

    /// Evicting a resource that is being mapped fails at once, with `EBUSY`.
    #[test]
    fn evict_while_being_mapped() -> Result {
        let (probe, dev) = (Probe::new()?, TestDevice::new()?);
        let object = Object::new(dev.bound()?.as_ref(), &probe)?;

        probe.make_gate.close();
        let thread = {
            let object = object.clone();
            Thread::new(move || {
                // SAFETY: The device is not unbound before this thread has returned.
                object.access(unsafe { object.dev.as_bound() })
            })?
        };
        thread.start();
        probe.make_gate.wait_for_a_thread();
        let evicted = object.evict_resource();
        probe.make_gate.open();
        let mapped = thread.join()?;

        ensure!(evicted == Err(EBUSY), "while it is mapped: {evicted:?}");
        ensure!(mapped == Ok(1), "the thread that maps: {mapped:?}");
        Ok(())
    }

    /// While a resource is being evicted, another eviction fails without waiting, `peek` finds
    /// nothing, and an access waits and then maps again.
    #[test]
    fn access_while_evicting() -> Result {
        let (probe, dev) = (Probe::new()?, TestDevice::new()?);
        let dev = dev.bound()?.as_ref();
        let object = Object::new(dev, &probe)?;
        ensure_ok!(object.access(dev), "the first access");

        probe.drop_gate.close();
        let evict = {
            let object = object.clone();
            Thread::new(move || object.evict_resource())?
        };
        evict.start();
        probe.drop_gate.wait_for_a_thread();

        let again = object.evict_resource();
        let peek = object.resource_if_made(dev)?.map(|resource| resource.id);
        let access = {
            let object = object.clone();
            Thread::new(move || {
                // SAFETY: The device is not unbound before this thread has returned.
                object.access(unsafe { object.dev.as_bound() })
            })?
        };
        access.start();
        let is_early = comes_true(GRACE, || access.has_returned());
        probe.drop_gate.open();
        let (evicted, accessed) = (evict.join()?, access.join()?);

        ensure!(again == Err(EBUSY), "evicted twice at once: {again:?}");
        ensure!(peek.is_none(), "peek meanwhile: {peek:?}");
        ensure!(!is_early, "the access does not wait: {accessed:?}");
        ensure!(evicted == Ok(true), "the eviction: {evicted:?}");
        ensure!(accessed == Ok(2), "the access: {accessed:?}");
        Ok(())
    }

    /// Access with any device but the owner's fails with `EINVAL`, and leaves no pin.
    #[test]
    fn wrong_device() -> Result {
        let probe = Probe::new()?;
        let (dev, other) = (TestDevice::new()?, TestDevice::new()?);
        let (dev, other) = (dev.bound()?.as_ref(), other.bound()?.as_ref());
        let object = Object::new(dev, &probe)?;

        ensure_ok!(object.access(dev), "the right device");
        let wrong = object.access(other);
        ensure!(wrong == Err(EINVAL), "a wrong device: {wrong:?}");
        let wrong = object.resource_if_made(other).map(|_| ());
        ensure!(wrong == Err(EINVAL), "a wrong device, peek: {wrong:?}");
        let evicted = object.evict_resource();
        ensure!(evicted == Ok(true), "then: {evicted:?}");
        Ok(())
    }

    /// A destructor that uses its own slot during an eviction does not wait for itself.
    #[test]
    fn evict_comes_back() -> Result {
        let (probe, dev) = (Probe::new()?, TestDevice::new()?);
        let dev = dev.bound()?.as_ref();
        let object = Object::new(dev, &probe)?;
        let found = Arc::new(Atomic::new(0), GFP_KERNEL)?;

        let entry = ensure_ok!(object.resource.entry(dev), "the entry");
        let PinEntry::Vacant(vacant) = entry else {
            fail!("the slot is not empty");
        };
        let mut resource = Resource::new(&probe);
        resource.owner = Some(ComesBack {
            object: &raw const *object,
            found: found.clone(),
        });
        drop(ensure_ok!(vacant.populate(|| Ok(resource)), "populated"));

        let evicted = object.evict_resource();
        ensure!(evicted == Ok(true), "evicted: {evicted:?}");
        let found = found.load(Relaxed);
        ensure!(found == 1, "what the drop has found: {found}");
        Ok(())
    }

    /// Evicting a resource that unbind is dropping fails with `EBUSY`. In the next binding, there
    /// is nothing to evict.
    #[test]
    fn evict_while_unbinding() -> Result {
        let (probe, mut dev) = (Probe::new()?, TestDevice::new()?);
        let object = Object::new(dev.bound()?.as_ref(), &probe)?;
        ensure_ok!(object.access(dev.bound()?.as_ref()), "the first access");

        probe.drop_gate.close();
        let unbind = Thread::new(move || {
            dev.unbind();
            dev
        })?;
        unbind.start();
        probe.drop_gate.wait_for_a_thread();
        let evicted = object.evict_resource();
        probe.drop_gate.open();
        let mut dev = unbind.join()?;

        ensure!(evicted == Err(EBUSY), "during unbind: {evicted:?}");
        dev.rebind()?;
        let late = object.access(dev.bound()?.as_ref());
        ensure!(late == Err(ENXIO), "in the next binding: {late:?}");
        let evicted = object.evict_resource();
        ensure!(evicted == Ok(false), "in the next binding: {evicted:?}");
        Ok(())
    }

    /// Unbind waits for a running eviction before it drops an older resource.
    #[test]
    fn unbind_while_evicting() -> Result {
        let (older, probe) = (Probe::new()?, Probe::new()?);
        let mut dev = TestDevice::new()?;
        let bound = dev.bound()?.as_ref();
        let (first, object) = (Older::new(bound, &older)?, Object::new(bound, &probe)?);
        ensure_ok!(first.resource(bound), "the older one");
        ensure_ok!(object.access(bound), "the newer one");

        probe.drop_gate.close();
        let evict = {
            let object = object.clone();
            Thread::new(move || object.evict_resource())?
        };
        evict.start();
        probe.drop_gate.wait_for_a_thread();
        let unbind = Thread::new(move || {
            dev.unbind();
            dev
        })?;
        unbind.start();
        let is_early = comes_true(GRACE, || unbind.has_returned() || older.dropped() > 0);
        probe.drop_gate.open();
        let (evicted, mut dev) = (evict.join()?, unbind.join()?);

        ensure!(!is_early, "unbind does not wait");
        ensure!(evicted == Ok(true), "the eviction: {evicted:?}");
        ensure!(older.dropped() == 1, "the older one is left");

        // The slot was empty at unbind, so it serves the next binding.
        dev.rebind()?;
        let again = object.access(dev.bound()?.as_ref());
        ensure!(again == Ok(2), "in the next binding: {again:?}");
        Ok(())
    }

    /// Eviction removes a slot from anywhere in the list, and unbind drops the others.
    #[test]
    fn evict_between_others() -> Result {
        let probe = Probe::new()?;
        let mut dev = TestDevice::new()?;
        let bound = dev.bound()?.as_ref();
        let objects = [
            Object::new(bound, &probe)?,
            Object::new(bound, &probe)?,
            Object::new(bound, &probe)?,
        ];
        for evicted in 0..3 {
            for object in &objects {
                ensure_ok!(object.access(bound), "an access");
            }
            ensure!(
                objects[evicted].evict_resource() == Ok(true),
                "the eviction"
            );
        }
        let live = probe.live();
        ensure!(live == 2, "{live} are left before unbind");

        dev.unbind();
        ensure!(probe.live() == 0, "{} are left after unbind", probe.live());
        Ok(())
    }

    /// `revoke` by an exclusive owner leaves nothing to evict, and an eviction leaves nothing to
    /// revoke.
    #[test]
    fn evict_and_revoke() -> Result {
        let (probe, dev) = (Probe::new()?, TestDevice::new()?);
        let dev = dev.bound()?.as_ref();
        let mut object = KBox::pin_init(Object::init(dev, &probe), GFP_KERNEL)?;

        ensure_ok!(object.access(dev), "the first access");
        object.as_mut().drop_resource();
        let evicted = object.evict_resource();
        ensure!(evicted == Ok(false), "after it was revoked: {evicted:?}");

        let again = object.access(dev);
        ensure!(again == Ok(2), "the next access: {again:?}");
        let evicted = object.evict_resource();
        ensure!(evicted == Ok(true), "then: {evicted:?}");
        object.as_mut().drop_resource();
        ensure!(probe.dropped() == 2, "{} are dropped", probe.dropped());
        let again = object.access(dev);
        ensure!(again == Ok(3), "the last access: {again:?}");
        Ok(())
    }

    /// Pins dereference to the resource's own `Deref` target, and to a view.
    #[test]
    fn targets() -> Result {
        let dev = TestDevice::new()?;
        let dev = dev.bound()?.as_ref();
        let object = KBox::pin_init(
            pin_init!(Targets {
                dev: dev.into(),
                window: 42,
                unmapped: Atomic::new(0),
                boxed <- new_evictable_lazy!("Targets::boxed"),
                view <- new_evictable_lazy!("Targets::view"),
            }),
            GFP_KERNEL,
        )?;

        let boxed = ensure_ok!(object.boxed(dev), "the array");
        ensure!(*boxed == [1, 2, 3], "the array: {:?}", &*boxed);
        let evicted = object.evict_boxed();
        ensure!(
            evicted == Err(EBUSY),
            "while the array is pinned: {evicted:?}"
        );
        drop(boxed);
        let evicted = object.evict_boxed();
        ensure!(evicted == Ok(true), "then: {evicted:?}");

        for count in 1..3 {
            let view = ensure_ok!(object.view(dev), "the view");
            ensure!(*view == 42, "the view: {}", *view);
            let peek = object.view_if_mapped(dev)?.map(|view| *view);
            ensure!(peek == Some(42), "peek: {peek:?}");
            let evicted = object.evict_view();
            ensure!(
                evicted == Err(EBUSY),
                "while the view is pinned: {evicted:?}"
            );
            drop(view);
            let evicted = object.evict_view();
            ensure!(evicted == Ok(true), "then: {evicted:?}");
            let unmapped = object.unmapped.load(Relaxed);
            ensure!(unmapped == count, "unmapped {unmapped} times");
        }
        Ok(())
    }

    /// Threads pin, read and drop while others evict, and the device is bound and unbound.
    #[test]
    fn evict_against_everybody() -> Result {
        let mut dev = TestDevice::new()?;

        for binding in 0..4 {
            let cache = Cache::new(dev.bound()?.as_ref())?;
            let counts = &cache.counts;
            let threads: [MakeThread; 4] =
                [Cache::reader, Cache::reader, Cache::evictor, Cache::evictor];
            let mut has_happened = false;
            Cache::run(&cache, &threads, || {
                has_happened = comes_true(PATIENCE, || {
                    counts.evicted.load(Relaxed) > 100 && counts.busy.load(Relaxed) > 10
                });
            })?;
            ensure!(
                has_happened,
                "binding {binding}: nothing is evicted, or all at once"
            );

            // Two more threads evict while unbind is under way.
            let evict = [Cache::evictor(&cache)?, Cache::evictor(&cache)?];
            cache.is_over.store(false, Relaxed);
            evict.iter().for_each(Thread::start);
            dev.unbind();
            cache.is_over.store(true, Relaxed);
            for evict in evict {
                ensure_ok!(evict.join()?, "a thread that evicts");
            }
            cache.check("bound and unbound")?;
            dev.rebind()?;
        }
        Ok(())
    }

    /// A shrinker evicts while memory runs short: in the threads whose initialisers allocate, in a
    /// thread that allocates nearly all memory, and in `kswapd`.
    #[test]
    fn evict_by_a_shrinker() -> Result {
        let mut dev = TestDevice::new()?;
        let cache = Cache::new(dev.bound()?.as_ref())?;
        let counts = &cache.counts;
        let shrinker = Shrinker::register(cache.clone())?;

        Cache::run(&cache, &[Cache::reader, Cache::reader], || {
            let is_enough = || counts.evicted.load(Relaxed) > 20;
            comes_true(PATIENCE, || {
                exhaust(is_enough);
                is_enough()
            });
        })?;
        let evicted = counts.evicted.load(Relaxed);
        ensure!(evicted > 20, "the shrinker has evicted {evicted}");

        // The shrinker is still registered while the device is unbound.
        dev.unbind();
        drop(shrinker);
        cache.check("by a shrinker")
    }
}
