// SPDX-License-Identifier: GPL-2.0

//! The time of first accesses: to an object, to an object that only the C helper maps, and to an
//! owner that has only the slot. The owner is on a device with few and with many managed resources.

use super::{
    access,
    many,
    measure::{
        self,
        Stopwatch, //
    },
    object,
    BareObject,
    Gem,
    Gpu,
    Owner,
    Scale,
    PARTS, //
};
use crate::{
    bindings,
    devres::register,
    error::from_err_ptr,
    prelude::*,
    sync::aref::ARef,
    time::Delta, //
};

/// The number of other managed resources on a device.
const OTHERS: usize = 10_000;

/// An object or an owner that is populated.
trait Populated: Sized {
    /// The name in the output.
    const NAME: &'static str;

    /// Creates an empty one.
    fn empty(gpu: &Gpu) -> Result<Self>;

    /// Populates it.
    fn populate(&self, gpu: &Gpu) -> Result;
}

impl Populated for ARef<Gem> {
    const NAME: &'static str = "first_object";

    fn empty(gpu: &Gpu) -> Result<Self> {
        object(gpu)
    }

    fn populate(&self, gpu: &Gpu) -> Result {
        access::consume(self.sg_table(gpu.bound()?)?);
        Ok(())
    }
}

/// Only the C helper maps the object.
impl Populated for BareObject {
    const NAME: &'static str = "first_object_bare";

    fn empty(gpu: &Gpu) -> Result<Self> {
        Ok(Self(object(gpu)?))
    }

    fn populate(&self, _gpu: &Gpu) -> Result {
        // SAFETY: The object is initialised, and only the C helper uses its table.
        from_err_ptr(unsafe { bindings::drm_gem_shmem_get_pages_sgt(self.0.as_raw_shmem()) })?;
        Ok(())
    }
}

impl Populated for Pin<KBox<Owner>> {
    const NAME: &'static str = "first_owner";

    fn empty(_gpu: &Gpu) -> Result<Self> {
        Owner::new()
    }

    fn populate(&self, gpu: &Gpu) -> Result {
        (**self).populate(gpu.bound()?)
    }
}

/// Populates `n` objects or owners, and prints the time.
fn once<T: Populated>(gpu: &Gpu, how: &str, n: usize, round: usize) -> Result {
    let all = many(n, || T::empty(gpu))?;
    measure::settle();

    let watch = Stopwatch::start();
    let mut times = [Delta::from_nanos(0); PARTS];
    for (part, time) in times.iter_mut().enumerate() {
        for one in &all[n * part / PARTS..n * (part + 1) / PARTS] {
            one.populate(gpu)?;
        }
        *time = watch.elapsed();
    }
    measure::parts(T::NAME, how, n, round, &times);

    drop(all);
    measure::settle();
    Ok(())
}

/// Measures all kinds in turns, so that other load on the machine affects all kinds.
pub(super) fn accesses(scale: &Scale) -> Result {
    let n = scale.first;
    let [few, other] = [Gpu::new()?, Gpu::new()?];
    for gpu in [&few, &other] {
        // The registry, which all objects share, exists now and is older than the others.
        gpu.map_another()?;
    }
    for _ in 0..OTHERS {
        register(other.bound()?, 0_u32, GFP_KERNEL)?;
    }

    scale.repeat(|round| {
        once::<BareObject>(&few, "alone", n, round)?;
        once::<ARef<Gem>>(&few, "alone", n, round)?;
        once::<Pin<KBox<Owner>>>(&few, "alone", n, round)?;
        once::<Pin<KBox<Owner>>>(&other, "among", n, round)
    })
}
