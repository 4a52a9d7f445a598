// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `samples/rust/rust_drm_edu.rs` for a tree without the annotation: fields by hand in place of the
//! annotated ones.

use super::{imports, source::Source};
use anyhow::{Context, Result};

/// Puts fields by hand, and accessors to them, in place of the annotated ones.
pub(super) fn by_hand(source: &mut Source) -> Result<()> {
    let ours = Source::parse(include_str!("../../../../kernel/items/edu.rs"))?;

    let helper = ours.paragraph("fn is_same")?;
    source.insert(source.lines("struct Edu")?.start, &helper)?;
    for name in ["Edu", "CpuBuffer"] {
        let structure = format!("struct {name}");
        source.replace(source.lines(&structure)?, &ours.paragraph(&structure)?)?;

        let constructor = format!("{name}::new");
        let mut functions = ours
            .names()
            .filter(|it| it.starts_with(&format!("{name}::")));
        let last = functions.next_back().context("there are no accessors")?;
        let functions = ours.range(&constructor)?.start..ours.range(last)?.end;
        source.replace(source.range(&constructor)?, &ours.text()[functions])?;
    }

    // The tree knows no default.
    let default = source.lines("<BufferData as DriverObject>::DEFAULT_ARGS")?;
    source.replace(default, "")?;
    let add = ["devres::{Devres, DevresLt}", "sync::SetOnce"];
    let remove = ["devres_lazy", "new_lazy", "ForLt"];
    imports::edit(source, "kernel", &add, &remove)
}

#[cfg(test)]
mod tests {
    use super::{super::case::Case, *};

    const SAMPLE: &str = include_str!("../../../../kernel/tree/samples/rust/rust_drm_edu.rs");

    #[test]
    fn the_fields_are_by_hand() {
        let case = Case {
            edit: by_hand,
            before: SAMPLE,
            gone: &["lazy(", "devres_lazy", "new_lazy", "ForLt", "DEFAULT_ARGS"],
            new: &["fn is_same(", "fn registers<'a>(", "registers_lock <-"],
            refused: &[("struct CpuBuffer {", "struct A {", "no `struct CpuBuffer`")],
        };
        case.check();

        // All else stays.
        let ours = Source::parse(&case.edited().unwrap()).unwrap();
        let theirs = Source::parse(SAMPLE).unwrap();
        for function in ["Edu::transfer", "CpuBuffer::sum"] {
            assert_eq!(
                ours.text_of(function).unwrap(),
                theirs.text_of(function).unwrap()
            );
        }
    }
}
