// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A resource that the registry knows the address of does not move.

use kernel::{devres::Batched, prelude::*};

fn moved(window: Pin<KBox<Batched<u32>>>) -> KBox<Batched<u32>> {
    Pin::into_inner(window)
}

fn main() {}
