// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The command line of the example.

use super::{
    by_hand,
    contract::{
        self,
        Outcome,
        Row,
        Size, //
    },
    driver::Buffer,
    timeline::Timeline,
    Object,
};
use clap::Parser;
use std::{
    panic,
    process::ExitCode,
    time::Instant, //
};

/// Takes a shmem GEM object through every row of the contract of a lazy field, and prints what was
/// expected and what happened.
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

    /// Prints a line per row, as `cargo test` does, for programs to read.
    #[arg(long)]
    terse: bool,
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
            contract::rows::<by_hand::Object<Buffer>>(),
        )
    } else {
        ("annotated", contract::rows::<Object<Buffer>>())
    };

    // Rows that panic say so themselves.
    panic::set_hook(Box::new(|_| ()));

    if args.terse {
        return terse(&rows, size);
    }

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

/// Goes through the rows, and prints no more than which of them hold.
fn terse(rows: &[Row], size: Size) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for row in rows {
        let verdict = match row.run(size) {
            Outcome::Seen { holds: true, .. } => "ok",
            Outcome::Seen { holds: false, .. } => {
                code = ExitCode::FAILURE;
                "FAILED"
            }
            Outcome::NotOffered => "ignored, this object has no such function",
            Outcome::Compiler(_) => "ignored, the compiler refuses it",
        };
        println!("test {} ... {verdict}", row.name);
    }

    code
}
