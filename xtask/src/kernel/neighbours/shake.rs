// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Harmless changes of a file: those that others make around what `apply` edits. All that is added
//! is in lines of its own, which have the word `shaken` in them, so that it can be taken out again.

use super::{
    super::apply::start_of_line,
    parts::{self, chunks, end_of_line, first_name},
};
use anyhow::{ensure, Context, Result};
use proc_macro2::{extra::DelimSpan, Delimiter, TokenStream, TokenTree};
use std::{
    io::Write,
    mem,
    ops::Range,
    process::{Command, Stdio},
};
use syn::{
    spanned::Spanned,
    visit::{self, Visit},
    Block, ExprStruct, FieldsNamed, ImplItem, Item, Macro, Stmt, TraitItem, UseGroup,
};

/// The suffix of a comment that has other words.
const REWORDED: &str = " (reworded)";

/// A way to shake a file.
pub(super) struct Shake {
    pub(super) name: &'static str,
    /// Changes a file, which has this path.
    pub(super) change: fn(&str, &str) -> Result<String>,
    kind: Kind,
}

/// The kind of change that a shake makes.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Adds,
    Moves,
    /// Has rustfmt lay the file out again, with lines of this length.
    LaysOut(usize),
}

const fn shake(name: &'static str, kind: Kind, change: fn(&str, &str) -> Result<String>) -> Shake {
    Shake { name, change, kind }
}

const NARROW: usize = 80;
const WIDE: usize = 140;

pub(super) const ALL: [Shake; 11] = [
    shake("as it is", Kind::Adds, |_, text| Ok(text.to_owned())),
    shake("a field more in front", Kind::Adds, |path, text| {
        fields(path, text, false)
    }),
    shake("a field more behind", Kind::Adds, |path, text| {
        fields(path, text, true)
    }),
    shake("comments more", Kind::Adds, comments),
    shake("comments reworded", Kind::Adds, reword),
    shake("imports more", Kind::Adds, imports),
    shake("items more", Kind::Adds, items),
    shake("functions in reverse", Kind::Moves, reverse_members),
    shake("items in reverse", Kind::Moves, reverse_items),
    shake("narrow lines", Kind::LaysOut(NARROW), |path, text| {
        layout(path, text, NARROW)
    }),
    shake("wide lines", Kind::LaysOut(WIDE), |path, text| {
        layout(path, text, WIDE)
    }),
];

/// All ways that do not change the layout, one after the other.
pub(super) const TOGETHER: Shake = shake("all of these together", Kind::Moves, |path, text| {
    let mut shakes = ALL.iter().filter(|shake| !shake.lays_out());
    shakes.try_fold(text.to_owned(), |text, shake| (shake.change)(path, &text))
});

impl Shake {
    fn lays_out(&self) -> bool {
        matches!(self.kind, Kind::LaysOut(_))
    }

    /// Whether a shaken file has the same edits as the file as it is: `edited` is the former with
    /// the edits, `expected` the latter. Empty lines do not matter.
    pub(super) fn has_same_edits(&self, path: &str, edited: &str, expected: &str) -> Result<bool> {
        if edited == expected {
            return Ok(true);
        }
        if let (Kind::LaysOut(width), true) = (self.kind, is_rust(path)) {
            let edited = layout(path, edited, width)?;
            let expected = layout(path, expected, width)?;
            let [edited, expected] = [&edited, &expected].map(|it| it.split_whitespace());
            return Ok(edited.collect::<String>() == expected.collect::<String>());
        }
        let mut edited = parts::of(path, &undo(edited))?;
        let mut expected = parts::of(path, &undo(expected))?;
        if self.kind == Kind::Moves && is_rust(path) {
            edited.sort();
            expected.sort();
        }
        Ok(edited == expected)
    }
}

/// Takes out what shakes have added. Moved items stay where they are.
fn undo(text: &str) -> String {
    let lines = text
        .lines()
        .filter(|line| !line.to_ascii_lowercase().contains("shaken"));
    let line = |line: &str| line.strip_suffix(REWORDED).unwrap_or(line).to_owned() + "\n";
    lines.map(line).collect()
}

fn is_rust(path: &str) -> bool {
    path.ends_with(".rs")
}

/// Text that is inserted, by place.
struct Inserts<'a> {
    text: &'a str,
    new: Vec<(usize, String)>,
}

impl<'a> Inserts<'a> {
    fn new(text: &'a str) -> Self {
        let new = Vec::new();
        Self { text, new }
    }

    fn add(&mut self, at: usize, new: impl Into<String>) {
        self.new.push((at, new.into()));
    }

    /// Inserts a line above the one that begins with this, with its indentation.
    fn above(&mut self, at: usize, line: &str) {
        let start = start_of_line(self.text, at);
        let indent = &self.text[start..at];
        if indent.trim().is_empty() {
            self.add(start, format!("{indent}{line}\n"));
        }
    }

    fn done(mut self) -> String {
        self.new.sort_by_key(|(at, _)| *at);
        let mut text = self.text.to_owned();
        for (at, new) in self.new.iter().rev() {
            text.insert_str(*at, new);
        }
        text
    }
}

/// The places of a Rust file at which others may add something.
#[derive(Default)]
struct Places {
    /// The begins of items, members, fields, initialisers and statements.
    parts: Vec<usize>,
    /// The insides of the braces of structs and of all that initialises one, and the type or the
    /// value of a field there.
    braces: Vec<(Range<usize>, &'static str)>,
    /// The first entries of lists of imports, and their names.
    imports: Vec<(Range<usize>, String)>,
}

impl Places {
    fn of(text: &str) -> Result<Self> {
        let mut places = Self::default();
        places.visit_file(&syn::parse_file(text)?);
        Ok(places)
    }

    fn part(&mut self, of: &impl Spanned) {
        self.parts.push(of.span().byte_range().start);
    }

    fn braces(&mut self, of: &DelimSpan, new: &'static str) {
        let inside = of.open().byte_range().end..of.close().byte_range().start;
        self.braces.push((inside, new));
    }

    /// Adds what is separated by commas.
    fn elements(&mut self, tokens: TokenStream) {
        let mut is_first = true;
        for token in tokens {
            if mem::replace(&mut is_first, false) {
                self.part(&token);
            }
            match token {
                TokenTree::Punct(it) if it.as_char() == ',' => is_first = true,
                TokenTree::Group(it) => self.elements(it.stream()),
                _ => (),
            }
        }
    }
}

impl<'ast> Visit<'ast> for Places {
    fn visit_item(&mut self, it: &'ast Item) {
        self.part(it);
        visit::visit_item(self, it);
    }

    fn visit_impl_item(&mut self, it: &'ast ImplItem) {
        self.part(it);
        visit::visit_impl_item(self, it);
    }

    fn visit_trait_item(&mut self, it: &'ast TraitItem) {
        self.part(it);
        visit::visit_trait_item(self, it);
    }

    fn visit_fields_named(&mut self, it: &'ast FieldsNamed) {
        self.braces(&it.brace_token.span, "u32");
        it.named.iter().for_each(|field| self.part(field));
    }

    fn visit_block(&mut self, it: &'ast Block) {
        for statement in &it.stmts {
            // A comment between an item and its attributes is above the item.
            if !matches!(statement, Stmt::Item(_)) {
                self.part(statement);
            }
        }
        visit::visit_block(self, it);
    }

    fn visit_expr_struct(&mut self, it: &'ast ExprStruct) {
        self.braces(&it.brace_token.span, "0");
        visit::visit_expr_struct(self, it);
    }

    fn visit_macro(&mut self, it: &'ast Macro) {
        let name = it.path.segments.last().map(|name| name.ident.to_string());
        if !name.is_some_and(|name| name.ends_with("init")) {
            return;
        }
        self.elements(it.tokens.clone());
        let mut tokens = it.tokens.clone().into_iter();
        let braces = tokens.find_map(|token| match token {
            TokenTree::Group(it) if it.delimiter() == Delimiter::Brace => Some(it),
            _ => None,
        });
        if let Some(braces) = braces {
            self.braces(&braces.delim_span(), "0");
        }
    }

    fn visit_use_group(&mut self, it: &'ast UseGroup) {
        let first = it.items.first().filter(|_| it.items.len() > 1);
        if let Some((first, name)) = first.and_then(|it| Some((it, first_name(it)?))) {
            self.imports
                .push((first.span().byte_range(), name.to_string()));
        }
        visit::visit_use_group(self, it);
    }
}

/// Adds a field to each struct and to all that initialises one, if these have several lines.
fn fields(path: &str, text: &str, behind: bool) -> Result<String> {
    if !is_rust(path) {
        return Ok(text.to_owned());
    }
    let mut inserts = Inserts::new(text);
    for (place, new) in Places::of(text)?.braces {
        let inside = &text[place.clone()];
        if !inside.starts_with('\n') || !inside.trim_end().ends_with(',') {
            continue;
        }
        let indent = &inside[1..inside.len() - inside[1..].trim_start().len()];
        let indent = indent.rsplit('\n').next().unwrap_or_default();
        let (at, name) = match behind {
            true => (start_of_line(text, place.end), "shaken_last"),
            false => (place.start + 1, "shaken_first"),
        };
        inserts.add(at, format!("{indent}{name}: {new},\n"));
    }
    Ok(inserts.done())
}

/// Adds a comment above each part.
fn comments(path: &str, text: &str) -> Result<String> {
    if is_rust(path) {
        let mut inserts = Inserts::new(text);
        for at in Places::of(text)?.parts {
            inserts.above(at, "// shaken: a comment");
        }
        return Ok(inserts.done());
    }

    let comment = match path.ends_with(".c") || path.ends_with(".h") {
        true => "/* shaken: a comment */\n",
        false => "# shaken: a comment\n",
    };
    let line = |line: &str| match begins(line) {
        true => format!("{comment}{line}"),
        false => line.to_owned(),
    };
    Ok(text.split_inclusive('\n').map(line).collect())
}

/// Whether a line begins an `#include`, an option, or a target.
fn begins(line: &str) -> bool {
    ["#include ", "config ", "obj-"]
        .iter()
        .any(|it| line.starts_with(it))
}

/// Gives all comments that are lines of their own other words, but not headings and examples.
fn reword(path: &str, text: &str) -> Result<String> {
    let mut is_example = false;
    let line = |line: &str| {
        let words = line.trim_start().trim_start_matches(['/', '!']);
        let is_comment = is_rust(path) && line.trim_start().starts_with("//");
        let is_fence = words.trim_start().starts_with("```");
        is_example ^= is_fence;
        let is_text = !is_fence && !is_example && !words.trim_start().starts_with('#');
        match is_comment && is_text && !words.trim().is_empty() {
            true => format!("{line}{REWORDED}\n"),
            false => format!("{line}\n"),
        }
    };
    Ok(text.lines().map(line).collect())
}

/// Adds an entry to each list of imports that has several lines.
fn imports(path: &str, text: &str) -> Result<String> {
    if !is_rust(path) {
        return Ok(text.to_owned());
    }
    let mut inserts = Inserts::new(text);
    for (first, name) in Places::of(text)?.imports {
        let indent = &text[start_of_line(text, first.start)..first.start];
        if indent.trim().is_empty() {
            let end = end_of_line(text, first.end);
            inserts.add(end, format!("{indent}{name}_shaken,\n"));
        }
    }
    Ok(inserts.done())
}

/// Adds a module behind the imports, an item behind each item, a constant to each type, and an
/// option, a target or an `#include` in front of and behind each.
fn items(path: &str, text: &str) -> Result<String> {
    if !is_rust(path) {
        let line = |line: &str| {
            let new = match line.split(' ').next() {
                Some("#include") => "#include <linux/shaken.h>\n",
                Some("config") => "config SHAKEN\n\tbool # shaken\n\n",
                Some(word) if word.starts_with("obj-$(CONFIG_SAMPLE_RUST") => {
                    return format!("{line}obj-$(CONFIG_SAMPLE_RUST_SHAKEN)\t+= shaken.o\n")
                }
                _ => "",
            };
            format!("{new}{line}")
        };
        return Ok(text.split_inclusive('\n').map(line).collect());
    }

    let file = syn::parse_file(text)?;
    let mut inserts = Inserts::new(text);
    let chunks = chunks(text, 0, file.items.iter().map(Spanned::span));
    let is_import = |item: &Item| matches!(item, Item::Use(_));
    let last = file.items.iter().rposition(is_import);
    for (at, (item, chunk)) in file.items.iter().zip(&chunks).enumerate() {
        match item {
            Item::Use(_) if last == Some(at) => {
                inserts.add(chunk.end, "\nmod shaken_module;\n");
            }
            Item::Use(_) | Item::Mod(_) | Item::ExternCrate(_) => (),
            _ => inserts.add(chunk.end, "\nfn shaken_function() {}\n"),
        }
        if let Item::Impl(it) = item {
            let at = it.brace_token.span.open().byte_range().end;
            if it.trait_.is_none() && text[at..].starts_with('\n') {
                inserts.add(at + 1, "    const SHAKEN: u32 = 0;\n");
            }
        }
    }
    Ok(inserts.done())
}

/// The members of each `impl`, in reverse order.
fn reverse_members(path: &str, text: &str) -> Result<String> {
    if !is_rust(path) {
        return Ok(text.to_owned());
    }
    let mut new = text.to_owned();
    for item in syn::parse_file(text)?.items.iter().rev() {
        let Item::Impl(item) = item else { continue };
        let start = item.brace_token.span.open().byte_range().end;
        let members = chunks(text, start, item.items.iter().map(Spanned::span));
        if let (Some(last), true) = (members.last(), members.len() > 1) {
            let members = members
                .iter()
                .rev()
                .map(|it| text[it.clone()].trim_matches('\n'));
            let members: Vec<_> = members.collect();
            new.replace_range(start..last.end, &format!("\n{}\n", members.join("\n\n")));
        }
    }
    Ok(new)
}

/// The items of a file in reverse order, without imports, modules of other files and macros.
fn reverse_items(path: &str, text: &str) -> Result<String> {
    if !is_rust(path) {
        return Ok(text.to_owned());
    }
    let file = syn::parse_file(text)?;
    let chunks = chunks(text, 0, file.items.iter().map(Spanned::span));
    let moves = |item: &Item| match item {
        Item::Use(_) | Item::Macro(_) | Item::ExternCrate(_) => false,
        Item::Mod(it) => it.content.is_some(),
        _ => true,
    };
    let moving = file
        .items
        .iter()
        .zip(&chunks)
        .filter(|(item, _)| moves(item));
    let moving: Vec<_> = moving.map(|(_, chunk)| chunk).collect();

    let mut new = text.to_owned();
    for (to, from) in moving.iter().rev().zip(&moving) {
        let item = text[(*from).clone()].trim_matches('\n');
        new.replace_range((*to).clone(), &format!("\n{item}\n"));
    }
    Ok(new)
}

/// A file as rustfmt writes it with lines of this length.
fn layout(path: &str, text: &str, width: usize) -> Result<String> {
    if !is_rust(path) {
        return Ok(text.to_owned());
    }
    let mut rustfmt = Command::new("rustfmt")
        .args([
            "--edition",
            "2021",
            "--config",
            &format!("max_width={width}"),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("rustfmt")?;
    let mut input = rustfmt.stdin.take().context("rustfmt reads nothing")?;
    let text = text.to_owned();
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = rustfmt.wait_with_output()?;
    writer.join().ok().context("rustfmt's input")??;
    ensure!(output.status.success(), "rustfmt cannot format {path}");
    Ok(String::from_utf8(output.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUST: &str = "\
use crate::{
    a,
    b, //
};

/// One.
struct One {
    // A field.
    a: u32,
    b: u32,
}

impl One {
    /// Makes one.
    fn new() -> impl Init<Self> {
        let b = 1;

        // Now.
        try_init!(Self {
            a: 0,
            b <- b,
        })
    }

    fn other() -> Self {
        Self {
            a: 0,
            b: 0,
        }
    }
}

fn two(first_parameter: u32, second_parameter: u32, third: u32) -> u32 { first_parameter }
";

    #[test]
    fn a_shake_changes_the_file_and_can_be_undone() {
        for shake in ALL[1..].iter().chain([&TOGETHER]) {
            let shaken = (shake.change)("a.rs", RUST).unwrap();
            assert_ne!(shaken, RUST, "{}", shake.name);
            syn::parse_file(&shaken).unwrap();
            let same = |text: &str| shake.has_same_edits("a.rs", text, RUST).unwrap();
            assert!(
                shake.lays_out() || same(&shaken),
                "{}:\n{shaken}",
                shake.name
            );
            assert!(!same(&shaken.replace("impl One", "impl Other")));
        }
    }

    #[test]
    fn shakes_change_what_they_are_named_after() {
        for (name, expected) in [
            (
                "a field more in front",
                "{\n    shaken_first: u32,\n    // A field",
            ),
            (
                "a field more in front",
                "Self {\n            shaken_first: 0,\n            a: 0",
            ),
            ("a field more behind", "b: u32,\n    shaken_last: u32,\n}"),
            (
                "a field more behind",
                "b <- b,\n            shaken_last: 0,\n        })",
            ),
            ("comments more", "    // shaken: a comment\n    a: u32"),
            (
                "comments more",
                "        // shaken: a comment\n        let b",
            ),
            (
                "comments more",
                "            // shaken: a comment\n            b <- b",
            ),
            ("comments reworded", "// Now. (reworded)\n"),
            ("imports more", "    a,\n    a_shaken,\n    b, //\n"),
            ("items more", "};\n\nmod shaken_module;\n"),
            (
                "items more",
                "}\n\nfn shaken_function() {}\n\nimpl One {\n    const SHAKEN",
            ),
            ("functions in reverse", "impl One {\n    fn other()"),
            ("items in reverse", "};\n\nfn two"),
        ] {
            let shake = ALL.iter().find(|it| it.name == name).unwrap();
            let text = (shake.change)("a.rs", RUST).unwrap();
            assert!(text.contains(expected), "{expected}:\n{text}");
        }
    }

    #[test]
    fn other_files_are_shaken_by_line() {
        for (path, text) in [
            ("Kconfig", "config A\n\tbool\n\nconfig B\n\tbool\n"),
            ("Makefile", "obj-$(CONFIG_SAMPLE_RUST_A)\t+= a.o\n"),
            ("a.h", "#include <a.h>\n#include <b.h>\n"),
        ] {
            for shake in ALL.iter().filter(|it| it.name.ends_with("s more")) {
                let shaken = (shake.change)(path, text).unwrap();
                assert_eq!(shaken != text, shake.name != "imports more");
                let same = shake.has_same_edits(path, &shaken, text).unwrap();
                assert!(same, "{shaken}");
            }
        }
    }
}
