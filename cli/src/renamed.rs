// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The attribute under another name, which the printer refuses: the file may not show that the
//! other name is that of the attribute.

use crate::{
    find::{is_annotation, Found, ATTRIBUTE},
    report::Diagnostic,
    scopes::{Scopes, Target},
    source::Source,
};
use quote::ToTokens;
use std::ops::Range;
use syn::{
    spanned::Spanned,
    visit::{self, Visit},
    Attribute, File, ItemStruct,
};

/// The help for an attribute under another name.
const HELP: &str = "import the attribute as `devres_lazy`, and write `#[devres_lazy]`";

/// Attributes that are not the attribute under another name.
const KNOWN: [&str; 18] = [
    "allow",
    "automatically_derived",
    "cfg",
    "cfg_attr",
    "cold",
    "deny",
    "deprecated",
    "derive",
    "doc",
    "expect",
    "forbid",
    "must_use",
    "no_mangle",
    "non_exhaustive",
    "pin_data",
    "repr",
    "test",
    "warn",
];

/// Messages about the attribute under another name.
pub(crate) fn complaints(source: &Source, file: &File, found: &Found) -> Vec<Diagnostic> {
    let scopes = Scopes::of(file);
    let mut complaints: Vec<_> = scopes
        .mentions
        .iter()
        .filter(|mention| mention.is_attribute)
        .filter(|mention| matches!(scopes.target(mention), Target::Attribute | Target::Named))
        .filter(|mention| {
            mention
                .segments
                .last()
                .is_some_and(|name| name != ATTRIBUTE)
        })
        .map(|mention| {
            let name = mention.segments.join("::");
            let message = format!(
                "`#[{name}]` is `#[{ATTRIBUTE}]` under another name, which cannot be expanded"
            );
            Diagnostic::new(message, mention.range.clone()).help(HELP)
        })
        .collect();

    let mut finder = Finder {
        source,
        known: found.items.iter().map(|item| item.range.clone()).collect(),
        complaints: Vec::new(),
    };
    if complaints.is_empty() {
        finder.visit_file(file);
    }
    complaints.extend(finder.complaints);
    complaints
}

/// Finds structs that have annotated fields, but no attribute that the printer knows.
struct Finder<'a> {
    source: &'a Source,
    /// Where the structs with the attribute are.
    known: Vec<Range<usize>>,
    complaints: Vec<Diagnostic>,
}

impl<'a> Visit<'a> for Finder<'_> {
    fn visit_item_struct(&mut self, item: &'a ItemStruct) {
        let field = item.fields.iter().flat_map(|field| &field.attrs);
        let annotation = field
            .clone()
            .find(|attr| is_annotation(attr.meta.to_token_stream()));
        if let Some(annotation) = annotation {
            if !self.known.contains(&item.span().byte_range()) {
                self.complain(item, annotation);
            }
        }
        visit::visit_item_struct(self, item);
    }
}

impl Finder<'_> {
    fn complain(&mut self, item: &ItemStruct, annotation: &Attribute) {
        let is_unknown = |attr: &&Attribute| {
            let mut segments = attr.path().segments.iter();
            let is_tools = attr.path().segments.len() > 1
                && segments
                    .clone()
                    .next()
                    .is_some_and(|tool| ["clippy", "rustfmt"].contains(&&*tool.ident.to_string()));
            let name = segments.next_back().map(|name| name.ident.to_string());
            !is_tools && name.is_some_and(|name| !KNOWN.contains(&name.as_str()))
        };
        let message = match item.attrs.iter().find(is_unknown) {
            Some(attr) => {
                let path = attr.path().to_token_stream().to_string().replace(' ', "");
                format!(
                    "`#[lazy(..)]` is on a field of `{}`, but `#[{path}]` is not known to be \
                     `#[{ATTRIBUTE}]`",
                    item.ident
                )
            }
            None => format!(
                "`#[lazy(..)]` is on a field of `{}`, which has no `#[{ATTRIBUTE}]`",
                item.ident
            ),
        };

        let diagnostic = self.source.at(annotation.span(), &message);
        self.complaints.push(diagnostic.help(HELP));
    }
}
