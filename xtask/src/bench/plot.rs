// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Draws instructions per access, as bars.

use super::{
    callgrind::Count,
    SUBJECTS, //
};
use crate::plot::{
    self,
    Area, //
};
use anyhow::{
    Context,
    Result, //
};
use plotters::{
    prelude::*,
    style::text_anchor::{
        HPos,
        Pos,
        VPos, //
    },
};
use std::path::Path;

const IN_LOOP: RGBColor = RGBColor(0x33, 0x66, 0x99);
const OUT_OF_LINE: RGBColor = RGBColor(0xcc, 0x77, 0x22);

/// Draws into an SVG file.
pub(crate) fn draw(path: &Path, counts: &[Count]) -> Result<()> {
    plot::save(path, "cargo xtask bench", |area| bars(area, counts))
}

fn bars(area: &Area<'_>, counts: &[Count]) -> Result<()> {
    let most = counts
        .iter()
        .map(|count| count.in_loop.max(count.out_of_line))
        .max()
        .context("there are no counts")?;

    let mut chart = ChartBuilder::on(area)
        .caption("Instructions per access, fast path", ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(54)
        .y_label_area_size(44)
        .build_cartesian_2d(0.0..counts.len() as f64, 0.0..most as f64 * 1.15)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .disable_x_axis()
        .light_line_style(TRANSPARENT)
        .y_label_formatter(&|y| format!("{y:.0}"))
        .draw()?;

    let number = TextStyle::from(("sans-serif", 14)).pos(Pos::new(HPos::Center, VPos::Bottom));
    for (shape, (label, color)) in [("in a loop", IN_LOOP), ("out of line", OUT_OF_LINE)]
        .into_iter()
        .enumerate()
    {
        let value = |count: &Count| [count.in_loop, count.out_of_line][shape];
        let bar = |index: usize| {
            let left = index as f64 + 0.14 + 0.37 * shape as f64;
            (left, left + 0.35)
        };
        chart
            .draw_series(counts.iter().enumerate().map(|(index, count)| {
                let (left, right) = bar(index);
                Rectangle::new([(left, 0.0), (right, value(count) as f64)], color.filled())
            }))?
            .label(label)
            .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 10, y + 5)], color.filled()));
        chart.draw_series(counts.iter().enumerate().map(|(index, count)| {
            let (left, right) = bar(index);
            let top = value(count) as f64 + most as f64 * 0.01;
            Text::new(
                value(count).to_string(),
                ((left + right) / 2.0, top),
                number.clone(),
            )
        }))?;
    }

    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .label_font(("sans-serif", 14))
        .draw()?;

    // The axis has no labels for what is between two numbers.
    let below = TextStyle::from(("sans-serif", 15)).pos(Pos::new(HPos::Center, VPos::Top));
    let mut names = Vec::new();
    for (index, subject) in SUBJECTS.iter().enumerate() {
        let (x, y) = chart.backend_coord(&(index as f64 + 0.5, 0.0));
        let title = subject.title.replace('`', "");
        for (line, text) in (0..).zip(title.split(", ")) {
            names.push((text.to_owned(), (x, y + 8 + 18 * line)));
        }
    }
    for (text, at) in names {
        area.draw(&Text::new(text, at, below.clone()))?;
    }

    Ok(())
}
