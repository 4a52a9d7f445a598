// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Whole files through the printer.
//!
//! Whatever is in a file: the printer does not panic. Either it says what is wrong, and where; or
//! what it prints is the same program with all comments, and nothing in that is annotated.

use crate::{
    comments::comments,
    program::{flat, program, Annotated},
    writer::{Expected, Layout, Writer},
};
use arbitrary::Unstructured;
use cargo_devres_lazy::{expand_with, is_annotated, resolve, tokens, Format, Options, Source};
use proc_macro2::{extra, TokenStream};
use quote::ToTokens;
use std::{collections::BTreeSet, path::Path};
use syn::{
    visit_mut::{self, VisitMut},
    File, Item, ItemMod,
};

/// The name of all files.
const NAME: &str = "fuzz.rs";

/// The printer that is checked: what it prints, or what it says is wrong.
pub type Printer = fn(&Source) -> Result<String, String>;

/// The printer of `cargo devres-lazy`.
///
/// # Errors
///
/// The fault of the file.
pub fn print(source: &Source) -> Result<String, String> {
    expand_with(source, &Options::default(), Format::Nobody).map_err(|error| error.to_string())
}

/// Checks the file that these bytes are, or after a zero byte, are choices for.
///
/// # Panics
///
/// If something is wrong with the printer.
pub fn check(data: &[u8]) {
    let (file, expected) = match data {
        [0, rest @ ..] => generated(rest),
        file => (file.to_vec(), Expected::Any),
    };

    check_file(file, expected, print);
}

/// Writes a file.
fn generated(data: &[u8]) -> (Vec<u8>, Expected) {
    let mut bytes = Unstructured::new(data);
    let layout = if bytes.ratio(1, 2).unwrap_or_default() {
        Layout::Commented
    } else {
        Layout::Plain
    };
    let mut writer = Writer::of_file(&mut bytes, layout);
    writer.file();

    let (text, expected) = writer.finish();
    (text.into_bytes(), expected)
}

/// Checks what `printer` makes of a file.
///
/// # Panics
///
/// If something is wrong with that.
pub fn check_file(file: Vec<u8>, expected: Expected, printer: Printer) {
    // All texts are kept for their spans, of which there are none left from the last time.
    extra::invalidate_current_thread_spans();

    let text = String::from_utf8_lossy(&file).into_owned();
    let printed = match Source::from_bytes(Path::new(NAME), file) {
        Ok(source) => printer(&source),
        Err(failure) => Err(failure.to_string()),
    };

    match printed {
        Ok(printed) => {
            assert!(expected != Expected::Error, "{text}\n-- not refused");
            is_same(&text, &printed);
        }
        Err(message) => {
            let is_message =
                message.starts_with("error: ") && message.contains(&format!("--> {NAME}:"));
            assert!(is_message, "{text}\n-- this is no message: {message}");
            assert!(
                expected != Expected::Success,
                "{text}\n-- refused: {message}"
            );
        }
    }
}

/// Asserts that the printed file says the same as the source.
fn is_same(text: &str, printed: &str) {
    let source = Source::from_bytes(Path::new(NAME), printed.as_bytes().to_vec());
    match source.and_then(|source| is_annotated(&source)) {
        Ok(is_annotated) => assert!(!is_annotated, "{text}\n-- still annotated:\n{printed}"),
        Err(failure) => panic!("{text}\n-- printed:\n{printed}\n-- this is no file: {failure}"),
    }

    let (compiled, imports) = resolved(program(text, Annotated::Expanded), None);
    let (found, _) = resolved(program(printed, Annotated::Left), Some(imports));
    if difference(&flat(compiled.clone()), &flat(found.clone())).is_some() {
        // The same text of documentation may be written in several ways.
        let [compiled, found] = [compiled, found].map(|program| {
            tokens(program).unwrap_or_else(|error| panic!("{text}\n-- no items: {error}"))
        });
        if let Some(at) = difference(&compiled, &found) {
            let near = |tokens: &[String]| {
                let start = at.saturating_sub(5).min(tokens.len());
                let end = (start + 20).min(tokens.len());
                tokens[start..end].join(" ")
            };
            panic!(
                "{text}\n-- printed:\n{printed}\n-- not the same: {}\n  instead of: {}",
                near(&found),
                near(&compiled)
            );
        }
    }

    let mut left = comments(printed);
    for (comment, _) in comments(text).into_iter().filter(|(_, may_go)| !may_go) {
        match left.iter().position(|(other, _)| *other == comment) {
            Some(at) => {
                left.swap_remove(at);
            }
            None => panic!("{text}\n-- printed:\n{printed}\n-- a comment is lost: {comment}"),
        }
    }
}

/// A program with the paths that short names stand for, and its imports. Those that the printer may
/// add to some that are `known` are left out.
fn resolved(
    program: TokenStream,
    known: Option<BTreeSet<String>>,
) -> (TokenStream, BTreeSet<String>) {
    let Ok(mut file) = syn::parse2::<File>(program.clone()) else {
        return (program, BTreeSet::new());
    };
    resolve(&mut file);
    let mut imports = Imports {
        known,
        found: BTreeSet::new(),
    };
    imports.visit_file_mut(&mut file);

    (file.into_token_stream(), imports.found)
}

struct Imports {
    known: Option<BTreeSet<String>>,
    found: BTreeSet<String>,
}

impl Imports {
    fn retain(&mut self, items: &mut Vec<Item>) {
        items.retain(|item| {
            let Item::Use(item) = item else {
                return true;
            };
            let import = item.to_token_stream().to_string();
            let is_added = ["device", "devres"]
                .iter()
                .any(|module| import.starts_with(&format!("use kernel :: {module}")))
                && matches!(&self.known, Some(known) if !known.contains(&import));
            self.found.insert(import);
            !is_added
        });
    }
}

impl VisitMut for Imports {
    fn visit_file_mut(&mut self, file: &mut File) {
        self.retain(&mut file.items);
        visit_mut::visit_file_mut(self, file);
    }

    fn visit_item_mod_mut(&mut self, item: &mut ItemMod) {
        if let Some((_, items)) = &mut item.content {
            self.retain(items);
        }
        visit_mut::visit_item_mod_mut(self, item);
    }
}

/// The first token that is another one.
fn difference(compiled: &[String], printed: &[String]) -> Option<usize> {
    let is_same = |at: usize| match (compiled.get(at), printed.get(at)) {
        (Some(compiled), Some(printed)) => is_same_token(compiled, printed),
        _ => false,
    };

    (0..compiled.len().max(printed.len())).find(|&at| !is_same(at))
}

/// Whether two tokens are the same, but for the names of locals. rustc gets reserved names, and a
/// reader gets plain ones, with a number where the plain one is taken.
fn is_same_token(compiled: &str, printed: &str) -> bool {
    compiled.strip_prefix("__devres_lazy_").map_or_else(
        || compiled == printed,
        |plain| {
            let printed = printed.strip_prefix("r#").unwrap_or(printed);
            printed
                .strip_prefix(plain)
                .is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::catch_unwind;

    const RIGHT: &str = "use kernel::{devres_lazy, new_lazy};
        // A queue.
        #[devres_lazy] #[pin_data] struct Queue {
            #[lazy(fn table -> Table, device = &self.dev, init = Table)] table: Table,
        }
        fn a() {}";
    const WRONG: &str = "#[devres_lazy] #[pin_data] struct Queue { table: Table }";

    #[track_caller]
    fn caught(text: &str, expected: Expected, printer: Printer) {
        assert!(catch_unwind(|| check_file(text.into(), expected, printer)).is_err());
    }

    /// The printed text, with a part replaced.
    fn replaced(source: &Source, from: &str, to: &str) -> Result<String, String> {
        let printed = print(source)?;
        assert!(printed.contains(from), "{printed}");

        Ok(printed.replacen(from, to, 1))
    }

    #[test]
    fn broken_printers_are_caught() {
        check_file(RIGHT.into(), Expected::Success, print);
        check_file(WRONG.into(), Expected::Error, print);

        // Does nothing.
        caught(RIGHT, Expected::Any, |_| Ok(RIGHT.to_owned()));
        // Panics.
        caught(RIGHT, Expected::Any, |_| panic!("a panic"));
        // Loses a comment, an item, an import, or something of what is generated.
        caught(RIGHT, Expected::Any, |source| {
            replaced(source, "// A queue.", "")
        });
        caught(RIGHT, Expected::Any, |source| {
            replaced(source, "fn a() {}", "")
        });
        caught(RIGHT, Expected::Any, |source| {
            replaced(source, "new_lazy", "")
        });
        caught(RIGHT, Expected::Any, |source| {
            replaced(source, "#[pin]", "")
        });
        caught(RIGHT, Expected::Any, |source| {
            replaced(source, "table_slow(dev)", "a(dev)")
        });
        // Refuses what is right, and does not refuse what is wrong.
        caught(RIGHT, Expected::Success, |_| {
            Err("error: no\\n --> fuzz.rs:1:1".to_owned())
        });
        caught(WRONG, Expected::Error, |_| Ok("struct Queue;".to_owned()));
        // Does not say that it is an error, or where.
        caught(WRONG, Expected::Error, |_| {
            Err("no\\n --> fuzz.rs:1:1".to_owned())
        });
        caught(WRONG, Expected::Error, |_| Err("error: no".to_owned()));
    }
}
