// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A file that is printed, and what has to be known of it to compile it.

use super::printable;
use anyhow::{Context, Result};
use cargo_devres_lazy::{expand, Options};
use proc_macro2::{TokenStream, TokenTree};
use std::{collections::BTreeSet, fs, path::Path};

/// The names in `cfg(..)` that are not the file's own.
const NOT_OURS: [&str; 7] = [
    "all",
    "any",
    "not",
    "test",
    "doc",
    "feature",
    "debug_assertions",
];

/// A file, and its print.
pub(crate) struct Program {
    pub(crate) name: String,
    pub(crate) edition: String,
    pub(crate) text: String,
    pub(crate) printed: String,
    /// The names in its `cfg(..)`.
    pub(crate) cfgs: BTreeSet<String>,
    /// Whether it means something else without debug assertions.
    pub(crate) has_debug: bool,
}

impl Program {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let text = fs::read_to_string(path)?;
        let (_, source) = printable::read(path)?;
        let printed = expand(&source, &Options::default()).with_context(|| name.clone())?;

        let edition = text
            .lines()
            .find_map(|line| line.strip_prefix("//@ edition: "))
            .unwrap_or("2021")
            .to_owned();
        let mut cfgs = BTreeSet::new();
        let without_shebang = text.replacen("#! /", "//", 1);
        collect(
            without_shebang.parse().map_err(lex_error)?,
            false,
            &mut cfgs,
        );
        let has_debug = cfgs.contains("debug_assertions");
        cfgs.retain(|cfg| !NOT_OURS.contains(&cfg.as_str()));

        let folder = path
            .parent()
            .and_then(Path::file_name)
            .context("a folder")?;
        let stem = path.file_stem().context("a name")?;
        Ok(Self {
            name: format!("{}_{}", folder.to_string_lossy(), stem.to_string_lossy()),
            edition,
            text,
            printed,
            cfgs,
            has_debug,
        })
    }

    /// Whether it can be run as it is; others are modules.
    pub(crate) fn has_main(&self) -> bool {
        self.text.lines().any(|line| line.starts_with("fn main("))
    }
}

fn lex_error(error: proc_macro2::LexError) -> anyhow::Error {
    anyhow::Error::msg(error.to_string())
}

/// Collects the names in `cfg(..)`, and in what `cfg_attr(..)` begins with.
fn collect(tokens: TokenStream, is_cfg: bool, cfgs: &mut BTreeSet<String>) {
    let mut name = String::new();
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => {
                name = ident.to_string();
                if is_cfg {
                    cfgs.insert(name.clone());
                }
            }
            TokenTree::Group(group) if name == "cfg_attr" => {
                let condition = group.stream().into_iter();
                let is_comma = |token: &TokenTree| matches!(token, TokenTree::Punct(it) if it.as_char() == ',');
                let condition = condition.take_while(|token| !is_comma(token)).collect();
                collect(condition, true, cfgs);
                collect(group.stream(), false, cfgs);
            }
            TokenTree::Group(group) => {
                collect(group.stream(), is_cfg || name == "cfg", cfgs);
                name.clear();
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => name.clear(),
        }
    }
}
