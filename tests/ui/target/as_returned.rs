// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The accessor adds `Result` and `&`.

use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,

    #[lazy(fn count -> &u32, device = &self.dev, init = 0)]
    count: u32,

    #[lazy(fn table -> Result<&[u32]>, device = &self.dev, init = [0; 4])]
    table: [u32; 4],

    #[lazy(fn name -> &'static str, device = &self.dev, init = "queue")]
    name: &'static str,
}

fn main() {}
