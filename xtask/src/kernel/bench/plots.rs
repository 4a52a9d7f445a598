// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Draws the time of unbind, and of a free, over the number of objects.

use super::results::{order_title, Freed, Results, FREED, HOWS, ORDERS};
use crate::report::plot::{self, Axes, Line};
use anyhow::Result;
use plotters::style::RGBColor;
use std::path::Path;

/// The colours of candidates, in their order.
const COLORS: [RGBColor; 3] = [
    RGBColor(0xcc, 0x77, 0x22),
    RGBColor(0x33, 0x66, 0x99),
    RGBColor(0x66, 0x99, 0x33),
];

/// Draws all of them, as written by a command, to files whose names begin with this. Returns their
/// titles and names.
pub(super) fn draw(
    results: &Results,
    command: &str,
    folder: &Path,
    stem: &str,
) -> Result<Vec<(&'static str, String)>> {
    let mut plots = vec![(
        "Time of unbind",
        format!("{stem}-unbind.svg"),
        "Unbind, by the number of mapped objects".to_owned(),
        "ms",
        unbind(results),
    )];
    plots.extend(FREED.iter().map(|freed| {
        (
            "Time of a free",
            format!("{stem}-free-{}.svg", freed.name),
            format!("To free {}, by how many are freed", freed.text),
            "us each",
            free(results, freed),
        )
    }));

    let mut drawn = Vec::new();
    for (title, name, caption, y, lines) in plots {
        let x = "objects";
        plot::draw(
            &folder.join(&name),
            command,
            &Axes { caption, x, y },
            &lines,
        )?;
        drawn.push((title, name));
    }
    Ok(drawn)
}

fn unbind(results: &Results) -> Vec<Line> {
    let mut lines = Vec::new();
    let numbers = results.numbers("unbind");
    for (it, color) in results.0.iter().zip(COLORS) {
        for ((how, suffix), gap) in HOWS.into_iter().zip([0, 4]) {
            let points: Vec<_> = numbers
                .iter()
                .filter_map(|n| Some((*n as f64, it.unbind_ms(how, *n)?.median)))
                .collect();
            if !points.is_empty() {
                lines.push(Line {
                    label: format!("{}{suffix}", it.candidate.title).replace('`', ""),
                    color,
                    gap,
                    points,
                });
            }
        }
    }
    lines
}

fn free(results: &Results, freed: &Freed) -> Vec<Line> {
    let mut lines = Vec::new();
    let numbers = results.numbers(freed.name);
    for (it, color) in results.0.iter().zip(COLORS) {
        for (order, gap) in ORDERS.into_iter().zip([0, 4, 10]) {
            let points = numbers
                .iter()
                .filter_map(|n| Some((*n as f64, it.best_free_us(freed.name, order, *n)?)))
                .collect();
            lines.push(Line {
                label: format!(
                    "{}, {}",
                    it.candidate.title.replace('`', ""),
                    order_title(order)
                ),
                color,
                gap,
                points,
            });
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::{super::results::tests::results, *};

    #[test]
    fn what_was_not_measured_is_not_drawn() {
        let lines = unbind(&results());

        let labels: Vec<&str> = lines.iter().map(|line| line.label.as_str()).collect();
        let ours = ["#[devres_lazy]", "#[devres_lazy], after a try_access"];
        assert_eq!(labels, ["by hand", ours[0], ours[1]]);
        assert_eq!(lines[0].points, [(100.0, 1000.0)]);

        let lines = free(&results(), &FREED[0]);
        assert_eq!(lines.len(), 6);
        assert_eq!(lines[0].points, [(1000.0, 4.0)]);
        assert!(lines[1].points.is_empty());
    }
}
