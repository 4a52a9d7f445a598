// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A crate outside of the workspace, made as the README says: `cargo new`, the lines of the README
//! and nothing else. Only the path of the runtime differs.
//!
//! Each crate has an empty folder of its own. All crates share a folder in the workspace's target
//! folder, one after the other, and use the workspace's `Cargo.lock`, so cargo downloads nothing.

use anyhow::{ensure, Context, Result};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{Mutex, MutexGuard, PoisonError},
};
use tempfile::TempDir;

/// The root of the workspace.
const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The path of the runtime in the README.
const RUNTIME_IN_README: &str = "../devres-lazy/runtime";

/// The sample driver, which is added to a kernel tree.
const SAMPLE: &str = "kernel/tree/samples/rust/rust_devres_lazy.rs";

/// The test of the sample driver.
const TEST_OF_SAMPLE: &str = "tests/sample.rs";

/// A mistake in the sample driver.
struct Mistake {
    /// The correct code.
    right: &'static str,
    /// The code in its place.
    wrong: &'static str,
    /// The test that fails.
    caught_by: &'static str,
}

/// Mistakes that the test of the sample driver catches.
const MISTAKES: &[Mistake] = &[
    // Unbind leaves memory allocated.
    Mistake {
        right: "let segments = self.segments(dev)?;",
        wrong: "let segments = self.segments(dev)?;
                core::mem::forget(Coherent::<u64>::zeroed(dev, GFP_KERNEL)?);",
        caught_by: "is_bound_and_unbound",
    },
    // Probe maps nothing, so `unbind()` is the first to map.
    Mistake {
        right: "let segments = this.descriptors.describe(pdev.as_ref(), &this.buffer.obj)?;",
        wrong: "let segments = this.descriptors.len;",
        caught_by: "is_bound_and_unbound",
    },
    // Probe ignores that the buffer is missing.
    Mistake {
        right: "this.descriptors.describe(pdev.as_ref(), &this.buffer.obj)?;",
        wrong: "this.descriptors.describe(pdev.as_ref(), &this.buffer.obj).unwrap_or(0);",
        caught_by: "probe_runs_out_of_memory",
    },
    // Probe ignores that the buffer is not filled.
    Mistake {
        right: "this.buffer.fill(pdev.as_ref(), PATTERN)?;",
        wrong: "this.buffer.fill(pdev.as_ref(), PATTERN).unwrap_or_default();",
        caught_by: "probe_runs_out_of_memory",
    },
    // Only the first page of the buffer is filled.
    Mistake {
        right: "memory.try_write32(word, offset)?;",
        wrong: "if offset < PAGE_SIZE {
                memory.try_write32(word, offset)?;
            }",
        caught_by: "is_bound_and_unbound",
    },
    // The sum maps memory that was never used.
    Mistake {
        right: "let Some(memory) = self.memory_if_mapped(dev)? else {",
        wrong: "let Some(memory) = Some(self.memory(dev)?) else {",
        caught_by: "rust_devres_lazy::tests::memory",
    },
];

/// The README's section on a crate of one's own.
struct Guide {
    /// The example at the top of the page.
    example: String,
    /// The command that makes the crate.
    new: String,
    /// The lines that are added to `Cargo.toml`.
    dependencies: String,
    /// The test below the example.
    test: String,
    /// The command that runs it.
    run: String,
    /// A part of its output.
    output: String,
}

impl Guide {
    fn read() -> Result<Self> {
        let readme = fs::read_to_string(Path::new(ROOT).join("README.md"))?;
        let (_, section) = readme
            .split_once("\n## Use it in your crate\n")
            .context("the README has no section on a crate of one's own")?;
        let (section, _) = section.split_once("\n## ").context("it does not end")?;

        let [setup, run] = blocks(section, "sh")[..] else {
            anyhow::bail!("expected two blocks of commands in\n{section}");
        };
        let new = setup
            .lines()
            .find(|line| line.starts_with("cargo new "))
            .context("the README makes no crate")?;

        Ok(Self {
            example: first_block(&readme, "rust")?,
            new: new.to_owned(),
            dependencies: first_block(section, "toml")?,
            test: first_block(section, "rust")?,
            run: run.trim().to_owned(),
            output: first_block(section, "text")?,
        })
    }
}

/// The code blocks of a language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    text.split(&format!("```{language}\n"))
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect()
}

/// The first code block of a language.
fn first_block(text: &str, language: &str) -> Result<String> {
    blocks(text, language)
        .first()
        .map(|&block| block.to_owned())
        .with_context(|| format!("no code block in {language}"))
}

/// One crate at a time. All crates have one name, so in the shared folder cargo takes them for one
/// crate, and does not build files that are older than its last build.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A crate in an empty folder.
struct Outside {
    /// The folder is removed when this is dropped.
    _folder: TempDir,
    path: PathBuf,
    /// The files are written, built and run while no other crate exists.
    _alone: MutexGuard<'static, ()>,
}

impl Outside {
    /// Makes a crate with the command of the README.
    fn new(guide: &Guide, edition: &str) -> Result<Self> {
        let alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = TempDir::new()?;
        let new = format!("{} --edition {edition}", guide.new);
        succeeds(&new, &cargo(&new, folder.path())?)?;
        let name = guide.new.split_whitespace().last().context("no name")?;
        let path = folder.path().join(name);
        fs::copy(Path::new(ROOT).join("Cargo.lock"), path.join("Cargo.lock"))?;

        Ok(Self {
            _folder: folder,
            path,
            _alone: alone,
        })
    }

    /// Adds the lines of the README to `Cargo.toml`, with the runtime's real path, and changed by
    /// `edit`.
    fn add_dependencies(&self, guide: &Guide, edit: impl FnOnce(String) -> String) -> Result<()> {
        ensure!(
            guide.dependencies.contains(RUNTIME_IN_README),
            "another path"
        );
        let runtime = Path::new(ROOT).join("runtime");
        let runtime = runtime.to_str().context("a path that is not UTF-8")?;
        let lines = guide.dependencies.replace(RUNTIME_IN_README, runtime);

        // `cargo new` has left an empty table of dependencies at the end.
        let path = self.path.join("Cargo.toml");
        let manifest = fs::read_to_string(&path)?;
        let manifest = manifest
            .strip_suffix("[dependencies]\n")
            .context("no empty table of dependencies at the end")?;
        fs::write(path, manifest.to_owned() + &edit(lines))?;
        Ok(())
    }

    /// Writes a file of the crate.
    fn write(&self, path: &str, text: &str) -> Result<()> {
        let path = self.path.join(path);
        fs::create_dir_all(path.parent().context("not a file")?)?;
        fs::write(path, text)?;
        Ok(())
    }

    /// Runs a command, which has to succeed.
    fn run(&self, command: &str) -> Result<Output> {
        let output = cargo(command, &self.path)?;
        succeeds(command, &output)?;

        Ok(output)
    }

    /// Runs the test of the README, which has to pass without a warning and to print the output in
    /// the README.
    fn passes(&self, guide: &Guide) -> Result<()> {
        let output = self.run(&guide.run)?;
        let stderr = String::from_utf8(output.stderr)?;
        ensure!(!stderr.contains("warning"), "{stderr}");

        let stdout = String::from_utf8(output.stdout)?;
        ensure!(stdout.contains(&guide.output), "{stdout}");
        let result = "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out;";
        ensure!(stdout.contains(result), "{stdout}");
        Ok(())
    }
}

/// Runs a command line that starts with `cargo`.
fn cargo(command: &str, folder: &Path) -> Result<Output> {
    let mut words = command.split_whitespace();
    ensure!(words.next() == Some("cargo"), "not cargo: {command}");

    Ok(Command::new(env!("CARGO"))
        .args(words)
        .current_dir(folder)
        .env("CARGO_NET_OFFLINE", "true")
        .env(
            "CARGO_TARGET_DIR",
            Path::new(env!("CARGO_TARGET_TMPDIR")).join("outside"),
        )
        .output()?)
}

/// Checks that a command has succeeded.
fn succeeds(command: &str, output: &Output) -> Result<()> {
    ensure!(
        output.status.success(),
        "{command}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );

    Ok(())
}

#[test]
fn the_lines_of_the_readme() -> Result<()> {
    let guide = Guide::read()?;
    for edition in ["2024", "2021"] {
        let outside = Outside::new(&guide, edition)?;
        outside.add_dependencies(&guide, |lines| lines)?;
        outside.write("src/lib.rs", &format!("{}\n{}", guide.example, guide.test))?;

        outside
            .passes(&guide)
            .with_context(|| format!("edition {edition}"))?;
    }
    Ok(())
}

#[test]
fn one_dependency_for_all_macros() -> Result<()> {
    let guide = Guide::read()?;
    let outside = Outside::new(&guide, "2021")?;
    outside.add_dependencies(&guide, |lines| lines)?;
    let manifest = fs::read_to_string(outside.path.join("Cargo.toml"))?;
    let (_, dependencies) = manifest
        .split_once("[dependencies]\n")
        .context("no dependencies")?;
    ensure!(
        dependencies.lines().count() == 1,
        "more than one:\n{manifest}"
    );

    let copy = |from: &Path, to: &str| outside.write(to, &fs::read_to_string(from)?);
    copy(
        &Path::new(ROOT).join("tests/pin_data.rs"),
        "tests/pin_data.rs",
    )?;
    // The cases have all forms of the expansion.
    for entry in fs::read_dir(Path::new(ROOT).join("tests/ui/pass"))? {
        let path = entry?.path();
        let name = path.file_name().context("no name")?.to_string_lossy();
        copy(&path, &format!("examples/{name}"))?;
    }

    outside.run("cargo test --quiet --test pin_data")?;
    outside.run("cargo check --quiet --examples")?;
    Ok(())
}

#[test]
fn a_dependency_by_another_name() -> Result<()> {
    let guide = Guide::read()?;
    let outside = Outside::new(&guide, "2024")?;
    outside.add_dependencies(&guide, |lines| {
        lines.replace(
            "devres-lazy = { ",
            "runtime = { package = \"devres-lazy\", ",
        )
    })?;
    let source = format!(
        "extern crate runtime as kernel;\n{}\n{}",
        guide.example, guide.test
    );
    outside.write("src/lib.rs", &source)?;

    outside.passes(&guide)
}

/// The driver file compiles unchanged, as a crate of its own and as a part of its test. Its KUnit
/// suite runs in both.
#[test]
fn the_sample_of_the_kernel_tree() -> Result<()> {
    let guide = Guide::read()?;
    let outside = Outside::new(&guide, "2021")?;
    outside.add_dependencies(&guide, |lines| lines)?;
    let sample = fs::read_to_string(Path::new(ROOT).join(SAMPLE))?;
    let test = fs::read_to_string(Path::new(ROOT).join(TEST_OF_SAMPLE))?;
    outside.write("src/lib.rs", &sample)?;
    outside.write(SAMPLE, &sample)?;
    outside.write(TEST_OF_SAMPLE, &test)?;

    let output = outside.run("cargo test")?;
    let stderr = String::from_utf8(output.stderr)?;
    ensure!(!stderr.contains("warning"), "{stderr}");
    let stdout = String::from_utf8(output.stdout)?;
    for name in [
        "test tests::describe ... ok",
        "test tests::memory ... ok",
        "test rust_devres_lazy::tests::describe ... ok",
        "test is_bound_and_unbound ... ok",
    ] {
        ensure!(stdout.contains(name), "no `{name}` in\n{stdout}");
    }

    for mistake in MISTAKES {
        let [before, after] = sample.split(mistake.right).collect::<Vec<_>>()[..] else {
            anyhow::bail!("expected once in the sample: {}", mistake.right);
        };
        outside.write(SAMPLE, &format!("{before}{}{after}", mistake.wrong))?;

        let output = cargo("cargo test --quiet --test sample", &outside.path)?;
        let stdout = String::from_utf8(output.stdout)?;
        let failed = format!("---- {} stdout ----", mistake.caught_by);
        ensure!(
            stdout.contains(&failed),
            "{} was not caught:\n{stdout}{}",
            mistake.wrong,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}
