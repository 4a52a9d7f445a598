// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Makes the twins: copies of the protocol, each with its edits, and one without.

mod twins;

use anyhow::{
    ensure,
    Context,
    Result, //
};
use std::{
    env,
    fmt::Write,
    fs,
    path::{
        Path,
        PathBuf, //
    },
};
use twins::{
    Twin,
    TWINS, //
};

/// The files of the protocol that are checked.
const FILES: [&str; 3] = ["container.rs", "lazy.rs", "registry.rs"];

/// What each copy is of.
const SOURCE: &str = "../../runtime/src/protocol";

/// Where `text` differs from the kernel's for the checker: cells of the list are told to it, and a
/// macro is exported once per crate.
fn adapt(file: &str, text: &str) -> Result<String> {
    match file {
        "registry.rs" => with_cells(text),
        "container.rs" => {
            let text = text.replace(
                "unsafe { *self.registry.get() = ",
                "unsafe { *self.registry.written() = ",
            );
            with_cells(&text)
        }
        "lazy.rs" => {
            let (text, _) = text
                .split_once("/// Creates an initialiser for an empty [`Lazy`] slot")
                .context("there is no `new_lazy!`")?;
            Ok(text.to_owned())
        }
        _ => Ok(text.to_owned()),
    }
}

/// The same with cells that the checker is told of.
fn with_cells(text: &str) -> Result<String> {
    let text = replace(text, "    cell::UnsafeCell,\n", "")?;
    replace(
        &text,
        "use crate::{\n",
        "use crate::{\n    cell::UnsafeCell,\n",
    )
}

/// Replaces what has to be there once.
fn replace(text: &str, from: &str, to: &str) -> Result<String> {
    let count = text.matches(from).count();
    ensure!(
        count == 1,
        "this is there {count} times, and not once; does the twin follow the source?\n{from}"
    );

    Ok(text.replace(from, to))
}

/// Writes a copy with edits, and returns the module that it is.
fn copy(out: &Path, name: &str, edits: &[(&str, &str, &str)]) -> Result<String> {
    let folder = out.join(name);
    fs::create_dir_all(&folder)?;

    let mut module = format!("pub(crate) mod {name} {{\n");
    for file in FILES {
        let source = Path::new(SOURCE).join(file);
        let mut text = fs::read_to_string(&source).with_context(|| source.display().to_string())?;
        for (_, from, to) in edits.iter().filter(|(of, _, _)| *of == file) {
            text = replace(&text, from, to).with_context(|| format!("{name}: {file}"))?;
        }

        let path = folder.join(file);
        fs::write(&path, adapt(file, &text)?)?;
        // What is linted where it comes from; twins have no reasons to give.
        module.push_str(
            "    #[allow(clippy::multiple_unsafe_ops_per_block, \
             clippy::undocumented_unsafe_blocks, clippy::unnecessary_safety_comment, clippy::while_immutable_condition, \
             unreachable_pub, unused)]\n",
        );
        declare(&mut module, file, &path)?;
    }
    for file in ["sys.rs", "properties.rs"] {
        // Some twin does not use it.
        module.push_str("    #[allow(unused)]\n");
        declare(
            &mut module,
            file,
            &env::current_dir()?.join("src").join(file),
        )?;
    }
    module.push_str("}\n");

    Ok(module)
}

fn declare(module: &mut String, file: &str, path: &Path) -> Result<()> {
    let name = file.trim_end_matches(".rs");

    writeln!(module, "    #[path = {path:?}]")?;
    writeln!(module, "    pub(crate) mod {name};")?;
    Ok(())
}

fn main() -> Result<()> {
    println!("cargo::rerun-if-changed={SOURCE}");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=twins.rs");

    let out = PathBuf::from(env::var_os("OUT_DIR").context("there is no OUT_DIR")?);
    let mut modules = copy(&out, "sound", &[])?;
    let mut twins = String::new();
    let mut variants = String::from("        \"sound\" => sound::properties::ALL,\n");
    for Twin {
        name,
        caught_by,
        edits,
    } in TWINS
    {
        modules.push_str(&copy(&out, name, edits)?);
        writeln!(twins, "    ({name:?}, {caught_by:?}),")?;
        writeln!(variants, "        {name:?} => {name}::properties::ALL,")?;
    }

    write!(
        modules,
        "/// All twins, with the property that has to catch each.\n\
         const TWINS: &[(&str, &str)] = &[\n{twins}];\n\
         \n\
         /// The properties, compiled for a variant of the protocol.\n\
         fn properties(variant: &str) -> Option<&'static [Property]> {{\n    \
             Some(match variant {{\n{variants}        _ => return None,\n    }})\n\
         }}\n"
    )?;
    fs::write(out.join("variants.rs"), modules)?;

    Ok(())
}
