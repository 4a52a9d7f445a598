// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The command line of the example.

use super::{
    by_hand,
    driver::Buffer,
    life::{self, Row, Size},
    timeline::Timeline,
    Object,
};
use clap::Parser;
use std::{panic, process::ExitCode, time::Instant};

/// Takes shmem GEM objects through their life, and prints what was expected and what happened.
///
/// Exits with 0 if every row holds, with 1 if one does not, and with 2 if an argument is wrong.
#[derive(Parser)]
#[command(name = "shmem_sgt", version)]
struct Args {
    /// Threads that race for the first access of an object (2 to 64).
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(2..=64))]
    threads: u16,

    /// Size of an object, in pages (1 to 4096).
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pages: u16,

    /// Objects per row (1 to 1000).
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1000))]
    objects: u16,

    /// Runs the object written by hand, as Linux 7.3 has it, instead of the annotated one. It is
    /// expected to be off where the kernel is.
    #[arg(long)]
    by_hand: bool,
}

/// Runs the example.
pub(crate) fn main() -> ExitCode {
    let args = Args::parse();
    let size = Size {
        threads: args.threads.into(),
        pages: args.pages.into(),
        objects: args.objects.into(),
    };
    let (name, rows): (_, Vec<Row>) = if args.by_hand {
        (
            "written by hand, as in Linux 7.3",
            life::rows::<by_hand::Object<Buffer>>(),
        )
    } else {
        ("annotated", life::rows::<Object<Buffer>>())
    };

    // Rows that panic say so themselves.
    panic::set_hook(Box::new(|_| ()));

    println!(
        "A shmem GEM object, {name}: {} objects of {} pages, {} threads, device gpu0.\n",
        size.objects, size.pages, size.threads
    );

    let mut timeline = Timeline::new();
    for row in rows {
        let begin = Instant::now();
        let outcome = row.run(size);
        timeline.print(&row, begin, &outcome);
    }

    if timeline.finish() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
