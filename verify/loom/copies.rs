// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Makes copies of the protocol, with edits or without, for the build scripts of the model checker
//! and of the stress test.

use anyhow::{ensure, Context, Result};
use std::{
    env,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

/// The parts of a copy.
pub(crate) struct Copies<'a> {
    /// The files that are copied.
    pub(crate) sources: &'a [&'a str],
    /// Changes the text of a file, given its name, in all copies.
    pub(crate) adapt: fn(&str, &str) -> Result<String>,
    /// The files that are compiled with each copy as they are.
    pub(crate) with: &'a [&'a str],
}

impl Copies<'_> {
    /// Returns the folder of the copies.
    pub(crate) fn out() -> Result<PathBuf> {
        Ok(PathBuf::from(
            env::var_os("OUT_DIR").context("there is no OUT_DIR")?,
        ))
    }

    /// Writes a copy with edits, and returns the text that declares its module.
    pub(crate) fn write(&self, name: &str, edits: &[(&str, &str, &str)]) -> Result<String> {
        let folder = Self::out()?.join(name);
        fs::create_dir_all(&folder)?;

        let mut module = format!("pub(crate) mod {name} {{\n");
        for source in self.sources {
            println!("cargo::rerun-if-changed={source}");
            let mut text = fs::read_to_string(source).with_context(|| (*source).to_owned())?;
            let file = Path::new(source).file_name().unwrap_or_default();
            let file = file.to_string_lossy();
            for (_, from, to) in edits.iter().filter(|(of, _, _)| *of == file) {
                text = replace(&text, from, to).with_context(|| format!("{name}: {file}"))?;
            }

            let path = folder.join(&*file);
            fs::write(&path, (self.adapt)(&file, &text)?)?;
            // The original is linted in its own package, and mutants need not pass lints.
            module.push_str(
                "    #[allow(clippy::modulo_one, clippy::multiple_unsafe_ops_per_block, clippy::never_loop, \
                 clippy::undocumented_unsafe_blocks, clippy::unnecessary_safety_comment, \
                 clippy::while_immutable_condition, unreachable_pub, unused)]\n",
            );
            declare(&mut module, &path)?;
        }
        for file in self.with {
            // Some mutant does not use all items.
            module.push_str("    #[allow(unused)]\n");
            declare(&mut module, &env::current_dir()?.join(file))?;
        }
        module.push_str("}\n");

        Ok(module)
    }
}

/// Replaces a text that has to occur once.
pub(crate) fn replace(text: &str, from: &str, to: &str) -> Result<String> {
    let count = text.matches(from).count();
    ensure!(
        count == 1,
        "this is there {count} times, and not once; does the mutant follow the source?\n{from}"
    );

    Ok(text.replace(from, to))
}

/// Returns the text of `lazy.rs` or `evictable.rs` without the macro at its end, which a crate can
/// export only once.
pub(crate) fn without_macro(text: &str) -> Result<String> {
    let (text, _) = text
        .split_once("/// Creates an initialiser for an empty [`")
        .context("there is no `new_..!`")?;

    Ok(text.to_owned())
}

fn declare(module: &mut String, path: &Path) -> Result<()> {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();

    writeln!(module, "    #[path = {path:?}]")?;
    writeln!(module, "    pub(crate) mod {name};")?;
    Ok(())
}
