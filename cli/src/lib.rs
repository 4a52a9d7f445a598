// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Expands `#[devres_lazy]` as a reviewer reads it: with the expander of the macro, and with the
//! comments that a token stream cannot carry.

#[path = "../../macros/src/devres_lazy/mod.rs"]
mod devres_lazy;

mod anchors;
mod comments;
mod committed;
mod declared;
mod edit;
mod edition;
mod elsewhere;
#[cfg(test)]
mod expander;
mod expansion;
mod find;
mod forbidden;
mod generated;
mod header;
mod imports;
mod layout;
mod locals;
mod marks;
mod needed;
mod pieces;
mod remarks;
mod renamed;
mod report;
mod rustfmt;
mod same;
mod scopes;
mod shebang;
mod short;
mod source;
mod text;
mod trees;
mod wrap;
mod written;

pub use self::{
    committed::Committed,
    edition::EDITIONS,
    expansion::{as_rustc, expand, expand_item, expand_with, is_annotated, Format, Options},
    remarks::of as comments,
    report::Failure,
    same::tokens,
    short::resolve,
    source::Source,
};
