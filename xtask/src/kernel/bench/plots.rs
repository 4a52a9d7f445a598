// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The plots: the time of unbind, and of a free, over the number of objects.

use super::results::{Outcome, Results, FREED, HOWS, ORDERS};
use crate::report::plot::{Line, Plot};
use anyhow::Result;
use plotters::style::RGBColor;

/// The colours of candidates, in their order.
const COLORS: [RGBColor; 3] = [
    RGBColor(0xcc, 0x77, 0x22),
    RGBColor(0x33, 0x66, 0x99),
    RGBColor(0x66, 0x99, 0x33),
];

/// The gaps in the lines of a candidate.
const GAPS: [i32; 3] = [0, 4, 10];

/// All plots, with their titles and the ends of their names.
pub(super) fn plots(results: &Results) -> Vec<(&'static str, String, Plot)> {
    let x = "objects";
    let unbind = Plot {
        caption: "Unbind, by the number of mapped objects".to_owned(),
        x,
        y: "ms",
        lines: lines(results, "unbind", &HOWS, |it, how, n| {
            Ok(it.unbind_ms(how, n)?.median)
        }),
    };
    let mut plots = vec![("Time of unbind", "unbind".to_owned(), unbind)];
    let orders = ORDERS.map(|(order, title)| (order, format!(", {title}")));
    for freed in &FREED {
        let free = Plot {
            caption: format!("To free {}, by how many are freed", freed.text),
            x,
            y: "us each",
            lines: lines(results, freed.name, &orders, |it, order, n| {
                it.best_us(freed.name, order, n)
            }),
        };
        plots.push(("Time of a free", format!("free-{}", freed.name), free));
    }
    plots
}

/// A line for each candidate and way in which `what` is done, over the numbers with which it was
/// done. Labels end with the ending of the way. A line without points is left out.
fn lines<S: AsRef<str>>(
    results: &Results,
    what: &str,
    ways: &[(&str, S)],
    y: impl Fn(&Outcome, &str, u64) -> Result<f64>,
) -> Vec<Line> {
    let numbers = results.numbers(what);
    let mut lines = Vec::new();
    for (it, color) in results.0.iter().zip(COLORS) {
        for ((how, ending), gap) in ways.iter().zip(GAPS) {
            let point = |n: &u64| Some((*n as f64, y(it, how, *n).ok()?));
            lines.push(Line {
                label: it.candidate.plain_title() + &ending.as_ref().replace('`', ""),
                color,
                gap,
                points: numbers.iter().filter_map(point).collect(),
            });
        }
    }
    lines.retain(|line| !line.points.is_empty());
    lines
}

#[cfg(test)]
mod tests {
    use super::{super::results::tests::results, *};

    #[test]
    fn what_was_not_measured_is_not_drawn() {
        let plots = plots(&results());
        let drawn = plots.iter().map(|(_, name, plot)| {
            let lines = plot.lines.iter();
            let lines: Vec<_> = lines.map(|it| (it.label.as_str(), it.points[0])).collect();
            (name.as_str(), lines)
        });

        let unbind = vec![
            ("by hand", (100.0, 1000.0)),
            ("#[devres_lazy]", (100.0, 0.5)),
            ("#[devres_lazy], after a try_access", (100.0, 8.0)),
        ];
        let object = vec![
            ("by hand, first one first", (1000.0, 4.0)),
            ("#[devres_lazy], first one first", (1000.0, 4.0)),
        ];
        assert_eq!(
            drawn.collect::<Vec<_>>(),
            [
                ("unbind", unbind),
                ("free-object", object),
                ("free-owner", vec![])
            ]
        );
    }
}
