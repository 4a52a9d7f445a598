// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Where comments go, and what the layout is of what rustfmt does not format.

use anyhow::{ensure, Context, Result};
use cargo_devres_lazy::{comments, expand, expand_with, Format, Options, Source};
use std::{fs, path::Path};

/// Prints an annotated struct.
fn printed(annotation: &str) -> Result<String> {
    let text = format!(
        "#[devres_lazy]\n#[pin_data]\nstruct Queue {{\n    dev: ARef<Device>,\n    {annotation}\n    \
         table: Table,\n}}\n"
    );
    let source = Source::from_bytes(Path::new("layout.rs"), text.clone().into_bytes())?;
    let printed = expand(&source, &Options::default())?;
    let mut found = comments(&printed).context("no text")?;
    let written = comments(&text).context("no text")?;
    for comment in &written {
        let at = found.iter().position(|found| found == comment);
        found.swap_remove(at.with_context(|| format!("`{comment}` is lost:\n{printed}"))?);
    }
    let twice = found.iter().find(|comment| written.contains(comment));
    ensure!(twice.is_none(), "{twice:?} is printed twice:\n{printed}");

    Ok(printed)
}

#[test]
fn comments_go_with_their_values() -> Result<()> {
    for (annotation, place) in [
        // In front of an expression.
        (
            "#[lazy(fn table, device =
                // SAFETY: It is valid.
                unsafe { self.dev() }, init = Table)]",
            "same_device(
            // SAFETY: It is valid.
            unsafe { self.dev() },
            other,
        )",
        ),
        (
            "#[lazy(fn table,
        // SAFETY: It is valid.
        device = unsafe { self.dev() }, init = Table)]",
            "same_device(
            // SAFETY: It is valid.
            unsafe { self.dev() },
            other,
        )",
        ),
        (
            "#[lazy(fn table, device = &self.dev, init = /* SAFETY: Made. */ unsafe { make() })]",
            "Ok(/* SAFETY: Made. */ unsafe { make() })",
        ),
        (
            "#[lazy(
        fn table,
        device /* Whose? */ = &self.dev,
        /* What? */
        init = Table, // Nothing.
    )]",
            "Ok(
                /* What? */
                Table, // Nothing.
            )",
        ),
        // In an expression.
        (
            "#[lazy(fn table, device = { &self /* It. */ .dev }, init = f(
            // One.
            1, // And
            /* two. */ 2,
        ))]",
            "Ok(f(
                // One.
                1, // And
                /* two. */ 2,
            ))",
        ),
        // Above the function that has the name, or the type.
        (
            "#[lazy(pub(crate /* for tests */) fn table, device = &self.dev, init = Table)]",
            "    /* for tests */\n    /// Returns ",
        ),
        (
            "#[lazy(
        // First.
        fn table -> Option</* a */ Table>, // Lends it.
        device = &self.dev,
        init = Table,
    )]",
            "    // First.\n    /* a */\n    // Lends it.\n    /// Returns ",
        ),
        (
            "#[lazy(fn table, device = &self.dev, init = Table,
        // Or not.
        peek = /* if */ table_if_mapped /* mapped */)]",
            "    // Or not.\n    /* if */\n    /* mapped */\n    /// ",
        ),
        (
            "#[lazy(fn table, device = &self.dev, /* b */ map = /* c */ Marker /* d */)]",
            "    /* b */\n    /* c */\n    /* d */\n    /// The slow path",
        ),
        // At the field, where there is no value.
        (
            "#[lazy(fn table, device = &self.dev, init = Table,
        // The end.
    )] // The table.",
            "    // The end.\n    #[pin] // The table.\n    table: ",
        ),
        (
            "#[lazy(fn table, device = &self.dev, init = Table) /* a */]",
            "    /* a */\n    #[pin]\n    table: ",
        ),
    ] {
        let text = printed(annotation)?;
        ensure!(text.contains(place), "{annotation} lacks {place}:\n{text}");
    }
    Ok(())
}

/// Nothing but the expression is without a layout.
#[test]
fn an_expression_stays_as_it_is() -> Result<()> {
    let text = printed(
        "#[lazy(
        fn table,
        device = &self . dev, // Whose it is.
        // Made.
        init = {
            let a: Option::<A>;
            Table ( \"one
            two\" )
        },
        peek = table_if_mapped,
    )]",
    )?;

    ensure!(
        text.contains(
            "
            Ok(
                // Made.
                {
                    let a: Option::<A>;
                    Table ( \"one
            two\" )
                },
            )
"
        ),
        "{text}"
    );
    ensure!(
        text.contains("            &self.dev, // Whose it is.\n"),
        "{text}"
    );
    ensure!(text.contains("\n        // Fast path: "), "{text}");
    Ok(())
}

/// Only functions that have such a type are without a layout, and one can read them.
#[test]
fn a_function_stays_as_it_is() -> Result<()> {
    let text =
        printed("#[lazy(fn table -> Option::<A>, device = &self . dev, init = Box :: new( 1 ))]")?;

    for line in [
        "    fn table<'a>(&'a self, dev: &'a ::kernel::device::Device<",
        "        if let Some(table) = ::kernel::devres::Lazy::get(",
        "            return Ok(table);",
        "        let slot = match ::kernel::devres::Lazy::entry(&self.table, dev)? {",
    ] {
        let line = line.trim_start_matches("    fn ");
        ensure!(text.contains(line), "no `{line}` in\n{text}");
    }
    ensure!(text.contains("same_device(&self.dev, other)"), "{text}");
    Ok(())
}

/// In a destructor that cannot be formatted, the generated code has lines of its own.
#[test]
fn a_destructor_stays_as_it_is() -> Result<()> {
    for (body, printed) in [
        (
            "{\n        let a: Option::<A>; // A.\n    }",
            "\n        let a: Option::<A>; // A.\n    }\n",
        ),
        (
            "{ let a: Option::<A>; }",
            "\n        let a: Option::<A>; }\n",
        ),
        (
            "{\n        use b::B;\n        let a: Option::<A>; // A.\n    }",
            "        {\n        use b::B;\n        let a: Option::<A>; // A.\n    }\n",
        ),
    ] {
        let text = format!(
            "#[devres_lazy]\n#[pinned_drop]\nimpl PinnedDrop for A {{\n    \
             fn drop(self: Pin<&mut Self>) {body}\n}}\n"
        );
        let source = Source::from_bytes(Path::new("layout.rs"), text.into_bytes())?;
        let text = expand(&source, &Options::default())?;

        let teardown = "teardown_first(&mut self);\n\n";
        let at = text.find(teardown).context("no teardown")?;
        ensure!(
            text.contains("(mut self: Pin<&mut Self>) {\n        // The lazy fields go first, "),
            "{text}"
        );
        ensure!(text[at..].contains(printed), "{text}");
    }
    Ok(())
}

/// Expanding keeps the line endings of the file.
#[test]
fn ends_of_lines_are_those_of_the_file() -> Result<()> {
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files");
    let mut count = 0;
    for entry in fs::read_dir(files)? {
        let path = entry?.path();
        let text = fs::read_to_string(&path)?;
        let print = |text: String| {
            let source = Source::from_bytes(&path, text.into_bytes())?;
            expand_with(&source, &Options::default(), Format::Nobody)
        };

        let unix = print(text.clone())?;
        let dos = print(text.replace('\n', "\r\n"))?;
        ensure!(dos == unix.replace('\n', "\r\n"), "{path:?}: CRLF");
        let marked = print(format!("\u{feff}{text}"))?;
        ensure!(marked == format!("\u{feff}{unix}"), "{path:?}: BOM");
        count += 1;
    }

    ensure!(count > 10, "there are only {count} files");
    Ok(())
}

#[test]
fn an_import_keeps_its_layout() -> Result<()> {
    let item = "#[devres_lazy]\n#[pin_data]\nstruct Queue {\n    dev: ARef<Device>,\n    \
                #[lazy(fn table, device = &self.dev, init = Table)]\n    table: Table,\n}\n";
    let flat = "\
use kernel::{
    device::{Bound, Device},
    devres::{same_device, Entry, Lazy, LazyOwner, Vacant},
    prelude::*,
    sync::aref::ARef,
};
";
    let vertical = "\
use kernel::{
    device::{
        Bound,
        Device, //
    },
    devres::{
        same_device,
        Entry,
        Lazy,
        LazyOwner,
        Vacant, //
    },
    prelude::*,
    sync::aref::ARef, //
};
";

    for (import, expected) in [
        (
            "use kernel::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};\n",
            flat,
        ),
        (
            "use kernel::{device::Device,devres_lazy,prelude::*,sync::aref::ARef};\n",
            flat,
        ),
        (
            "use kernel::{\n    device::Device,\n    devres_lazy,\n    prelude::*,\n    \
             sync::aref::ARef, //\n};\n",
            vertical,
        ),
        // Nothing is added to an import without the prelude.
        (
            "use kernel::{device::Device, devres_lazy};\n",
            "use kernel::device::Device;\n",
        ),
        (
            "use kernel::{device::Device,devres_lazy};\n",
            "use kernel::{device::Device};\n",
        ),
        (
            "use kernel::{\n    device::Device,\n    devres_lazy, //\n};\n",
            "use kernel::{\n    device::Device, //\n};\n",
        ),
    ] {
        let source = Source::from_bytes(Path::new("use.rs"), format!("{import}{item}").into())?;
        let printed = expand(&source, &Options::default())?;
        ensure!(printed.starts_with(expected), "{import}{printed}");
    }
    Ok(())
}
