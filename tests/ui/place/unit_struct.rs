// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A unit struct has no fields.

use kernel::{devres_lazy, prelude::*};

#[devres_lazy]
#[pin_data]
struct Queue;

fn main() -> Result {
    Ok(())
}
