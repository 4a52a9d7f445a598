// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The target is a trait object: the field has to deref to it.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};

trait Ops: Send + Sync {}

struct Real;

impl Ops for Real {}

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(fn ops -> dyn Ops, device = &self.dev, init = Real)]
    ops: Real,
}

fn main() {}
