// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The litmus tests of `verify/litmus/` agree with the source. Each litmus test names functions and
//! their atomic operations, and the source must have the same operations.
//!
//! A file with a `+` in its name is a mutant of the test named before the `+`, and names no
//! functions.

use anyhow::{ensure, Context, Result};
use std::{collections::BTreeSet, fs, path::Path};
use syn::{
    visit::{self, Visit},
    Expr, ExprCall, ExprMethodCall, ImplItem, ImplItemFn, Item, Type,
};

/// The folder of files that a litmus test names without a folder.
const PROTOCOL: &str = "runtime/src/protocol";

/// The orderings of atomic operations.
const ORDERINGS: [&str; 4] = ["Relaxed", "Acquire", "Release", "Full"];

/// The operations that count without an ordering: locks, RCU, and a volatile read.
const BARE: [&str; 5] = [
    "lock",
    "read_lock",
    "read_volatile",
    "smp_mb_after_full",
    "synchronize_rcu",
];

/// The operations of one function, in order.
#[derive(Default)]
struct Operations(Vec<String>);

/// The name that a path ends with.
fn last(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Path(path) => Some(path.path.segments.last()?.ident.to_string()),
        _ => None,
    }
}

impl<'ast> Visit<'ast> for Operations {
    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        visit::visit_expr_method_call(self, call);
        let name = call.method.to_string();
        let ordering = call.args.last().and_then(last);

        match ordering {
            Some(ordering) if ORDERINGS.contains(&ordering.as_str()) => {
                self.0.push(format!("{name}({ordering})"));
            }
            _ if BARE.contains(&name.as_str()) => self.0.push(name),
            _ => (),
        }
    }

    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        visit::visit_expr_call(self, call);
        let Some(name) = last(&call.func) else {
            return;
        };

        match call.args.last().and_then(last) {
            Some(kind) if name == "smp_mb" => self.0.push(format!("smp_mb({kind})")),
            _ if BARE.contains(&name.as_str()) => self.0.push(name),
            _ => (),
        }
    }
}

/// A function of the source, and its operations.
struct Function {
    name: String,
    operations: Vec<String>,
}

impl Function {
    fn new(name: String, block: &syn::Block) -> Self {
        let mut operations = Operations::default();
        operations.visit_block(block);

        Self {
            name,
            operations: operations.0,
        }
    }

    /// Whether a litmus test has to name this function: the function has operations other than
    /// locks and relaxed accesses.
    fn is_ordering(&self) -> bool {
        let weak = |operation: &String| operation == "lock" || operation.contains("(Relaxed)");
        !self.operations.iter().all(weak)
    }
}

/// The functions of a file.
fn functions(text: &str) -> Result<Vec<Function>> {
    let mut functions = Vec::new();
    for item in syn::parse_file(text)?.items {
        match item {
            Item::Fn(item) => {
                functions.push(Function::new(item.sig.ident.to_string(), &item.block));
            }
            Item::Impl(item) => {
                let Type::Path(owner) = &*item.self_ty else {
                    continue;
                };
                let owner = owner.path.segments.last().context("a type has a name")?;
                for item in &item.items {
                    if let ImplItem::Fn(ImplItemFn { sig, block, .. }) = item {
                        let name = format!("{}::{}", owner.ident, sig.ident);
                        functions.push(Function::new(name, block));
                    }
                }
            }
            _ => (),
        }
    }
    Ok(functions)
}

/// A function that a litmus test names.
struct Named {
    file: String,
    function: String,
    operations: Vec<String>,
}

/// The functions that a litmus test names below `Source:`. A line that is indented further
/// continues the line above.
fn named(test: &str) -> Result<Vec<Named>> {
    let (_, list) = test
        .split_once("\n * Source:\n")
        .context("it names no functions below `Source:`")?;
    let (list, _) = list
        .split_once("\n *)")
        .context("its comment does not end")?;
    let list = list.replace("\n *     ", " ");

    list.lines()
        .map(|line| {
            let line = line.trim_start_matches([' ', '*']);
            let (file, rest) = line.split_once(' ').with_context(|| line.to_owned())?;
            let (function, operations) = rest.split_once(": ").with_context(|| line.to_owned())?;
            let folder = if file.contains('/') { "." } else { PROTOCOL };

            Ok(Named {
                file: format!("{folder}/{file}"),
                function: function.to_owned(),
                operations: operations.split(", ").map(str::to_owned).collect(),
            })
        })
        .collect()
}

/// Fails if the source of a function has other operations than a litmus test says.
fn check(named: &Named, source: &str) -> Result<()> {
    let functions = functions(source)?;
    let found = functions
        .iter()
        .find(|function| function.name == named.function)
        .with_context(|| format!("{}: no function `{}`", named.file, named.function))?;

    ensure!(
        found.operations == named.operations,
        "{}: `{}` has {}, and not {}",
        named.file,
        named.function,
        found.operations.join(", "),
        named.operations.join(", ")
    );
    Ok(())
}

/// The names and texts of the litmus tests, without mutants.
fn tests() -> Result<Vec<(String, String)>> {
    let mut tests = Vec::new();
    for entry in fs::read_dir("verify/litmus")? {
        let path = entry?.path();
        let name = path.file_stem().context("a file has a name")?;
        let name = name.to_string_lossy().into_owned();
        if !name.contains('+') {
            tests.push((name, fs::read_to_string(&path)?));
        }
    }
    ensure!(!tests.is_empty(), "there are no litmus tests");
    Ok(tests)
}

#[test]
fn operations_are_those_of_the_source() -> Result<()> {
    for (name, test) in tests()? {
        for named in named(&test).with_context(|| name.clone())? {
            let source = fs::read_to_string(&named.file).with_context(|| named.file.clone())?;
            check(&named, &source).with_context(|| format!("{name}.litmus"))?;
        }
    }
    Ok(())
}

#[test]
fn every_ordering_of_the_protocol_is_in_a_litmus_test() -> Result<()> {
    let mut all = BTreeSet::new();
    for (name, test) in tests()? {
        let named = named(&test).context(name)?;
        all.extend(named.into_iter().map(|it| (it.file, it.function)));
    }

    for entry in fs::read_dir(PROTOCOL)? {
        let path = entry?.path();
        let file = Path::new(PROTOCOL).join(path.file_name().context("a file has a name")?);
        for function in functions(&fs::read_to_string(&path)?)? {
            let place = (file.display().to_string(), function.name.clone());
            ensure!(
                !function.is_ordering() || all.contains(&place),
                "no litmus test names `{}` in {}: {}",
                function.name,
                file.display(),
                function.operations.join(", ")
            );
        }
    }
    Ok(())
}

#[test]
fn a_changed_operation_is_found() -> Result<()> {
    let source =
        "impl State { fn gone(&self) { let _g = self.0.lock(); self.0.store(GONE, Release); } }";
    let test = "(*\n * Source:\n *   state.rs State::gone: lock,\n *     store(Release)\n *)\n";
    let named = named(test)?;

    check(&named[0], source)?;
    for (from, to) in [
        ("Release", "Relaxed"),
        ("let _g = self.0.lock();", ""),
        ("self.0.store(GONE, Release);", "smp_mb(Full);"),
        ("gone", "went"),
    ] {
        assert!(check(&named[0], &source.replace(from, to)).is_err(), "{to}");
    }
    Ok(())
}
