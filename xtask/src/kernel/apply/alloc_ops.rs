// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `AllocImpl::ALLOC_OPS` of the object in `rust/kernel/drm/gem/shmem.rs`: the operations that it
//! has for DRM.

use super::source::Source;
use anyhow::{Context, Result};
use quote::ToTokens;
use std::ops::Range;
use syn::{punctuated::Punctuated, Expr, FieldValue, ImplItem, Member, Token};

const IMPL: &str = "AllocImpl";
const CONST: &str = "ALLOC_OPS";

/// The operations.
pub(super) struct AllocOps<'a> {
    /// Where the implementation stands.
    pub(super) lines: Range<usize>,
    pub(super) fields: &'a Punctuated<FieldValue, Token![,]>,
}

impl<'a> AllocOps<'a> {
    /// Finds them in a file.
    pub(super) fn of(source: &'a Source) -> Result<Self> {
        source
            .impls("Object")
            .into_iter()
            .find_map(|item| {
                let (_, path, _) = item.trait_.as_ref()?;
                (path.segments.last()?.ident == IMPL).then_some(())?;
                let ops = item.items.iter().find_map(|constant| match constant {
                    ImplItem::Const(constant) if constant.ident == CONST => Some(&constant.expr),
                    _ => None,
                })?;
                let Expr::Struct(ops) = ops else {
                    return None;
                };
                Some(Self {
                    lines: source.lines_of(item),
                    fields: &ops.fields,
                })
            })
            .with_context(|| format!("there is no `{IMPL}::{CONST}` of `Object`"))
    }

    /// The operation of this name.
    pub(super) fn operation(&self, name: &Member) -> Result<&'a FieldValue> {
        let mut fields = self.fields.iter();
        fields
            .find(|field| field.member == *name)
            .with_context(|| format!("`{CONST}` has no `{}`", name.to_token_stream()))
    }
}
