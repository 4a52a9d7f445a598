// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The cost of one access to a lazily mapped resource, for four ways to write it.
//!
//! `cargo xtask bench` runs this, under Callgrind and by itself, and makes a table of the rows that
//! it prints. `cargo bench` prints the rows alone.
//!
//! | name | the object is |
//! |---|---|
//! | `generated` | annotated with `#[devres_lazy]`: `examples/shmem_sgt.rs` |
//! | `by_hand` | written as in Linux 7.3: `examples/shmem/by_hand.rs` |
//! | `once_lock` | with a [`std::sync::OnceLock`]: [`once`] |
//! | `once_cell` | with a [`once_cell::sync::OnceCell`]: [`once`] |
//!
//! The last two do not handle unbind at all: their table is still there when the device's driver is
//! gone. They show what the fast path of such a cell costs, and are not a choice that a driver has.

// The objects that are measured are those of the example.
#[path = "../../examples/shmem/by_hand.rs"]
#[allow(
    clippy::duplicate_mod,
    reason = "the example's own copy is private to it"
)]
mod by_hand;
#[path = "../../examples/shmem/driver.rs"]
#[allow(
    clippy::duplicate_mod,
    reason = "the example's own copy is private to it"
)]
mod driver;
#[path = "../../examples/shmem/resv.rs"]
#[allow(
    clippy::duplicate_mod,
    reason = "the example's own copy is private to it"
)]
mod resv;
#[path = "../../examples/shmem_sgt.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "a program, of which only the object is used here"
)]
mod shmem_sgt;

mod heap;
mod measure;
mod measured;
mod object;
mod once;
mod owner;
mod populate;

use clap::{Parser, Subcommand, ValueEnum};
use driver::Driver;
use heap::Heap;
use kernel::{drm, prelude::*, testing::TestDevice};
use object::Object;

/// Counts what the thread has allocated.
#[global_allocator]
static HEAP: Heap = Heap;

/// Measures accesses to a lazily mapped resource.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    command: Option<Command>,

    /// An argument that `cargo bench` passes. Means nothing here.
    #[arg(long, global = true, hide = true)]
    bench: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Maps one object and accesses it, for an instruction counter to watch.
    Access {
        /// Whose access it is.
        object: Object,
        /// Code that it is compiled into.
        shape: Shape,
        /// How often, after the first time.
        accesses: u64,
    },
    /// Prints measured rows: time, two threads, first access, bytes.
    Measure {
        /// A few rounds only.
        #[arg(long)]
        quick: bool,
    },
}

/// The function that an instruction counter looks for.
#[derive(Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Shape {
    /// A loop: [`measured::in_loop()`].
    InLoop,
    /// A function that does nothing else: [`measured::out_of_line()`].
    OutOfLine,
}

fn main() -> Result {
    let args = Args::parse();

    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let drm = drm::UnregisteredDevice::<Driver>::new(&bound, Ok(()))?;

    match args.command {
        Some(Command::Access {
            object,
            shape,
            accesses,
        }) => object.access(&drm, &bound, shape, accesses),
        Some(Command::Measure { quick }) => measure::all(&drm, &bound, quick),
        None => measure::all(&drm, &bound, !args.bench),
    }
}
