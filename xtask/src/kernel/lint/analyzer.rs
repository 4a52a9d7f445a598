// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `make rust-analyzer`: whether an editor finds its way through what is added.
//!
//! The script lists crates by their roots, what they depend on, and their `cfg`s. A file is found
//! if it is such a root, or if a `mod` leads to it from one that rust-analyzer does not take for
//! configured out.

use super::{Lint, Outcome};
use anyhow::{Context, Result};
use cargo_platform::{Cfg, CfgExpr};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};
use syn::Item;

/// The dependencies of the crates with files of ours, by root. All other crates are drivers.
const USED: [(&str, &[&str]); 2] = [
    ("rust/macros/lib.rs", &["proc_macro2", "quote", "syn"]),
    ("rust/kernel/lib.rs", &["macros", "pin_init", "bindings"]),
];
const USED_BY_DRIVERS: &[&str] = &["kernel", "pin_init"];

/// A crate of `rust-project.json`.
struct Crate {
    root: PathBuf,
    dependencies: BTreeSet<String>,
    cfg: Vec<Cfg>,
    /// Where a macro is loaded from.
    library: Option<PathBuf>,
}

/// Makes the file, and looks for ours in it.
pub(super) fn check(lint: &Lint<'_>, log: &Path) -> Result<Outcome> {
    lint.make.target("rust-analyzer", &lint.out, log)?;
    let project = lint.out.join("rust-project.json");
    let crates = crates(&fs::read_to_string(project)?)?;
    let source = &lint.make.source;
    let rust = lint
        .files
        .iter()
        .filter(|file| file.extension().is_some_and(|it| it == "rs"));
    let wanted: BTreeSet<PathBuf> = rust.map(|file| source.join(file)).collect();

    let mut faults = String::new();
    let mut missing = wanted.clone();
    let mut has_files = 0;
    for it in &crates {
        let found = it.files(&wanted)?;
        if !found.is_empty() {
            has_files += 1;
            missing.retain(|file| !found.contains(file));
            for fault in it.faults(source) {
                faults += &format!("{}: {fault}\n", lint.in_tree(&it.root).display());
            }
        }
    }
    for file in missing {
        faults += &format!("no crate has {}\n", lint.in_tree(&file).display());
    }

    let (files, all) = (wanted.len(), crates.len());
    Ok(Outcome {
        what: format!("{files} files in {has_files} of {all} crates"),
        faults,
    })
}

impl Crate {
    /// Returns the faults that keep names in it from being resolved.
    fn faults(&self, source: &Path) -> Vec<String> {
        let used = USED.iter().find(|(root, _)| self.root == source.join(root));
        let used = used.map_or(USED_BY_DRIVERS, |(_, used)| *used).iter();
        let used = used.filter(|name| !self.dependencies.contains(**name));
        let mut faults: Vec<_> = used
            .map(|name| format!("`{name}` is not among its dependencies"))
            .collect();
        if let Some(library) = self.library.as_ref().filter(|library| !library.exists()) {
            faults.push(format!("its macros are not in {}", library.display()));
        }
        faults
    }

    /// Returns the wanted files that are part of it, by following its modules as far as that leads
    /// to others.
    fn files(&self, wanted: &BTreeSet<PathBuf>) -> Result<BTreeSet<PathBuf>> {
        let root = self.root.parent().map(Path::to_owned);
        // Each file, and the folder of its modules.
        let mut left = vec![(self.root.clone(), root.unwrap_or_default())];
        let mut found = BTreeSet::new();
        while let Some((file, folder)) = left.pop() {
            if wanted.iter().any(|file| file.starts_with(&folder)) {
                let name = || file.display().to_string();
                let text = fs::read_to_string(&file).with_context(name)?;
                for item in syn::parse_file(&text).with_context(name)?.items {
                    let Item::Mod(module) = item else {
                        continue;
                    };
                    let inner = folder.join(module.ident.to_string());
                    let files = [inner.with_extension("rs"), inner.join("mod.rs")];
                    let file = files.into_iter().find(|file| file.is_file());
                    if let (None, true, Some(file)) =
                        (&module.content, self.has(&module.attrs), file)
                    {
                        left.push((file, inner));
                    }
                }
            }
            if wanted.contains(&file) {
                found.insert(file);
            }
        }
        Ok(found)
    }

    /// Whether something with these attributes is there.
    fn has(&self, attributes: &[syn::Attribute]) -> bool {
        let lists = attributes
            .iter()
            .filter_map(|it| it.meta.require_list().ok());
        let mut cfgs = lists.filter(|meta| meta.path.is_ident("cfg"));
        cfgs.all(|meta| {
            let condition = meta.tokens.to_string().parse::<CfgExpr>();
            condition.is_ok_and(|condition| condition.matches(&self.cfg))
        })
    }
}

/// Reads `rust-project.json`.
fn crates(project: &str) -> Result<Vec<Crate>> {
    let project: Value = serde_json::from_str(project)?;
    let list = |of: &Value| of.as_array().cloned().unwrap_or_default().into_iter();
    let text = |of: &Value| of.as_str().map(str::to_owned);
    let crates = list(&project["crates"]).map(|it| {
        Ok(Crate {
            root: text(&it["root_module"])
                .context("a crate has no root")?
                .into(),
            dependencies: list(&it["deps"])
                .filter_map(|it| text(&it["name"]))
                .collect(),
            cfg: list(&it["cfg"])
                .filter_map(|cfg| cfg.as_str()?.parse().ok())
                .collect(),
            library: text(&it["proc_macro_dylib_path"]).map(PathBuf::from),
        })
    });
    crates.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROJECT: &str = r#"{"crates": [
        {"root_module": "/linux/rust/macros/lib.rs", "deps": [{"crate": 0, "name": "quote"}],
         "cfg": [], "is_proc_macro": true, "proc_macro_dylib_path": "/out/rust/libmacros.so"},
        {"root_module": "/linux/samples/rust/a.rs", "cfg": ["CONFIG_KUNIT", "CONFIG_KUNIT=\"y\""],
         "deps": [{"crate": 0, "name": "kernel"}, {"crate": 1, "name": "pin_init"}]}
    ]}"#;

    #[test]
    fn crates_say_what_they_lack() {
        let crates = crates(PROJECT).unwrap();
        let source = Path::new("/linux");

        assert_eq!(
            crates[0].faults(source),
            [
                "`proc_macro2` is not among its dependencies",
                "`syn` is not among its dependencies",
                "its macros are not in /out/rust/libmacros.so"
            ]
        );
        assert!(crates[1].faults(source).is_empty());
        assert!(super::crates(r#"{"crates": [{}]}"#).is_err());
    }

    #[test]
    fn what_is_configured_out_is_not_there() {
        let it = &crates(PROJECT).unwrap()[1];
        for (condition, expected) in [
            ("CONFIG_KUNIT", true),
            ("CONFIG_KUNIT = \"y\"", true),
            ("not(CONFIG_KUNIT = \"m\")", true),
            ("all(CONFIG_KUNIT, any(CONFIG_DRM, CONFIG_KUNIT))", true),
            ("CONFIG_DRM", false),
            ("CONFIG_KUNIT = \"m\"", false),
            ("not(CONFIG_KUNIT)", false),
            ("all(CONFIG_KUNIT, CONFIG_DRM)", false),
            ("feature(x)", false),
        ] {
            let module: syn::ItemMod =
                syn::parse_str(&format!("#[cfg({condition})] mod a;")).unwrap();
            assert_eq!(it.has(&module.attrs), expected, "{condition}");
        }
    }

    #[test]
    fn files_are_found_by_their_modules() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        fs::create_dir(file("b")).unwrap();
        for (name, text) in [
            (
                "lib.rs",
                "mod a;\nmod b;\n#[cfg(CONFIG_DRM)]\nmod off;\nmod inline { mod d; }\n",
            ),
            ("a.rs", ""),
            ("b/mod.rs", "mod c;\n"),
            ("b/c.rs", ""),
            ("off.rs", ""),
            ("alone.rs", ""),
        ] {
            fs::write(file(name), text).unwrap();
        }

        let it = Crate {
            root: file("lib.rs"),
            dependencies: BTreeSet::new(),
            cfg: Vec::new(),
            library: None,
        };
        let names = ["lib.rs", "a.rs", "b/c.rs", "off.rs", "alone.rs"];
        let wanted = names.iter().map(|name| file(name)).collect();
        let expected = names[..3].iter().map(|name| file(name)).collect();
        assert_eq!(it.files(&wanted).unwrap(), expected);
    }
}
