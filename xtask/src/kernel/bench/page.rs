// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Writes `docs/kernel-benchmark.md`.

use super::{
    results::{
        Results,
        Subjected, //
    },
    table::{
        grids,
        thousands, //
    },
    targets::Target,
    COMMAND,
    STEM, //
};
use crate::{
    bench::machine::Machine,
    kernel::tree::Version, //
};
use anyhow::Result;

/// The whole page, with these plots.
pub(super) fn text(
    results: &Results,
    targets: &[Target],
    machine: &Machine,
    qemu: Version,
    accelerator: &str,
    plots: &[String],
) -> Result<String> {
    let Machine {
        cpu,
        cpus,
        kernel,
        rustc,
        ..
    } = machine;
    let (hand, ours) = (results.by_hand()?, results.ours()?);
    let linux = ours.measured.linux;
    let clang = ours.measured.clang;

    let tables: String = grids(results)?
        .iter()
        .map(|grid| format!("**{}**\n\n{}\n", grid.title, grid.markdown()))
        .collect();
    let targets: String = targets
        .iter()
        .map(|target| {
            let verdict = if target.held { "held" } else { "**missed**" };
            format!("- {verdict}: {} ({})\n", target.text, target.found)
        })
        .collect();
    let plots: String = plots
        .iter()
        .map(|plot| format!("![{}]({plot})\n\n", plot_title(plot)))
        .collect();
    let listings: String = results.0.iter().map(listing).collect();
    let unmapped = unmapped(hand, ours)?;

    Ok(format!(
        "\
<!-- SPDX-License-Identifier: Apache-2.0 OR MIT -->
<!-- Written by `{COMMAND}`. -->

# What a lazily mapped table costs, in a kernel

The scatter-gather table of a shmem GEM object of one page, in Linux {linux}: *by hand*, as
`drm/gem/shmem.rs` is there, with a `Devres` for each table; and with `#[devres_lazy]`, whose slots
share one devres node per device. Both kernels are configured as `kernel/config/fast` says, and were
booted one after the other on the same machine. The suites are in `kernel/bench/`, and all values
in [{STEM}.csv]({STEM}.csv).

{plots}{targets}
{tables}
| machine | |
|---|---|
| CPU | {cpu}, {cpus} of them |
| its kernel | {kernel} |
| guest | Linux {linux}, 2 CPUs, 250 Hz, `rcupdate.rcu_normal=1` |
| QEMU | {qemu}, `-accel {accelerator}` |
| compilers | {rustc}, clang {clang} |

## What the numbers mean

- **Times** are those of a machine in software, whose instructions are slower than real ones, and
  not all by the same factor, while grace periods take as long as anywhere, since a timer decides
  that. So compare columns, and mind what is in them: where unbind is nothing but waiting, the ratio
  is larger on real hardware.
- **Quartiles** are in brackets behind medians. What was repeated for ten seconds was not repeated
  more often than three times. What was expected to take more than a minute, from how long less of it
  took, was not measured, and has no number.
- **Unbind** is `device_release_driver()`, from call to return, all of the device's resources
  included. *After a `try_access`* says that one was made before, for one of the objects: only then
  is there a guard that unbind might have to wait for. By hand, `Object` has no such function, and
  it would change nothing.
- **Grace periods**: *waited for* are the calls of `synchronize_rcu()` within unbind, counted in a
  boot of its own in which QEMU writes down what is executed. *Begun* is by how much RCU's own count
  of the system has moved on meanwhile, whoever wanted that, one included that may just have begun;
  in brackets is the same while nothing happens for as long.
- **To free** is to drop the last reference. *Least* is the best of all rounds, in eight parts, added
  up: what else runs on a machine can only slow a part down. *Never mapped* is the same for what was
  created and never accessed: it says what freeing takes by itself, and how that depends on how many
  there are, as memory that was last used long ago is slower. Nearly all of an object is the C
  helper. The object's file is kept until the measurement is over, as a worker would release it, later
  and beside what is measured. The owner with nothing but the slot shows what that costs by itself:
  its resource is a number.
- **Instructions** are exact, and executed: QEMU wrote down a line for each, for 1,000 accesses and
  for 2,000, and each access of the difference executes the same ones, the helper that loads an
  atomic included. *Out of line* is a function around nothing but the accessor, from its first
  instruction to its return. *In a loop* is what the accessor adds to a loop that passes an object
  and a device and uses the table, where the compiler inlines as it sees fit; *a call* says that it
  did not.
- **The first access** is to a fresh object each, of which there are 1,000.
- **Bytes**: *allocated when the slot is populated* is what slabs grow by for each owner with
  nothing but the slot, and leaves out what the table itself takes, which is the same. *In slabs*
  is what they grow by for each object, with everything that belongs to it: its inode, its file, and
  when it is mapped the table and the array of its pages, which both have.

## What it costs more

{unmapped}

## The fast path

What one access executes, out of line, in order.
{listings}"
    ))
}

/// What a plot shows.
fn plot_title(name: &str) -> &'static str {
    if name.contains("unbind") {
        "Time of unbind"
    } else {
        "Time of a free"
    }
}

/// What is to be said of objects that are never mapped.
fn unmapped(hand: &Subjected, ours: &Subjected) -> Result<String> {
    let sizes =
        |what: &str| -> Result<[u64; 2]> { Ok([hand.size(what)? as u64, ours.size(what)? as u64]) };
    let [slot_by_hand, slot] = sizes("slot")?;
    let [object_by_hand, object] = sizes("object")?;
    let [allocated_by_hand, allocated] = sizes("object_allocated")?;
    let [_, others] = sizes("other_slots")?;
    let beside = hand.slab("owner", "populated")?.round() as u64;

    let mut text = format!(
        "A slot has room for its resource, so an object that is never mapped is larger: {slot} bytes \
         in place of\n{slot_by_hand}, where by hand {beside} more are allocated when it is mapped. "
    );
    text += &format!(
        "The object of the table has {object} bytes, by hand\n{object_by_hand}; {others} of them \
         are for its second lazy field, the cached kernel mapping, which there is\nnone of by \
         hand. "
    );
    if allocated > allocated_by_hand {
        text += &format!(
            "The allocator rounds that up to {} and {}, so that here an object takes {} bytes\n\
             more of memory, mapped or not: with a larger driver's part in it, it may be none or \
             less.",
            thousands(allocated),
            thousands(allocated_by_hand),
            thousands(allocated - allocated_by_hand),
        );
        if allocated_with(object - others) > allocated_by_hand {
            text += &format!(
                " Without the\nsecond field it would be {} bytes, and rounded up to the same.",
                object - others
            );
        }
    }
    Ok(text)
}

/// What `kmalloc()` makes of a size of these magnitudes.
fn allocated_with(size: u64) -> u64 {
    size.next_power_of_two()
}

fn listing(it: &Subjected) -> String {
    let access = &it.measured.out_of_line;
    format!(
        "\n{}, {} instructions:\n\n```text\n{}\n```\n",
        it.subject.title,
        access.instructions,
        access.listing.join("\n")
    )
}
