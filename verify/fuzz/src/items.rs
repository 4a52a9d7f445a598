// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Annotated items: structs with lazy fields, destructors, and what the attribute does not belong
//! on.

use crate::writer::Writer;

const VISIBILITIES: &[&str] = &[
    "",
    "pub",
    "pub(crate)",
    "pub(super)",
    "pub(self)",
    "pub( in crate::a )",
    "pub ( crate )",
];

const STRUCTS: &[&str] = &[
    "Queue",
    "Object",
    "Lazy",
    "Device",
    "Bound",
    "LazyOwner",
    "Result",
    "r#Self2",
    "r#queue",
    "Option",
    "T",
];

const NAMES: &[&str] = &[
    "table", "sgt", "slot", "place", "other", "owner", "dev", "lazy", "slow", "r#table", "new",
    "drop", "a", "Ok",
];

/// Generics of a struct, those of its type, and its `where` clause.
const GENERICS: &[[&str; 3]] = &[
    ["", "", ""],
    ["< T >", "< T >", ""],
    ["< T : Send + 'static >", "< T >", ""],
    ["< T : ?Sized >", "< T >", ""],
    ["< 'a >", "< 'a >", ""],
    [
        "< 'a , 'b : 'a , T : 'a >",
        "< 'a , 'b , T >",
        "where T : Ops ,",
    ],
    ["< const N : usize >", "< N >", ""],
    ["< const N : usize = { 1 + 2 } >", "< N >", ""],
    ["< T = u32 >", "< T >", "where T : Ops"],
    [
        "< T , >",
        "< T , >",
        "where T : Ops < Item = u32 > , Self : Sized ,",
    ],
    [
        "< T : for<'x> Fn ( &'x u32 ) >",
        "< T >",
        "where for<'x> & 'x T : Ops ,",
    ],
    ["< #[cfg(a)] T >", "< T >", ""],
    [
        "< 'lazy , 'r#a , T : Ops < 'lazy > >",
        "< 'lazy , 'r#a , T >",
        "",
    ],
    ["< N , const T : N >", "< N , T >", ""],
    ["< >", "", ""],
];

/// Attributes that may stand everywhere.
const ATTRIBUTES: &[&str] = &[
    "#[allow(dead_code)]",
    "#[expect(clippy::large_types, reason = \"a\")]",
    "#[warn(missing_docs)]",
    "#[deny(warnings)]",
    "#[cfg(a)]",
    "#[cfg(not(any(a, feature = \"b\")))]",
    "#[cfg_attr(a, allow(unused))]",
    "#[cfg_attr(a, cfg(b), doc = \"c\")]",
    "#[doc = \" A line.\"]",
    "#[doc = \"No space.\\nTwo lines.\"]",
    "#[doc = concat!(\"a\", \"b\")]",
    "#[doc(alias = \"alias\")]",
    "#[doc(hidden)]",
    "#[deprecated]",
    "#[deprecated(note = \"old\")]",
    "#[ allow ( dead_code ) ]",
    "#[clippy::msrv = \"1.0\"]",
    "#[rustfmt::skip]",
    "#[unsafe(a)]",
];

const STRUCT_ATTRIBUTES: &[&str] = &[
    "#[repr(C)]",
    "#[repr(align(64))]",
    "#[must_use]",
    "#[derive(Debug)]",
    "#[cfg_attr(a, derive(Debug), must_use)]",
    "#[other::macro_of(pin_data)]",
];

const DOCS: &[&str] = &[
    "/// A line.",
    "///",
    "///Without a space.",
    "//// No documentation.",
    "/** A block. */",
    "/**\n * With *lines*.\n */",
    "/// `code` \"quoted\" \\ \u{e4}",
    "// A comment.",
    "#[doc = r#\"Raw \"text\".\"#]",
];

const DESTRUCTOR_ATTRIBUTES: &[&str] = &[
    "#[allow(dead_code)]",
    "#[cfg(a)]",
    "#[cfg_attr(a, allow(unused), inline)]",
    "#[doc = \"a\"]",
    "#[expect(unused)]",
    "#[rustfmt::skip]",
];

/// Items that the attribute does not belong on.
const OTHER_ITEMS: &[&str] = &[
    "enum A { B }",
    "union A { b : u32 }",
    "fn a ( ) { }",
    "mod a { }",
    "mod a ;",
    "trait A { }",
    "type A = u32 ;",
    "const A : u32 = 1 ;",
    "static A : u32 = 1 ;",
    "use a::b ;",
    "extern crate a ;",
    "extern \"C\" { }",
    "a! { }",
    "macro_rules! a { ( ) => { } }",
    "impl A { }",
    "impl Drop for A { fn drop ( & mut self ) { } }",
    "struct A ;",
    "struct A ( u32 ) ;",
    "struct A ( #[lazy(fn a, device = self, init = 1)] u32 ) ;",
    "struct A { }",
    "struct A { a : u32 }",
    "enum A { B { #[lazy(fn a, device = self, init = 1)] b : u32 } }",
    "trait A = B ;",
    "unsafe impl A for B { }",
    "impl ! A for B { }",
];

impl Writer<'_, '_> {
    /// `#[devres_lazy ..]` and an item.
    pub(crate) fn annotated(&mut self) {
        match self.below(16) {
            0..=11 => self.owner(),
            12..=14 => self.destructor(),
            _ => self.misplaced(),
        }
    }

    /// The attribute where it does not belong.
    fn misplaced(&mut self) {
        self.wrong();
        self.attribute();
        self.one_of(OTHER_ITEMS);
    }

    /// The attribute.
    fn attribute(&mut self) {
        if self.mistake(64) {
            self.one_of(&[
                "#[devres_lazy(crate)]",
                "#[devres_lazy(crate =)]",
                "#[devres_lazy(crate = ::)]",
                "#[devres_lazy(crate = kernel::)]",
                "#[devres_lazy(crate = 1)]",
                "#[devres_lazy(crate = Vec<u8>)]",
                "#[devres_lazy(krate = kernel)]",
                "#[devres_lazy(,)]",
                "#[devres_lazy(crate = kernel, crate = kernel)]",
                "#[devres_lazy(crate = kernel other)]",
                "#[devres_lazy(1)]",
                "#[devres_lazy(fn)]",
            ]);
            return;
        }
        self.one_of(&[
            "#[devres_lazy]",
            "#[devres_lazy()]",
            "# [ devres_lazy ]",
            "#[devres_lazy(crate = kernel)]",
            "#[devres_lazy( crate = ::kernel , )]",
            "#[devres_lazy(crate = crate)]",
            "#[devres_lazy[]]",
            "#[devres_lazy{crate = self::a::r#type}]",
        ]);
    }

    /// Some of these attributes, and documentation.
    fn attributes(&mut self, more: &[&str]) {
        while self.rarely(4) {
            match self.below(4) {
                0 => {
                    let line = self.pick(DOCS);
                    self.line(line);
                }
                1 if !more.is_empty() => {
                    let attribute = self.pick(more);
                    self.raw(" ");
                    self.raw(attribute);
                }
                _ => {
                    let attribute = self.pick(ATTRIBUTES);
                    self.raw(" ");
                    self.raw(attribute);
                }
            }
            self.end_line_maybe();
        }
    }

    /// A struct with lazy fields.
    pub(crate) fn owner(&mut self) {
        self.attributes(STRUCT_ATTRIBUTES);
        self.attribute();
        self.end_line_maybe();
        self.attributes(STRUCT_ATTRIBUTES);
        if !self.mistake(64) {
            self.one_of(&[
                "#[pin_data]",
                "#[pin_data(PinnedDrop)]",
                "#[ pin_data ]",
                "#[kernel::prelude::pin_data]",
                "#[pin_data()]",
                "#[::pinned_init::pin_data(PinnedDrop)]",
            ]);
        }
        self.end_line_maybe();
        self.attributes(STRUCT_ATTRIBUTES);

        self.one_of(VISIBILITIES);
        let name = self.pick(STRUCTS);
        let [generics, _, clause] = self.pick(GENERICS);
        self.tokens("struct");
        self.tokens(name);
        self.tokens(generics);
        self.tokens(clause);
        self.tokens("{");
        self.end_line_maybe();
        while self.rarely(3) {
            self.plain_field();
        }
        let count = if self.rarely(3) { 2 } else { 1 };
        for left in (0..count).rev() {
            self.lazy_field();
            if left > 0 || !self.rarely(4) {
                self.tokens(",");
            }
            self.end_line_maybe();
            while left > 0 && self.rarely(4) {
                self.plain_field();
            }
        }
        self.tokens("}");
        self.end_line();
    }

    fn plain_field(&mut self) {
        self.attributes(&["#[pin]"]);
        self.one_of(VISIBILITIES);
        let name = self.name();
        self.tokens(&name);
        self.tokens(":");
        self.ty();
        self.tokens(",");
        self.end_line_maybe();
    }

    /// A name that no other call has returned.
    fn name(&mut self) -> String {
        let number = self.number();
        let name = self.pick(NAMES);

        format!("{name}{number}")
    }

    fn lazy_field(&mut self) {
        self.attributes(&["#[pin]"]);
        let is_map = self.rarely(3);

        if self.mistake(256) {
            self.tokens("#[cfg_attr(a,");
            self.lazy(is_map);
            self.tokens(")]");
        } else if self.mistake(256) {
            self.one_of(&["#[lazy]", "#[lazy = 1]", "#[lazy()]", "#[lazy(,)]"]);
        } else {
            self.raw(" #[");
            self.lazy(is_map);
            self.raw("]");
            if self.mistake(256) {
                self.raw(" #[");
                self.lazy(is_map);
                self.raw("]");
            }
        }
        self.end_line_maybe();

        self.attributes(&["#[pin]"]);
        self.one_of(VISIBILITIES);
        let name = self.name();
        self.tokens(&name);
        self.tokens(":");
        if is_map {
            self.one_of(&[
                "Mapped< Self , Marker >",
                "kernel::devres::Mapped< Self , View< 1 > >",
                "Mapped< Self , Marker< T > >",
            ]);
        } else if self.mistake(256) {
            self.one_of(&["devres::Lazy< Table >", "::kernel::devres::Lazy< T >"]);
        } else if self.rarely(8) {
            self.one_of(&["Box< dyn Ops + Send >", "dyn Ops + Send", "[ u8 ]"]);
        } else {
            self.ty();
        }
    }

    /// `lazy(..)`.
    fn lazy(&mut self, is_map: bool) {
        let mut keys = vec!["fn", "device", if is_map { "map" } else { "init" }];
        for key in ["peek", "try_access", "revoke", "evict"] {
            if !self.rarely(3) {
                continue;
            }
            // A guard is no pin.
            if key != "evict" || !keys.contains(&"try_access") || self.mistake(4) {
                keys.push(key);
            }
        }
        if self.mistake(32) {
            let at = self.below(3);
            match self.below(4) {
                0 => {
                    keys.remove(at);
                }
                1 => keys.push(keys[at]),
                2 => keys.push(if is_map { "init" } else { "map" }),
                _ => {
                    keys[at] = self.pick(&[
                        "lock", "devise", "crate", "self", "r#init", "async", "_", "1",
                    ]);
                }
            }
        }
        if self.rarely(4) {
            let by = self.below(keys.len());
            keys.rotate_left(by);
        }

        self.tokens("lazy (");
        let last = keys.len() - 1;
        for (at, key) in keys.into_iter().enumerate() {
            self.end_line_maybe();
            self.entry(key, is_map);
            if at == last {
                if self.rarely(2) {
                    self.tokens(",");
                }
            } else if self.slip(512) {
                self.one_of(&["", ";", ",,"]);
            } else {
                self.tokens(",");
            }
        }
        self.end_line_maybe();
        self.tokens(")");
    }

    /// One entry of `lazy(..)`.
    fn entry(&mut self, key: &str, is_map: bool) {
        if key == "fn" {
            return self.accessor(is_map);
        }

        self.tokens(key);
        if self.mistake(512) {
            self.one_of(&["", ":", "= =", "->"]);
        } else {
            self.tokens("=");
        }
        if self.slip(512) {
            return;
        }
        match key {
            "device" if self.mistake(128) => self.one_of(&[
                "dev",
                "& dev",
                "dev.parent()",
                "dev . parent",
                "* dev",
                "( dev )",
                "{ return & self.dev }",
            ]),
            "device" => self.device(),
            "map" => self.one_of(&[
                "Marker",
                "View< 1 >",
                "super::Marker< T , { N } >",
                "__group_( Marker )",
                "( Marker )",
            ]),
            "peek" | "try_access" | "revoke" | "evict" => {
                let name = self.name();
                self.tokens(&name);
                if self.mistake(512) {
                    self.one_of(&["::a", "( )", "-> u32", "1"]);
                }
            }
            // Also for keys that there are none of.
            _ => self.expression(),
        }
    }

    /// `[vis] fn name [-> Target]`. The target of a view has to be there.
    fn accessor(&mut self, is_map: bool) {
        self.one_of(VISIBILITIES);
        if self.mistake(512) {
            self.one_of(&["const", "async", "unsafe", "extern \"C\""]);
        }
        self.tokens("fn");
        if self.mistake(512) {
            self.one_of(&["", "1", "_", "self", "( )", "dyn"]);
            return;
        }
        let name = self.name();
        self.tokens(&name);
        if self.mistake(512) {
            self.one_of(&["( & self )", "< T >", "( )", "->", "-> -> u32", "-> = 1"]);
            return;
        }
        if !self.rarely(3) || is_map {
            self.tokens("->");
            self.target();
        }
    }

    /// Attributes that leave a destructor in place.
    fn destructor_attributes(&mut self) {
        while self.rarely(5) {
            if self.rarely(3) {
                let line = self.pick(DOCS);
                self.line(line);
            } else {
                let attribute = self.pick(DESTRUCTOR_ATTRIBUTES);
                self.raw(" ");
                self.raw(attribute);
            }
        }
    }

    /// An `impl PinnedDrop`.
    pub(crate) fn destructor(&mut self) {
        self.destructor_attributes();
        self.attribute();
        self.end_line_maybe();
        self.destructor_attributes();
        if self.mistake(64) {
            self.one_of(&[
                "#[inline(always)] #[other]",
                "#[must_use]",
                "#[cfg_attr(a, other)]",
            ]);
        }
        if !self.mistake(64) {
            self.one_of(&[
                "#[pinned_drop]",
                "#[kernel::prelude::pinned_drop]",
                "#[ pinned_drop ]",
            ]);
        }
        self.end_line_maybe();

        let name = self.pick(STRUCTS);
        let [generics, ty, clause] = self.pick(GENERICS);
        // Defaults and attributes are of structs only.
        let generics = if generics.contains(['=', '#']) {
            "< T >"
        } else {
            generics
        };
        self.tokens("impl");
        self.tokens(generics);
        self.one_of(&["PinnedDrop", "kernel::prelude::PinnedDrop"]);
        self.tokens("for");
        self.tokens(name);
        self.tokens(ty);
        self.tokens(clause);
        self.tokens("{");
        self.end_line_maybe();
        if self.mistake(64) {
            self.one_of(&["const A : u32 = 1 ;", "type A = u32 ;", "body! { }"]);
        }
        if self.rarely(6) {
            self.raw(" #[inline]");
        }
        self.tokens("fn drop (");
        self.one_of(&[
            "self : Pin< & mut Self >",
            "mut self : Pin< & mut Self >",
            "self : ::core::pin::Pin< & mut Self > ,",
            "#[allow(unused)] self : Pin< &'_ mut Self >",
        ]);
        self.tokens(") {");
        self.end_line_maybe();
        self.statements();
        self.tokens("}");
        self.end_line_maybe();
        self.tokens("}");
        self.end_line();
    }
}
