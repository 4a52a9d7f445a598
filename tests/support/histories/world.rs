// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The sites that the code of objects passes: where it fails, and its content.

use kernel::prelude::*;
use std::{
    collections::BTreeSet,
    mem,
    panic::resume_unwind,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// A place in the code of an author.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Site {
    /// The expression behind `device =`.
    Device,
    /// `Map::keep()`.
    Keep,
    /// `Map::map()`.
    Map,
    /// The expression behind `init =`.
    Init,
    /// An initialiser that has initialised one of its fields.
    InitHalfWay,
    /// The destructor of an `init` field's resource.
    Drop,
    /// `Map::unmap()`.
    Unmap,
    /// The destructor of `Map::Keep`.
    DropKeep,
    /// The destructor of the object itself.
    Destructor,
}

impl Site {
    pub(crate) const ALL: [Self; 9] = [
        Self::Device,
        Self::Keep,
        Self::Map,
        Self::Init,
        Self::InitHalfWay,
        Self::Drop,
        Self::Unmap,
        Self::DropKeep,
        Self::Destructor,
    ];

    /// Whether it can return an error.
    pub(crate) fn is_fallible(self) -> bool {
        matches!(self, Self::Map | Self::Init | Self::InitHalfWay)
    }
}

/// How code fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Panic,
    /// With `EIO`. A panic where nothing can be returned.
    Error,
}

/// The payload of a panic at a site.
pub(crate) struct Injected(pub(crate) Site);

/// An event of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A resource was dropped or unmapped.
    Dropped(u32),
    /// The `Keep` of a mapping was dropped.
    DroppedKeep(u32),
    /// The destructor of an object has run.
    Destructor,
}

/// Where the next fault is, and what there is.
#[derive(Default)]
pub(crate) struct World(Mutex<State>);

#[derive(Default)]
struct State {
    armed: Option<(Site, Fault)>,
    /// The number of the last resource, or of what is kept for one.
    last: u32,
    live: BTreeSet<u32>,
    events: Vec<Event>,
}

impl World {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The code of all objects fails the next time that it comes to `site`.
    pub(crate) fn arm(&self, site: Site, fault: Fault) {
        self.state().armed = Some((site, fault));
    }

    /// Comes to a site, which fails if it is armed.
    pub(crate) fn pass(&self, site: Site) -> Result {
        let armed = self.state().armed.take_if(|(armed, _)| *armed == site);

        match armed {
            Some((_, Fault::Error)) if site.is_fallible() => Err(EIO),
            // A planned panic does not call the panic hook.
            Some(_) => resume_unwind(Box::new(Injected(site))),
            None => Ok(()),
        }
    }

    /// Comes to a site that can only panic.
    pub(crate) fn pass_or_panic(&self, site: Site) {
        let passed = self.pass(site);
        assert_eq!(passed, Ok(()), "{site:?} is not fallible");
    }

    /// Counts a made resource, and returns its number.
    pub(crate) fn make(&self) -> u32 {
        let mut state = self.state();
        state.last += 1;
        let last = state.last;
        state.live.insert(last);
        last
    }

    /// Records an event, twice if the content was dropped before.
    pub(crate) fn note(&self, event: Event) {
        let mut state = self.state();
        if let Event::Dropped(id) | Event::DroppedKeep(id) = event {
            // A panic here might be taken for one of the code that is tested.
            let is_live = state.live.remove(&id);
            if !is_live {
                state.events.push(event);
            }
        }
        state.events.push(event);
    }

    /// The events since the last call.
    pub(crate) fn take_events(&self) -> Vec<Event> {
        mem::take(&mut self.state().events)
    }

    /// The number of the last content that was made.
    pub(crate) fn last(&self) -> u32 {
        self.state().last
    }

    /// The content that was made and not dropped.
    pub(crate) fn live(&self) -> BTreeSet<u32> {
        self.state().live.clone()
    }
}
