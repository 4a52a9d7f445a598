// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Whole files with annotated items, imports, and whatever else is in a file.

use crate::writer::Writer;

/// How deep modules are nested.
const DEPTH: usize = 2;

/// Imports of the attribute, and imports that look like it.
const IMPORTS: &[&str] = &[
    "use kernel::devres_lazy;",
    "use kernel::{devres_lazy};",
    "use kernel::{devres_lazy, new_lazy};",
    "use kernel::{new_lazy, devres_lazy};",
    "use kernel::{new_lazy, devres_lazy,};",
    "use kernel::{\n    device::{\n        Bound,\n        Device, //\n    },\n    devres_lazy,\n    \
     prelude::*, //\n};",
    "use kernel::{device::Device, devres_lazy, new_lazy, prelude::*};",
    "use {kernel::{devres_lazy}, std::fmt};",
    "use {std::fmt, kernel::{devres_lazy, a::{b}}};",
    "use ::kernel::{{devres_lazy}, {a, {b}}};",
    "use kernel::{devres_lazy, devres_lazy};",
    "use kernel::{self};",
    "use kernel::{self, devres_lazy};",
    "use kernel::*;",
    "use devres_lazy;",
    "use ::kernel;",
    "use kernel::devres_lazy;",
    "use kernel::devres_lazy; use kernel::kernel::{a};",
    "use kernel::{devres_lazy, prelude::*};",
    "use crate::a::devres_lazy;",
    "use super::devres_lazy;",
    "use super::{devres_lazy, a};",
    "use self::kernel::devres_lazy;",
    "pub use kernel::devres_lazy;",
    "pub(crate) use kernel::{devres_lazy, new_lazy};",
    "#[cfg(a)] use kernel::devres_lazy;",
    "#[cfg(a)]\nuse kernel::{devres_lazy, new_lazy};",
    "#[allow(unused_imports)] // Why.\nuse kernel::devres_lazy; // Behind.",
    "use kernel::{\n    // Above.\n    devres_lazy, // Beside.\n    new_lazy,\n};",
    "use kernel::{new_lazy /* a */, /* b */ devres_lazy /* c */, a};",
    "use kernel::{}; use kernel::{a::{}, devres_lazy};",
    "extern crate kernel;",
    "use kernel::{devres_lazy as _, a};",
    "use r#kernel::r#devres_lazy;",
];

/// Imports under another name.
const RENAMED: &[&str] = &[
    "use kernel::devres_lazy as lazy_fields;",
    "use kernel::{devres_lazy as lazy_fields, a as devres_lazy};",
    "use devres_lazy as lazy;",
    "use a as devres_lazy;",
];

/// Items that the printer leaves alone.
const ITEMS: &[&str] = &[
    "fn a() {}",
    "fn  b ( ) { let a = \"#[devres_lazy]\" ; }   ",
    "const A: &str = \"a\n    // no comment\n\";",
    "const A: &str = r##\"#[devres_lazy] struct A;\"##;",
    "const A: char = '\"'; // \" '",
    "/* a /* b */ c */ static B: u8 = b'\\'';",
    "macro_rules! m { ($a : tt) => { $a  } }",
    "m! { 1   }",
    "m!(struct A { a: u32 });",
    "#[derive(Debug)]\nenum A { B, C(u32) }",
    "/// Says.\n#[cfg(a)]\nstruct A;",
    "impl<T> A<T> where T: B { fn a(&self) -> kernel::A { todo!() } }",
    "trait A { type B; fn a() where Self: Sized; }",
    "type A = kernel::device::Device;",
    "union A { a: u32 }",
    "extern \"C\" { fn a(); }",
    "unsafe extern \"C\" { safe fn a(); }",
    "use a::{b, c};",
    "use std::fmt;",
    "mod a;",
    "// \u{e4}\u{1d11e}\u{200b}",
    "//@0",
    "    \t  ",
    "/**/",
    "static A: fn() = || { let _ = 1..=2; };",
    "const _: () = { mod a { use kernel::a; } };",
    "async fn a<'a>(a: &'a str) -> impl Fn() + 'a { move || {} }",
    "fn a() { 'a: loop { break 'a } }",
    "fn a(devres_lazy: u32) -> u32 { devres_lazy + 1 }",
    "fn a() { if let Some(a) = b && let Some(c) = a {} }",
    "const A: &CStr = c\"a\"; const B: &[u8] = b\"\\xff\";",
];

/// The attribute where the printer cannot follow.
const REFUSED: &[&str] = &[
    "m! { #[devres_lazy] struct A { a: u32 } }",
    "macro_rules! m { () => { #[devres_lazy] struct A { a: u32 } } }",
    "#[cfg_attr(a, devres_lazy)] struct A { a: u32 }",
    "fn a(#[devres_lazy] a: u32) {}",
    "#![devres_lazy]",
    "struct A { #[devres_lazy] a: u32 }",
    "#[devres_lazy = 1] struct A { #[lazy(fn a, device = self, init = 1)] a: u32 }",
    "fn a() {",
    "\u{0}",
    "\"",
    "/*",
    "struct A { a: }",
];

impl Writer<'_, '_> {
    /// A file.
    pub(crate) fn file(&mut self) {
        if self.rarely(16) {
            self.raw("\u{feff}");
        }
        if self.rarely(8) {
            let shebang = self.pick(&[
                "#!/usr/bin/env run\n",
                "#! /bin/sh\n",
                "#!\n",
                "#!a [b]\r\n",
            ]);
            self.raw(shebang);
        }
        if self.rarely(2) {
            self.raw("// SPDX-License-Identifier: MIT\n\n");
        }
        if self.rarely(8) {
            self.raw("//! Inner.\n\n");
        }
        if self.rarely(8) {
            self.raw("#![allow(dead_code)]\n");
        }

        self.scope(DEPTH);
        if self.annotated == 0 {
            self.wrong();
        }

        if self.rarely(6) {
            self.edit(|text| text.trim_end().to_owned());
        }
        if self.rarely(8) {
            self.edit(|text| text.replace("\r\n", "\n").replace('\n', "\r\n"));
        } else if self.rarely(16) {
            self.edit(|text| text.replace(" {\n", " {\r\n"));
        }
    }

    /// The items of a file or a module.
    fn scope(&mut self, depth: usize) {
        for _ in 0..=self.below(3) {
            match self.below(16) {
                0..=4 => {
                    self.annotated += 1;
                    self.owner();
                }
                5 | 6 => {
                    self.annotated += 1;
                    self.destructor();
                }
                7..=9 => {
                    let import = self.pick(IMPORTS);
                    self.raw(import);
                    self.end_line();
                }
                10..=12 => {
                    let item = self.pick(ITEMS);
                    self.raw(item);
                    self.end_line();
                }
                13 if depth > 0 => {
                    self.one_of(&[
                        "mod a {",
                        "pub(crate) mod a {\n",
                        "#[cfg(a)] mod a { //!A.\n",
                    ]);
                    self.scope(depth - 1);
                    self.tokens("}");
                }
                14 if depth > 0 => {
                    let (before, after) = self.pick(&[
                        ("fn a ( ) {", "}"),
                        ("const _ : ( ) = {", "} ;"),
                        ("impl A { fn a ( ) {", "} }"),
                    ]);
                    self.tokens(before);
                    self.scope(depth - 1);
                    self.tokens(after);
                }
                15 if self.rarely(8) => {
                    self.anything_goes();
                    let import = self.pick(RENAMED);
                    self.raw(import);
                }
                15 if self.mistake(16) => {
                    let item = self.pick(REFUSED);
                    self.raw(item);
                }
                _ => self.raw("\n"),
            }
            self.end_line_maybe();
        }
    }
}
