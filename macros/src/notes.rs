// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Where the expansion has comments and empty lines. They do not survive a token stream, so who
//! wants to print the expansion says with which tokens they are to be marked.

use proc_macro2::TokenStream;

/// What the templates put where there is more to say than code does.
pub(crate) trait Notes {
    /// A comment in front of what follows. Lines that begin with `- ` are bullets; all are wrapped
    /// by who prints them.
    fn comment(&self, text: String) -> TokenStream;

    /// An empty line; the first one ends the annotated item.
    fn empty_line(&self) -> TokenStream;
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
}
