// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Short names in a whole file, back to the paths that they stand for: for a comparison with what
//! the macro gives rustc.

use super::{
    file::{Declared, Modules},
    Crates, Short,
};
use proc_macro2::Span;
use std::mem;
use syn::{
    ext::IdentExt,
    punctuated::Punctuated,
    token,
    visit::Visit,
    visit_mut::{self, VisitMut},
    ExprPath, File, Ident, ItemMod, ItemUse, Path, QSelf, TypePath, VisRestricted,
};

/// Replaces each short name in a file by the path that it stands for, and leaves out the `::` that
/// paths begin with. Two files in which the same names mean the same things are then equal.
pub fn resolve(file: &mut File) {
    let copy = file.clone();
    let mut find = Modules {
        wanted: None,
        around: vec![&copy.items],
        chains: Vec::new(),
    };
    find.visit_file(&copy);
    let declared = Declared::in_file(&copy, None);
    let scopes: Vec<_> = find
        .chains
        .iter()
        .map(|chain| Short::of(&declared, chain, Crates::default()))
        .collect();

    let mut resolve = Resolve {
        current: Short::of(&declared, &[&copy.items], Crates::default()),
        modules: scopes.into_iter(),
    };
    resolve.visit_file_mut(file);
}

struct Resolve<I> {
    current: Short,
    /// The names of the modules that are not visited yet.
    modules: I,
}

impl<I: Iterator<Item = Short>> Resolve<I> {
    /// Replaces the names in a path that may begin with `<T as Trait>` or `<T>`.
    fn qualified(&mut self, of: &mut Option<QSelf>, path: &mut Path) {
        let Some(of) = of else {
            return self.visit_path_mut(path);
        };
        self.visit_type_mut(&mut of.ty);
        if of.position == 0 {
            // The path is a name in the type.
            return visit_mut::visit_path_mut(self, path);
        }
        let before = path.segments.len();
        self.visit_path_mut(path);
        of.position += path.segments.len() - before;
    }
}

impl<I: Iterator<Item = Short>> VisitMut for Resolve<I> {
    fn visit_item_mod_mut(&mut self, module: &mut ItemMod) {
        if module.content.is_none() {
            return;
        }
        let inner = self.modules.next().unwrap_or_default();
        let outer = mem::replace(&mut self.current, inner);
        visit_mut::visit_item_mod_mut(self, module);
        self.current = outer;
    }

    fn visit_item_use_mut(&mut self, _: &mut ItemUse) {}

    fn visit_vis_restricted_mut(&mut self, _: &mut VisRestricted) {}

    fn visit_expr_path_mut(&mut self, expr: &mut ExprPath) {
        self.qualified(&mut expr.qself, &mut expr.path);
    }

    fn visit_type_path_mut(&mut self, ty: &mut TypePath) {
        self.qualified(&mut ty.qself, &mut ty.path);
    }

    fn visit_path_mut(&mut self, path: &mut Path) {
        visit_mut::visit_path_mut(self, path);
        let first = &path.segments[0];
        let full = self.current.names.get(&first.ident.unraw().to_string());
        if let (Some(full), None) = (full, path.leading_colon) {
            let names = full.iter().map(|name| Ident::new(name, Span::call_site()));
            let mut segments: Punctuated<syn::PathSegment, token::PathSep> =
                names.map(syn::PathSegment::from).collect();
            if let Some(last) = segments.last_mut() {
                last.arguments = first.arguments.clone();
            }
            segments.extend(path.segments.iter().skip(1).cloned());
            path.segments = segments;
        }
        path.leading_colon = None;
    }
}
