// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The macros of pin-init on items that they do not support.

use kernel::prelude::*;

#[pin_data]
enum State {
    Idle,
}

#[pin_data]
struct Pair(u32, u32);

#[pin_data]
struct Unit;

struct Plain;

#[pinned_drop]
impl Drop for Plain {
    fn drop(&mut self) {}
}

#[pinned_drop]
impl Plain {
    fn drop(self: Pin<&mut Self>) {}
}

#[derive(Zeroable)]
struct Zero(u32);

#[derive(Zeroable)]
enum Never {}

fn main() {}
