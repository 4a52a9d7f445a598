// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What plots have in common.

use anyhow::{
    Context,
    Result, //
};
use plotters::prelude::*;
use std::{
    fs,
    path::Path, //
};

/// How large plots are.
const SIZE: (u32, u32) = (760, 420);

pub(crate) type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// Draws into an SVG file, which says by which command it was.
pub(crate) fn save(
    path: &Path,
    command: &str,
    draw: impl FnOnce(&Area<'_>) -> Result<()>,
) -> Result<()> {
    let mut svg = String::new();
    render(&mut svg, draw).context("cannot draw the plot")?;

    let head = format!(
        "<!-- SPDX-License-Identifier: Apache-2.0 OR MIT -->\n<!-- Written by `{command}`. -->\n"
    );
    fs::write(path, head + &svg)?;
    Ok(())
}

/// Draws into a string. An area that was drawn to the end has nothing left to report when it is
/// dropped, so errors are those of this function.
fn render(svg: &mut String, draw: impl FnOnce(&Area<'_>) -> Result<()>) -> Result<()> {
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    draw(&area)?;
    area.present()?;
    Ok(())
}
