// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What `#[devres_lazy]` expands to, as a reviewer reads it: the same expander as that of the macro,
//! with the comments that a token stream cannot carry.

#[path = "../../macros/src/attributes.rs"]
mod attributes;
#[path = "../../macros/src/borrowing.rs"]
mod borrowing;
#[path = "../../macros/src/comments.rs"]
mod comments;
#[path = "../../macros/src/diagnostics.rs"]
mod diagnostics;
#[path = "../../macros/src/diverge.rs"]
mod diverge;
#[path = "../../macros/src/docs.rs"]
mod docs;
#[path = "../../macros/src/expand/mod.rs"]
mod expand;
#[path = "../../macros/src/hygiene.rs"]
mod hygiene;
#[path = "../../macros/src/model.rs"]
mod model;
#[path = "../../macros/src/names.rs"]
mod names;
#[path = "../../macros/src/notes.rs"]
mod notes;
#[path = "../../macros/src/parse.rs"]
mod parse;
#[path = "../../macros/src/safety.rs"]
mod safety;
#[path = "../../macros/src/target.rs"]
mod target;
#[path = "../../macros/src/validate.rs"]
mod validate;
#[path = "../../macros/src/wrap.rs"]
mod wrap;

mod anchors;
mod book;
mod committed;
mod declared;
mod edit;
mod edition;
mod elsewhere;
mod expansion;
mod find;
mod forbidden;
mod generated;
mod header;
mod imports;
mod layout;
mod marks;
mod obligations;
mod pieces;
mod remarks;
mod renamed;
mod report;
mod rustfmt;
mod same;
mod scopes;
mod shebang;
mod source;
mod text;
mod trees;
mod written;

pub use self::{
    book::{
        safety_book,
        safety_references, //
    },
    committed::Committed,
    edition::EDITIONS,
    expansion::{
        as_rustc,
        expand,
        expand_item,
        expand_with,
        is_annotated,
        Format,
        Options, //
    },
    remarks::of as comments,
    report::Failure,
    same::tokens,
    source::Source,
};
