// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `samples/rust/rust_drm_edu.rs` for a tree without the annotation: fields by hand in place of the
//! annotated ones.

use super::{imports, source::Source};
use anyhow::{Context, Result};
use std::ops::Range;
use syn::{ImplItem, Item};

/// The structs that have annotated fields.
const STRUCTS: [&str; 2] = ["Edu", "CpuBuffer"];

/// Puts fields by hand, and accessors to them, in place of the annotated ones.
pub(super) fn by_hand(text: &str) -> Result<String> {
    let ours = Source::parse(include_str!("../../../../kernel/items/edu.rs"))?;
    let source = Source::parse(text)?;

    let helpers = ours.items().iter().filter(|it| matches!(it, Item::Fn(_)));
    let helpers: String = helpers.map(|item| ours.text_of(item)).collect();
    let first = source.structure(STRUCTS[0])?;
    let before = source.lines_of(first).start;
    source.insert(before, helpers);

    for name in STRUCTS {
        source.replace_item(source.structure(name)?, ours.text_of(ours.structure(name)?));
        let constructor = source.range(source.function(name, "new")?);
        source.replace(constructor, ours.text(functions(&ours, name)?).trim_start());
    }

    // The tree knows no default.
    let default = source
        .impls("BufferData")
        .into_iter()
        .flat_map(|item| &item.items)
        .find(|item| matches!(item, ImplItem::Const(item) if item.ident == "DEFAULT_ARGS"))
        .context("there is no `DEFAULT_ARGS`")?;
    source.replace_item(default, "");

    imports::edit(&source, |root, imports| {
        if root == "kernel" {
            for name in ["devres_lazy", "new_lazy", "ForLt"] {
                imports.remove(name)?;
            }
            imports.add("devres::{Devres, DevresLt}")?;
            imports.add("sync::SetOnce")?;
        }
        Ok(())
    })?;
    Ok(source.finish())
}

/// Where the functions of a type stand.
fn functions(source: &Source, name: &str) -> Result<Range<usize>> {
    let ranges: Vec<_> = source
        .impls(name)
        .into_iter()
        .flat_map(|item| &item.items)
        .filter(|item| matches!(item, ImplItem::Fn(_)))
        .map(|item| source.range(item))
        .collect();
    let (first, last) = ranges
        .first()
        .zip(ranges.last())
        .with_context(|| format!("`{name}` has no functions"))?;
    Ok(first.start..last.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = include_str!("../../../../kernel/tree/samples/rust/rust_drm_edu.rs");

    #[test]
    fn nothing_is_left_of_the_annotation() {
        let text = by_hand(SAMPLE).unwrap();

        syn::parse_file(&text).unwrap();
        for gone in ["lazy(", "devres_lazy", "new_lazy", "ForLt", "DEFAULT_ARGS"] {
            assert!(SAMPLE.contains(gone), "{gone}");
            assert!(!text.contains(gone), "{gone}");
        }
        for new in ["fn is_same(", "fn registers<'a>(", "registers_lock <-"] {
            assert_eq!(text.matches(new).count(), 1, "{new}");
        }
    }

    #[test]
    fn all_else_stays() {
        let text = by_hand(SAMPLE).unwrap();
        let ours = Source::parse(&text).unwrap();
        let theirs = Source::parse(SAMPLE).unwrap();

        for (of, function) in [("Edu", "transfer"), ("CpuBuffer", "sum")] {
            let body = |source: &Source| {
                let function = source.function(of, function).unwrap();
                source.text(source.range(function)).to_owned()
            };
            assert_eq!(body(&ours), body(&theirs));
        }
    }

    #[test]
    fn what_is_missing_is_said() {
        let text = SAMPLE.replace("struct CpuBuffer {", "struct Other {");

        assert_eq!(
            by_hand(&text).unwrap_err().to_string(),
            "there is no `struct CpuBuffer`"
        );
    }
}
