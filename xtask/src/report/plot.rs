// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Plots of lines.

use anyhow::{Context, Result};
use plotters::{element::DashedPathElement, prelude::*};

/// How large plots are.
const SIZE: (u32, u32) = (760, 420);

/// How long dashes are, and lines in a legend.
const DASH: i32 = 6;
const LEGEND: i32 = 22;

/// A line, and its points.
pub(crate) struct Line {
    pub(crate) label: String,
    pub(crate) color: RGBColor,
    /// Between dashes, in pixels; none if the line has no gaps.
    pub(crate) gap: i32,
    pub(crate) points: Vec<(f64, f64)>,
}

/// The caption and the labels of a plot, and its lines.
pub(crate) struct Plot {
    pub(crate) caption: String,
    pub(crate) x: &'static str,
    pub(crate) y: &'static str,
    pub(crate) lines: Vec<Line>,
}

impl Plot {
    /// Draws the lines. Returns the text of an SVG file that names the command that writes it.
    pub(crate) fn svg(&self, command: &str) -> Result<String> {
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
            .x_desc(self.x)
            .y_desc(self.y)
            .draw()?;

        for line in &self.lines {
            let style = line.color.stroke_width(2);
            let points = line.points.iter().copied();
            // In the legend, a line without gaps is one dash.
            let (drawn, dash, gap) = match line.gap {
                0 => {
                    let series = LineSeries::new(points.clone(), style);
                    (chart.draw_series(series)?, LEGEND, 1)
                }
                gap => {
                    let series = DashedLineSeries::new(points.clone(), DASH, gap, style);
                    (chart.draw_series(series)?, DASH, gap)
                }
            };
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
    use super::*;

    #[test]
    fn lines_are_drawn() {
        let line = |gap| Line {
            label: "ours".to_owned(),
            color: RED,
            gap,
            points: vec![(1.0, 0.5), (10_000.0, 30.0)],
        };
        let plot = |lines| Plot {
            caption: "Time".to_owned(),
            x: "objects",
            y: "ms",
            lines,
        };
        let svg = plot(vec![line(0), line(4)]).svg("a command").unwrap();

        assert!(svg.contains("Written by `a command`"), "{svg}");
        assert!(svg.contains("ours"), "{svg}");
        assert!(svg.ends_with("</svg>\n"), "{svg}");
        assert!(plot(Vec::new()).svg("a command").is_err());
    }
}
