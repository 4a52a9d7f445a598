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
  that. So mind what is compared: by hand, unbind is nothing but waiting, and with slots it is all
  instructions.
- The subjects are booted minutes apart, and what else the machine does is not the same then: *the loop
  alone* is the same code for both, so its ratio says how far off the other ratios of nanoseconds may
  be. Instructions, calls, grace periods and bytes do not depend on that.
- **Quartiles** are in brackets behind medians, of nine rounds, or of three and more where nine take
  longer than ten seconds. What was expected to take more than a minute, from how long less of it
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
  up: what else runs on a machine can only slow a part down. *Mapped by the C helper alone* is an
  object that was mapped by what `sg_table()` calls, and is unmapped by the C helper when it is
  freed: so it says what all of that takes by itself, and how it depends on how many there are, as
  memory that was used long ago is slower. It takes turns with the other, round by round. *Never
  populated* says the same of an owner with nothing but the slot, whose resource is a number: there
  the slot's own part is the largest. An object's file is kept until the measurement is over, as a
  worker would release it, later and beside what is measured.
- In **random order**, everything takes longer the more there are, with a slot or without. So what is
  compared with the target is by how much it grows beyond that, and only for the owner with nothing
  but the slot: for an object, memory differs more from one number to the next than the slot's part is.
- **Instructions** are exact, and executed: QEMU wrote down a line for each, for 1,000 accesses and
  for 2,000, and each access of the difference executes the same ones, the helper that loads an
  atomic included. *Out of line* is a function around nothing but the accessor, from its first
  instruction to its return. *In a loop* is what the accessor adds to a loop that passes an object
  and a device and uses the table, where the compiler inlines as it sees fit; *a call* says that it
  did not.
- **The first access** is to a fresh object each time, for 1,000 of them, in rounds that take turns
  with what the C helper takes by itself. Nearly all of a first access to an object is the C helper, so
  the ratio of two boots says more of the machine than of the slot: the targets compare each with the C
  helper of its own boot. *Among 10,000 other managed resources*: they were added after the registry.
- **Two threads** run on two CPUs, and each has created, populated and freed as many owners as the
  one. *On two devices* says what is left for other reasons, such as what allocates and counts.
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
    let size =
        |it: &Subjected, what: &str| -> Result<String> { Ok(thousands(it.size(what)? as u64)) };
    let beside = hand.slab("owner", "populated")?.round();

    Ok(format!(
        "\
- A slot has room for its resource, so it takes {} bytes where there are {} by hand, whether or not
  anything is mapped. By hand, mapping allocates {beside} more.
- So the object that has the table grows. By hand it has {} bytes, for which {} are allocated. With a
  slot it has {}, for which {} are allocated. The last rows of the table show the sums, in this
  configuration and with nothing of a driver's own in the object: a size that is rounded up may leave
  room for a slot, or just not.",
        size(ours, "slot")?,
        size(hand, "slot")?,
        size(hand, "object")?,
        size(hand, "object_allocated")?,
        size(ours, "object")?,
        size(ours, "object_allocated")?,
    ))
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

#[cfg(test)]
mod tests {
    use super::{
        super::results::tests::results,
        *, //
    };

    #[test]
    fn the_page_says_what_was_measured_and_what_was_not() {
        let machine = Machine {
            cpu: "a CPU".to_owned(),
            cpus: 2,
            kernel: "Linux".to_owned(),
            rustc: "rustc".to_owned(),
            valgrind: String::new(),
        };
        let missed = Target {
            text: "it is fast".to_owned(),
            found: "it is not".to_owned(),
            held: false,
            needs_full_run: true,
        };
        let plots = ["kernel-benchmark-unbind.svg".to_owned()];
        let page = text(
            &results(),
            &[missed],
            &machine,
            Version(7, 2, 22),
            "tcg",
            &plots,
        );
        let page = page.unwrap();

        for part in [
            "| by hand | 1,000 (1,000 to 1,000) | over a minute |",
            "| by hand / `#[devres_lazy]` | 2,000 | - |",
            "| by hand: waited for | 100 | 10,000 |",
            "- **missed**: it is fast (it is not)",
            "![Time of unbind](kernel-benchmark-unbind.svg)",
            "by hand, 38 instructions:",
            "88 bytes where there are 48",
        ] {
            assert!(page.contains(part), "{part}:\n{page}");
        }
        assert!(page.lines().all(|line| !line.ends_with(' ')), "{page}");
    }
}
