// SPDX-License-Identifier: Apache-2.0 OR MIT

//! An annotated object: `init` fields and `map` fields by turns, and a destructor of its own.

use super::{world::Event, Field, Object, Site, World};
use kernel::{
    device::{Bound, Device},
    devres::{Map, Mapped},
    devres_lazy, new_lazy, new_mutex,
    prelude::*,
    sync::{aref::ARef, Mutex},
};
use std::{
    ptr::NonNull,
    sync::{
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
        Arc,
    },
};

/// The content of [`Owner::buf`] while the owner is whole.
const WHOLE: u64 = 0x5555;

/// A resource that exists until it is dropped.
struct Part {
    world: Arc<World>,
    id: u32,
    event: fn(u32) -> Event,
}

impl Part {
    fn new(world: &Arc<World>, event: fn(u32) -> Event) -> Self {
        Self {
            world: world.clone(),
            id: world.make(),
            event,
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.world.note((self.event)(self.id));
    }
}

/// The resource of an `init` field.
#[pin_data(PinnedDrop)]
pub(crate) struct Resource {
    #[pin]
    lock: Mutex<()>,
    part: Part,
}

impl Resource {
    fn new(world: &Arc<World>) -> Result<impl PinInit<Self, Error> + '_> {
        world.pass(Site::Init)?;

        Ok(try_pin_init!(Self {
            lock <- new_mutex!((), "Resource::lock"),
            part: {
                let part = Part::new(world, Event::Dropped);
                world.pass(Site::InitHalfWay)?;
                part
            },
        }))
    }
}

impl Resource {
    fn id(&self) -> u32 {
        self.part.id
    }
}

#[pinned_drop]
impl PinnedDrop for Resource {
    fn drop(self: Pin<&mut Self>) {
        // It works, which is why it must not have moved.
        drop(self.lock.lock());
        self.part.world.pass_or_panic(Site::Drop);
    }
}

/// A view of a number in [`Owner::buf`].
pub(crate) struct View<const NUMBER: usize>;

/// The `Keep` of a mapping.
pub(crate) struct Kept(Part);

impl Drop for Kept {
    fn drop(&mut self) {
        self.0.world.pass_or_panic(Site::DropKeep);
    }
}

/// The data that views are of.
struct Buffer {
    whole: AtomicU64,
    ids: [AtomicU32; 2],
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.whole.store(0, Relaxed);
    }
}

// SAFETY:
// - `buf` does not change, and is a field of the owner.
// - `#[devres_lazy]` stands on the destructor of `Owner`.
unsafe impl<const NUMBER: usize> Map<Owner> for View<NUMBER> {
    type Target = AtomicU32;
    type Keep = Kept;

    fn keep(owner: &Owner) -> Kept {
        owner.world.pass_or_panic(Site::Keep);
        Kept(Part::new(&owner.world, Event::DroppedKeep))
    }

    fn map(owner: &Owner, _: &Device<Bound>) -> Result<NonNull<AtomicU32>> {
        owner.world.pass(Site::Map)?;
        let id = &owner.buf.ids[NUMBER];
        id.store(owner.world.make(), Relaxed);

        Ok(NonNull::from(id))
    }

    unsafe fn unmap(owner: &Owner, _: &Kept, target: NonNull<AtomicU32>) {
        // SAFETY: The target is in `buf`, which is there while the owner is whole.
        let id = unsafe { target.as_ref() };
        let is_whole = owner.buf.whole.load(Relaxed) == WHOLE;
        if is_whole {
            owner.world.note(Event::Dropped(id.load(Relaxed)));
        }
        owner.world.pass_or_panic(Site::Unmap);
    }
}

/// The owner.
#[devres_lazy]
#[pin_data(PinnedDrop)]
pub(crate) struct Owner {
    dev: ARef<Device>,
    world: Arc<World>,
    /// Declared before the slots, so it is dropped before them where nothing tears them down first.
    buf: KBox<Buffer>,

    #[lazy(
        fn first_view -> AtomicU32,
        device = self.device(),
        map = View<0>,
        peek = peek_first_view,
        try_access = try_first_view,
        revoke = revoke_first_view,
    )]
    first_view: Mapped<Self, View<0>>,

    #[lazy(
        fn resource -> Resource,
        device = self.device(),
        init = Resource::new(&self.world)?,
        peek = peek_resource,
        try_access = try_resource,
        revoke = revoke_resource,
    )]
    resource: Resource,

    #[lazy(
        fn second_view -> AtomicU32,
        device = self.device(),
        map = View<1>,
        peek = peek_second_view,
        try_access = try_second_view,
        revoke = revoke_second_view,
    )]
    second_view: Mapped<Self, View<1>>,
}

#[devres_lazy]
#[pinned_drop]
impl PinnedDrop for Owner {
    fn drop(self: Pin<&mut Self>) {
        self.world.note(Event::Destructor);
        self.world.pass_or_panic(Site::Destructor);
    }
}

impl Owner {
    fn device(&self) -> &Device {
        self.world.pass_or_panic(Site::Device);
        &self.dev
    }
}

/// The owner as its user has it.
pub(crate) struct Annotated(Pin<KBox<Owner>>);

impl Object for Annotated {
    const FIELDS: &'static [Field] = &[Field::Map, Field::Init, Field::Map];
    const SITES: &'static [Site] = &Site::ALL;
    const ALLOCATES_FIRST: bool = true;

    fn new(dev: &Device<Bound>, world: &Arc<World>) -> Result<Self> {
        let buf = Buffer {
            whole: AtomicU64::new(WHOLE),
            ids: Default::default(),
        };
        let owner = KBox::try_pin_init(
            try_pin_init!(Owner {
                dev: dev.into(),
                world: world.clone(),
                buf: KBox::new(buf, GFP_KERNEL)?,
                first_view <- new_lazy!("Owner::first_view"),
                resource <- new_lazy!("Owner::resource"),
                second_view <- new_lazy!("Owner::second_view"),
            }),
            GFP_KERNEL,
        )?;

        Ok(Self(owner))
    }

    fn access(&self, field: usize, dev: &Device<Bound>) -> Result<u32> {
        match field {
            0 => self.0.first_view(dev).map(number),
            1 => self.0.resource(dev).map(Resource::id),
            _ => self.0.second_view(dev).map(number),
        }
    }

    fn peek(&self, field: usize, dev: &Device<Bound>) -> Result<Option<u32>> {
        Ok(match field {
            0 => self.0.peek_first_view(dev)?.map(number),
            1 => self.0.peek_resource(dev)?.map(Resource::id),
            _ => self.0.peek_second_view(dev)?.map(number),
        })
    }

    fn try_access(&self, field: usize) -> Option<u32> {
        match field {
            0 => self.0.try_first_view().map(|id| number(&id)),
            1 => self.0.try_resource().map(|resource| resource.id()),
            _ => self.0.try_second_view().map(|id| number(&id)),
        }
    }

    fn revoke(&mut self, field: usize) {
        match field {
            0 => self.0.as_mut().revoke_first_view(),
            1 => self.0.as_mut().revoke_resource(),
            _ => self.0.as_mut().revoke_second_view(),
        }
    }
}

/// The number of a mapping.
fn number(id: &AtomicU32) -> u32 {
    id.load(Relaxed)
}
