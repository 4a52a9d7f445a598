// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Lazy fields that depend on each other: a ring buffer that is mapped through a page table.
//!
//! Fields are declared in order of dependency, what others need first. Freeing the object drops
//! resources in the reverse order of declaration. Unbind drops them in the reverse order of
//! population. Both then drop the ring buffer while the page table is still installed.
//!
//! `main()` populates the fields, ends them in both ways, and prints what happened.

// In a folder, as each file beside an example is an example of its own.
#[path = "dependent_fields/hardware.rs"]
mod hardware;

use hardware::{Hardware, PageTable, Ring};
use kernel::{
    device::Device, devres_lazy, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice,
};
use std::{process::ExitCode, sync::Arc};

/// A queue of commands.
#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,
    hardware: Arc<Hardware>,

    /// The page table, which the ring buffer needs until it is unmapped. So it is declared first.
    #[lazy(fn page_table, device = &self.dev, init = PageTable::new(&self.hardware))]
    page_table: PageTable,

    /// The ring buffer. Its first access populates the page table.
    #[lazy(fn ring, device = &self.dev, init = Ring::new(self.page_table(dev)?))]
    ring: Ring,
}

impl Queue {
    fn new(dev: &Device, hardware: &Arc<Hardware>) -> Result<Pin<KBox<Self>>> {
        KBox::pin_init(
            pin_init!(Self {
                dev: dev.into(),
                hardware: hardware.clone(),
                page_table <- new_lazy!(),
                ring <- new_lazy!(),
            }),
            GFP_KERNEL,
        )
    }
}

/// How the resources end.
#[derive(Clone, Copy)]
enum End {
    Unbind,
    Free,
}

/// Populates the fields of a queue, and ends them. Returns what happened.
fn run(end: End) -> Result<Vec<&'static str>> {
    let hardware = Arc::new(Hardware::default());
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let queue = Queue::new(&bound, &hardware)?;
    queue.ring(&bound)?;

    match end {
        End::Unbind => bound.unbind(),
        End::Free => drop(queue),
    }
    Ok(hardware.log())
}

fn main() -> ExitCode {
    const EXPECTED: [&str; 4] = [
        "page table installed",
        "ring mapped",
        "ring unmapped",
        "page table removed",
    ];

    let mut code = ExitCode::SUCCESS;
    for (name, end) in [("unbind", End::Unbind), ("free", End::Free)] {
        let verdict = match run(end) {
            Ok(happened) if happened == EXPECTED => format!("ok   {name}: {}", happened.join(", ")),
            Ok(happened) => {
                code = ExitCode::FAILURE;
                format!("OFF  {name}: {}", happened.join(", "))
            }
            Err(error) => {
                code = ExitCode::FAILURE;
                format!("OFF  {name}: {error:?}")
            }
        };
        println!("{verdict}");
    }

    code
}
