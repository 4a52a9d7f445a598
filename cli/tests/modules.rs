// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The macro's modules are listed three times: in the macro, in this command and in the kernel's
//! copy of the macro. The lists agree.

use anyhow::{
    ensure,
    Context,
    Result, //
};
use std::{
    collections::BTreeSet,
    fs,
    path::Path, //
};
use syn::{
    Attribute,
    Expr,
    ExprLit,
    Item,
    Lit,
    Meta, //
};

/// Where the macro's modules are, as seen from `cli/src`.
const MACRO: &str = "../../macros/src/";

/// The modules that a file of the project declares, each with its `#[path]`.
fn modules(path: &str) -> Result<Vec<(String, Option<String>)>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;

    Ok(syn::parse_file(&text)?
        .items
        .into_iter()
        .filter_map(|item| match item {
            Item::Mod(module) if module.content.is_none() => {
                let path = module.attrs.iter().find_map(path_of);
                Some((module.ident.to_string(), path))
            }
            _ => None,
        })
        .collect())
}

/// The value of `#[path = ".."]`.
fn path_of(attr: &Attribute) -> Option<String> {
    match &attr.meta {
        Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            Expr::Lit(ExprLit {
                lit: Lit::Str(path),
                ..
            }) => Some(path.value()),
            _ => None,
        },
        _ => None,
    }
}

#[test]
fn the_lists_agree() -> Result<()> {
    let macros: BTreeSet<_> = modules("macros/src/lib.rs")?
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    ensure!(macros.len() > 10, "there are only {macros:?}");

    let kernel: BTreeSet<_> = modules("kernel/tree/rust/macros/devres_lazy.rs")?
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    ensure!(
        kernel == macros,
        "the kernel's copy has {kernel:?}, and the macro {macros:?}"
    );

    let mut command = BTreeSet::new();
    for (name, path) in modules("cli/src/lib.rs")? {
        let Some(file) = path.as_deref().and_then(|path| path.strip_prefix(MACRO)) else {
            continue;
        };
        ensure!(
            file == format!("{name}.rs") || file == format!("{name}/mod.rs"),
            "`{name}` is at `{file}`"
        );
        command.insert(name);
    }
    ensure!(
        command == macros,
        "the command has {command:?}, and the macro {macros:?}"
    );
    Ok(())
}
