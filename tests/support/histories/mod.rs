// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Histories of several objects and devices, against a model of a few lines. Objects are populated,
//! revoked and freed, devices are unbound and bound again, and allocations, initialisers and
//! destructors fail on the way. Without threads, so that a history is the same each time.
//!
//! For `tests/protocol`, which makes histories at random, and for `verify/fuzz`, where a fuzzer does.

mod annotated;
mod model;
mod step;
pub(crate) mod world;

pub(crate) use annotated::Annotated;
pub(crate) use model::run;
pub(crate) use step::Step;
pub(crate) use world::{Site, World};

use kernel::{
    device::{Bound, Device},
    prelude::*,
};
use std::sync::Arc;

/// The content of a lazy field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    /// The result of an initialiser.
    Init,
    /// A view into the object.
    Map,
}

/// An object with lazy fields, by their numbers. Resources are known by their ids.
pub(crate) trait Object: Sized {
    /// In order of declaration.
    const FIELDS: &'static [Field];

    /// Where its code passes the [`World`], and may fail.
    const SITES: &'static [Site];

    /// Whether nothing is made for a slot before all memory is there.
    const ALLOCATES_FIRST: bool;

    /// Creates an object that belongs to `dev`.
    fn new(dev: &Device<Bound>, world: &Arc<World>) -> Result<Self>;

    /// The accessor of a field.
    fn access(&self, field: usize, dev: &Device<Bound>) -> Result<u32>;

    /// `peek`.
    fn peek(&self, field: usize, dev: &Device<Bound>) -> Result<Option<u32>>;

    /// `try_access`.
    fn try_access(&self, field: usize) -> Option<u32>;

    /// `revoke`.
    fn revoke(&mut self, field: usize);
}
