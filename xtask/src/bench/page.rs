// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Writes `docs/benchmark.md`.

use super::{
    machine::Machine,
    results::{
        Results,
        Verdict, //
    },
    table, //
};

/// The whole page.
pub(crate) fn text(results: &Results, machine: &Machine, listing: &[String]) -> String {
    let Machine {
        cpu,
        cpus,
        kernel,
        rustc,
        valgrind,
    } = machine;
    let table = table::markdown(results);
    let populating = table::populating(results);
    let targets: String = results
        .targets()
        .iter()
        .map(|target| {
            let verdict = match target.verdict {
                Verdict::Held => "held",
                Verdict::Missed => "**missed**",
                Verdict::NotMeasured => "not measured",
            };
            format!("- {verdict}: {} ({})\n", target.text, target.found)
        })
        .collect();
    let helper_us = table::spread(results.helper_ns, 1e3);
    let helper_bytes = results.helper_bytes;
    let control = results.control.best;
    let listing = match listing {
        [] => String::new(),
        lines => format!(
            "\n## The fast path\n\n\
             What `#[devres_lazy]` compiles to, out of line: the instructions that were counted.\n\n\
             ```text\n{}\n```\n",
            lines.join("\n")
        ),
    };

    format!(
        "\
<!-- SPDX-License-Identifier: Apache-2.0 OR MIT -->
<!-- Written by `cargo xtask bench`. -->

# What an access costs

Ways to reach a table that is mapped on first use and belongs to one device, measured on the host:

- `#[devres_lazy]`: the accessor that the macro writes, `examples/shmem_sgt.rs`;
- by hand: the object as Linux 7.3 has it, `examples/shmem/by_hand.rs`;
- `std::sync::OnceLock` and `once_cell::sync::OnceCell`, in an object of their own with a comparison
  of the device before them, `benches/access/once.rs`.

**The last two do not handle unbind at all.** Nothing unmaps their table when the driver is unbound:
the mapping outlives the driver, and the next one is handed it as its own. They show what the fast
path of such a cell costs, and are not a choice that a driver has.

![Instructions per access](benchmark.svg)

{table}
{populating}
{targets}
| machine | |
|---|---|
| CPU | {cpu}, {cpus} of them |
| kernel | {kernel} |
| compiler | {rustc} |
| counter | {valgrind} |

## What the numbers mean

- **Instructions** are exact: Callgrind counts a run of 1000 accesses and one of 2000, and each
  access of the difference takes the same ones. *In a loop* is what the accessor adds to a loop that
  passes an object and a device and uses the table, where the compiler inlines as it sees fit; *a
  call* says that it did not. *Out of line* is a function around nothing but the accessor, from its
  first instruction to its return.
- The host is stricter than the kernel: by hand, each access also asks whether the DRM device was
  freed and whether the resource was revoked, a load and a test each. In Linux 7.3 itself the
  accessor takes 38 instructions. `OnceLock` and `OnceCell` are spared the first question, and have
  nothing to ask the second about.
- **Nanoseconds per access** are those of the loop, with the loop's own. Within a round the ways
  take turns, and each round another one is first; the number is the median of the rounds, and in
  brackets are the quartiles. The ratio is taken within each round, and then the median. Accesses in
  a loop overlap, so this says how often one can be made.
- **Until the table is there** says how long one access takes: each waits for the table of the one
  before, and what the loop takes by itself is subtracted. A slot has what leads to the table in
  itself, next to its state.
- **Two threads** access one object. The ratio is that of the best rounds: what else runs on the
  machine can only slow a round down, while a write to shared memory slows down all of them. In
  brackets is the median of the ratios within rounds. A control that does write to shared memory on
  each access reaches {control:.2}.
- **Bytes** are those that the lazy part adds to the object, and those that populating it allocates,
  without the {helper_bytes} that the C helper allocates for pages and table, and without the registry
  that a device has once, for all its slots. They are the host's: its mutex and its completion are of
  other sizes than the kernel's.
- **The first access** is to a fresh object of one page, and nearly all of it is the C helper, which
  alone takes {helper_us} us. That helper is a model: only differences between columns mean
  something.
- **Populated and freed** are owners of a number, with a slot, or with the fields of the object by
  hand, so that the slot's own part is the largest. The host's locks spin for a moment before they
  sleep, as the kernel's do. Here the median of the ratios is what counts: in the best round, the two
  threads may have had one CPU in turns. Each cycle moves the cache lines of the table's
  bucket, of the registry and of the neighbours on the list from one CPU to the other. *Among 10,000 other managed resources*: they were added to the device
  after its first slot was populated.
{listing}"
    )
}
