// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What a reader gets that rustc does not: comments, empty lines, and locals with plain names. The
//! first two do not survive a token stream, so who wants to print the expansion says with which
//! tokens they are to be marked.

use proc_macro2::TokenStream;
use std::collections::BTreeSet;

/// What the templates put where there is more to say than code does.
pub(crate) trait Notes {
    /// A comment in front of what follows. Lines that begin with `- ` are bullets; all are wrapped
    /// by who prints them.
    fn comment(&self, text: String) -> TokenStream;

    /// An empty line; the first one ends the annotated item.
    fn empty_line(&self) -> TokenStream;

    /// The names of what the file declares, which a local cannot have: to rustc a pattern that is
    /// called as a static, a constant or a unit struct is no local. [`None`] where the file is not
    /// known.
    fn declared(&self) -> Option<&BTreeSet<String>>;
}

/// For rustc, which sees code only.
pub(crate) struct NoNotes;

impl Notes for NoNotes {
    fn comment(&self, _: String) -> TokenStream {
        TokenStream::new()
    }

    fn empty_line(&self) -> TokenStream {
        TokenStream::new()
    }

    fn declared(&self) -> Option<&BTreeSet<String>> {
        None
    }
}
