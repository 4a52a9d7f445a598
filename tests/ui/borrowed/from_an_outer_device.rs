// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The resource borrows from a device that is bound for as long as the caller says, and no longer.

use kernel::{
    device::{Bound, Device},
    devres::LazyLt,
    prelude::*,
    types::ForLt,
};

fn device<'a>(
    slot: &'a LazyLt<ForLt!(&Device<Bound>)>,
    dev: &'a Device<Bound>,
) -> Result<&'a &'a Device<Bound>> {
    slot.get_or_populate_with(dev, |_, place| place.make(dev), |dev| dev)
}

fn main() {}
