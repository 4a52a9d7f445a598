// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A workspace whose programs are the files, as they are and as they are printed.

use super::program::Program;
use anyhow::{ensure, Context, Result};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Which form of a file a program is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    Source,
    Printed,
}

/// How a program is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavor {
    /// As it is.
    Plain,
    /// With all that its `cfg(..)` may ask for, and without debug assertions.
    Cfgs,
}

/// A message of rustc about a program.
#[derive(Clone)]
pub(crate) struct Message {
    level: String,
    text: String,
    /// The lint, or the number of the error.
    code: String,
    /// As it is shown.
    pub(crate) rendered: String,
}

impl Message {
    /// Whether two say the same, wherever. Of imports that nobody uses one may have been taken out.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let are_imports = [self, other].map(|message| message.code == "unused_imports");

        self.level == other.level && (self.text == other.text || are_imports == [true, true])
    }

    /// Returns whether rustc gives this warning for printed code only, and not for code of a macro:
    /// `unsafe`, an unused function, or an unused `mut`.
    pub(crate) fn is_minded_in_print(&self) -> bool {
        ["unsafe_code", "dead_code", "unused_mut"].contains(&self.code.as_str())
    }

    pub(crate) fn is_error(&self) -> bool {
        self.level.starts_with("error")
    }
}

/// All builds that tell something of a program.
pub(crate) fn builds(programs: &[Program]) -> impl Iterator<Item = (&Program, Flavor)> {
    programs.iter().flat_map(|program| {
        let has_cfgs = program.has_debug || !program.cfgs.is_empty();
        let cfgs = has_cfgs.then_some(Flavor::Cfgs);

        [Flavor::Plain]
            .into_iter()
            .chain(cfgs)
            .map(move |flavor| (program, flavor))
    })
}

/// The package that a program is in.
fn package(program: &Program, flavor: Flavor) -> String {
    let flavor = match flavor {
        Flavor::Plain => "plain",
        Flavor::Cfgs => "cfgs",
    };
    format!("{flavor}-{}", program.edition)
}

/// Returns the name of a program's binary.
pub(crate) fn binary(program: &Program, flavor: Flavor, form: Form) -> String {
    format!("{}_{flavor:?}_{form:?}", program.name).to_lowercase()
}

/// It is on disk, and stays there so that its dependencies are built once.
pub(crate) struct Workspace {
    root: PathBuf,
}

impl Workspace {
    pub(crate) fn write(programs: &[Program]) -> Result<Self> {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("runs");
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let project = project.canonicalize()?;
        let manifest = fs::read_to_string(project.join("Cargo.toml"))?;
        let pinned_init = manifest
            .lines()
            .find(|line| line.starts_with("pinned-init = "))
            .context("the version of pinned-init")?;

        let packages: BTreeSet<_> = builds(programs)
            .map(|(program, flavor)| package(program, flavor))
            .collect();
        let members: Vec<_> = packages.iter().collect();
        let mut text = format!("[workspace]\nresolver = \"2\"\nmembers = {members:?}\n");
        text.push_str("\n[profile.dev]\ndebug = false\nincremental = false\n");
        for name in packages.iter().filter(|name| name.starts_with("cfgs")) {
            text.push_str(&format!(
                "\n[profile.dev.package.{name}]\ndebug-assertions = false\n"
            ));
        }
        write(&root.join("Cargo.toml"), &text)?;
        // The versions are those of the project, so nothing has to be downloaded.
        fs::copy(project.join("Cargo.lock"), root.join("Cargo.lock"))?;

        for name in &packages {
            let (_, edition) = name.split_once('-').context("an edition")?;
            let runtime = project.join("runtime").display().to_string();
            write(
                &root.join(name).join("Cargo.toml"),
                &format!(
                    "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"{edition}\"\n\
                     [dependencies]\ndevres-lazy = {{ path = {runtime:?} }}\n\
                     {pinned_init}\n"
                ),
            )?;
            let cfgs: BTreeSet<_> = programs.iter().flat_map(|it| &it.cfgs).collect();
            let mut script = String::from("fn main() {\n");
            for cfg in cfgs {
                script.push_str(&format!(
                    "println!(\"cargo::rustc-check-cfg=cfg({cfg})\");\n"
                ));
                if name.starts_with("cfgs") {
                    script.push_str(&format!("println!(\"cargo::rustc-cfg={cfg}\");\n"));
                }
            }
            write(&root.join(name).join("build.rs"), &(script + "}\n"))?;
        }

        let mut bins = BTreeSet::new();
        for (program, flavor) in builds(programs) {
            for (form, text) in [
                (Form::Source, program.text.clone()),
                (Form::Printed, with_warnings(&program.printed)),
            ] {
                let name = binary(program, flavor, form);
                let bin = root
                    .join(package(program, flavor))
                    .join("src/bin")
                    .join(&name);
                if program.has_main() {
                    write(&bin.join("main.rs"), &text)?;
                } else {
                    let main = "#![allow(dead_code)]\nmod module;\nfn main() {}\n";
                    write(&bin.join("main.rs"), main)?;
                    write(&bin.join("module.rs"), &text)?;
                }
                bins.insert(bin);
            }
        }
        // Of files that are no more.
        for name in &packages {
            for entry in root.join(name).join("src/bin").read_dir()? {
                let path = entry?.path();
                if !bins.contains(&path) {
                    fs::remove_dir_all(path)?;
                }
            }
        }
        Ok(Self { root })
    }

    /// Builds all programs, and returns what rustc says of each.
    pub(crate) fn build(&self) -> Result<BTreeMap<String, Vec<Message>>> {
        let output = Command::new(env!("CARGO"))
            .args([
                "build",
                "--offline",
                "--workspace",
                "--bins",
                "--keep-going",
            ])
            .args(["--quiet", "--message-format", "json"])
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", self.root.join("target"))
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .output()?;

        let mut messages: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for line in String::from_utf8(output.stdout)?.lines() {
            let line: Value = serde_json::from_str(line)?;
            if line["reason"] != "compiler-message" {
                continue;
            }
            let target = line["target"]["name"].as_str().unwrap_or_default();
            let message = &line["message"];
            // The summary has no place in the source.
            if message["spans"].as_array().is_some_and(Vec::is_empty) {
                continue;
            }
            let text = |key: &str| message[key].as_str().unwrap_or_default().to_owned();
            messages
                .entry(target.to_owned())
                .or_default()
                .push(Message {
                    level: text("level"),
                    text: text("message"),
                    code: message["code"]["code"]
                        .as_str()
                        .unwrap_or_default()
                        .to_owned(),
                    rendered: text("rendered"),
                });
        }
        ensure!(
            output.status.success() || !messages.is_empty(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(messages)
    }

    /// Runs a program: its status, and what it prints. Messages of panics say where those are.
    pub(crate) fn run(&self, name: &str) -> Result<(Option<i32>, String)> {
        let name = format!("{name}{}", env::consts::EXE_SUFFIX);
        let path = self.root.join("target/debug").join(name);
        let output = Command::new(&path)
            .output()
            .with_context(|| path.display().to_string())?;

        Ok((
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        ))
    }
}

/// A print whose lints are warnings: a file may forbid what it leaves to the macro.
fn with_warnings(printed: &str) -> String {
    printed
        .replace("forbid(", "warn(")
        .replace("deny(", "warn(")
}

/// Writes a file and its folder, unless the file has this text: cargo builds a new file again.
fn write(path: &Path, text: &str) -> Result<()> {
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    fs::create_dir_all(path.parent().context("no folder")?)?;
    fs::write(path, text).with_context(|| path.display().to_string())
}
