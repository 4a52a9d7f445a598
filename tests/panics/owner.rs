// SPDX-License-Identifier: Apache-2.0 OR MIT

//! An owner with an `init` field between two `map` fields, whose code panics in a place that a test
//! chooses, and the counts of what was made and dropped.

use kernel::{
    bindings,
    device::{Bound, Device},
    devres::{Map, Mapped},
    devres_lazy, new_lazy, new_mutex,
    prelude::*,
    sync::{aref::ARef, rcu, Mutex as PinnedMutex},
};
use std::{
    cell::RefCell,
    ptr::NonNull,
    sync::{Arc, Mutex, PoisonError},
};

/// The content of [`Owner::buf`] while the owner is whole.
const WHOLE: u64 = 0x5555;

/// A place where the code of an author, or something that it calls, panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Site {
    /// `Map::keep()`.
    Keep,
    /// `Map::map()`.
    Map,
    /// `Map::unmap()`.
    Unmap,
    /// The destructor of `Map::Keep`.
    DropKeep,
    /// The expression behind `init =`.
    Init,
    /// An initialiser that has initialised one of its fields.
    InitHalfWay,
    /// Linking the slot: the initialiser leaves an RCU read-side critical section open.
    InitLeavesSection,
    /// The destructor of an `init` field's resource.
    Drop,
    /// A warning of the C model in that destructor.
    Warning,
    /// Going on after that destructor, which leaves an RCU read-side critical section open.
    DropLeavesSection,
}

thread_local! {
    static LEFT_OPEN: RefCell<Vec<rcu::Guard>> = const { RefCell::new(Vec::new()) };
}

/// Ends the sections that were left open.
pub(crate) fn close_sections() {
    LEFT_OPEN.take();
}

fn leave_section_open() {
    LEFT_OPEN.with_borrow_mut(|sections| sections.push(rcu::read_lock()));
}

/// The counts of a test, and where the next panic is.
#[derive(Default)]
pub(crate) struct World {
    armed: Mutex<Option<Site>>,
    log: Mutex<Log>,
}

/// The resources made so far, and the names of those that were dropped.
#[derive(Default)]
struct Log {
    made: usize,
    dropped: Vec<&'static str>,
}

impl World {
    /// The code of all owners panics the next time that it comes to `site`.
    pub(crate) fn arm(&self, site: Site) {
        *self.armed.lock().unwrap() = Some(site);
    }

    /// Whether the panic is still to come.
    pub(crate) fn is_armed(&self) -> bool {
        self.armed.lock().unwrap().is_some()
    }

    /// Returns whether `site` is where the next panic is, and forgets it.
    fn is_here(&self, site: Site) -> bool {
        let mut armed = self.armed.lock().unwrap();
        armed.take_if(|armed| *armed == site).is_some()
    }

    fn pass(&self, site: Site) {
        if self.is_here(site) {
            panic!("{site:?}");
        }
    }

    fn log(&self) -> std::sync::MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn made(&self) {
        self.log().made += 1;
    }

    fn dropped(&self, name: &'static str) {
        self.log().dropped.push(name);
    }

    /// Returns the names of the dropped resources in order, and forgets the names.
    pub(crate) fn take_dropped(&self) -> Vec<&'static str> {
        let mut log = self.log();
        log.made -= log.dropped.len();
        std::mem::take(&mut log.dropped)
    }

    /// Returns the number of resources that were made and not dropped.
    pub(crate) fn live(&self) -> usize {
        let log = self.log();
        log.made - log.dropped.len()
    }
}

/// A part of a resource.
struct Part(Arc<World>, &'static str);

impl Part {
    fn new(world: &Arc<World>, name: &'static str) -> Self {
        world.made();
        Self(world.clone(), name)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.0.dropped(self.1);
    }
}

/// The resource of the `init` field.
#[pin_data(PinnedDrop)]
pub(crate) struct Resource {
    #[pin]
    lock: PinnedMutex<()>,
    first: Part,
    second: Part,
    world: Arc<World>,
}

impl Resource {
    pub(crate) fn new(world: &Arc<World>) -> impl PinInit<Self, Error> + '_ {
        world.pass(Site::Init);
        try_pin_init!(Self {
            lock <- new_mutex!((), "Resource::lock"),
            first: Part::new(world, "resource"),
            second: {
                world.pass(Site::InitHalfWay);
                if world.is_here(Site::InitLeavesSection) {
                    leave_section_open();
                }
                Part::new(world, "resource, second part")
            },
            world: world.clone(),
        })
    }
}

#[pinned_drop]
impl PinnedDrop for Resource {
    fn drop(self: Pin<&mut Self>) {
        if self.world.is_here(Site::Warning) {
            bindings::warn("Resource: Warning");
        }
        if self.world.is_here(Site::DropLeavesSection) {
            leave_section_open();
        }
        self.world.pass(Site::Drop);
    }
}

/// A view of [`Owner::buf`].
pub(crate) struct View<const NUMBER: u32>;

/// The `Keep` of a mapping.
pub(crate) struct Kept {
    world: Arc<World>,
    _part: Part,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.world.pass(Site::DropKeep);
    }
}

// SAFETY:
// - `buf` does not change, and is a field of the owner.
// - `#[devres_lazy]` writes the destructor of `Owner`.
unsafe impl<const NUMBER: u32> Map<Owner> for View<NUMBER> {
    type Target = u64;
    type Keep = Kept;

    fn keep(owner: &Owner) -> Kept {
        owner.world.pass(Site::Keep);
        Kept {
            world: owner.world.clone(),
            _part: Part::new(&owner.world, "kept"),
        }
    }

    fn map(owner: &Owner, _: &Device<Bound>) -> Result<NonNull<u64>> {
        owner.world.pass(Site::Map);
        owner.world.made();
        Ok(NonNull::from(&*owner.buf))
    }

    unsafe fn unmap(owner: &Owner, _: &Kept, target: NonNull<u64>) {
        // SAFETY: The target is in `buf`, which is there while the owner is whole.
        let value = unsafe { target.read() };

        owner.world.dropped(match NUMBER {
            1 if value == WHOLE && *owner.buf == WHOLE => "first view",
            2 if value == WHOLE && *owner.buf == WHOLE => "second view",
            _ => "a view of a dropped part",
        });
        owner.world.pass(Site::Unmap);
    }
}

/// The owner.
#[devres_lazy]
#[pin_data]
pub(crate) struct Owner {
    dev: ARef<Device>,
    world: Arc<World>,
    /// Declared before the slots, so it is dropped before them where nothing tears them down first.
    buf: KBox<u64>,

    #[lazy(
        pub(crate) fn first_view -> u64,
        device = &self.dev,
        map = View<1>,
        revoke = revoke_first_view,
    )]
    first_view: Mapped<Self, View<1>>,

    #[lazy(
        pub(crate) fn resource -> Resource,
        device = &self.dev,
        init = Resource::new(&self.world),
        try_access = try_resource,
        revoke = revoke_resource,
    )]
    resource: Resource,

    #[lazy(
        pub(crate) fn second_view -> u64,
        device = &self.dev,
        map = View<2>,
        revoke = revoke_second_view,
    )]
    second_view: Mapped<Self, View<2>>,
}

impl Owner {
    pub(crate) fn new(dev: &Device, world: &Arc<World>) -> Result<Pin<KBox<Self>>> {
        KBox::try_pin_init(
            try_pin_init!(Self {
                dev: dev.into(),
                world: world.clone(),
                buf: KBox::new(WHOLE, GFP_KERNEL)?,
                first_view <- new_lazy!("Owner::first_view"),
                resource <- new_lazy!("Owner::resource"),
                second_view <- new_lazy!("Owner::second_view"),
            }),
            GFP_KERNEL,
        )
    }

    /// Populates all slots, in the order of their declaration.
    pub(crate) fn populate(&self, dev: &Device<Bound>) -> Result {
        self.first_view(dev)?;
        self.resource(dev)?;
        self.second_view(dev)?;
        Ok(())
    }

    /// Revokes all slots, in the reverse order.
    pub(crate) fn revoke(mut self: Pin<&mut Self>) {
        self.as_mut().revoke_second_view();
        self.as_mut().revoke_resource();
        self.as_mut().revoke_first_view();
    }
}

/// The names of all that a fully populated owner drops, in order.
pub(crate) const ALL: [&str; 6] = [
    "second view",
    "kept",
    "resource",
    "resource, second part",
    "first view",
    "kept",
];
