// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Draws the states of a slot for `docs/protocol.md`.

use crate::{
    plot::{
        self,
        Area, //
    },
    root, //
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
use std::{
    fs,
    path::PathBuf, //
};

const SIZE: (u32, u32) = (900, 480);
const BOX: (i32, i32) = (130, 44);
const LINE: RGBColor = RGBColor(0x44, 0x44, 0x44);
const UNBIND: RGBColor = RGBColor(0xcc, 0x55, 0x22);
const OWNER: RGBColor = RGBColor(0x33, 0x66, 0x99);
const LENT: RGBColor = RGBColor(0xdd, 0xee, 0xdd);

/// A state, as `state.rs` names it, and where its box stands.
const STATES: [(&str, (i32, i32)); 8] = [
    ("EMPTY", (130, 100)),
    ("EVICTING", (290, 72)),
    ("POPULATING", (290, 190)),
    ("struct device *", (450, 100)),
    ("REVOKED", (770, 100)),
    ("DROPPING", (450, 240)),
    ("GONE", (770, 380)),
    ("RETIRED", (130, 380)),
];

/// A way from one state to the next: by whom, along which points, and the label with its place.
struct Step {
    color: RGBColor,
    path: &'static [(i32, i32)],
    label: &'static str,
    at: (i32, i32),
}

const STEPS: [Step; 12] = [
    Step {
        color: LINE,
        path: &[(385, 92), (357, 84)],
        label: "evict()",
        at: (378, 70),
    },
    Step {
        color: LINE,
        path: &[(223, 84), (195, 92)],
        label: "evicted",
        at: (202, 70),
    },
    Step {
        color: LINE,
        path: &[(160, 122), (250, 168)],
        label: "entry()",
        at: (226, 136),
    },
    Step {
        color: LINE,
        path: &[(225, 196), (128, 196), (128, 122)],
        label: "failed",
        at: (172, 184),
    },
    Step {
        color: LINE,
        path: &[(330, 168), (420, 122)],
        label: "populated",
        at: (346, 136),
    },
    Step {
        color: UNBIND,
        path: &[(515, 100), (705, 100)],
        label: "unbind marks",
        at: (610, 88),
    },
    Step {
        color: OWNER,
        path: &[(450, 122), (450, 218)],
        label: "owner claims it",
        at: (508, 170),
    },
    Step {
        color: LINE,
        path: &[(720, 122), (515, 225)],
        label: "either claims it",
        at: (690, 180),
    },
    Step {
        color: LINE,
        path: &[(515, 255), (720, 358)],
        label: "dropped, then unlinked",
        at: (735, 290),
    },
    Step {
        color: OWNER,
        path: &[(90, 122), (90, 358)],
        label: "retire()",
        at: (58, 240),
    },
    Step {
        color: OWNER,
        path: &[(705, 380), (195, 380)],
        label: "retire()",
        at: (450, 368),
    },
    Step {
        color: OWNER,
        path: &[(770, 402), (770, 440), (20, 440), (20, 100), (65, 100)],
        label: "revoke()",
        at: (450, 428),
    },
];

fn path() -> PathBuf {
    root().join("docs/protocol.svg")
}

/// Draws them into `docs/protocol.svg`.
pub(crate) fn draw() -> Result<()> {
    let path = path();
    fs::write(&path, svg()?).with_context(|| path.display().to_string())
}

fn svg() -> Result<String> {
    plot::svg(SIZE, "cargo xtask bless", diagram)
}

fn diagram(area: &Area<'_>) -> Result<()> {
    let text = |size, color: &RGBColor| {
        ("sans-serif", size)
            .into_font()
            .color(color)
            .pos(Pos::new(HPos::Center, VPos::Center))
    };

    for (who, color, x) in [
        ("unbind", UNBIND, 300),
        ("the exclusive owner", OWNER, 450),
        (
            "the thread that populates or evicts, or either side",
            LINE,
            720,
        ),
    ] {
        area.draw(&Text::new(who, (x, 30), text(14, &color)))?;
    }

    for step in &STEPS {
        area.draw(&PathElement::new(step.path, step.color.stroke_width(2)))?;
        if let [.., from, to] = step.path {
            area.draw(&Polygon::new(head(*from, *to), step.color.filled()))?;
        }
        area.draw(&Text::new(step.label, step.at, text(13, &step.color)))?;
    }

    for (name, (x, y)) in STATES {
        let (half_width, half_height) = (BOX.0 / 2, BOX.1 / 2);
        let corners = [
            (x - half_width, y - half_height),
            (x + half_width, y + half_height),
        ];
        let fill = if name == "struct device *" {
            LENT
        } else {
            WHITE
        };
        area.draw(&Rectangle::new(corners, fill.filled()))?;
        area.draw(&Rectangle::new(corners, LINE.stroke_width(2)))?;
        area.draw(&Text::new(name, (x, y), text(15, &BLACK)))?;
    }

    Ok(())
}

/// The head of an arrow that ends in `to`.
fn head(from: (i32, i32), to: (i32, i32)) -> [(i32, i32); 3] {
    const LENGTH: f64 = 10.0;
    const HALF_WIDTH: f64 = 4.0;

    let (dx, dy) = (f64::from(to.0 - from.0), f64::from(to.1 - from.1));
    let length = dx.hypot(dy);
    let (dx, dy) = (dx / length, dy / length);
    let (x, y) = (f64::from(to.0) - LENGTH * dx, f64::from(to.1) - LENGTH * dy);
    let corner = |side: f64| {
        let (x, y) = (x - side * HALF_WIDTH * dy, y + side * HALF_WIDTH * dx);
        (x.round() as i32, y.round() as i32)
    };

    [to, corner(1.0), corner(-1.0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_is_what_is_drawn() {
        let there = fs::read_to_string(path()).unwrap();
        assert!(
            there == svg().unwrap(),
            "docs/protocol.svg is stale: `cargo xtask bless`"
        );
    }

    /// All states that the protocol has are in the picture, and no others.
    #[test]
    fn the_states_are_those_of_the_source() {
        let source = root().join("runtime/src/protocol/state.rs");
        let source = fs::read_to_string(source).unwrap();
        let mut states: Vec<_> = source
            .lines()
            .filter_map(|line| Some(line.strip_prefix("const ")?.split_once(": ")?.0))
            .collect();
        states.push("struct device *");
        states.sort_unstable();

        let mut drawn = STATES.map(|(name, _)| name);
        drawn.sort_unstable();
        assert_eq!(states, drawn);
    }
}
