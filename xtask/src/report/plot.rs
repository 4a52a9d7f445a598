// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Plots of lines.

use anyhow::{Context, Result};
use plotters::{coord::Shift, element::DashedPathElement, prelude::*};
use std::{fs, path::Path};

/// How large plots are.
const SIZE: (u32, u32) = (760, 420);

/// How long dashes are, and lines in a legend.
const DASH: i32 = 6;
const LEGEND: i32 = 22;

/// The caption and the labels of a plot of lines.
pub(crate) struct Axes {
    pub(crate) caption: String,
    pub(crate) x: &'static str,
    pub(crate) y: &'static str,
}

/// A line, and its points.
pub(crate) struct Line {
    pub(crate) label: String,
    pub(crate) color: RGBColor,
    /// Between dashes, in pixels; none if the line has no gaps.
    pub(crate) gap: i32,
    pub(crate) points: Vec<(f64, f64)>,
}

/// Draws lines into an SVG file, which says by which command it was written.
pub(crate) fn draw(path: &Path, command: &str, axes: &Axes, lines: &[Line]) -> Result<()> {
    let mut svg = String::new();
    {
        // An area that was presented has nothing left to report when it is dropped.
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        chart(&area, axes, lines).context("cannot draw")?;
        area.present()?;
    }

    let head = format!(
        "<!-- SPDX-License-Identifier: Apache-2.0 OR MIT -->\n<!-- Written by `{command}`. -->\n"
    );
    Ok(fs::write(path, head + &svg)?)
}

/// Draws lines, with both axes logarithmic.
fn chart(area: &DrawingArea<SVGBackend<'_>, Shift>, axes: &Axes, lines: &[Line]) -> Result<()> {
    let points = || lines.iter().flat_map(|line| &line.points);
    let x = range(points().map(|point| point.0)).context("there are no points")?;
    let y = range(points().map(|point| point.1)).context("there are no points")?;
    let mut chart = ChartBuilder::on(area)
        .caption(&axes.caption, ("sans-serif", 20))
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
        .x_desc(axes.x)
        .y_desc(axes.y)
        .draw()?;

    for line in lines {
        let style = line.color.stroke_width(2);
        let points = line.points.iter().copied();
        let drawn = match line.gap {
            0 => chart.draw_series(LineSeries::new(points, style))?,
            gap => chart.draw_series(DashedLineSeries::new(points, DASH, gap, style))?,
        };
        // One dash, if there are no gaps.
        let (dash, gap) = match line.gap {
            0 => (LEGEND, 1),
            gap => (DASH, gap),
        };
        drawn.label(&line.label).legend(move |(x, y)| {
            DashedPathElement::new([(x, y), (x + LEGEND, y)], dash, gap, style)
        });
        chart.draw_series(
            line.points
                .iter()
                .map(|point| Circle::new(*point, 3, line.color.filled())),
        )?;
    }

    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .label_font(("sans-serif", 14))
        .draw()?;
    Ok(())
}

/// The least and the most.
fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |range, value| match range {
        None => Some((value, value)),
        Some((least, most)) => Some((least.min(value), most.max(value))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_drawn() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plot.svg");
        let axes = Axes {
            caption: "Time".to_owned(),
            x: "objects",
            y: "ms",
        };
        let line = |gap| Line {
            label: "ours".to_owned(),
            color: RED,
            gap,
            points: vec![(1.0, 0.5), (10_000.0, 30.0)],
        };
        draw(&path, "a command", &axes, &[line(0), line(4)]).unwrap();

        let svg = fs::read_to_string(&path).unwrap();
        assert!(svg.contains("Written by `a command`"), "{svg}");
        assert!(svg.contains("ours"), "{svg}");
        assert!(svg.ends_with("</svg>\n"), "{svg}");
        assert!(draw(&path, "a command", &axes, &[]).is_err());
    }
}
