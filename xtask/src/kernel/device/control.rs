// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The expected results of the scenarios: with fields by hand, on the tree as it is and with two
//! fixes, and with the annotation. The scenarios also have to notice if nothing is unmapped.

use super::report::{names, Report};
use crate::{
    kernel::{
        flavour::{Object, Variant},
        ktap::{Outcome, Test},
        splat::Splat,
    },
    report::table,
};

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
    let is_in = |group: &&str| scenario.split('_').next() == Some(*group);
    let hole = HOLES.iter().find(|(name, _)| *name == scenario);
    match (object, hole) {
        (Object::Leaking, _) if LEAKS.contains(&scenario) => Expected::Off,
        (Object::Leaking, _) => Expected::LeftOut,
        _ if !object.is_lazy() && GROUPS.iter().any(is_in) => Expected::LeftOut,
        (Object::ByHand, Some((_, report))) => match variant {
            Variant::Debug => Expected::Report(report),
            Variant::Fast => Expected::LeftOut,
        },
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

/// The trees side by side, with the rows of the last one, which leaves out nothing, then its figures.
/// Returns what is not as expected, too.
pub(super) fn compare(variant: Variant, columns: &[Column]) -> (Vec<table::Row>, Vec<String>) {
    let titles = columns.iter().map(|column| column.title);
    let header = ["scenario", "what has to hold"].into_iter().chain(titles);
    let mut table = vec![table::cells(header)];
    let mut faults = Vec::new();
    let text = |splat: &Splat| format!("\n{}\n", splat.lines.join("\n"));
    let last = columns.last().map(|column| &column.report);

    for (name, what) in last
        .into_iter()
        .flat_map(|last| last.rows.iter().map(names))
    {
        let mut row = vec![format!("`{name}`"), what.to_owned()];
        for Column {
            object,
            title,
            report,
        } in columns
        {
            let cell = report.cell(name);
            let expected = expected(*object, variant, name);
            let test = report.row(name);
            if !expected.is(test) {
                let splats = test.iter().flat_map(|test| &test.splats).map(text);
                let splats: String = splats.collect();
                faults.push(format!(
                    "{name}, {title}: {cell}, and not: {expected:?}{splats}"
                ));
            }
            row.push(cell);
        }
        table.push(row);
    }
    for (what, _) in last.into_iter().flat_map(Report::figures) {
        let values = columns.iter().map(|column| {
            let figure = column.report.figures().find(|(it, _)| *it == what);
            figure.map_or("-", |(_, value)| value)
        });
        table.push(table::cells([what, ""].into_iter().chain(values)));
    }
    for Column { title, report, .. } in columns {
        let incomplete = report.incomplete().into_iter();
        faults.extend(incomplete.map(|why| format!("{title}: {why}")));
        let rest = report.rest.iter().map(text);
        faults.extend(rest.map(|text| format!("after all rows, {title}:{text}")));
    }
    (table, faults)
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

        let (table, _) = compare(Variant::Fast, &columns);
        assert_eq!(
            table::text(&table),
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
            let (_, faults) = compare(variant, &columns);
            assert_eq!(faults.is_empty(), is_expected, "{faults:?}");
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
