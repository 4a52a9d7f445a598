// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Words that mean something to the attribute, in any order, with brackets that match.

use crate::writer::Writer;

/// How deep brackets are nested.
const DEPTH: usize = 6;

const WORDS: &[&str] = &[
    ",",
    "=",
    "fn",
    "device",
    "init",
    "map",
    "peek",
    "try_access",
    "revoke",
    "evict",
    "self",
    "dev",
    "&self.dev",
    "->",
    "::",
    ":",
    ";",
    "&",
    "<",
    ">",
    "'a",
    "#",
    "!",
    "?",
    ".",
    "..",
    "|",
    "||",
    "+",
    "-",
    "*",
    "=>",
    "==",
    "@",
    "$",
    "~",
    "_",
    "pub",
    "pub(crate)",
    "const",
    "unsafe",
    "async",
    "move",
    "dyn",
    "impl",
    "for",
    "where",
    "struct",
    "enum",
    "union",
    "trait",
    "mod",
    "use",
    "type",
    "static",
    "let",
    "if",
    "else",
    "match",
    "loop",
    "while",
    "return",
    "break",
    "continue",
    "in",
    "as",
    "mut",
    "ref",
    "crate",
    "super",
    "Self",
    "extern",
    "macro_rules!",
    "a",
    "table",
    "Table",
    "T",
    "r#fn",
    "r#table",
    "N",
    "1",
    "1.0",
    "-1",
    "\"text\"",
    "b\"bytes\"",
    "c\"c\"",
    "'c'",
    "0x1u8",
    "lazy",
    "#[lazy]",
    "#[pin]",
    "pin_data",
    "#[pin_data]",
    "PinnedDrop",
    "pinned_drop",
    "#[pinned_drop]",
    "devres_lazy",
    "#[devres_lazy]",
    "cfg",
    "#[cfg(a)]",
    "cfg_attr",
    "doc",
    "/// doc\n",
    "#[doc = \"a\"]",
    "//! doc\n",
    "Mapped<Self, M>",
    "dyn A + B",
    "Pin<&mut Self>",
    "drop",
    "\u{e4}",
    "todo!()",
    "|x| x",
    "async {}",
    "union",
    "auto",
    "raw",
    "safe",
    "yield",
];

impl Writer<'_, '_> {
    /// Some words.
    pub(crate) fn soup(&mut self) {
        self.anything_goes();
        self.soup_within(DEPTH);
    }

    fn soup_within(&mut self, depth: usize) {
        for _ in 0..self.below(12) {
            if depth > 0 && self.rarely(5) {
                let (open, close) = self.pick(&[
                    ("(", ")"),
                    ("{", "}"),
                    ("[", "]"),
                    ("#[lazy(", ")]"),
                    ("#[", "]"),
                    ("<", ">"),
                    ("__group_(", ")"),
                    ("struct A {", "}"),
                    ("impl PinnedDrop for A {", "}"),
                    ("fn drop(self: Pin<&mut Self>) {", "}"),
                    ("#[devres_lazy(", ")]"),
                ]);
                self.tokens(open);
                self.soup_within(depth - 1);
                self.tokens(close);
            } else {
                self.one_of(WORDS);
            }
        }
    }

    /// An item with words where something else should be.
    pub(crate) fn soup_item(&mut self) {
        let (before, after) = self.pick(&[
            ("#[devres_lazy] #[pin_data] struct A { #[lazy(", ")] a: Table }"),
            (
                "#[devres_lazy] #[pin_data] struct A { #[lazy(fn a, device = &self.dev, init = ",
                ")] a: Table }",
            ),
            (
                "#[devres_lazy] #[pin_data] struct A { #[lazy(fn a, device = &self.dev, init = 1,",
                ")] a: Table }",
            ),
            (
                "#[devres_lazy] #[pin_data] struct A { #[lazy(fn a, device = ",
                ", init = 1)] a: Table }",
            ),
            (
                "#[devres_lazy] #[pin_data] struct A { #[lazy(fn a -> ",
                ", device = &self.dev, map = M)] a: Mapped<Self, M> }",
            ),
            (
                "#[devres_lazy] #[pin_data] struct A { #[lazy(fn a, device = &self.dev, map = ",
                ")] a: Mapped<Self, M> }",
            ),
            (
                "#[devres_lazy] #[pin_data] struct A { #[lazy(fn a, device = &self.dev, init = 1)] a: ",
                "}",
            ),
            (
                "#[devres_lazy] #[pin_data] struct A { ",
                "#[lazy(fn a, device = &self.dev, init = 1)] a: Table }",
            ),
            ("#[devres_lazy] #[pin_data] struct A { ", "}"),
            ("#[devres_lazy] #[pin_data] struct A ", "{ #[lazy(fn a, device = &self.dev, init = 1)] a: A }"),
            ("#[devres_lazy] ", "struct A { #[lazy(fn a, device = &self.dev, init = 1)] a: A }"),
            ("#[devres_lazy(", ")] #[pin_data] struct A { #[lazy(fn a, device = self, init = 1)] a: A }"),
            ("#[devres_lazy] #[pinned_drop] impl PinnedDrop for A { ", "}"),
            (
                "#[devres_lazy] #[pinned_drop] impl PinnedDrop for A { fn drop(self: Pin<&mut Self>) { ",
                "} }",
            ),
            ("#[devres_lazy] #[pinned_drop] impl PinnedDrop for A { fn drop(", ") {} }"),
            ("#[devres_lazy] #[pinned_drop] impl ", "{ fn drop(self: Pin<&mut Self>) {} }"),
            ("#[devres_lazy] #[pinned_drop] ", "impl PinnedDrop for A { fn drop(self: Pin<&mut Self>) {} }"),
            ("#[devres_lazy]", ""),
            ("", ""),
        ]);
        self.tokens(before);
        self.soup();
        self.tokens(after);
    }
}
