// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Files that are odd in what is not the macro's business: that stays as it is, byte for byte.

use anyhow::{ensure, Result};
use cargo_devres_lazy::{expand, expand_with, Format, Options, Source};
use std::path::Path;

/// The annotated item of these files, with an odd layout of its own.
const ITEM: &str = "#[devres_lazy]
#[pin_data]
struct   Queue {
    // Whose it is.
    dev: ARef<Device>, // Kept.

    /* Mapped. */
    #[lazy(
        fn table -> Table, // The accessor.
        device = &self.dev,
        init = Table /* A table. */,
    )]
    table: Table,
}";

/// Expands a file.
fn expanded(text: &str) -> Result<String> {
    let source = Source::from_bytes(Path::new("odd.rs"), text.as_bytes().to_vec())?;
    expand(&source, &Options::default())
}

/// The file is as it was around the item.
fn keeps(before: &str, after: &str) -> Result<String> {
    let text = expanded(&format!("{before}{ITEM}{after}"))?;
    let item = text
        .strip_prefix(before)
        .and_then(|text| text.strip_suffix(after));

    match item {
        Some(item) => Ok(item.to_owned()),
        None => anyhow::bail!("not kept: {before:?} .. {after:?} in\n{text}"),
    }
}

#[test]
fn layout_of_others_is_kept() -> Result<()> {
    for (before, after) in [
        ("", ""),
        ("", "\n"),
        ("fn  a( ){}   \n\n\n\n", "\n\n\n  fn b ( ) { }  \t\n\n\n"),
        ("\tfn\ta() {}\t\n", "\n\tfn b() {\n\t}"),
        ("#!/usr/bin/env run\nfn a() {}\n", "\n"),
        ("#![allow(dead_code)]\n", "\n"),
        ("\u{feff}fn a() {}\n", "\n"),
        ("\u{feff}#!/usr/bin/env run\n", "\n"),
        (
            "// \u{e4}\u{1d11e}\u{200b}\nconst A: &str = \"\u{e4}\u{1d11e}\";\n",
            "// \u{fc}",
        ),
        ("const A: &str = \"a\n    b   \n\";\n", "\n//@0\n//@\n"),
        ("/* a /* b */ c */ ", " /* d */"),
        (
            "macro_rules! m { ($a : tt) => { $a  } }\n",
            "\nm! { 1   }\n",
        ),
    ] {
        keeps(before, after)?;
    }
    Ok(())
}

#[test]
fn ends_of_lines_are_kept() -> Result<()> {
    let file = format!("fn  a() {{}}\n\n{ITEM}\nfn  b() {{}}\n");
    let unix = expanded(&file)?;
    let dos = expanded(&file.replace('\n', "\r\n"))?;
    ensure!(dos == unix.replace('\n', "\r\n"), "{dos:?}");

    // Where both are used, each line keeps its own.
    let mixed = keeps("fn  a() {}\r\n\n\r\n", "\nfn  b() {}\r\n\n")?;
    ensure!(!mixed.contains('\r'), "{mixed:?}");
    Ok(())
}

#[test]
fn comments_in_the_item_are_kept() -> Result<()> {
    let item = keeps("", "\n")?;

    ensure!(
        item.starts_with(
            "#[pin_data(PinnedDrop)]
struct Queue {
    // Whose it is.
    dev: ARef<Device>, // Kept.

    /* Mapped. */
    #[pin]
    table: ::kernel::devres::Lazy<Table>,
}

impl Queue {
"
        ),
        "{item}"
    );
    Ok(())
}

#[test]
fn what_rustfmt_would_change_is_kept() -> Result<()> {
    // It would merge the one, and lose the other.
    for odd in ["#[derive(A)]\n#[derive(B)]\n", "", "#[cfg(a)] // Where.\n"] {
        let comment = if odd.is_empty() {
            " /* A field. */ "
        } else {
            ""
        };
        let item = ITEM.replace("struct", &format!("{odd}struct"));
        let item = item.replace("dev:", &format!("dev{comment}:"));

        let text = expanded(&item)?;
        ensure!(text.contains(odd) && text.contains(comment), "{text}");
        // Generated code has its own layout nevertheless.
        ensure!(text.contains("\n        // Fast path: "), "{text}");
    }
    Ok(())
}

#[test]
fn comments_in_the_destructor_are_kept() -> Result<()> {
    let text = expanded(
        "/// Says goodbye.
// Here.
#[devres_lazy]
// There.
#[pinned_drop]
impl PinnedDrop for Queue {
    // The last one.
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: Never used again.
        unsafe { release(self.raw) }; // Done.
    }
}
",
    )?;

    ensure!(
        text == "/// Says goodbye.
// Here.
// There.
#[pinned_drop]
impl PinnedDrop for Queue {
    // The last one.
    fn drop(mut self: Pin<&mut Self>) {
        // The lazy fields go first, while the rest of `*self` is whole.
        <dyn ::kernel::devres::TeardownFirst>::teardown_first(&mut self);

        // SAFETY: Never used again.
        unsafe { release(self.raw) }; // Done.
    }
}

// SAFETY: `drop()` begins with `teardown_first()`, and nothing that the author has written is in
// the scope of that call (S4).
unsafe impl ::kernel::devres::TeardownFirst for Queue {}
",
        "{text}"
    );
    Ok(())
}

/// Items of the destructor's body are in a block of their own, with their comments.
#[test]
fn items_in_the_destructor_are_apart() -> Result<()> {
    let text = expanded(
        "#[devres_lazy]
#[pinned_drop]
impl PinnedDrop for Queue {
    fn drop(self: Pin<&mut Self>) {
        // A stranger.
        mod kernel {}
        self.stop(); // Done.
    }
}
",
    )?;

    ensure!(
        text.contains(
            "teardown_first(&mut self);

        {
            // A stranger.
            mod kernel {}
            self.stop(); // Done.
        }
    }
}
"
        ),
        "{text}"
    );
    Ok(())
}

#[test]
fn indentation_is_that_of_the_file() -> Result<()> {
    let nested = |indent: &str, outer: &str| {
        let item = ITEM.replace('\n', &format!("\n{indent}"));
        format!("{outer}mod a {{\n{indent}{item}\n{outer}}}\n")
    };

    let spaces = expanded(&nested("    ", ""))?;
    ensure!(spaces.contains("\n            // Fast path: "), "{spaces}");
    let tab = expanded(&nested("\t", ""))?;
    ensure!(tab == spaces.replace("\n    ", "\n\t"), "{tab}");
    Ok(())
}

#[test]
fn names_are_fresh() -> Result<()> {
    let text = expanded(
        "#[devres_lazy]
#[pin_data]
struct Queue {
    other: ARef<Device>,
    #[lazy(fn table, device = &self.other, init = Table::new(slot(slot2), 'a'))]
    table: Table,
    #[lazy(fn ring, device = find(other), init = Ring::new(self.slot))]
    ring: fn(&'a u32),
}
",
    )?;

    for line in [
        "let slot3 = match ::kernel::devres::Lazy::entry(&self.table, dev)? {",
        "::kernel::devres::Entry::Vacant(slot3) => slot3,",
        "let table = ::kernel::devres::Vacant::populate(slot3, || Ok(Table::new(",
        "::kernel::devres::same_device(&self.other, other)",
        "let slot = match ::kernel::devres::Lazy::entry(&self.ring, dev)? {",
        "other2: &::kernel::device::Device<::kernel::device::Bound>",
        "::kernel::devres::same_device(find(other), other2)",
        "fn table<'b>(",
    ] {
        ensure!(text.contains(line), "no `{line}` in\n{text}");
    }
    Ok(())
}

#[test]
fn some_items_only() -> Result<()> {
    let other = ITEM.replace("Queue", "Ring");
    let text = format!("use kernel::devres_lazy;\n\n{ITEM}\n\n{other}\n");
    let source = Source::from_bytes(Path::new("odd.rs"), text.into_bytes())?;
    let options = Options {
        items: vec!["Queue".into()],
        ..Options::default()
    };

    let text = expand(&source, &options)?;
    // The remaining attribute needs its import.
    ensure!(text.starts_with("use kernel::devres_lazy;\n"), "{text}");
    ensure!(text.contains("\nimpl Queue {\n"), "{text}");
    ensure!(text.ends_with(&format!("\n\n{other}\n")), "{text}");
    Ok(())
}

/// The path of the runtime may stand behind a colon, whoever gives the text its layout.
#[test]
fn a_path_behind_a_colon() -> Result<()> {
    let item = ITEM
        .replace("#[devres_lazy]", "#[devres_lazy(crate = ::kernel)]")
        .replace("#[pin_data]", "#[pin_data(PinnedDrop)]")
        .replace("fn table -> Table", "fn table -> Option::<Table>");
    let source = Source::from_bytes(Path::new("odd.rs"), item.into_bytes())?;

    for format in [Format::Rustfmt, Format::Nobody] {
        let text = expand_with(&source, &Options::default(), format)?;
        ensure!(
            text.contains("T: ::kernel::devres::TeardownFirst"),
            "{text}"
        );
    }
    Ok(())
}

/// An item in another one is expanded alone, or with that.
#[test]
fn some_items_in_others() -> Result<()> {
    let inner = ITEM.replace("Queue", "Inner");
    let text = format!(
        "#[devres_lazy]\n#[pinned_drop]\nimpl PinnedDrop for Outer {{\n    \
         fn drop(self: Pin<&mut Self>) {{\n{inner}\n    }}\n}}\n"
    );
    let source = Source::from_bytes(Path::new("odd.rs"), text.into_bytes())?;
    let with = |items: &[&str]| {
        let items = items.iter().map(ToString::to_string).collect();
        let options = Options {
            items,
            ..Options::default()
        };
        expand(&source, &options)
    };

    for (items, left) in [
        (&["Inner"][..], Some("#[devres_lazy]\n#[pinned_drop]\n")),
        (
            &["Outer"],
            Some("#[devres_lazy]\n            #[pin_data]\n"),
        ),
        (&["Inner", "Outer"], None),
        (&[], None),
    ] {
        let text = with(items)?;
        let attributes = text.matches("#[devres_lazy]").count();
        let is_left = left.is_none_or(|left| text.contains(left));
        ensure!(
            is_left && attributes == left.iter().count(),
            "{items:?}:\n{text}"
        );
    }
    Ok(())
}

/// An error in an item that only the expansion of another one shows.
#[test]
fn errors_in_an_initialiser() -> Result<()> {
    let inner = ITEM
        .replace("Queue", "Inner")
        .replace("device =", "devise =");
    let text = ITEM.replace("Table /* A table. */", &format!("{{ {inner} Table }}"));
    let error = expanded(&text).err().map(|error| error.to_string());

    let error = error.unwrap_or_default();
    ensure!(
        error.contains("did you mean `device`? (this is a line of the file with other items"),
        "{error}"
    );
    Ok(())
}
