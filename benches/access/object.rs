// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The objects whose accesses are measured.

use super::{
    by_hand,
    driver::{Buffer, Driver},
    measured::{self, Access, Nothing},
    once::{self, LockedOnce, SGTableMap},
    shmem_sgt, Shape,
};
use clap::ValueEnum;
use kernel::{
    device::{Bound, Device},
    drm::{self, gem::IntoGEMObject},
    error::Result,
    page::PAGE_SIZE,
    scatterlist::SGTable,
    sync::aref::{ARef, AlwaysRefCounted},
};
use once_cell::sync::OnceCell;
use std::mem::size_of;

/// An object with a lazily mapped table.
pub(crate) trait Shmem: Access<Lent = SGTable> + IntoGEMObject + AlwaysRefCounted {
    /// The name in rows.
    const NAME: &'static str;

    /// Bytes of the fields that have nothing to do with the table: the one for the object's parent.
    const OTHERS: usize = 0;

    /// Creates one of a page.
    fn create(drm: &drm::Device<Driver>) -> Result<ARef<Self>>;
}

/// The annotated object.
pub(crate) type Generated = shmem_sgt::Object<Buffer>;

impl Access for Generated {
    type Lent = SGTable;

    #[inline(always)]
    fn access<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a SGTable> {
        self.sg_table(dev)
    }
}

impl Shmem for Generated {
    const NAME: &'static str = "generated";
    const OTHERS: usize = size_of::<Option<ARef<Self>>>();

    fn create(drm: &drm::Device<Driver>) -> Result<ARef<Self>> {
        Self::new(drm, PAGE_SIZE, shmem_sgt::ObjectConfig::default(), ())
    }
}

/// The object by hand.
pub(crate) type ByHand = by_hand::Object<Buffer>;

impl Access for ByHand {
    type Lent = SGTable;

    #[inline(always)]
    fn access<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a SGTable> {
        self.sg_table(dev)
    }
}

impl Shmem for ByHand {
    const NAME: &'static str = "by_hand";
    const OTHERS: usize = size_of::<Option<ARef<Self>>>();

    fn create(drm: &drm::Device<Driver>) -> Result<ARef<Self>> {
        Self::new(drm, PAGE_SIZE, by_hand::ObjectConfig::default(), ())
    }
}

/// The object with a [`std::sync::OnceLock`].
pub(crate) type StdOnce = once::Object<LockedOnce>;

impl Shmem for StdOnce {
    const NAME: &'static str = "once_lock";

    fn create(drm: &drm::Device<Driver>) -> Result<ARef<Self>> {
        Self::new(drm, PAGE_SIZE)
    }
}

/// The object with a [`OnceCell`].
pub(crate) type CrateOnce = once::Object<OnceCell<SGTableMap>>;

impl Shmem for CrateOnce {
    const NAME: &'static str = "once_cell";

    fn create(drm: &drm::Device<Driver>) -> Result<ARef<Self>> {
        Self::new(drm, PAGE_SIZE)
    }
}

/// The names of these objects on the command line.
#[derive(Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Object {
    /// [`Generated`].
    Generated,
    /// [`ByHand`].
    ByHand,
    /// [`StdOnce`].
    OnceLock,
    /// [`CrateOnce`].
    OnceCell,
    /// No access at all: what the loop takes by itself.
    Nothing,
}

impl Object {
    /// Maps an object, and accesses it `n` times more in a function of this shape.
    pub(crate) fn access(
        self,
        drm: &drm::Device<Driver>,
        dev: &Device<Bound>,
        shape: Shape,
        n: u64,
    ) -> Result {
        fn shmem<O: Shmem>(
            drm: &drm::Device<Driver>,
            dev: &Device<Bound>,
            shape: Shape,
            n: u64,
        ) -> Result {
            let object = O::create(drm)?;
            object.access(dev)?;

            accesses(&*object, dev, shape, n)
        }

        match self {
            Self::Generated => shmem::<Generated>(drm, dev, shape, n),
            Self::ByHand => shmem::<ByHand>(drm, dev, shape, n),
            Self::OnceLock => shmem::<StdOnce>(drm, dev, shape, n),
            Self::OnceCell => shmem::<CrateOnce>(drm, dev, shape, n),
            Self::Nothing => accesses(&Nothing, dev, shape, n),
        }
    }
}

/// Accesses `object` `n` times.
fn accesses<A: Access>(object: &A, dev: &Device<Bound>, shape: Shape, n: u64) -> Result {
    match shape {
        Shape::InLoop => measured::in_loop(object, dev, n),
        Shape::OutOfLine => measured::call(object, dev, n),
    }
}
