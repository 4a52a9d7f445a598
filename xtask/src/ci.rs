// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `cargo xtask ci`: everything that has to hold.

use anyhow::{
    bail,
    Result, //
};
use std::time::Instant;
use xshell::{
    cmd,
    Shell, //
};

/// One thing that has to hold.
struct Step {
    name: &'static str,
    run: fn(&Shell) -> Result<()>,
}

const STEPS: &[Step] = &[
    Step {
        name: "format",
        run: |shell| Ok(cmd!(shell, "cargo fmt --all --check").run()?),
    },
    Step {
        name: "lints",
        run: |shell| {
            Ok(cmd!(
                shell,
                "cargo clippy --workspace --all-targets -- --deny warnings"
            )
            .run()?)
        },
    },
    Step {
        name: "documentation",
        run: |shell| {
            Ok(cmd!(
                shell,
                "cargo doc --workspace --no-deps --document-private-items"
            )
            .env("RUSTDOCFLAGS", "--deny warnings")
            .run()?)
        },
    },
    Step {
        name: "example",
        run: |shell| Ok(cmd!(shell, "cargo run --example shmem_sgt").run()?),
    },
    Step {
        name: "control: the object by hand fails where Linux 7.3 does",
        run: |shell| {
            let status = cmd!(shell, "cargo run --example shmem_sgt -- --by-hand")
                .ignore_status()
                .output()?
                .status;
            match status.code() {
                Some(1) => Ok(()),
                _ => bail!("expected rows to be off, and exit status 1: {status}"),
            }
        },
    },
    Step {
        name: "benchmark: instructions",
        run: |shell| Ok(cmd!(shell, "cargo xtask bench --quick").run()?),
    },
    Step {
        name: "dependencies of the macro",
        run: macro_dependencies,
    },
    Step {
        name: "packages",
        run: |shell| {
            Ok(cmd!(
                shell,
                "cargo package --package devres-lazy-macros --package devres-lazy --allow-dirty"
            )
            .run()?)
        },
    },
    // Last, so that its result is what the output ends with.
    Step {
        name: "tests",
        run: |shell| Ok(cmd!(shell, "cargo test --workspace").run()?),
    },
];

/// Runs all steps, and stops at the first that fails.
pub(crate) fn run(shell: &Shell) -> Result<()> {
    for (index, step) in STEPS.iter().enumerate() {
        println!("\n== {}/{}: {}", index + 1, STEPS.len(), step.name);
        let begin = Instant::now();
        (step.run)(shell)?;
        println!(
            "== {} held, {:.0} s",
            step.name,
            begin.elapsed().as_secs_f64()
        );
    }

    Ok(())
}

/// The kernel has these crates and no others.
fn macro_dependencies(shell: &Shell) -> Result<()> {
    // The name and version of a package, for cargo to fill in.
    let format = "{p}";
    let tree = cmd!(
        shell,
        "cargo tree --package devres-lazy-macros --prefix none --format {format}"
    )
    .read()?;
    let allowed = [
        "devres-lazy-macros",
        "proc-macro2",
        "quote",
        "syn",
        "unicode-ident",
    ];

    for line in tree.lines() {
        let name = line.split_whitespace().next().unwrap_or_default();
        if !allowed.contains(&name) {
            bail!("devres-lazy-macros depends on `{name}`, which the kernel does not have");
        }
    }

    println!("{tree}");
    Ok(())
}
