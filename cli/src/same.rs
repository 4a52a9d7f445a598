// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Whether two texts are the same program: token for token, whatever their layout and comments.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;
use std::mem;
use syn::{
    parse_quote,
    visit_mut::{self, VisitMut},
    Arm, Block, Expr, ExprClosure, ExprLit, File, Lit, Macro, MetaNameValue, PredicateType,
    ReturnType, Stmt, TypeImplTrait, TypeParam, TypeTraitObject, VisRestricted,
};

/// The tokens of some items, one by one.
///
/// Tokens that rustfmt adds or removes depending on the layout are left out:
///
/// - a comma behind the last of a list, and a `+` behind the last bound,
/// - a semicolon behind the last rule of a macro,
/// - a semicolon behind a `return`, `break` or `continue` that ends a block,
/// - the `in` of `pub(in crate)`,
/// - braces around a closure or a match arm that is one expression.
///
/// A documentation comment is the attribute that it stands for, without spaces at the end of its
/// line.
///
/// # Errors
///
/// If the tokens are not items.
pub fn tokens(items: TokenStream) -> syn::Result<Vec<String>> {
    let mut items: File = syn::parse2(items)?;
    WithoutChoice.visit_file_mut(&mut items);

    let mut tokens = Vec::new();
    collect(items.to_token_stream(), &mut tokens);

    let ends = [")", "]", "}", ">", "{", ";"];
    let mut kept: Vec<String> = Vec::new();
    for token in tokens {
        if ends.contains(&token.as_str()) && kept.last().is_some_and(|last| last == ",") {
            kept.pop();
        }
        kept.push(token);
    }

    Ok(kept)
}

/// Takes away what rustfmt writes or not.
struct WithoutChoice;

impl VisitMut for WithoutChoice {
    fn visit_block_mut(&mut self, block: &mut Block) {
        visit_mut::visit_block_mut(self, block);
        if let Some(Stmt::Expr(Expr::Return(_) | Expr::Break(_) | Expr::Continue(_), semicolon)) =
            block.stmts.last_mut()
        {
            *semicolon = None;
        }
    }

    fn visit_expr_closure_mut(&mut self, closure: &mut ExprClosure) {
        visit_mut::visit_expr_closure_mut(self, closure);
        if matches!(closure.output, ReturnType::Default) {
            unbrace(&mut closure.body);
        }
    }

    fn visit_arm_mut(&mut self, arm: &mut Arm) {
        visit_mut::visit_arm_mut(self, arm);
        unbrace(&mut arm.body);
        arm.comma = Some(parse_quote!(,));
    }

    fn visit_type_trait_object_mut(&mut self, ty: &mut TypeTraitObject) {
        visit_mut::visit_type_trait_object_mut(self, ty);
        ty.bounds.pop_punct();
    }

    fn visit_type_impl_trait_mut(&mut self, ty: &mut TypeImplTrait) {
        visit_mut::visit_type_impl_trait_mut(self, ty);
        ty.bounds.pop_punct();
    }

    fn visit_type_param_mut(&mut self, param: &mut TypeParam) {
        visit_mut::visit_type_param_mut(self, param);
        param.bounds.pop_punct();
    }

    fn visit_predicate_type_mut(&mut self, predicate: &mut PredicateType) {
        visit_mut::visit_predicate_type_mut(self, predicate);
        predicate.bounds.pop_punct();
    }

    fn visit_vis_restricted_mut(&mut self, vis: &mut VisRestricted) {
        let is_word = |word| vis.path.is_ident(word);
        if ["crate", "self", "super"].into_iter().any(is_word) {
            vis.in_token = None;
        }
    }

    fn visit_macro_mut(&mut self, mac: &mut Macro) {
        if mac.path.is_ident("macro_rules") {
            let mut rules: Vec<_> = mem::take(&mut mac.tokens).into_iter().collect();
            if matches!(rules.last(), Some(TokenTree::Punct(it)) if it.as_char() == ';') {
                rules.pop();
            }
            mac.tokens = rules.into_iter().collect();
        }
    }
}

/// The expression in a block that is nothing else.
fn unbrace(body: &mut Box<Expr>) {
    let Expr::Block(block) = &mut **body else {
        return;
    };
    let Block { stmts, .. } = &mut block.block;
    if block.label.is_some() || !block.attrs.is_empty() || stmts.len() != 1 {
        return;
    }

    match stmts.pop() {
        Some(Stmt::Expr(inner, None)) => **body = inner,
        Some(other) => stmts.push(other),
        None => (),
    }
}

fn collect(stream: TokenStream, tokens: &mut Vec<String>) {
    for token in stream {
        let TokenTree::Group(group) = &token else {
            tokens.push(token.to_string());
            continue;
        };

        if let Some(line) = doc(group.stream()) {
            tokens.push(format!("doc = {:?}", line.trim_end()));
            continue;
        }
        let (open, close) = match group.delimiter() {
            Delimiter::Parenthesis => ("(", ")"),
            Delimiter::Brace => ("{", "}"),
            Delimiter::Bracket => ("[", "]"),
            // Invisible, but not without meaning: its tokens belong together.
            Delimiter::None => ("", ""),
        };
        tokens.extend((!open.is_empty()).then(|| open.to_owned()));
        collect(group.stream(), tokens);
        tokens.extend((!close.is_empty()).then(|| close.to_owned()));
    }
}

/// Returns the text of a `doc` attribute, however its string is written.
fn doc(attr: TokenStream) -> Option<String> {
    let attr: MetaNameValue = syn::parse2(attr).ok()?;
    match attr.value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(line),
            ..
        }) if attr.path.is_ident("doc") => Some(line.value()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_same(a: &str, b: &str) -> bool {
        let [a, b] = [a, b].map(|text| tokens(text.parse().unwrap()).unwrap());
        a == b
    }

    #[test]
    fn layout_is_no_difference() {
        assert!(is_same(
            "fn f(a: A, b: B) {}",
            "fn f(\n  a: A, // a\n  b: B,\n) {\n}"
        ));
        assert!(is_same("const F: F = |x| x;", "const F: F = |x| { x };"));
        assert!(is_same(
            "fn f() { match a { b => { c } d => e } }",
            "fn f() { match a { b => c, d => e, } }"
        ));
        assert!(is_same(
            "/// Says.\nfn f() {}",
            "#[doc = \" Says.\"] fn f() {}"
        ));
        assert!(is_same("pub(in crate) fn f() {}", "pub(crate) fn f() {}"));
        assert!(is_same(
            "fn f<T: A +>(_: &T, _: Box<dyn A + B +>) -> Box<impl A +> where T: B + {}",
            "fn f<T: A>(_: &T, _: Box<dyn A + B>) -> Box<impl A> where T: B {}"
        ));
        assert!(is_same(
            "fn f() { macro_rules! a { () => {} } }",
            "fn f() { macro_rules! a { () => {}; } }"
        ));
        assert!(is_same(
            "fn f() { loop { if a { break } continue } return }",
            "fn f() { loop { if a { break; } continue; } return; }"
        ));
    }

    #[test]
    fn everything_else_is() {
        assert!(!is_same("fn f() { a(); }", "fn f() { a() }"));
        assert!(!is_same("fn f() { a; b }", "fn f() { b; a }"));
        assert!(!is_same("const F: F = |x| { x; };", "const F: F = |x| x;"));
        assert!(!is_same("/// Says.\nfn f() {}", "/// Tells.\nfn f() {}"));
        assert!(!is_same("/// Says.\nfn f() {}", "fn f() {}"));
        assert!(!is_same("#[a] fn f() {}", "fn f() {}"));
        assert!(!is_same("pub(in a) fn f() {}", "pub(crate) fn f() {}"));
        assert!(!is_same("a! { b }", "a! { b; }"));
        assert!(!is_same("fn f<T: A + B>() {}", "fn f<T: A>() {}"));
    }
}
