// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The printed form of every struct in the project's tests has the tokens that rustc compiles, with
//! comments, and no others.

#[path = "support/in_a_macro.rs"]
mod in_a_macro;
#[path = "support/printable.rs"]
mod printable;

use anyhow::{bail, ensure, Context, Result};
use cargo_devres_lazy::{as_rustc, expand, resolve, tokens, Options, Source};
use in_a_macro::IN_A_MACRO;
use proc_macro2::TokenStream;
use quote::ToTokens;
use std::{
    fs,
    io::Write,
    ops::Range,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::LazyLock,
};
use syn::{
    spanned::Spanned,
    visit_mut::{self, VisitMut},
    Attribute, Item, Meta,
};

/// A file of the project with annotated items, and what is printed for it.
struct Case {
    path: PathBuf,
    text: String,
    printed: String,
}

/// Returns every struct of the project's tests, read once.
fn cases() -> Result<&'static [Case]> {
    static CASES: LazyLock<Result<Vec<Case>>> = LazyLock::new(read);

    match &*CASES {
        Ok(cases) => Ok(cases),
        Err(error) => bail!("{error:#}"),
    }
}

/// Reads all of them.
fn read() -> Result<Vec<Case>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut paths = vec![
        root.join("examples/shmem_sgt.rs"),
        root.join("tests/lint.rs"),
    ];
    for folder in ["tests/expand", "tests/ui/pass"] {
        for entry in fs::read_dir(root.join(folder))? {
            let path = entry?.path();
            let is_expansion = path.to_string_lossy().ends_with(".expanded.rs");
            let is_in_a_macro = IN_A_MACRO.iter().any(|case| path.ends_with(case));
            if !is_expansion && !is_in_a_macro {
                paths.push(path);
            }
        }
    }
    ensure!(paths.len() > 40, "there are only {} cases", paths.len());

    paths
        .into_iter()
        .map(|path| {
            let name = path.display().to_string();
            let (text, source) = printable::read(&path)?;
            let printed = expand(&source, &Options::default()).context(name)?;
            Ok(Case {
                path,
                text,
                printed,
            })
        })
        .collect()
}

/// Expands annotated items as rustc does, and notes where they stand.
#[derive(Default)]
struct Compile {
    ranges: Vec<Range<usize>>,
}

impl VisitMut for Compile {
    fn visit_item_mut(&mut self, item: &mut Item) {
        let range = item.span().byte_range();
        let attr = match item {
            Item::Struct(item) => take(&mut item.attrs),
            Item::Impl(item) => take(&mut item.attrs),
            _ => None,
        };

        if let Some(attr) = attr {
            let args = match attr.meta {
                Meta::List(list) => list.tokens,
                _ => TokenStream::new(),
            };
            let tokens = as_rustc(args, item.to_token_stream());
            *item = Item::Verbatim(tokens);
            self.ranges.push(range);
        } else {
            visit_mut::visit_item_mut(self, item);
        }
    }
}

/// Takes the attribute off an item.
fn take(attrs: &mut Vec<Attribute>) -> Option<Attribute> {
    let at = attrs.iter().position(|attr| {
        let name = attr.path().segments.last();
        name.is_some_and(|name| name.ident == "devres_lazy")
    })?;

    Some(attrs.remove(at))
}

/// Imports that are taken out are not what is compared.
struct WithoutImports;

impl VisitMut for WithoutImports {
    fn visit_item_mut(&mut self, item: &mut Item) {
        if let Item::Use(_) = item {
            *item = Item::Verbatim(TokenStream::new());
        }
        visit_mut::visit_item_mut(self, item);
    }
}

/// Returns whether two tokens are the same, but for the names of locals. The macro's names cannot
/// collide; printed names are plain, with a number if the plain name is taken.
fn is_same(compiled: &str, printed: &str) -> bool {
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

/// The tokens of a file but its imports, those in expanded items included. Short names are those
/// of what they mean.
fn program(file: syn::File) -> Result<Vec<String>> {
    let mut file: syn::File = syn::parse2(file.into_token_stream())?;
    resolve(&mut file);
    WithoutImports.visit_file_mut(&mut file);
    Ok(tokens(file.into_token_stream())?)
}

#[test]
fn it_is_what_rustc_is_given() -> Result<()> {
    for case in cases()? {
        let mut file = syn::parse_file(&case.text)?;
        Compile::default().visit_file_mut(&mut file);

        let name = || case.path.display().to_string();
        let compiled = program(file).with_context(name)?;
        let printed = program(syn::parse_file(&case.printed)?).with_context(name)?;
        let differs = compiled
            .iter()
            .zip(&printed)
            .position(|(a, b)| !is_same(a, b));
        ensure!(
            differs.is_none() && compiled.len() == printed.len(),
            "{}: token {differs:?} is another one",
            case.path.display()
        );
    }
    Ok(())
}

#[test]
fn the_rest_of_the_file_is_as_it_was() -> Result<()> {
    for case in cases()? {
        let mut compile = Compile::default();
        compile.visit_file_mut(&mut syn::parse_file(&case.text)?);
        ensure!(!compile.ranges.is_empty(), "{:?}: no items", case.path);

        // Between the items; and around the import that is edited.
        let mut pieces = Vec::new();
        let mut done = 0;
        for range in &compile.ranges {
            pieces.push(&case.text[done..range.start]);
            done = range.end;
        }
        pieces.push(&case.text[done..]);
        let import = [
            ("use kernel::{", "};\n"),
            ("use ::kernel::{", "};\n"),
            ("use kernel::devres_lazy", ";\n"),
        ];
        let split = |piece: &str| {
            import
                .iter()
                .find_map(|(begin, end)| {
                    let (before, import) = piece.split_once(begin)?;
                    let (_, behind) = import.split_once(end)?;
                    Some(vec![before.to_owned(), behind.to_owned()])
                })
                .unwrap_or_else(|| vec![piece.to_owned()])
        };
        let pieces: Vec<_> = pieces.into_iter().flat_map(split).collect();

        let mut rest = case
            .printed
            .strip_prefix(&pieces[0])
            .with_context(|| format!("{:?}: the beginning", case.path))?;
        let (last, between) = pieces[1..].split_last().context("no items")?;
        for piece in between {
            let at = rest
                .find(piece)
                .with_context(|| format!("{:?} lacks:\n{piece}", case.path))?;
            rest = &rest[at + piece.len()..];
        }
        ensure!(
            rest.ends_with(last),
            "{:?} does not end in:\n{last}",
            case.path
        );
    }
    Ok(())
}

#[test]
fn every_unsafe_says_why() -> Result<()> {
    let mut count = 0;

    for case in cases()? {
        let written: Vec<_> = case.text.lines().collect();
        let lines: Vec<_> = case.printed.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if !code.contains("unsafe") || written.contains(line) {
                continue;
            }
            count += 1;

            let comment: Vec<_> = lines[..at]
                .iter()
                .rev()
                .map(|line| line.trim())
                .skip_while(|line| line.starts_with("#["))
                .take_while(|line| line.starts_with("//"))
                .collect();
            let reasons = comment.iter().filter(|line| line.starts_with("// - "));
            let safety = comment.iter().find(|line| line.starts_with("// SAFETY:"));
            // A call of `Mapped::new()`, the promise of a destructor, or a projection.
            let text: String = comment.iter().rev().copied().collect();
            let has = |number: &str| text.contains(&format!("({number})"));
            let is_explained = match safety {
                Some(&"// SAFETY:") => reasons.count() == 2 && has("S1") && has("S2"),
                Some(_) => has("S4") || has("S10"),
                None => false,
            };
            ensure!(is_explained, "{:?}: not explained: {line}", case.path);
        }
    }

    ensure!(count > 5, "there are only {count} of them");
    Ok(())
}

/// Each obligation is named where it has to be met, and nowhere else.
#[test]
fn obligations_are_named_once() -> Result<()> {
    for case in cases()? {
        let added =
            |what: &str| case.printed.matches(what).count() - case.text.matches(what).count();
        let views = added("OwnerView::<");
        let promises = case
            .printed
            .lines()
            .filter(|line| line.starts_with("unsafe impl") || line.contains(" unsafe impl"))
            .filter(|line| line.contains("TeardownFirst for "))
            .count();

        for (number, count) in [
            ("(S1)", views),
            ("(S2)", views),
            ("(S4)", promises + added("const fn begins_with_teardown<")),
            ("(S10)", added("map_unchecked_mut(")),
        ] {
            let named = added(number);
            ensure!(
                named == count,
                "{:?}: {number} is named {named} times, and has to be met {count} times",
                case.path
            );
        }
    }
    Ok(())
}

#[test]
fn it_is_tidy() -> Result<()> {
    for case in cases()? {
        ensure!(!case.printed.contains("//@"), "{:?}", case.path);
        ensure!(
            !case.printed.contains("\n\n\n") && !case.printed.contains("{\n\n"),
            "{:?}: too many empty lines",
            case.path
        );
        // Documentation is not wrapped anew where a module is nested deeper: it is part of the code.
        let long = case
            .printed
            .lines()
            .filter(|line| !line.trim_start().starts_with("///"))
            .find(|line| line.chars().count() > 100 && !case.text.contains(line));
        ensure!(long.is_none(), "{:?}: too long: {long:?}", case.path);
    }
    Ok(())
}

#[test]
fn rustfmt_has_nothing_to_change() -> Result<()> {
    for case in cases()? {
        // Modules that are files are not there for standard input.
        if case.text.contains("#[path") {
            continue;
        }
        let mut child = Command::new("rustfmt")
            .args(["--emit", "stdout", "--edition", "2021"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut stdin = child.stdin.take().context("no input")?;
        stdin.write_all(case.printed.as_bytes())?;
        drop(stdin);
        let output = child.wait_with_output()?;

        ensure!(
            output.status.success(),
            "{:?}: {}",
            case.path,
            output.status
        );
        let formatted = String::from_utf8(output.stdout)?;
        let differs = formatted
            .lines()
            .zip(case.printed.lines())
            .find(|(a, b)| a != b);
        ensure!(formatted == case.printed, "{:?}: {differs:?}", case.path);
    }
    Ok(())
}

#[test]
fn what_a_macro_writes_is_refused() -> Result<()> {
    for case in IN_A_MACRO {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(case);
        let error = expand(&Source::read(&path)?, &Options::default()).err();
        let error = error.context(case)?.to_string();
        ensure!(
            error.contains("inside a macro cannot be expanded"),
            "{error}"
        );
    }
    Ok(())
}
