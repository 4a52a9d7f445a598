// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Types, expressions and statements.

use crate::writer::Writer;

/// How deep they are nested.
const DEPTH: usize = 4;

/// Types of one or a few tokens.
const TYPES: &[&str] = &[
    "Table",
    "u32",
    "()",
    "[ u8 ; 4 ]",
    "&'static str",
    "super::Table",
    "::core::num::NonZeroU32",
    "Self",
    "Self::Item",
    "T",
    "r#type",
    "< Self as Trait >::Item",
    "*const u8",
    "fn ( & u32 ) -> u32",
    "for<'x> fn ( &'x u8 )",
    "unsafe extern \"C\" fn ( ... )",
    "! ",
    "str",
    "[ u8 ]",
    "Box< dyn Fn ( & u32 ) -> u32 + Send >",
    "Foo< { N + 1 } >",
    "Foo< -1 >",
    "Foo< 'a , T , N >",
    "Foo< Item = u32 >",
    "Foo< Item : Copy >",
    "ty!( A B )",
    "__group_( Table )",
    "__group_( dyn A + B )",
];

/// Types with bounds.
const OBJECTS: &[&str] = &[
    "dyn Ops",
    "dyn Ops + Send",
    "dyn Ops + Send + Sync + 'static",
    "( dyn Ops + Send )",
    "dyn for<'x> Fn ( &'x u32 ) -> &'x u32",
    "dyn for<'x> Fn ( &'x u32 ) -> &'x u32 + Send",
    "dyn ( Ops ) + Send",
    "Box< dyn Ops + Send >",
    "& 'static ( dyn Ops + Send )",
    "dyn 'static + Ops",
    "dyn r#ops::Ops < Item = u32 > + Sync",
];

/// Expressions over `self` that name a device.
const DEVICES: &[&str] = &[
    "&self.dev",
    "& self . dev",
    "self.dev()",
    "self.dev().as_ref()",
    "self.parent.as_ref()",
    "AsRef::< Device >::as_ref ( self )",
    "&*self.dev",
    "& self.devs [ 0 ]",
    "& self . 0 . 1",
    "{ let parent = & self.parent ; & parent.dev }",
    "match & self.other { Some ( dev ) => dev , None => & self.dev }",
    "if let Some ( other ) = & self.other { other } else { & self.dev }",
    "self.other.as_deref().unwrap_or_else ( || self.device() )",
    "unsafe { & *core::ptr::from_ref ( & self.dev ) }",
    "( & self.dev )",
    "self.list().iter().find ( | it | { return it.is_ours() } ).unwrap()",
    "device!( self )",
    "< Self >::device ( self )",
    "'out: loop { break 'out & self.dev ; }",
    "__group_( & self.dev )",
    "& __group_( self ) . dev",
];

/// Other expressions.
const EXPRESSIONS: &[&str] = &[
    "42",
    "Table",
    "Table ( 0 )",
    "Table { a : 1 , .. self.table }",
    "Table::new ( self )",
    "Table::new ( self , dev ) ?",
    "self",
    "dev",
    "self.a + self.b * 2",
    "-1",
    "! self.a",
    "self.a as u32",
    "( self.a as usize ) < 2",
    "1 .. 2",
    "..",
    "\"//no_comment\"",
    "\"/*neither\\\"*/\"",
    "r#\"raw\"//\"#",
    "b'\\''",
    "'\"'",
    "c\"text\"",
    "1.0e-3_f32",
    "1 . 0",
    "todo!()",
    "vec! [ 1 , 2 , 3 ]",
    "[ 0 ; 512 ]",
    "( 1 , )",
    "( )",
    "| x | x + 1",
    "move | x : u32 , _ | -> u32 { return x ; }",
    "async { 1 }",
    "async move { self.a.await }",
    "unsafe { self.get() }",
    "const { 1 }",
    "if self.a { 1 } else { 2 }",
    "if let Some ( a ) = self.a && a == 1 { 1 } else { 2 }",
    "match self.a { 0 | 1 if self.b => { 1 } 2 ..= 3 => 2 , _ => 3 , }",
    "while self.a ( ) { continue ; }",
    "for i in 0 .. 3 { self.b ( i ) ; }",
    "loop { break Table ( 1 ) ; }",
    "try_pin_init!( Table { a : 1 , b <- new_mutex!( 0 ) , } ? Error )",
    "{ macro_rules! a { ( ) => { 42 } } a!() }",
    "{ fn own ( ) -> u32 { 1 } own ( ) }",
    "{ const A : u32 = 1 ; A }",
    "self.a ? . b ?",
    "self.a::< T > ( )",
    "< T as Trait >::new ( )",
    "& raw const self.a",
    "& mut self.a",
    "self.a = 1",
    "self.a += 1",
    "return Err ( EINVAL )",
    "slot",
    "place",
    "other",
    "owner",
    "__group_( Table ( 1 ) )",
    "__group_( self ) . a",
    "Table ( __group_( dev ) )",
];

/// Statements.
const STATEMENTS: &[&str] = &[
    "drop ( self ) ;",
    "self.a ( ) ;",
    "let a = 1 ;",
    "let Some ( a ) = self.a else { return ; } ;",
    "a!( ) ;",
    "a! { }",
    "fn own ( ) { }",
    "use self::a ;",
    "const A : u32 = 1 ;",
    "if self.a { }",
    "unsafe { self.b ( ) } ;",
    "#[allow(unused)] let _ = 1 ;",
    ";",
    "struct LazyOwner ;",
];

impl Writer<'_, '_> {
    /// A type.
    pub(crate) fn ty(&mut self) {
        self.ty_within(DEPTH);
    }

    fn ty_within(&mut self, depth: usize) {
        if depth == 0 || !self.rarely(6) {
            self.one_of(TYPES);
            return;
        }
        let (before, after) = self.pick(&[
            ("Foo<", ">"),
            ("( ", ")"),
            // Without a lifetime, it would be a target as the accessor returns it.
            ("&'static", " "),
            ("&'static mut", " "),
            ("[ ", "; N ]"),
            ("( u8 , ", ")"),
            ("fn ( ", ")"),
            ("*mut", " "),
            ("Foo< Item = ", ">"),
            ("< ", "as Trait >::Item"),
            ("__group_( ", ")"),
        ]);
        self.tokens(before);
        self.ty_within(depth - 1);
        self.tokens(after);
    }

    /// The type of an accessor's target.
    pub(crate) fn target(&mut self) {
        if self.rarely(3) {
            self.one_of(OBJECTS);
        } else {
            self.ty();
        }
    }

    /// An expression that names a device.
    pub(crate) fn device(&mut self) {
        self.one_of(DEVICES);
    }

    /// An expression.
    pub(crate) fn expression(&mut self) {
        self.expression_within(DEPTH);
    }

    fn expression_within(&mut self, depth: usize) {
        if depth == 0 || !self.rarely(4) {
            self.one_of(EXPRESSIONS);
            return;
        }
        let (before, after) = self.pick(&[
            ("( ", ")"),
            ("{ ", "}"),
            ("Table ( ", ", 1 , )"),
            ("{ let a = ", "; a }"),
            ("if a { ", "} else { b }"),
            ("match a { _ => ", ", }"),
            ("| a | { ", "}"),
            ("unsafe { ", "}"),
            ("[ ", "]"),
            ("Table { a : ", "}"),
            ("& ( ", ")"),
            ("'a: { ", "}"),
            ("__group_( ", ")"),
        ]);
        self.tokens(before);
        self.expression_within(depth - 1);
        self.tokens(after);
    }

    /// Some statements.
    pub(crate) fn statements(&mut self) {
        for _ in 0..self.below(4) {
            if self.rarely(5) {
                self.tokens("let a =");
                self.expression();
                self.tokens(";");
            } else {
                self.one_of(STATEMENTS);
            }
            self.end_line_maybe();
        }
    }

    /// Breaks the line, most of the time.
    pub(crate) fn end_line_maybe(&mut self) {
        if !self.rarely(4) {
            self.end_line();
        }
    }
}
