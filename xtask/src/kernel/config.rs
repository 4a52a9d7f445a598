// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Configures a kernel: `tinyconfig`, and what `kernel/config/` asks for.

use super::{make::Make, progress::spinner, tree::walk};
use crate::root;
use anyhow::{ensure, Context, Result};
use std::{collections::BTreeMap, fs, path::Path};

/// Writes `out/.config`, unless it is there and still what is asked for. Returns how many options
/// were asked for.
pub(crate) fn run(make: &Make, fragments: &[&str], work: &Path, log: &Path) -> Result<usize> {
    let asked = asked(fragments)?;
    let options = requested(&asked)?;

    // It depends on nothing but this and the tree.
    let stamp = work.join("config.asked");
    let asked_of = format!("{}{asked}", make.fingerprint());
    let out = work.join("out/.config");
    if out.exists()
        && fs::read_to_string(&stamp).is_ok_and(|stamp| stamp == asked_of)
        && !options_are_newer(&make.source, &stamp)?
    {
        return Ok(options.len());
    }

    // In a folder of its own: only what is different in the end is built again.
    let folder = work.join("config");
    let spinner = spinner("configuring".to_owned());
    make.target("tinyconfig", &folder, log)?;
    let config = folder.join(".config");
    // Of two lines about an option, Kconfig takes the later one.
    fs::write(&config, fs::read_to_string(&config)? + &asked)?;
    make.target("olddefconfig", &folder, log)?;
    spinner.finish_and_clear();

    let config = fs::read_to_string(&config)?;
    let lost = lost(&config, &options);
    ensure!(
        lost.is_empty(),
        "this kernel does not let these options be what kernel/config/ asks for: {}. What they \
         depend on may have changed",
        lost.join(", ")
    );

    if fs::read_to_string(&out).ok().as_ref() != Some(&config) {
        fs::write(&out, &config)?;
    }
    fs::write(&stamp, asked_of)?;
    Ok(options.len())
}

/// Returns the options that these files of `kernel/config/` ask for.
fn asked(fragments: &[&str]) -> Result<String> {
    let folder = root().join("kernel/config");
    fragments
        .iter()
        .map(|name| {
            let file = folder.join(name);
            fs::read_to_string(&file).with_context(|| file.display().to_string())
        })
        .collect()
}

/// Whether a file that says which options there are is newer than this one.
fn options_are_newer(tree: &Path, than: &Path) -> Result<bool> {
    let than = than.metadata()?.modified()?;
    for path in walk(tree)? {
        if is_kconfig(&path) && tree.join(path).symlink_metadata()?.modified()? >= than {
            return Ok(true);
        }
    }

    Ok(false)
}

/// Whether a file can change which options there are, or what they are by default.
fn is_kconfig(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with("Kconfig"))
        || path.starts_with("kernel/configs")
        || path.starts_with("arch") && path.iter().nth(2).is_some_and(|name| name == "configs")
        || path.starts_with("scripts")
}

/// The options that fragments ask for, and their values; `n` for those that are not to be set.
fn requested(text: &str) -> Result<BTreeMap<&str, &str>> {
    let mut options = BTreeMap::new();
    for line in text.lines().map(str::trim) {
        let Some((name, value)) = option(line) else {
            ensure!(
                line.is_empty() || line.starts_with('#'),
                "kernel/config/ asks for `{line}`, which is not an option"
            );
            continue;
        };
        ensure!(
            *options.entry(name).or_insert(value) == value,
            "kernel/config/ asks for two values of {name}"
        );
    }
    Ok(options)
}

/// Returns the option and the value that a line sets: `CONFIG_X=y`, `# CONFIG_X is not set`.
fn option(line: &str) -> Option<(&str, &str)> {
    if let Some(rest) = line.strip_prefix("# CONFIG_") {
        return Some((rest.strip_suffix(" is not set")?, "n"));
    }
    line.strip_prefix("CONFIG_")?.split_once('=')
}

/// The options that are not what was asked for.
fn lost(config: &str, options: &BTreeMap<&str, &str>) -> Vec<String> {
    let set: BTreeMap<&str, &str> = config.lines().filter_map(option).collect();
    let lost = options.iter().filter_map(|(name, asked)| {
        // One whose dependencies are not met is not mentioned at all.
        let value = set.get(name).unwrap_or(&"n");
        (value != asked).then(|| format!("{name} ({asked} was asked for, {value} is set)"))
    });
    lost.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{
        arch::Arch,
        flavour::{Flavour, Object, Variant},
    };
    use clap::ValueEnum;

    #[test]
    fn files_with_options_are_known() {
        for path in [
            "Kconfig",
            "rust/Kconfig",
            "lib/Kconfig.debug",
            "scripts/Makefile",
            "arch/um/configs/x86_64_defconfig",
        ] {
            assert!(is_kconfig(Path::new(path)), "{path}");
        }
        for path in [
            "rust/kernel/lib.rs",
            "Makefile",
            "lib/kconfig.c",
            "arch/um/Makefile",
        ] {
            assert!(!is_kconfig(Path::new(path)), "{path}");
        }
    }

    const ASKED: &str = "# why\nCONFIG_A=y\n\n# CONFIG_B is not set\nCONFIG_C=\"x=y\"\n";

    #[test]
    fn options_that_are_lost_are_named() {
        let options = requested(ASKED).unwrap();
        let expected = [("A", "y"), ("B", "n"), ("C", "\"x=y\"")];
        assert_eq!(options, BTreeMap::from(expected));

        let (a, b) = (
            "A (y was asked for, n is set)",
            "B (n was asked for, y is set)",
        );
        for (config, expected) in [
            ("CONFIG_A=y\nCONFIG_C=\"x=y\"\n", &[][..]),
            (
                "# CONFIG_A is not set\nCONFIG_B=y\nCONFIG_C=\"x=y\"\n",
                &[a, b],
            ),
            (
                "CONFIG_C=\"\"\n",
                &[a, "C (\"x=y\" was asked for, \"\" is set)"],
            ),
        ] {
            assert_eq!(lost(config, &options), expected);
        }
        assert!(requested("A=y\n").is_err());
        assert!(requested("CONFIG_A=y\nCONFIG_A=m\n").is_err());
    }

    #[test]
    fn the_fragments_agree() {
        for arch in Arch::value_variants() {
            for variant in Variant::value_variants() {
                for object in [Object::Annotated, Object::ByHand] {
                    let flavour = Flavour {
                        arch: *arch,
                        ..Flavour::new(*variant, object)
                    };
                    let asked = asked(&flavour.fragments()).unwrap();
                    let options = requested(&asked).unwrap();
                    assert_eq!(options["RUST"], "y");
                    // Without it, nothing that goes wrong is said.
                    assert_eq!(options["BUG"], "y");
                }
            }
        }
    }
}
