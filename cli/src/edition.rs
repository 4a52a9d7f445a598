// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The edition of a file, as rustfmt has to be told it.

use std::{
    env, fs,
    path::{self, Path, PathBuf},
};
use toml::{Table, Value};

/// The editions that rustfmt knows, the newest first.
pub const EDITIONS: [&str; 4] = ["2024", "2021", "2018", "2015"];

/// The editions to try for the file at `path`, in order.
///
/// A `given` edition is the only one. Otherwise the first is the edition in rustfmt's
/// configuration, or else in the manifest of the package or workspace, or else the kernel's. The
/// other editions follow, as none of these has to be right about a file.
pub(crate) fn candidates(path: &Path, given: Option<&str>) -> Vec<String> {
    if let Some(edition) = given {
        return vec![edition.to_owned()];
    }

    let first = of_rustfmt(path)
        .or_else(|| of_package(path))
        .unwrap_or_else(|| "2021".to_owned());
    let others = EDITIONS.into_iter().filter(|edition| *edition != first);
    [first.as_str()]
        .into_iter()
        .chain(others)
        .map(ToOwned::to_owned)
        .collect()
}

/// The `edition` in the configuration that rustfmt finds for a file: the nearest one above it, or
/// else the user's own.
fn of_rustfmt(path: &Path) -> Option<String> {
    let path = path::absolute(path).ok()?;
    let variable = |name| env::var_os(name).map(PathBuf::from);
    let home = variable("HOME");
    let config = variable("XDG_CONFIG_HOME").or_else(|| Some(home.as_ref()?.join(".config")));

    let above = path.ancestors().skip(1).map(Path::to_owned);
    let users = home.into_iter().chain(config.map(|it| it.join("rustfmt")));
    let text = above.chain(users).find_map(|directory| {
        [".rustfmt.toml", "rustfmt.toml"]
            .into_iter()
            .find_map(|name| fs::read_to_string(directory.join(name)).ok())
    })?;

    let edition = text.parse::<Table>().ok()?.remove("edition")?;
    edition.as_str().map(ToOwned::to_owned)
}

/// The edition in the manifest of a file's package or workspace.
fn of_package(path: &Path) -> Option<String> {
    let path = path::absolute(path).ok()?;
    let mut manifests = path.ancestors().skip(1).filter_map(|directory| {
        let manifest = fs::read_to_string(directory.join("Cargo.toml")).ok()?;
        manifest.parse::<Table>().ok()
    });

    let own = manifests
        .by_ref()
        .find(|manifest| manifest.contains_key("package"))?;
    match own.get("package")?.get("edition") {
        Some(Value::String(edition)) => Some(edition.clone()),
        // `edition.workspace = true`
        Some(_) => [own]
            .into_iter()
            .chain(manifests)
            .find_map(|manifest| of_workspace(&manifest)),
        // As cargo has it.
        None => Some("2015".to_owned()),
    }
}

fn of_workspace(manifest: &Table) -> Option<String> {
    let edition = manifest.get("workspace")?.get("package")?.get("edition")?;

    edition.as_str().map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    /// The first candidate for a file below these files.
    fn first(files: &[(&str, &str)]) -> String {
        let folder = TempDir::new().unwrap();
        let source = folder.path().join("a/src/b.rs");
        fs::create_dir_all(source.parent().unwrap()).unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }

        candidates(&source, None).remove(0)
    }

    #[test]
    fn rustfmts_configuration_comes_first() {
        let manifest = ("a/Cargo.toml", "[package]\nedition = \"2018\"");

        assert_eq!(first(&[manifest]), "2018");
        for name in ["rustfmt.toml", ".rustfmt.toml", "a/rustfmt.toml"] {
            assert_eq!(first(&[manifest, (name, "edition = \"2024\"")]), "2024");
        }
        // The nearest one counts, and one that says nothing of it leaves it to the package.
        let far = ("rustfmt.toml", "edition = \"2024\"");
        let near = ("a/.rustfmt.toml", "max_width = 90");
        assert_eq!(first(&[manifest, far, near]), "2018");
    }

    #[test]
    fn the_package_may_leave_it_to_the_workspace() {
        let workspace = ("Cargo.toml", "[workspace.package]\nedition = \"2024\"");
        let inherited = ("a/Cargo.toml", "[package]\nedition.workspace = true");

        assert_eq!(first(&[workspace, inherited]), "2024");
        assert_eq!(first(&[("a/Cargo.toml", "[package]")]), "2015");
    }

    #[test]
    fn there_are_others_unless_it_is_given() {
        let path = Path::new("/nowhere/a.rs");

        assert_eq!(candidates(path, Some("2018")), ["2018"]);
        let mut all = candidates(path, None);
        all.sort();
        assert_eq!(all, ["2015", "2018", "2021", "2024"]);
    }
}
