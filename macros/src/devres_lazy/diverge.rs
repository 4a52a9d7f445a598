// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Initialisers whose type rustc cannot infer. One that never makes anything, such as `todo!()`, is
//! a `()` unless the expansion names the type. `Ok(..)` never fails, so nothing names the type of
//! the error.

use syn::{
    visit::Visit,
    Block,
    Expr,
    ExprBreak,
    GenericArgument,
    Macro,
    PathArguments,
    Stmt,
    Type, //
};

/// Whether an expression never has a value, going by its syntax.
pub(crate) fn diverges(expr: &Expr) -> bool {
    match expr {
        Expr::Call(call) => never_returns(&call.func),
        Expr::Block(block) => block.label.is_none() && block_diverges(&block.block),
        Expr::Group(group) => diverges(&group.expr),
        Expr::Loop(endless) => !breaks(&endless.body),
        Expr::If(branch) => {
            let otherwise = branch.else_branch.as_ref();
            block_diverges(&branch.then_branch)
                && otherwise.is_some_and(|(_, otherwise)| diverges(otherwise))
        }
        Expr::Macro(invocation) => panics(&invocation.mac),
        Expr::Match(choice) => choice.arms.iter().all(|arm| diverges(&arm.body)),
        Expr::Paren(paren) => diverges(&paren.expr),
        Expr::Return(_) => true,
        Expr::Try(tried) => is_error(&tried.expr),
        Expr::Unsafe(block) => block_diverges(&block.block),
        _ => false,
    }
}

/// Whether an expression is `Ok(..)`, going by its syntax.
pub(crate) fn is_ok(expr: &Expr) -> bool {
    let is_tail_ok = |block: &Block| match block.stmts.last() {
        Some(Stmt::Expr(value, None)) => is_ok(value),
        _ => false,
    };

    match expr {
        Expr::Call(call) => match &*call.func {
            Expr::Path(path) => call.args.len() == 1 && path.path.is_ident("Ok"),
            _ => false,
        },
        Expr::Block(block) => block.label.is_none() && is_tail_ok(&block.block),
        Expr::Group(group) => is_ok(&group.expr),
        Expr::Paren(paren) => is_ok(&paren.expr),
        Expr::Unsafe(block) => is_tail_ok(&block.block),
        _ => false,
    }
}

/// Whether a block ends without a value, and not at its end.
fn block_diverges(block: &Block) -> bool {
    match block.stmts.last() {
        Some(Stmt::Expr(value, None)) => diverges(value),
        Some(Stmt::Macro(invocation)) if invocation.semi_token.is_none() => panics(&invocation.mac),
        _ => block.stmts.iter().any(|stmt| match stmt {
            Stmt::Expr(expr, _) => diverges(expr),
            Stmt::Macro(invocation) => panics(&invocation.mac),
            Stmt::Item(_) | Stmt::Local(_) => false,
        }),
    }
}

/// Whether a loop with this body may end. A `break` in it may be another one's.
fn breaks(body: &Block) -> bool {
    struct Find(bool);

    impl Visit<'_> for Find {
        fn visit_expr_break(&mut self, _: &ExprBreak) {
            self.0 = true;
        }

        // A macro may write one.
        fn visit_macro(&mut self, _: &Macro) {
            self.0 = true;
        }
    }

    let mut find = Find(false);
    find.visit_block(body);
    find.0
}

/// Whether this is one of the functions that everybody knows not to return, by a path that says so.
fn never_returns(function: &Expr) -> bool {
    const NEVER: [(&str, &str); 5] = [
        ("hint", "unreachable_unchecked"),
        ("panic", "panic_any"),
        ("panic", "resume_unwind"),
        ("process", "abort"),
        ("process", "exit"),
    ];

    let Expr::Path(function) = function else {
        return false;
    };
    let mut names = function.path.segments.iter().rev();
    match (names.next(), names.next()) {
        (Some(name), Some(module)) => NEVER
            .iter()
            .any(|never| module.ident == never.0 && name.ident == never.1),
        _ => false,
    }
}

/// Whether this is `Err(..)` without the type of the value.
fn is_error(expr: &Expr) -> bool {
    match expr {
        Expr::Call(call) => match &*call.func {
            Expr::Path(path) => {
                let last = path.path.segments.last();
                last.is_some_and(|last| last.ident == "Err" && !is_typed(&last.arguments))
            }
            _ => false,
        },
        Expr::Group(group) => is_error(&group.expr),
        Expr::Paren(paren) => is_error(&paren.expr),
        _ => false,
    }
}

/// Whether these are arguments of which the first one is a type.
fn is_typed(arguments: &PathArguments) -> bool {
    match arguments {
        PathArguments::AngleBracketed(arguments) => !matches!(
            arguments.args.first(),
            Some(GenericArgument::Type(Type::Infer(_)))
        ),
        PathArguments::None | PathArguments::Parenthesized(_) => false,
    }
}

/// Whether this is a macro that panics.
fn panics(mac: &Macro) -> bool {
    const PANICS: [&str; 4] = ["panic", "todo", "unimplemented", "unreachable"];

    let last = mac.path.segments.last();
    last.is_some_and(|last| PANICS.iter().any(|name| last.ident == name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::ExprGroup;

    fn is(expr: &str) -> bool {
        diverges(&syn::parse_str(expr).unwrap())
    }

    /// Returns an expression as a macro by example passes it on.
    fn grouped(expr: Expr) -> Expr {
        Expr::Group(ExprGroup {
            attrs: Vec::new(),
            group_token: Default::default(),
            expr: Box::new(expr),
        })
    }

    #[test]
    fn groups_mean_what_is_in_them() {
        let [todo, ok, error] =
            ["todo!()", "Ok(1)", "Err(EIO)"].map(|expr| grouped(syn::parse_str(expr).unwrap()));

        assert!(diverges(&todo) && !is_ok(&todo) && !is_error(&todo));
        assert!(!diverges(&ok) && is_ok(&ok) && !is_error(&ok));
        assert!(!diverges(&error) && !is_ok(&error) && is_error(&error));
    }

    #[test]
    fn what_never_has_a_value() {
        for expr in [
            "todo!()",
            "core::panic!(\"{}\", self.len)",
            "(return Err(EIO))",
            "{ self.count(); unimplemented!() }",
            "unsafe { todo!(); }",
            "if self.a { todo!() } else if self.b { return Err(EIO) } else { unreachable!() }",
            "match self.never {}",
            "{ todo!(); vec![1]; }",
            "Err(ENODEV)?",
            "(Err(ENODEV))?",
            "std::process::exit(1)",
            "{ ::core::result::Result::Err(EIO)? }",
            "Err::<_, Error>(EIO)?",
            "loop {}",
            "loop { self.wait(); }",
            "match self.a { A => todo!(), B => { panic!(); } }",
        ] {
            assert!(is(expr), "{expr}");
        }
    }

    #[test]
    fn what_may_have_one() {
        for expr in [
            "Table(42)",
            "vec![1]",
            "if self.a { todo!() }",
            "if self.a { todo!() } else { Table }",
            "{ if self.a { return Err(EIO); } Table }",
            "match self.a { A => todo!(), B => Table }",
            "{ todo!(); Table }",
            "{ return Err(EIO); vec![1] }",
            "{ return Err(EIO); table! { 1 } }",
            "|| todo!()",
            "Err(ENODEV)",
            "self.exit(1)",
            "exit(1)",
            "process::id()",
            "Err::<Table, _>(ENODEV)?",
            "self.table()?",
            "loop { if self.a { break Table; } }",
            "loop { step!(); }",
            "{}",
        ] {
            assert!(!is(expr), "{expr}");
        }
    }

    #[test]
    fn what_is_ok() {
        for expr in [
            "Ok(1)",
            "(Ok(Table { len: 1 }))",
            "{ let table = f()?; Ok(table) }",
            "unsafe { Ok(f()) }",
        ] {
            assert!(is_ok(&syn::parse_str(expr).unwrap()), "{expr}");
        }
        for expr in [
            "Ok",
            "Ok(1)?",
            "Ok(1, 2)",
            "Ok::<_, Infallible>(1)",
            "Err(EINVAL)",
            "Ok(1).and_then(f)",
            "self.Ok(1)",
            "'a: { Ok(1) }",
            "{ Ok(1); }",
            "if c { Ok(1) } else { Err(EINVAL) }",
        ] {
            assert!(!is_ok(&syn::parse_str(expr).unwrap()), "{expr}");
        }
    }
}
