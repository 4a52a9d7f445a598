// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A copy of the sources in which each mutant is a choice, and the suites built over it.

use super::{table::MUTANTS, CHOICE};
use anyhow::{anyhow, ensure, Context, Result};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

/// The root of the workspace.
const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The copied files.
const SOURCES: [&str; 3] = ["macros", "runtime", "kernel/tree"];

/// The file to which the copy adds the check for a mutant.
const MAIN: &str = "runtime/src/lib.rs";

/// The file of the host's shmem object.
const SHMEM: &str = "runtime/src/host/drm/gem/shmem/mod.rs";

/// The example, with the annotated object.
const EXAMPLE: &str = "examples/shmem_sgt.rs";

/// Files of the two objects of the example, in modules beside the host's object.
const OBJECTS: [(&str, &str); 6] = [
    ("by_hand/mod.rs", "tests/mutants/objects/by_hand.rs"),
    ("by_hand/object.rs", "examples/shmem/by_hand.rs"),
    ("by_hand/resv.rs", "examples/shmem/resv.rs"),
    ("example/mod.rs", "tests/mutants/objects/example.rs"),
    ("example/resv.rs", "examples/shmem/resv.rs"),
    (
        "example/sg_table.rs",
        "runtime/src/host/drm/gem/shmem/sg_table.rs",
    ),
];

/// Returns the program with the suites, which is built once.
pub(super) fn suites() -> Result<&'static Path> {
    static SUITES: LazyLock<Result<PathBuf>> = LazyLock::new(build);

    match &*SUITES {
        Ok(path) => Ok(path),
        Err(error) => Err(anyhow!("{error:#}")),
    }
}

/// Makes the copy, builds the suites, and returns the program.
fn build() -> Result<PathBuf> {
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mutants");
    let sources = copy.join("sources");
    let mut texts = texts()?;
    for mutant in MUTANTS {
        mutant.put_into(&mut texts)?;
    }
    add_objects(&mut texts)?;
    let main = texts.get_mut(MAIN).context("there is no runtime")?;
    main.push_str(&choice());
    texts.insert("Cargo.toml".to_owned(), workspace()?);
    write(&sources, &texts)?;
    fs::copy(
        Path::new(ROOT).join("Cargo.lock"),
        sources.join("Cargo.lock"),
    )?;

    let output = Command::new(env!("CARGO"))
        .current_dir(&sources)
        .args(["test", "--package", "devres-lazy", "--lib", "--no-run"])
        .args(["--offline", "--message-format", "json-render-diagnostics"])
        .arg("--target-dir")
        .arg(copy.join("target"))
        .output()?;
    ensure!(
        output.status.success(),
        "the mutants cannot be built:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );

    let messages = String::from_utf8(output.stdout)?;
    messages
        .lines()
        .filter_map(|line| line.split_once("\"executable\":\""))
        .find_map(|(_, path)| path.split('"').next())
        .map(PathBuf::from)
        .context("cargo does not say where the program is")
}

/// Adds the objects of the example.
fn add_objects(texts: &mut BTreeMap<String, String>) -> Result<()> {
    let folder = Path::new(SHMEM).parent().context("a file is in a folder")?;
    let shmem = texts.get_mut(SHMEM).context("there is no shmem object")?;
    shmem.push_str("\n#[cfg(test)]\nmod by_hand;\n#[cfg(test)]\nmod example;\n");

    for (name, from) in OBJECTS {
        let mut text = read(from)?;
        if name == "example/mod.rs" {
            text.push_str(annotated(&read(EXAMPLE)?)?);
        }
        texts.insert(folder.join(name).to_string_lossy().into_owned(), text);
    }
    Ok(())
}

/// The text of the example from its imports to its `main()`.
fn annotated(example: &str) -> Result<&str> {
    let start = example.find("\nuse ").context("it imports nothing")?;
    let end = example.find("\nfn main()").context("it has no `main()`")?;

    example.get(start..end).context("`main()` comes first")
}

/// Reads a file of the project.
fn read(path: &str) -> Result<String> {
    fs::read_to_string(Path::new(ROOT).join(path)).with_context(|| path.to_owned())
}

/// The function that returns whether this process is a mutant.
fn choice() -> String {
    format!(
        "
/// Whether this process is the mutant of that name.
#[doc(hidden)]
pub fn mutant(name: &str) -> bool {{
    static NAME: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    NAME.get_or_init(|| std::env::var(\"{CHOICE}\").unwrap_or_default()) == name
}}
"
    )
}

/// The manifest of the copy's workspace: that of this one, with the copied packages only.
fn workspace() -> Result<String> {
    let ours = fs::read_to_string(Path::new(ROOT).join("Cargo.toml"))?;
    let mut manifest: toml::Table = ours.parse()?;
    let workspace = manifest
        .remove("workspace")
        .context("the manifest has no workspace")?;
    let toml::Value::Table(mut workspace) = workspace else {
        anyhow::bail!("the workspace is no table");
    };
    workspace.remove("default-members");
    workspace.remove("exclude");
    // Mutants need not pass lints.
    workspace.insert("lints".to_owned(), toml::Table::new().into());
    let members = ["macros", "runtime", "runtime/pin-macros"];
    workspace.insert("members".to_owned(), members.to_vec().into());

    let mut manifest = toml::Table::new();
    manifest.insert("workspace".to_owned(), workspace.into());
    Ok(manifest.to_string())
}

/// The texts of all files that are copied, by their paths.
fn texts() -> Result<BTreeMap<String, String>> {
    let mut texts = BTreeMap::new();
    let mut folders: Vec<PathBuf> = SOURCES.map(PathBuf::from).to_vec();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(Path::new(ROOT).join(&folder))? {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else {
                let text = fs::read_to_string(entry.path())?;
                texts.insert(path.to_string_lossy().into_owned(), text);
            }
        }
    }

    Ok(texts)
}

/// Writes the files that have changed since the last run, so that cargo builds only those again.
fn write(folder: &Path, texts: &BTreeMap<String, String>) -> Result<()> {
    for (path, text) in texts {
        let path = folder.join(path);
        if fs::read_to_string(&path).is_ok_and(|found| found == *text) {
            continue;
        }
        fs::create_dir_all(path.parent().context("a file is in a folder")?)?;
        fs::write(path, text)?;
    }

    Ok(())
}
