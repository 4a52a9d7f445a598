// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The objects that scenarios test.

use super::probe::Probe;
use kernel::{
    device::{Bound, Device},
    prelude::*,
};
use std::sync::Arc;

/// An object with one lazy field. Resources are known by their ids.
pub(crate) trait Tested: Send + Sync + Sized + 'static {
    /// Creates an object that belongs to `dev`.
    fn new(dev: &Device<Bound>, probe: &Arc<Probe>) -> Result<Self>;

    /// The accessor.
    fn access(&self, dev: &Device<Bound>) -> Result<u32>;

    /// `peek`.
    fn peek(&self, dev: &Device<Bound>) -> Result<Option<u32>>;

    /// `try_access`; calls `with` while the guard is held.
    fn try_access(&self, with: impl FnOnce()) -> Option<u32>;

    /// `revoke`.
    fn revoke(&mut self);
}
