// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The expected results of the scenarios: with fields by hand, on the tree as it is and with two
//! fixes, and with the annotation. The scenarios also have to notice if nothing is unmapped.

use super::report::{Report, Row};
use crate::kernel::flavour::{Object, Variant};
use anyhow::{ensure, Result};
use std::iter;

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

/// A scenario that does not simply hold by hand.
struct Hole {
    scenario: &'static str,
    report: &'static str,
}

const HOLES: [Hole; 3] = [
    // H11: the object outlives the DRM device that its release reads.
    Hole {
        scenario: "driver_buffer",
        report: "KASAN: slab-use-after-free",
    },
    // H10: what C has made is taken for the driver's own type.
    Hole {
        scenario: "dumb_buffer",
        report: "KASAN: slab-out-of-bounds",
    },
    Hole {
        scenario: "prime_buffer",
        report: "KASAN: slab-out-of-bounds",
    },
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
    let hole = HOLES.iter().find(|hole| hole.scenario == scenario);

    match (object, variant, hole) {
        (Object::ByHand, Variant::Debug, Some(hole)) => Expected::Report(hole.report),
        (Object::ByHand, Variant::Fast, Some(_)) => Expected::LeftOut,
        _ => Expected::Holds,
    }
}

/// The arguments of the program: `only` and the scenarios to run, or `without` and the scenarios
/// and groups to leave out.
pub(super) fn choice(object: Object, variant: Variant) -> Vec<&'static str> {
    if object == Object::Leaking {
        return [&["only"], &LEAKS[..]].concat();
    }
    let names = HOLES.iter().map(|hole| hole.scenario);
    let holes = names.filter(|name| expected(object, variant, name) != Expected::Holds);

    iter::once("without")
        .chain(holes)
        .chain(GROUPS.into_iter().filter(|_| !object.is_lazy()))
        .collect()
}

/// The scenarios that have a boot of their own in a tree, as the kernel may die of them.
pub(super) fn alone(object: Object, variant: Variant) -> impl Iterator<Item = &'static str> {
    let names = HOLES.iter().map(|hole| hole.scenario);
    names.filter(move |name| matches!(expected(object, variant, name), Expected::Report(_)))
}

impl Expected {
    /// Whether this is what has come of a scenario.
    fn is(self, row: Option<&Row>) -> bool {
        match (self, row) {
            (Self::Holds, Some(row)) => row.holds && row.splats.is_empty(),
            (Self::Off, Some(row)) => !row.holds,
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

impl Column {
    fn row(&self, name: &str) -> Option<&Row> {
        self.report.rows.iter().find(|row| row.name == name)
    }

    fn cell(&self, name: &str) -> String {
        match self.row(name) {
            Some(row) => row.outcome(),
            None => "left out".to_owned(),
        }
    }

    fn figure(&self, what: &str) -> &str {
        let figures = &self.report.figures;
        let found = figures.iter().find(|figure| figure.what == what);
        found.map_or("-", |figure| &figure.value)
    }
}

/// The trees side by side: the rows of the last one, which leaves out nothing, then its figures.
pub(super) fn table(columns: &[Column]) -> Vec<Vec<String>> {
    let header = ["scenario", "what has to hold"].map(str::to_owned);
    let titles = columns.iter().map(|column| column.title.to_owned());
    let mut table = vec![header.into_iter().chain(titles).collect()];
    let Some(last) = columns.last() else {
        return table;
    };

    for row in &last.report.rows {
        let mut cells = vec![format!("`{}`", row.name), row.expected.clone()];
        cells.extend(columns.iter().map(|column| column.cell(&row.name)));
        table.push(cells);
    }
    for figure in &last.report.figures {
        let mut cells = vec![figure.what.clone(), String::new()];
        let values = columns.iter().map(|column| column.figure(&figure.what));
        cells.extend(values.map(str::to_owned));
        table.push(cells);
    }
    table
}

/// Fails if a tree does other things than expected.
pub(super) fn judge(variant: Variant, columns: &[Column]) -> Result<()> {
    let mut differs = 0;
    let names = columns
        .last()
        .map_or(&[][..], |column| &column.report.rows[..]);

    for column in columns {
        column.report.ensure_complete()?;
        for Row { name, .. } in names {
            let expected = expected(column.object, variant, name);
            if !expected.is(column.row(name)) {
                differs += 1;
                println!(
                    "differs: {name}, {}: {}, and not: {expected:?}",
                    column.title,
                    column.cell(name)
                );
            }
        }
        for splat in &column.report.rest {
            differs += 1;
            println!("differs: after all rows, {}: {}", column.title, splat.title);
        }
    }
    ensure!(
        differs == 0,
        "the control is not as expected: either the scenarios do not find what is wrong by hand, \
         or this Linux has another object"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{super::report::tests::report, *};

    const KASAN: &str = "BUG: KASAN: slab-out-of-bounds in f+0x1/0x2";
    const COPY: &str = "device: ok: copy: the same bytes: 1 ms";
    const DUMB: &str = "device: ok: dumb_buffer: refused: 1 ms";
    const UNBIND: &str = "device: unbind: 2.0 ms";
    const END: &str = "device: end";

    fn column((object, title): (Object, &'static str), lines: &[&str]) -> Column {
        Column {
            object,
            title,
            report: report(lines),
        }
    }

    fn columns(by_hand: &[&str], annotated: &[&str]) -> Vec<Column> {
        vec![column(TREES[0], by_hand), column(TREES[3], annotated)]
    }

    #[test]
    fn trees_stand_side_by_side() {
        let columns = columns(
            &[COPY, KASAN, DUMB, "device: unbind: 9.0 ms", END],
            &[COPY, DUMB, UNBIND, END],
        );

        judge(Variant::Debug, &columns).unwrap();
        let table = table(&columns);
        assert_eq!(
            table[0],
            ["scenario", "what has to hold", "by hand", "annotated"]
        );
        assert_eq!(table[1], ["`copy`", "the same bytes", "holds", "holds"]);
        assert!(table[2][2].contains("slab-out-of-bounds"), "{table:?}");
        assert_eq!(table[3], ["unbind", "", "9.0 ms", "2.0 ms"]);
    }

    #[test]
    fn what_should_fail_and_holds_differs() {
        let both = &[COPY, DUMB, END][..];

        judge(Variant::Debug, &columns(both, both)).unwrap_err();
        judge(Variant::Fast, &columns(both, both)).unwrap_err();
        judge(Variant::Fast, &columns(&[COPY, END], both)).unwrap();
    }

    #[test]
    fn what_should_hold_and_fails_differs() {
        let by_hand = &[COPY, KASAN, DUMB, END][..];
        for annotated in [
            &[COPY, KASAN, DUMB, END][..],
            &["device: off: copy: the same bytes: others", DUMB, END],
            &[COPY, DUMB, END, KASAN],
            &[COPY, DUMB],
        ] {
            judge(Variant::Debug, &columns(by_hand, annotated)).unwrap_err();
        }
        // A report of another kind is not the one.
        let other = &[COPY, "WARNING: x", DUMB, END][..];
        judge(Variant::Debug, &columns(other, &[COPY, DUMB, END])).unwrap_err();
    }

    #[test]
    fn a_leak_that_is_not_found_differs() {
        let judged = |stale: &str| {
            let held = "device: ok: stale_dma: refused: 1 ms";
            judge(
                Variant::Fast,
                &[
                    column(TREES[2], &[stale, END]),
                    column(TREES[3], &[COPY, held, END]),
                ],
            )
        };

        judged("device: off: stale_dma: refused: memory has changed").unwrap();
        judged("device: ok: stale_dma: refused: 1 ms").unwrap_err();
        judged("device: off: copy: the same bytes: others").unwrap_err();
    }

    #[test]
    fn what_the_kernel_may_die_of_is_alone_or_left_out() {
        let holes = ["driver_buffer", "dumb_buffer", "prime_buffer"];

        for variant in [Variant::Fast, Variant::Debug] {
            let choice = |object| choice(object, variant).join(" ");
            assert_eq!(
                choice(Object::ByHand),
                "without driver_buffer dumb_buffer prime_buffer import vram"
            );
            assert_eq!(choice(Object::Fixed), "without import vram");
            assert_eq!(choice(Object::Annotated), "without");
            assert!(choice(Object::Leaking).starts_with("only stale_dma "));
        }
        assert!(alone(Object::ByHand, Variant::Debug).eq(holes));
        for (object, variant) in [
            (Object::ByHand, Variant::Fast),
            (Object::Fixed, Variant::Debug),
            (Object::Annotated, Variant::Debug),
        ] {
            assert_eq!(alone(object, variant).count(), 0);
        }
    }
}
