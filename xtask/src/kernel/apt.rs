// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Packages of Debian, without installing them.
//!
//! APT gets a configuration of its own in the cache. It has the suites that are asked for, from the
//! mirror that APT already uses on this machine, and the keys of the machine. The machine's own
//! settings for proxies still hold; its sources and lists are neither used nor changed.

use super::{cache::Cache, job, progress::spinner};
use crate::exit::Exit;
use anyhow::{bail, Context, Result};
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// The suite that has the packages for building.
pub(crate) const SUITE: &str = "trixie-backports";

/// The one that it adds to, which has all others.
pub(crate) const STABLE: &str = "trixie";

/// The one that has release candidates of Linux.
pub(crate) const NEWEST: &str = "experimental";

/// Where the keys of Debian's archive can be.
const KEYRINGS: [&str; 2] = [
    "/usr/share/keyrings/debian-archive-keyring.gpg",
    "/usr/share/keyrings/debian-archive-keyring.pgp",
];

/// Suites of which a mirror has these two as well.
const SUITES: &str = "bookworm trixie forky oldstable stable testing unstable sid";

/// What APT says when the network is there and the packages are not to be trusted: not a reason to
/// skip anything.
const UNTRUSTED: [&str; 4] = [
    "NO_PUBKEY",
    "is not signed",
    "signatures were invalid",
    "signatures couldn't be verified",
];

/// APT with a private configuration.
pub(crate) struct Apt {
    config: PathBuf,
    log: PathBuf,
    /// Packages are of this suite if it has them.
    suite: String,
}

/// A mirror, and the keys that packages from there are signed with.
#[derive(Debug)]
pub(crate) struct Mirror {
    pub(crate) uri: String,
    keyring: &'static str,
}

impl Mirror {
    /// The one that this machine uses.
    pub(crate) fn find() -> Result<Self> {
        let Some(keyring) = KEYRINGS.into_iter().find(|path| Path::new(path).exists()) else {
            bail!(
                "the keys of Debian's archive are not here: \
                 `apt-get install debian-archive-keyring`"
            );
        };

        // Without lists, as in a new container, `apt-get indextargets` knows nothing.
        let output = Command::new("apt-get")
            .args(["update", "--print-uris"])
            .output()
            .context("apt-get")?;
        let uri = mirror(&String::from_utf8_lossy(&output.stdout))
            .context("Debian's archive is not among the APT sources of this machine")?;
        Ok(Self { uri, keyring })
    }
}

/// The mirror of Debian's archive among the index files that APT would get: the one that has the
/// component `main` of a suite.
fn mirror(print_uris: &str) -> Option<String> {
    let mirrors = print_uris.lines().filter_map(|line| {
        let uri = line.strip_prefix('\'')?.split('\'').next()?;
        let (mirror, index) = uri.split_once("/dists/")?;
        let (suite, index) = index.split_once('/')?;
        let is_known = SUITES.split(' ').any(|it| it == suite);
        let is_wanted = is_known && index.starts_with("main/binary-");
        (is_wanted && !uri.starts_with("cdrom:")).then(|| mirror.to_owned())
    });

    // Others have suites of the same names.
    mirrors.reduce(|first, it| {
        if !first.ends_with("/debian") && it.ends_with("/debian") {
            it
        } else {
            first
        }
    })
}

/// The architecture of packages that name none: `linux-source-7.3`, `busybox-static:arm64`.
pub(crate) const AMD64: &str = "amd64";

/// Downloads and unpacks the newest of the wanted versions of a package, and keeps a part of it. By
/// the package's folder and version, `find` returns where the part is and where it is moved to.
/// Only with [`Cache::lock_downloads`].
pub(crate) fn get(
    cache: &Cache,
    suites: &[&str],
    package: &str,
    wanted: impl Fn(&str) -> bool,
    find: impl FnOnce(&Path, &str) -> Result<(PathBuf, PathBuf)>,
) -> Result<PathBuf> {
    let (package, arch) = package.split_once(':').unwrap_or((package, AMD64));
    let apt = Apt::new(cache, arch, suites, &[])?;
    let suites = suites.join(" and ");
    let versions = apt.versions(package)?;
    let Some(version) = versions.iter().find(|version| wanted(version)) else {
        if versions.is_empty() {
            bail!(Exit::Skipped(format!("{suites} does not have {package}")));
        }
        bail!("{suites} has {package} {}", versions.join(", "));
    };

    let named = format!("{package}={version}");
    let what = format!("{package} {version}");
    let (_unfinished, root) = apt.unpack(cache, &what, &["download", &named])?;
    let (from, to) = find(&root, version)?;
    fs::create_dir_all(to.parent().unwrap_or(&to))?;
    fs::rename(&from, &to).with_context(|| format!("{} is not in {what}", from.display()))?;
    Ok(to)
}

impl Apt {
    /// Gets the lists of suites for an architecture, the preferred suite first. Packages that are
    /// `here`, on this machine, are not downloaded as dependencies of others. Only with
    /// [`Cache::lock_downloads`].
    pub(crate) fn new(cache: &Cache, arch: &str, suites: &[&str], here: &[&str]) -> Result<Self> {
        let mirror = Mirror::find()?;
        let folder = cache.path("apt");
        for name in ["lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(folder.join(name))?;
        }

        let Mirror { keyring, uri } = &mirror;
        let source = |suite| format!("deb [signed-by={keyring}] {uri} {suite} main\n");
        let sources: String = suites.iter().map(source).collect();
        fs::write(folder.join("sources.list"), sources)?;
        fs::write(folder.join("status"), status(here))?;
        let config = folder.join("apt.conf");
        fs::write(&config, configuration(&folder, arch))?;

        let log = cache.path("logs/apt.log");
        let suite = suites.first().copied().unwrap_or_default().to_owned();
        let apt = Self { config, log, suite };
        let suites = suites.join(" and ");
        let _spinner = spinner(format!("asking {} for {suites}", mirror.uri));
        apt.get(&["update"], &folder)
            .with_context(|| format!("{suites} cannot be had from {}", mirror.uri))?;
        Ok(apt)
    }

    /// The versions of a package, newest first.
    pub(crate) fn versions(&self, package: &str) -> Result<Vec<String>> {
        let mut madison = self.command("apt-cache");
        let output = madison.args(["madison", package]).output()?;
        Ok(versions(&String::from_utf8_lossy(&output.stdout)))
    }

    /// Downloads packages with all that they depend on, and unpacks them to a folder of the cache.
    /// Nothing is installed. In `bin` there, a script for each of these programs runs it by the
    /// loader of the folder, so this machine's own C library may be older. No `chroot` is needed, so
    /// an ordinary user can do all of this.
    pub(crate) fn unpack_programs(
        &self,
        cache: &Cache,
        packages: &[&str],
        programs: &[&str],
        to: &Path,
    ) -> Result<()> {
        let options = [
            "install",
            "--download-only",
            "--yes",
            "--no-install-recommends",
            "--target-release",
            &self.suite,
        ];
        let args = [&options, packages].concat();
        let (_unfinished, root) = self.unpack(cache, &packages.join(", "), &args)?;
        write_scripts(&root, programs)?;
        Ok(fs::rename(root, to)?)
    }

    /// Has `apt-get` download packages, and unpacks all that come. Returns a folder that is gone
    /// when it is dropped, and the one in it with their files.
    fn unpack(&self, cache: &Cache, what: &str, args: &[&str]) -> Result<(TempDir, PathBuf)> {
        let unfinished = cache.temporary()?;
        let [root, archives] = ["root", "archives"].map(|name| unfinished.path().join(name));
        fs::create_dir(&root)?;
        fs::create_dir_all(archives.join("partial"))?;

        let spinner = spinner(format!("downloading {what}"));
        // `download` writes to the folder that it runs in, and `install` to this one.
        let to_archives = format!("Dir::Cache::archives={}", archives.display());
        self.get(&[&["--option", &to_archives], args].concat(), &archives)
            .with_context(|| format!("{what} cannot be downloaded"))?;
        spinner.set_message(format!("unpacking {what}"));
        for entry in fs::read_dir(&archives)? {
            let file = entry?.path();
            if file.extension().is_some_and(|it| it == "deb") {
                let mut dpkg = Command::new("dpkg-deb");
                let dpkg = dpkg.arg("--extract").args([&file, &root]);
                job::run(dpkg, &self.log, format!("{what} cannot be unpacked"))?;
            }
        }
        Ok((unfinished, root))
    }

    /// Runs `apt-get` in a folder.
    fn get(&self, args: &[&str], folder: &Path) -> Result<()> {
        let mut command = self.command("apt-get");
        let command = command.args(args).current_dir(folder);
        let Some(said) = job::failure(command, &self.log)? else {
            return Ok(());
        };
        if UNTRUSTED.iter().any(|text| said.contains(text)) {
            bail!("{said}");
        }
        bail!(Exit::Skipped(first_error(&said).to_owned()))
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            // Read after the machine's own, so that it wins.
            .arg("--config-file")
            .arg(&self.config)
            .arg("--quiet")
            .env("LC_ALL", "C");
        command
    }
}

/// The first error of those that APT has printed: it is the reason for the others.
pub(crate) fn first_error(said: &str) -> &str {
    said.lines()
        .find(|line| line.starts_with("E: "))
        .unwrap_or("apt-get failed")
}

/// Writes a script for each program, which runs it by the loader of the folder. Other shells than
/// bash lose variables such as `CARGO_BIN_EXE_a-b`, whose names are not theirs.
fn write_scripts(root: &Path, programs: &[&str]) -> Result<()> {
    let bin = root.join("bin");
    fs::create_dir_all(&bin)?;
    for program in programs {
        let file = bin.join(program);
        let script = format!(
            "#!/bin/bash\n\
             # Runs the program by the loader and with the libraries that were unpacked with it.\n\
             # The program takes this script for itself: cargo tells others where it is.\n\
             root=${{0%/*}}/..\n\
             libraries=$root/usr/lib/x86_64-linux-gnu\n\
             exec \"$libraries/ld-linux-x86-64.so.2\" --library-path \"$libraries\" \\\n\
             \x20   --argv0 \"$0\" \"$root/usr/bin/{program}\" \"$@\"\n"
        );
        fs::write(&file, script)?;
        fs::set_permissions(&file, Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// The list of installed packages that APT gets: those that are here, newer than any.
fn status(here: &[&str]) -> String {
    let entry = |package| {
        format!(
            "Package: {package}\nStatus: install ok installed\nArchitecture: amd64\n\
             Version: 9999\nMaintainer: nobody\nDescription: of this machine\n\n"
        )
    };
    here.iter().map(entry).collect()
}

fn configuration(folder: &Path, arch: &str) -> String {
    let folder = folder.display();

    format!(
        r#"// Written by `cargo xtask kernel`.
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear APT::Default-Release;
#clear APT::Architectures;
APT::Architecture "{arch}";
APT::Architectures {{ "{arch}"; }};
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
APT::Get::AllowUnauthenticated "false";
Acquire::AllowInsecureRepositories "false";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::Retries "2";
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State::lists "{folder}/lists";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}/cache";
"#
    )
}

/// The versions that `apt-cache madison` lists.
fn versions(text: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| line.split('|').nth(1))
        .map(|version| version.trim().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_that_of_debian() {
        let index = |source: &str, component: &str| {
            format!("'{source}/{component}/binary-amd64/Packages.xz' x_Packages 0 \n")
        };
        let others = [
            index("cdrom:[Debian]/debian/dists/trixie", "main"),
            index(
                "http://security.example/debian/dists/trixie-security",
                "main",
            ),
            index("https://docker.example/linux/debian/dists/trixie", "stable"),
            "'http://b.example/debian/dists/trixie/InRelease' x_InRelease 0 \n".to_owned(),
        ]
        .concat();
        let third = index("http://third.example/apt/dists/stable", "main");
        let debian = index("http://debian.example/debian/dists/sid", "main");

        assert_eq!(mirror(&others), None);
        assert_eq!(
            mirror(&format!("{others}{third}{debian}")).unwrap(),
            "http://debian.example/debian"
        );
        assert_eq!(mirror(&third).unwrap(), "http://third.example/apt");
    }

    #[test]
    fn versions_are_listed() {
        assert_eq!(
            versions(
                "  rust-src | 1.96.0+dfsg1-1~bpo13+1 | http://a/debian s/main amd64 Packages\n\
                 \x20 rust-src | 1.95.0+dfsg1-2~bpo13+1 | http://a/debian s/main amd64 Packages\n"
            ),
            ["1.96.0+dfsg1-1~bpo13+1", "1.95.0+dfsg1-2~bpo13+1"]
        );
        assert!(versions("").is_empty());
    }

    #[test]
    fn packages_that_are_here_are_installed() {
        let status = status(&["gcc", "binutils"]);
        let packages: Vec<_> = status.split_terminator("\n\n").collect();

        assert_eq!(packages.len(), 2);
        assert!(packages[0].starts_with("Package: gcc\nStatus: install ok installed\n"));
    }

    #[test]
    fn a_program_is_run_by_the_loader_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let libraries = folder.path().join("usr/lib/x86_64-linux-gnu");
        fs::create_dir_all(&libraries).unwrap();
        // Prints its arguments and a variable, as the loader does not.
        let loader = libraries.join("ld-linux-x86-64.so.2");
        let prints = "#!/bin/bash\nprintf '%s\\n' \"$@\"\nenv | grep '^A-B='\n";
        fs::write(&loader, prints).unwrap();
        fs::set_permissions(&loader, Permissions::from_mode(0o755)).unwrap();
        write_scripts(folder.path(), &["rustc"]).unwrap();

        let output = Command::new(folder.path().join("bin/rustc"))
            .args(["--crate-name", "a b"])
            .env("A-B", "c")
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let said = said.replace(&folder.path().display().to_string(), "");
        assert_eq!(
            said.lines().collect::<Vec<_>>(),
            [
                "--library-path",
                "/bin/../usr/lib/x86_64-linux-gnu",
                "--argv0",
                "/bin/rustc",
                "/bin/../usr/bin/rustc",
                "--crate-name",
                "a b",
                "A-B=c"
            ]
        );
    }
}
