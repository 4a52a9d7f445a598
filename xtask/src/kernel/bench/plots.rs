// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The plots: the time of unbind, and of a free, over the number of objects.

use super::results::{Outcome, Results, FREED, HOWS, ORDERS};
use anyhow::{Context, Result};
use plotters::{element::DashedPathElement, prelude::*};

/// The colours of candidates, in their order.
const COLORS: [RGBColor; 2] = [RGBColor(0xcc, 0x77, 0x22), RGBColor(0x33, 0x66, 0x99)];

/// The lengths of dashes and gaps in a candidate's lines, in pixels. The first line is solid: one
/// dash is longer than any line.
const DASHES: [(i32, i32); 3] = [(10_000, 1), (6, 4), (6, 10)];

/// How large plots are.
const SIZE: (u32, u32) = (760, 420);

/// How long lines in a legend are.
const LEGEND: i32 = 22;

/// A line, and its points.
struct Line {
    label: String,
    color: RGBColor,
    dashes: (i32, i32),
    points: Vec<(f64, f64)>,
}

/// Times over numbers of objects.
pub(super) struct Plot {
    pub(super) title: &'static str,
    /// The end of its file's name.
    pub(super) name: String,
    caption: String,
    unit: &'static str,
    lines: Vec<Line>,
}

pub(super) fn plots(results: &Results) -> Vec<Plot> {
    let mut plots = vec![Plot {
        title: "Time of unbind",
        name: "unbind".to_owned(),
        caption: "Unbind, by the number of mapped objects".to_owned(),
        unit: "ms",
        lines: lines(results, "unbind", &HOWS, |it, how, n| {
            Ok(it.unbind_ms(how, n)?.median)
        }),
    }];
    plots.extend(FREED.iter().map(|freed| Plot {
        title: "Time of a free",
        name: format!("free-{}", freed.name),
        caption: format!("To free {}, by how many are freed", freed.text),
        unit: "us each",
        lines: lines(results, freed.name, &ORDERS, |it, order, n| {
            it.best_us(freed.name, order, n)
        }),
    }));
    plots
}

/// A line for each candidate and way in which `what` is done, over the numbers with which it was
/// done. A line without points is left out.
fn lines(
    results: &Results,
    what: &str,
    ways: &[(&str, &str)],
    y: impl Fn(&Outcome, &str, u64) -> Result<f64>,
) -> Vec<Line> {
    let numbers = results.numbers(what);
    let mut lines = Vec::new();
    for (it, color) in results.0.iter().zip(COLORS) {
        for ((how, title), dashes) in ways.iter().zip(DASHES) {
            let point = |n: &u64| Some((*n as f64, y(it, how, *n).ok()?));
            lines.push(Line {
                label: it.title(title).replace('`', ""),
                color,
                dashes,
                points: numbers.iter().filter_map(point).collect(),
            });
        }
    }
    lines.retain(|line| !line.points.is_empty());
    lines
}

impl Plot {
    /// Draws the lines. Returns the text of an SVG file that names the command that writes it.
    pub(super) fn svg(&self, command: &str) -> Result<String> {
        let mut svg = format!(
            "<!-- SPDX-License-Identifier: Apache-2.0 OR MIT -->\n\
             <!-- Written by `{command}`. -->\n"
        );
        self.draw(SVGBackend::with_string(&mut svg, SIZE))
            .with_context(|| format!("cannot draw `{}`", self.caption))?;
        Ok(svg)
    }

    /// Draws the lines, with both axes logarithmic.
    fn draw(&self, backend: SVGBackend<'_>) -> Result<()> {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let x = range(points().map(|point| point.0)).context("there are no points")?;
        let y = range(points().map(|point| point.1)).context("there are no points")?;
        let area = backend.into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(&self.caption, ("sans-serif", 20))
            .margin(12)
            // The last label is as wide on either side of its line.
            .margin_right(32)
            .x_label_area_size(40)
            .y_label_area_size(64)
            .build_cartesian_2d((x.0..x.1).log_scale(), (y.0 / 1.5..y.1 * 1.5).log_scale())?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .x_labels(4)
            .x_label_formatter(&|x| format!("{x}"))
            .y_label_formatter(&|y| format!("{y}"))
            .x_desc("objects")
            .y_desc(self.unit)
            .draw()?;

        for line in &self.lines {
            let style = line.color.stroke_width(2);
            let points = line.points.iter().copied();
            let (dash, gap) = line.dashes;
            let drawn = DashedLineSeries::new(points.clone(), dash, gap, style);
            let drawn = chart.draw_series(drawn)?;
            drawn.label(&line.label).legend(move |(x, y)| {
                DashedPathElement::new([(x, y), (x + LEGEND, y)], dash, gap, style)
            });
            chart.draw_series(points.map(|point| Circle::new(point, 3, line.color.filled())))?;
        }

        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.8))
            .label_font(("sans-serif", 14))
            .draw()?;
        Ok(area.present()?)
    }
}

/// The least and the most.
fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values
        .map(|value| (value, value))
        .reduce(|(least, most), (value, _)| (least.min(value), most.max(value)))
}

#[cfg(test)]
mod tests {
    use super::{super::results::tests::results, *};

    #[test]
    fn lines_are_drawn() {
        let mut plots = plots(&results()).into_iter();
        let svg = plots.next().unwrap().svg("a command").unwrap();

        assert!(svg.contains("Written by `a command`"), "{svg}");
        assert!(svg.contains("#[devres_lazy], after a try_access"), "{svg}");
        assert!(svg.ends_with("</svg>\n"), "{svg}");
        assert!(plots.last().unwrap().svg("a command").is_err());
    }

    #[test]
    fn what_was_not_measured_is_not_drawn() {
        let plots = plots(&results());
        let drawn = plots.iter().map(|plot| {
            let lines = plot.lines.iter();
            let lines: Vec<_> = lines.map(|it| (it.label.as_str(), it.points[0])).collect();
            (plot.name.as_str(), lines)
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
