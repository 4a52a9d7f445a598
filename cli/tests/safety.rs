// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `docs/safety.md` is complete. Its summary has all obligations, and the tests that it names exist.
//! Every `unsafe` of the protocol has an obligation, and printed comments name only known ones.

use anyhow::{ensure, Context, Result};
use std::{collections::BTreeSet, fs, path::PathBuf};
use syn::{
    visit::{self, Visit},
    ExprUnsafe, ImplItemFn, ItemFn, ItemImpl, ItemTrait, Signature, TraitItemFn, Type,
};

/// A file of the project.
fn project(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(path)
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(project(path)).with_context(|| path.to_owned())
}

/// The contents of `docs/safety.md`.
#[derive(Default)]
struct Book {
    /// The numbers in the summary, and those of the chapters.
    summary: Vec<String>,
    chapters: Vec<String>,
    /// The `unsafe` in the runtime that depends on an obligation.
    sites: BTreeSet<String>,
    tests: Vec<String>,
}

impl Book {
    fn read() -> Result<Self> {
        let mut book = Self::default();
        for paragraph in read("docs/safety.md")?.split("\n\n") {
            if let Some(number) = paragraph.strip_prefix("## ") {
                book.chapters.push(number.to_owned());
            }
            if let Some((_, sites)) = paragraph.split_once("\n- Relied on by ") {
                let sites = sites.replace("\n  ", " ");
                book.sites.extend(quoted(&sites).map(ToOwned::to_owned));
            }
            for row in paragraph.lines() {
                if let Some((number, _)) = row.strip_prefix("| [").and_then(|it| it.split_once(']'))
                {
                    book.summary.push(number.to_owned());
                } else if row.starts_with("| `") {
                    book.tests.extend(quoted(row).next().map(ToOwned::to_owned));
                }
            }
        }
        Ok(book)
    }
}

/// The parts of a text between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn the_summary_has_all_chapters() -> Result<()> {
    let Book {
        summary, chapters, ..
    } = Book::read()?;

    ensure!(chapters.len() > 10, "there are only {chapters:?}");
    ensure!(
        summary == chapters,
        "the summary has {summary:?}, and the chapters are {chapters:?}"
    );
    Ok(())
}

#[test]
fn printed_comments_name_chapters() -> Result<()> {
    let comments = read("cli/src/comments.rs")?;
    let numbers: BTreeSet<_> = comments
        .split("(S")
        .skip(1)
        .filter_map(|text| Some(format!("S{}", text.split_once(')')?.0)))
        .collect();
    let chapters = Book::read()?.chapters;

    ensure!(numbers.len() > 3, "there are only {numbers:?}");
    let unknown = numbers.iter().find(|number| !chapters.contains(number));
    ensure!(unknown.is_none(), "docs/safety.md has no {unknown:?}");
    Ok(())
}

#[test]
fn the_tests_exist() -> Result<()> {
    let tests = Book::read()?.tests;
    ensure!(tests.len() > 20, "there are only {}", tests.len());

    for test in &tests {
        let (path, function) = test.split_once(": ").unwrap_or((test.as_str(), ""));
        let text = read(path)?;
        // A function, or a row of the macro that makes tests of them.
        let is_there = function.is_empty()
            || text.contains(&format!("fn {function}("))
            || text.contains(&format!("fn {function}<"))
            || text.contains(&format!("\n    {function} catches "));
        ensure!(is_there, "`{path}` has no `{function}`");
    }
    Ok(())
}

/// Collects what says `unsafe`, by the names that the table has for it.
#[derive(Default)]
struct Sites {
    /// The name of the file.
    module: &'static str,
    /// The type or trait that this is in, or the file.
    item: String,
    function: String,
    found: BTreeSet<String>,
}

impl Sites {
    fn function(&mut self, signature: &Signature, visit: impl FnOnce(&mut Self)) {
        self.function = signature.ident.to_string();
        if signature.unsafety.is_some() {
            self.add();
        }
        visit(self);
    }

    fn add(&mut self) {
        self.found
            .insert(format!("{}::{}", self.item, self.function));
    }
}

/// The last name in a type's path.
fn name(ty: &Type) -> String {
    match ty {
        Type::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()),
        _ => None,
    }
    .unwrap_or_default()
}

impl<'a> Visit<'a> for Sites {
    fn visit_item_impl(&mut self, item: &'a ItemImpl) {
        self.item = name(&item.self_ty);
        if let (Some(_), Some((_, of, _))) = (item.unsafety, &item.trait_) {
            let of = of.segments.last().map(|last| last.ident.to_string());
            self.found
                .insert(format!("{} for {}", of.unwrap_or_default(), self.item));
        }
        visit::visit_item_impl(self, item);
    }

    fn visit_item_trait(&mut self, item: &'a ItemTrait) {
        self.item = item.ident.to_string();
        if item.unsafety.is_some() {
            self.found.insert(self.item.clone());
        }
        visit::visit_item_trait(self, item);
    }

    fn visit_item_fn(&mut self, item: &'a ItemFn) {
        self.item = self.module.to_owned();
        self.function(&item.sig, |sites| visit::visit_item_fn(sites, item));
    }

    fn visit_impl_item_fn(&mut self, item: &'a ImplItemFn) {
        self.function(&item.sig, |sites| visit::visit_impl_item_fn(sites, item));
    }

    fn visit_trait_item_fn(&mut self, item: &'a TraitItemFn) {
        self.function(&item.sig, |sites| visit::visit_trait_item_fn(sites, item));
    }

    fn visit_expr_unsafe(&mut self, expr: &'a ExprUnsafe) {
        self.add();
        visit::visit_expr_unsafe(self, expr);
    }
}

#[test]
fn no_unsafe_is_missing() -> Result<()> {
    let mut found = BTreeSet::new();
    for module in [
        "batched",
        "slot",
        "evictable",
        "lazy",
        "lazy_lt",
        "mapped",
        "registry",
        "table",
    ] {
        let text = read(&format!("runtime/src/protocol/{module}.rs"))?;
        let mut sites = Sites {
            module,
            ..Sites::default()
        };
        sites.visit_file(&syn::parse_file(&text)?);
        found.extend(sites.found);
    }

    let explained = Book::read()?.sites;
    let missing: Vec<_> = found.difference(&explained).collect();
    let gone: Vec<_> = explained.difference(&found).collect();
    ensure!(
        missing.is_empty() && gone.is_empty(),
        "docs/safety.md lacks {missing:?}, and has {gone:?} for nothing"
    );
    Ok(())
}
