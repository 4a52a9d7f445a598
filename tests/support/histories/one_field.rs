// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The tested objects of `tests/protocol`, as an object with one `init` field: histories are run on
//! mutants of the reference copy, too.

use super::{
    histories::{world::Event, Field, Object, Site, World},
    probe::{Probe, Watch},
    tested::Tested,
};
use kernel::{
    device::{Bound, Device},
    prelude::*,
};
use std::sync::Arc;

impl Watch for World {
    fn makes(&self) -> u32 {
        self.make()
    }

    fn is_half_way(&self) -> Result {
        self.pass(Site::InitHalfWay)
    }

    fn was_dropped(&self, id: u32) {
        self.note(Event::Dropped(id));
    }
}

/// An object with one field.
pub(crate) struct OneField<S>(S);

impl<S: Tested> Object for OneField<S> {
    const FIELDS: &'static [Field] = &[Field::Init];
    const SITES: &'static [Site] = &[Site::InitHalfWay];
    /// The reference copy needs memory to keep what it has made.
    const ALLOCATES_FIRST: bool = false;

    fn new(dev: &Device<Bound>, world: &Arc<World>) -> Result<Self> {
        S::new(dev, &Arc::new(Probe::of(world.clone()))).map(Self)
    }

    fn access(&self, _: usize, dev: &Device<Bound>) -> Result<u32> {
        self.0.access(dev)
    }

    fn peek(&self, _: usize, dev: &Device<Bound>) -> Result<Option<u32>> {
        self.0.peek(dev)
    }

    fn try_access(&self, _: usize) -> Option<u32> {
        self.0.try_access(|| ())
    }

    fn revoke(&mut self, _: usize) {
        self.0.revoke();
    }
}
