// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The comments and empty lines of a printed expansion, which a token stream cannot carry.
//!
//! Each comment stands above a call into the runtime and gives the reason for the call. The
//! documentation of the function says what it does, and docs/safety.md has the obligations.

use crate::marks::Marks;
use proc_macro2::{TokenStream, TokenTree};
use quote::{quote, ToTokens};
use std::{iter, mem};
use syn::{
    Block, Expr, ExprCall, ExprClosure, File, Ident, ImplItem, ImplItemFn, Item, ItemImpl, Stmt,
};

/// In a destructor.
const DESTRUCTOR: &str = "The lazy fields go first, while the rest of `*self` is whole.";

/// Adds marks to the annotated item: to an author's destructor, above the teardown.
pub(crate) fn item(item: TokenStream, marks: &mut Marks) -> TokenStream {
    let Ok(mut destructor) = syn::parse2::<ItemImpl>(item.clone()) else {
        return item;
    };

    for function in &mut destructor.items {
        if let ImplItem::Fn(function) = function {
            let first = function.block.stmts.first().and_then(calls);
            if first.is_none_or(|name| name != "teardown_first") {
                continue;
            }
            let mut stmts = mem::take(&mut function.block.stmts).into_iter();
            let teardown = stmts.next();
            let comment = marks.comment(DESTRUCTOR.to_owned());
            let empty_line = (stmts.len() > 0).then(|| marks.empty_line());
            function.block.stmts = vec![verbatim(quote!(#comment #teardown #empty_line))];
            function.block.stmts.extend(stmts);
        }
    }
    destructor.into_token_stream()
}

/// Adds marks to the items that are generated beside it.
pub(crate) fn beside(items: TokenStream, marks: &mut Marks) -> syn::Result<TokenStream> {
    let mut marked = TokenStream::new();
    for item in syn::parse2::<File>(items)?.items {
        if !marked.is_empty() {
            marked.extend(marks.empty_line());
        }
        match item {
            Item::Impl(block) => {
                if block.unsafety.is_some() {
                    marked.extend(marks.comment(
                        "SAFETY: `drop()` begins with `teardown_first()`, and nothing that the \
                         author has written is in the scope of that call (S4)."
                            .to_owned(),
                    ));
                }
                marked.extend(implementation(block, marks));
            }
            item => item.to_tokens(&mut marked),
        }
    }

    Ok(marked)
}

/// Adds marks to the functions of an `impl`.
fn implementation(mut block: ItemImpl, marks: &mut Marks) -> TokenStream {
    let of = block.trait_.as_ref();
    let of = of.and_then(|(_, path, _)| Some(path.segments.last()?.ident.to_string()));

    for (at, item) in block.items.iter_mut().enumerate() {
        let ImplItem::Fn(function) = item else {
            continue;
        };
        let empty_line = (at > 0).then(|| marks.empty_line());
        let words = match of.as_deref() {
            Some("PinnedDrop") => vec![Some(DESTRUCTOR.to_owned())],
            Some(_) => in_teardown(&function.block.stmts),
            None => in_accessor(function, marks),
        };
        annotate(&mut function.block, words, marks);
        *item = ImplItem::Verbatim(quote!(#empty_line #function));
    }
    block.into_token_stream()
}

/// Puts words above the statements of a function, and empty lines between its paragraphs.
fn annotate(block: &mut Block, words: Vec<Option<String>>, marks: &mut Marks) {
    let stmts = mem::take(&mut block.stmts);
    let is_item: Vec<_> = stmts
        .iter()
        .map(|stmt| matches!(stmt, Stmt::Item(_)))
        .collect();

    for (at, (stmt, words)) in iter::zip(stmts, words).enumerate() {
        // The statement behind an item calls that item.
        let is_behind_call = at > 1 && is_item[at - 2];
        let is_value = matches!(stmt, Stmt::Expr(_, None));
        let is_paragraph = at > 0 && (words.is_some() || is_behind_call || is_value);
        let empty_line = is_paragraph.then(|| marks.empty_line());
        let comment = words.map(|words| marks.comment(words));
        block
            .stmts
            .push(verbatim(quote!(#empty_line #comment #stmt)));
    }
}

fn verbatim(tokens: TokenStream) -> Stmt {
    Stmt::Expr(Expr::Verbatim(tokens), None)
}

/// The words above each statement of `LazyOwner::teardown()`.
fn in_teardown(stmts: &[Stmt]) -> Vec<Option<String>> {
    let is_retire = |stmt: &&Stmt| calls(stmt).is_some_and(|name| name == "retire");
    let has_several = stmts.iter().filter(is_retire).count() > 1;
    let mut order = has_several
        .then_some("In reverse order of declaration, as a field may depend on those above it.");
    let mut words = Vec::new();

    for (at, stmt) in stmts.iter().enumerate() {
        let is_behind_assertion = at == 0 || (at == 2 && matches!(stmts[0], Stmt::Item(_)));
        let text = match stmt {
            Stmt::Item(_) => {
                Some("The author's destructor has to begin with the teardown (S4).".to_owned())
            }
            _ => {
                let order = if is_behind_assertion {
                    order.take()
                } else {
                    None
                };
                let safety = projection(stmt);
                let parts: Vec<_> = order.into_iter().chain(safety).collect();
                (!parts.is_empty()).then(|| parts.join("\n\n"))
            }
        };
        words.push(text);
    }
    words
}

/// The words above each statement of a function of a lazy field.
fn in_accessor(function: &mut ImplItemFn, marks: &mut Marks) -> Vec<Option<String>> {
    let is_slow = function
        .attrs
        .iter()
        .any(|attr| attr.path().is_ident("cold"));
    let mut words = Vec::new();

    for stmt in &mut function.block.stmts {
        let text = match stmt {
            Stmt::Item(_) => Some("Any thread may use the target.".to_owned()),
            Stmt::Expr(Expr::If(branch), _) => Some(
                match (&*branch.cond, is_slow) {
                    (Expr::Let(_), _) => "Fast path: populated for `dev`, and not revoked.",
                    (_, true) => "Refuse another device before anything is made for it.",
                    (_, false) => "Tell another device from a field that is empty or revoked.",
                }
                .to_owned(),
            ),
            Stmt::Local(local) => match local.init.as_mut().map(|init| &mut *init.expr) {
                Some(Expr::Match(_)) => Some(
                    "Slow path: one caller populates the field. The others sleep here, and get \
                     what it has made."
                        .to_owned(),
                ),
                Some(Expr::Try(tried)) => match &mut *tried.expr {
                    Expr::Call(call) => populates(call, marks),
                    _ => None,
                },
                _ => None,
            },
            stmt => projection(stmt).map(ToOwned::to_owned),
        };
        words.push(text);
    }
    words
}

/// The words above the call that populates the slot. The `unsafe` in its closure gets its own.
fn populates(call: &mut ExprCall, marks: &mut Marks) -> Option<String> {
    let vacant = call.args.first().map(|slot| slot.to_token_stream());
    match last_name(&call.func)?.as_str() {
        "get_or_populate_with" => Some(
            "Slow path: one caller populates the field. The others sleep here, and get what it \
             has made.\n\n\
             The first closure compiles for every lifetime of the device, so the resource borrows \
             from that device only. The second one compiles for covariant types only."
                .to_owned(),
        ),
        name @ ("populate" | "populate_with") => {
            if let Some(Expr::Closure(closure)) = call.args.last_mut() {
                explain_view(closure, marks);
            }
            Some(format!(
                "Only this caller has `{}`, so `{name}()` cannot find the field populated.",
                vacant?
            ))
        }
        _ => None,
    }
}

/// Puts words above the `unsafe` in the closure that makes a view.
fn explain_view(closure: &mut ExprClosure, marks: &mut Marks) {
    let Expr::Block(body) = &mut *closure.body else {
        return;
    };
    let [Stmt::Expr(Expr::Unsafe(view), None)] = &body.block.stmts[..] else {
        return;
    };
    let Some(field) = field_of_self(view.to_token_stream()) else {
        return;
    };

    let comment = marks.comment(format!(
        "SAFETY:\n\
         - `self.{field}` stores the mapping, and is retired before any other part of `*self` is \
         dropped (S1).\n\
         - `*self` does not move: `self.{field}` can only be initialised in place, so `*self` is \
         pinned (S2)."
    ));
    let view = view.to_token_stream();
    body.block.stmts = vec![verbatim(quote!(#comment #view))];
}

/// The first field of `self` that the tokens name.
fn field_of_self(tokens: TokenStream) -> Option<Ident> {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Group(group) => {
                if let Some(field) = field_of_self(group.stream()) {
                    return Some(field);
                }
            }
            TokenTree::Ident(this) if this == "self" => {
                let is_dot = |token: &TokenTree| token.to_string() == ".";
                if tokens.next_if(is_dot).is_some() {
                    if let Some(TokenTree::Ident(field)) = tokens.next() {
                        return Some(field);
                    }
                }
            }
            _ => (),
        }
    }

    None
}

/// The words above the `unsafe` that projects an owner to one of its slots, if the statement has
/// that.
fn projection(stmt: &Stmt) -> Option<&'static str> {
    let Stmt::Expr(Expr::Call(call), _) = stmt else {
        return None;
    };
    let is_projection = ["retire", "revoke"].contains(&last_name(&call.func)?.as_str())
        && matches!(call.args.first(), Some(Expr::Unsafe(_)));

    is_projection
        .then_some("SAFETY: Slots are pinned, and the closure borrows nothing but one (S10).")
}

/// The name of the function that a statement calls.
fn calls(stmt: &Stmt) -> Option<String> {
    match stmt {
        Stmt::Expr(Expr::Call(call), _) => last_name(&call.func),
        _ => None,
    }
}

/// The last name in a path.
fn last_name(function: &Expr) -> Option<String> {
    match function {
        Expr::Path(path) => Some(path.path.segments.last()?.ident.to_string()),
        _ => None,
    }
}
