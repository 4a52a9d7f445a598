// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The diagram in `docs/protocol.md` agrees with `state.rs`: it has all states and no others, and
//! each arrow names the function that stores the state it points to.

use quote::ToTokens;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};
use syn::{ImplItem, Item};

/// The state that is an address, which has no constant.
const DEVICE: &str = "device";

/// The states of `state.rs`, and the text of each function that stores one.
fn source(text: &str) -> (BTreeSet<String>, BTreeMap<String, String>) {
    let mut states = BTreeSet::from([DEVICE.to_owned()]);
    let mut stores = BTreeMap::new();

    for item in syn::parse_file(text).unwrap().items {
        match item {
            Item::Const(it) => {
                states.insert(it.ident.to_string());
            }
            Item::Impl(it) => {
                for function in it.items {
                    let ImplItem::Fn(function) = function else {
                        continue;
                    };
                    let body = function.block.to_token_stream().to_string();
                    let stores_it = |name| body.contains(&format!("self . 0 . {name} ("));
                    if ["store", "xchg", "cmpxchg"].into_iter().any(stores_it) {
                        stores.insert(function.sig.ident.to_string(), body);
                    }
                }
            }
            _ => (),
        }
    }
    (states, stores)
}

/// The arrows of a diagram: from, to, and the function.
fn arrows(page: &str) -> Vec<[String; 3]> {
    let (_, diagram) = page.split_once("```mermaid\n").unwrap();
    let (diagram, _) = diagram.split_once("```").unwrap();
    let arrow = |line: &str| {
        let (from, rest) = line.trim().split_once(" --> ")?;
        let (to, label) = rest.split_once(": ")?;
        let (function, _) = label.split_once("()")?;
        Some([from, to, function].map(str::to_owned))
    };

    diagram.lines().filter_map(arrow).collect()
}

/// The faults of a page, a sentence for each.
fn faults(page: &str, source_text: &str) -> Vec<String> {
    let (states, stores) = source(source_text);
    let arrows = arrows(page);
    let drawn: BTreeSet<_> = arrows
        .iter()
        .flat_map(|arrow| arrow[..2].to_vec())
        .collect();
    let named: BTreeSet<_> = arrows.iter().map(|arrow| &arrow[2]).collect();

    let mut faults: Vec<_> = states
        .symmetric_difference(&drawn)
        .map(|state| format!("`{state}` is either not drawn or no state"))
        .collect();
    for function in stores.keys().filter(|function| !named.contains(function)) {
        faults.push(format!("`{function}()` stores a state and has no arrow"));
    }
    for [from, to, function] in &arrows {
        match stores.get(function) {
            None => faults.push(format!("`{function}()` stores no state")),
            Some(body) if to != DEVICE && !body.contains(to.as_str()) => {
                faults.push(format!("{from} --> {to}: `{function}()` does not store it"));
            }
            Some(_) => (),
        }
    }
    faults
}

/// The file `state.rs` below a folder.
fn state(folder: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    let here = paths.iter().find(|path| path.ends_with("state.rs"));

    here.cloned().or_else(|| {
        paths
            .iter()
            .filter(|path| path.is_dir())
            .find_map(|path| state(path))
    })
}

#[test]
fn the_diagram_agrees_with_the_source() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = fs::read_to_string(root.join("docs/protocol.md")).unwrap();
    let source = state(&root.join("runtime/src/protocol")).unwrap();
    let source = fs::read_to_string(source).unwrap();

    assert_eq!(faults(&page, &source), [""; 0]);

    // Each kind of edit is found.
    for (from, to, fault) in [
        (
            "GONE --> EMPTY: reset()",
            "GONE --> EMPTY: retire()",
            "does not store it",
        ),
        (
            "GONE --> EMPTY: reset()",
            "",
            "`reset()` stores a state and has no arrow",
        ),
        ("DROPPING", "DROPPED", "`DROPPED` is either"),
        ("mark()", "is_dropping()", "`is_dropping()` stores no state"),
    ] {
        let edited = page.replace(from, to);
        let found = faults(&edited, &source).join("\n");
        assert!(found.contains(fault), "{from} to `{to}`: {found}");
    }
}
