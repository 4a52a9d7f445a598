// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Snapshots of the expansion: `tests/expand/<topic>.rs` is expanded to `<topic>.expanded.rs`.
//!
//! The expander is compiled from the macro's own modules, so what is compared is what rustc is
//! given. `cargo xtask bless` rewrites the snapshots.

#[path = "../macros/src/diagnostics.rs"]
mod diagnostics;
#[path = "../macros/src/docs.rs"]
mod docs;
#[path = "../macros/src/expand/mod.rs"]
mod expand;
#[path = "../macros/src/model.rs"]
mod model;
#[path = "../macros/src/parse.rs"]
mod parse;
#[path = "../macros/src/safety.rs"]
mod safety;
#[path = "../macros/src/validate.rs"]
mod validate;

use anyhow::{
    ensure,
    Context,
    Result, //
};
use quote::ToTokens;
use std::{
    env, fs,
    path::{
        Path,
        PathBuf, //
    },
};
use syn::{
    parse_quote,
    Attribute,
    File,
    Item,
    Meta, //
};

/// The file with every annotated item expanded, formatted.
fn expanded(path: &Path) -> Result<String> {
    let text = fs::read_to_string(path)?;
    let mut file: File = syn::parse_file(&text)?;
    let mut items = Vec::new();
    let mut annotated = 0;

    for mut item in file.items {
        match take_attribute(&mut item) {
            Some(attr) => {
                annotated += 1;
                let args = match attr.meta {
                    Meta::List(list) => list.tokens,
                    _ => Default::default(),
                };
                let tokens = expand::devres_lazy(
                    parse_quote!(::devres_lazy),
                    args,
                    item.into_token_stream(),
                );
                items.extend(syn::parse2::<File>(tokens)?.items);
            }
            None => items.push(item),
        }
    }
    ensure!(annotated > 0, "nothing in it is annotated");

    file.items = items;
    let header =
        "// SPDX-License-Identifier: Apache-2.0 OR MIT\n// Written by `cargo xtask bless`.\n\n";
    Ok(format!("{header}{}", prettyplease::unparse(&file)))
}

/// Takes `#[devres_lazy ..]` off an item.
fn take_attribute(item: &mut Item) -> Option<Attribute> {
    let attrs = match item {
        Item::Struct(item) => &mut item.attrs,
        Item::Impl(item) => &mut item.attrs,
        _ => return None,
    };
    let at = attrs
        .iter()
        .position(|attr| attr.path().is_ident("devres_lazy"))?;

    Some(attrs.remove(at))
}

/// The topics, in order.
fn topics() -> Result<Vec<PathBuf>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/expand");
    let mut topics = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.to_string_lossy();
        if name.ends_with(".rs") && !name.ends_with(".expanded.rs") {
            topics.push(path);
        }
    }
    topics.sort();

    Ok(topics)
}

#[test]
fn snapshots() -> Result<()> {
    let bless = env::var_os("BLESS").is_some();
    let mut stale = Vec::new();
    let topics = topics()?;
    ensure!(!topics.is_empty(), "there is nothing to expand");

    for topic in topics {
        let expected = topic.with_extension("expanded.rs");
        let actual = expanded(&topic).with_context(|| topic.display().to_string())?;
        if bless {
            fs::write(&expected, actual)?;
            continue;
        }

        let expected_text = fs::read_to_string(&expected).unwrap_or_default();
        if expected_text != actual {
            let diff = similar::TextDiff::from_lines(&expected_text, &actual);
            eprintln!(
                "{}",
                diff.unified_diff()
                    .header(&expected.display().to_string(), "what it expands to now")
            );
            stale.push(expected);
        }
    }

    ensure!(
        stale.is_empty(),
        "{stale:?} are stale: read the differences above, then `cargo xtask bless`"
    );
    Ok(())
}
