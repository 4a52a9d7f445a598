// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The expected results of the scenarios: with fields by hand, on the tree as it is and with two
//! fixes, and with the annotation. The scenarios also have to notice if nothing is unmapped.

use super::report::{names, Report};
use crate::{
    kernel::{
        flavour::{Object, Variant},
        ktap::{Outcome, Test},
    },
    report::table,
};
use anyhow::{ensure, Result};

/// The trees that are compared, and what their columns are called.
pub(super) const TREES: [(Object, &str); 4] = [
    (Object::ByHand, "by hand"),
    (Object::Fixed, "by hand, with P2 and P3"),
    (Object::Leaking, "annotated, never unmapped"),
    (Object::Annotated, "annotated"),
];

/// How a scenario has to end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Expected {
    Holds,
    /// The program finds something else.
    Off,
    /// The kernel complains, and says this.
    Report(&'static str),
    /// It is left out: only KASAN could tell what comes of it, the tree has no driver for it, or it
    /// is not about what is broken there.
    LeftOut,
}

/// The scenarios that do not simply hold by hand, and the reports of the kernel.
const HOLES: [(&str, &str); 3] = [
    // H11: the object outlives the DRM device that its release reads.
    ("driver_buffer", "KASAN: slab-use-after-free"),
    // H10: what C has made is taken for the driver's own type.
    ("dumb_buffer", "KASAN: slab-out-of-bounds"),
    ("prime_buffer", "KASAN: slab-out-of-bounds"),
];

/// The groups of scenarios that only the annotated tree has. The names of their scenarios begin
/// with the group's. By hand, an import is no object of the driver's, and the display has no
/// driver.
const GROUPS: [&str; 2] = ["import", "vram"];

/// The scenarios that have to find a page which a device can still write to after unbind.
const LEAKS: [&str; 3] = ["stale_dma", "import_unbind_udmabuf", "import_unbind_vgem"];

/// How a scenario has to end in a tree.
fn expected(object: Object, variant: Variant, scenario: &str) -> Expected {
    if object == Object::Leaking {
        return match LEAKS.contains(&scenario) {
            true => Expected::Off,
            false => Expected::LeftOut,
        };
    }
    let is_in = |group: &&str| scenario.split('_').next() == Some(*group);
    if !object.is_lazy() && GROUPS.iter().any(is_in) {
        return Expected::LeftOut;
    }
    let hole = HOLES.iter().find(|(name, _)| *name == scenario);
    match (object, variant, hole) {
        (Object::ByHand, Variant::Debug, Some((_, report))) => Expected::Report(report),
        (Object::ByHand, Variant::Fast, Some(_)) => Expected::LeftOut,
        _ => Expected::Holds,
    }
}

/// The arguments of the program: `only` and the scenarios to run, or `without` and the scenarios
/// and groups to leave out.
pub(super) fn choice(object: Object) -> Vec<&'static str> {
    if object == Object::Leaking {
        return [&["only"], &LEAKS[..]].concat();
    }
    let mut choice = vec!["without"];
    if object == Object::ByHand {
        choice.extend(HOLES.map(|(name, _)| name));
    }
    if !object.is_lazy() {
        choice.extend(GROUPS);
    }
    choice
}

/// The scenarios that have a boot of their own in a tree, as the kernel may die of them.
pub(super) fn alone(object: Object, variant: Variant) -> Vec<&'static str> {
    match (object, variant) {
        (Object::ByHand, Variant::Debug) => HOLES.map(|(name, _)| name).to_vec(),
        _ => Vec::new(),
    }
}

impl Expected {
    /// Whether this is what has come of a scenario.
    fn is(self, row: Option<&Test>) -> bool {
        let holds = row.is_some_and(|row| row.outcome == Outcome::Passed);
        match (self, row) {
            (Self::Holds, Some(row)) => holds && row.splats.is_empty(),
            (Self::Off, Some(_)) => !holds,
            (Self::Report(text), Some(row)) => row.splats.iter().any(|splat| splat.contains(text)),
            (Self::LeftOut, row) => row.is_none(),
            _ => false,
        }
    }
}

/// The results of a tree.
pub(super) struct Column {
    pub(super) object: Object,
    pub(super) title: &'static str,
    pub(super) report: Report,
}

/// The trees side by side: the rows of the last one, which leaves out nothing, then its figures.
pub(super) fn table(columns: &[Column]) -> Vec<table::Row> {
    let titles = columns.iter().map(|column| column.title);
    let header = ["scenario", "what has to hold"].into_iter().chain(titles);
    let mut table = vec![table::cells(header)];
    let Some(last) = columns.last() else {
        return table;
    };

    for row in &last.report.rows {
        let (name, expected) = names(row);
        let cells = columns.iter().map(|column| column.report.cell(name));
        let title = [format!("`{name}`"), expected.to_owned()];
        table.push(title.into_iter().chain(cells).collect());
    }
    for (what, _) in last.report.figures() {
        let values = columns.iter().map(|column| {
            let figure = column.report.figures().find(|(it, _)| *it == what);
            figure.map_or("-", |(_, value)| value)
        });
        table.push(table::cells([what, ""].into_iter().chain(values)));
    }
    table
}

/// Prints what is not as expected, and fails if that is anything.
pub(super) fn judge(variant: Variant, columns: &[Column]) -> Result<()> {
    let mut differs = 0;
    let rows = columns.last().map_or(&[][..], |last| &last.report.rows);

    for Column {
        object,
        title,
        report,
    } in columns
    {
        report.ensure_complete()?;
        for (name, _) in rows.iter().map(names) {
            let expected = expected(*object, variant, name);
            let row = report.row(name);
            if !expected.is(row) {
                differs += 1;
                let cell = report.cell(name);
                println!("differs: {name}, {title}: {cell}, and not: {expected:?}");
                for splat in row.iter().flat_map(|row| &row.splats) {
                    println!("{}\n", splat.lines.join("\n"));
                }
            }
        }
        for splat in &report.rest {
            differs += 1;
            println!(
                "differs: after all rows, {title}:\n{}\n",
                splat.lines.join("\n")
            );
        }
    }
    ensure!(differs == 0, "{differs} results are not as expected");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{super::report::tests::report, *};

    const KASAN: &str = "BUG: KASAN: slab-out-of-bounds in f+0x1/0x2";
    const COPY: &str = "ok 1 copy: the same bytes";
    const DUMB: &str = "ok 2 dumb_buffer: refused";

    fn column((object, title): (Object, &'static str), lines: &[&str]) -> Column {
        let planned = lines.iter().filter(|line| line.contains("ok ")).count();
        Column {
            object,
            title,
            report: report(planned, lines),
        }
    }

    #[test]
    fn trees_stand_side_by_side() {
        let columns = [
            column(TREES[0], &[COPY, KASAN, "# result: unbind: 9.0 ms", DUMB]),
            column(TREES[3], &[COPY, "# result: unbind: 2.0 ms", DUMB]),
        ];

        assert_eq!(
            table::text(&table(&columns)),
            "\
| scenario      | what has to hold | by hand                                     | annotated |
|---------------|------------------|---------------------------------------------|-----------|
| `copy`        | the same bytes   | holds                                       | holds     |
| `dumb_buffer` | refused          | BUG: KASAN: slab-out-of-bounds in f+0x1/0x2 | holds     |
| unbind        |                  | 9.0 ms                                      | 2.0 ms    |
"
        );
    }

    #[test]
    fn trees_do_what_is_expected() {
        const COPY_OFF: &str = "not ok 1 copy: the same bytes";
        const STALE: &str = "ok 2 stale_dma: refused";
        const STALE_OFF: &str = "not ok 1 stale_dma: refused";
        let [by_hand, _, leaking, annotated] = TREES;
        let (fast, debug) = (Variant::Fast, Variant::Debug);
        let all = &[COPY, DUMB][..];
        let stale = &[COPY, STALE][..];
        let hole = &[COPY, KASAN, DUMB][..];

        for (is_expected, variant, tree, lines, of_annotated) in [
            // By hand, the kernel has to complain, or the scenario is left out.
            (true, debug, by_hand, hole, all),
            (false, debug, by_hand, all, all),
            (false, fast, by_hand, all, all),
            (true, fast, by_hand, &[COPY], all),
            (false, debug, by_hand, &[COPY, "WARNING: x", DUMB], all),
            // Annotated, all hold, and the kernel complains about nothing.
            (false, debug, by_hand, hole, hole),
            (false, debug, by_hand, hole, &[COPY_OFF, DUMB]),
            (false, debug, by_hand, hole, &[COPY, DUMB, KASAN]),
            // One that is missing, and all.
            (false, debug, by_hand, hole, &[DUMB]),
            (false, debug, by_hand, hole, &[]),
            // A leak has to be found.
            (true, fast, leaking, &[STALE_OFF], stale),
            (false, fast, leaking, &["ok 1 stale_dma: refused"], stale),
            (false, fast, leaking, &[COPY_OFF], stale),
        ] {
            let columns = [column(tree, lines), column(annotated, of_annotated)];
            let judged = judge(variant, &columns);
            assert_eq!(judged.is_ok(), is_expected, "{lines:?} {of_annotated:?}");
        }
    }

    #[test]
    fn what_the_kernel_may_die_of_is_alone_or_left_out() {
        let holes = "driver_buffer dumb_buffer prime_buffer";

        for (object, chosen, of_debug) in [
            (
                Object::ByHand,
                format!("without {holes} import vram"),
                holes,
            ),
            (Object::Fixed, "without import vram".to_owned(), ""),
            (Object::Annotated, "without".to_owned(), ""),
            (Object::Leaking, format!("only {}", LEAKS.join(" ")), ""),
        ] {
            assert_eq!(choice(object).join(" "), chosen);
            assert_eq!(alone(object, Variant::Debug).join(" "), of_debug);
            assert!(alone(object, Variant::Fast).is_empty());
        }
    }
}
