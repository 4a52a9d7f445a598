// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What a kernel is built and booted with: what of it the machine has, and what has to be got.

use super::{
    apt::{
        self,
        Apt, //
    },
    cache::Cache,
    is_cargo_offline,
    job::{
        self,
        Job, //
    },
    spinner,
    tree::Version,
};
use crate::exit::Exit;
use anyhow::{
    bail,
    ensure,
    Context,
    Result, //
};
use std::{
    env, fs,
    path::{
        Path,
        PathBuf, //
    },
    process::{
        Command,
        Stdio, //
    },
};
use xshell::{
    cmd,
    Shell, //
};

/// Programs of the machine, and the packages of Debian that have them.
const PROGRAMS: &[(&str, &str)] = &[
    ("make", "make"),
    ("flex", "flex"),
    ("bison", "bison"),
    ("bc", "bc"),
    ("perl", "perl"),
    ("cpio", "cpio"),
    ("kmod", "kmod"),
    ("tar", "tar"),
    ("xz", "xz-utils"),
    ("qemu-system-x86_64", "qemu-system-x86"),
];

/// Programs that only `lint` calls, the same.
const LINTERS: &[(&str, &str)] = &[("python3", "python3")];

/// Programs that come with the compiler, and their components.
const COMPONENTS: &[(&str, &str)] = &[
    ("clippy-driver", "clippy"),
    ("rustdoc", "rustc"),
    ("rustfmt", "rustfmt"),
];

/// Headers of the machine, the same.
const HEADERS: &[(&str, &str)] = &[
    ("gelf.h", "libelf-dev"),
    ("openssl/opensslv.h", "libssl-dev"),
];

/// The oldest LLVM that builds a kernel, and the one that this is known to work with.
const LLVM_MINIMUM: Version = Version(17, 0, 1);
const LLVM_TESTED: &str = "-19";

/// The LLVM that is known to work, as packages.
const LLVM_PACKAGES: &[&str] = &["clang-19", "lld-19", "llvm-19", "libclang-19-dev"];

/// What `make LLVM=` calls, beside the compiler.
const LLVM_PROGRAMS: &[&str] = &[
    "ld.lld",
    "llvm-ar",
    "llvm-nm",
    "llvm-objcopy",
    "llvm-objdump",
    "llvm-readelf",
    "llvm-strip",
];

/// The oldest bindgen that Linux accepts, and the one that is built if there is none.
const BINDGEN_MINIMUM: Version = Version(0, 71, 1);
const BINDGEN: &str = "0.72.1";

/// The cargo-fuzz that this is known to work with.
const CARGO_FUZZ: &str = "0.13.2";

/// What cargo says when the network is not there.
pub(super) const CARGO_OFFLINE: &[&str] = &[
    "network error",
    "failed to download",
    "failed to fetch",
    "Could not resolve host",
    "failed to query replaced source registry",
];

/// What APT says when packages are in its lists, and cannot be downloaded.
const APT_OFFLINE: &[&str] = &["Failed to fetch", "Unable to fetch"];

/// An LLVM whose programs have this suffix.
pub(crate) struct Llvm {
    pub(crate) suffix: String,
    pub(crate) version: Version,
    /// The folder of libclang, which bindgen loads.
    pub(crate) libclang: PathBuf,
}

/// The compiler of the repository.
pub(crate) struct Rust {
    pub(crate) version: Version,
    /// The version that releases have, and nightly builds have not.
    release: String,
    pub(crate) sysroot: PathBuf,
}

/// Something that is needed, and how it stands.
pub(crate) struct Check {
    pub(crate) what: String,
    pub(crate) state: State,
}

/// How it stands.
pub(crate) enum State {
    Here,
    /// `test` gets it, this way.
    ToGet(String),
    /// These packages have it.
    Package(Vec<&'static str>),
    /// Somebody has to do this.
    Missing(String),
}

impl Llvm {
    /// The one that is known to work, else the newest that is complete.
    pub(crate) fn find() -> Option<Self> {
        let numbered = (17..=40).rev().map(|version| format!("-{version}"));

        [LLVM_TESTED.to_owned()]
            .into_iter()
            .chain(numbered)
            .chain([String::new()])
            .find_map(Self::with_suffix)
    }

    fn with_suffix(suffix: String) -> Option<Self> {
        let clang = format!("clang{suffix}");
        let text = first_line(&clang, "--version")?;
        let version: Version = text.split("clang version ").nth(1)?.parse().ok()?;
        let complete = LLVM_PROGRAMS
            .iter()
            .all(|program| which(&format!("{program}{suffix}")).is_some());
        if version < LLVM_MINIMUM || !complete {
            return None;
        }

        // `<libclang>/clang/19`.
        let resources = PathBuf::from(first_line(&clang, "-print-resource-dir")?);
        let libclang = resources.ancestors().nth(2)?.to_owned();
        let has = fs::read_dir(&libclang).ok()?.flatten().any(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.starts_with("libclang.so") || name.starts_with("libclang-")
        });
        has.then_some(Self {
            suffix,
            version,
            libclang,
        })
    }

    /// What `make` has to be told.
    pub(crate) fn make_argument(&self) -> String {
        match self.suffix.as_str() {
            "" => "LLVM=1".to_owned(),
            suffix => format!("LLVM={suffix}"),
        }
    }
}

impl Rust {
    /// Asks the one that builds this project.
    pub(crate) fn find(shell: &Shell) -> Result<Self> {
        let verbose = cmd!(shell, "rustc --version --verbose").quiet().read()?;
        let release = verbose
            .lines()
            .find_map(|line| line.strip_prefix("release: "))
            .context("rustc does not say which release it is")?;
        let sysroot = cmd!(shell, "rustc --print sysroot").quiet().read()?;

        Ok(Self {
            version: release.parse()?,
            release: release.to_owned(),
            sysroot: PathBuf::from(sysroot),
        })
    }

    /// The folder of `rustc` itself, and not of something that chooses one.
    pub(crate) fn bin(&self) -> PathBuf {
        self.sysroot.join("bin")
    }

    /// The sources of the library, if they are here.
    fn library_here(&self, cache: &Cache) -> Option<PathBuf> {
        let component = self.sysroot.join("lib/rustlib/src/rust/library");
        let unpacked = cache.path(&self.unpacked()).join("library");

        [component, unpacked]
            .into_iter()
            .find(|library| library.join("core/src/lib.rs").is_file())
    }

    fn unpacked(&self) -> String {
        format!("rust-src-{}", self.release)
    }

    /// The sources of the library, of exactly this version.
    pub(crate) fn library(&self, cache: &Cache) -> Result<PathBuf> {
        let _lock = cache.lock_downloads()?;
        if let Some(library) = self.library_here(cache) {
            return Ok(library);
        }

        let instead =
            "the sources of Rust's library cannot be had (`rustup component add rust-src` \
                       gets them, too)";
        let package = match downloaded(cache, "rust-src", |version| self.is(version))? {
            Some(package) => package,
            None => {
                let apt = Apt::new(cache, apt::SUITE).context(instead)?;
                let versions = apt.versions("rust-src")?;
                let Some(version) = versions.iter().find(|version| self.is(version)) else {
                    bail!(
                        "the sources of Rust's library have to be those of rustc {}, and {} has \
                         those of {}: `rustup component add rust-src` gets the right ones",
                        self.release,
                        apt::SUITE,
                        versions.join(", ")
                    );
                };
                apt.download(cache, "rust-src", version).context(instead)?
            }
        };

        let spinner = spinner(format!("unpacking {}", package.display()));
        let unfinished = cache.temporary()?;
        apt::unpack(&package, unfinished.path())?;
        // Where rustc expects it; the sources of the compiler come with it, and are not kept.
        let library = unfinished.path().join("usr/lib/rustlib/src/rust/library");
        let to = cache.path(&self.unpacked());
        fs::create_dir_all(&to)?;
        fs::rename(&library, to.join("library"))
            .with_context(|| format!("{} is not in the package", library.display()))?;
        spinner.finish_and_clear();
        Ok(to.join("library"))
    }

    /// Whether that is the version of a package of this release: `1.95.0+dfsg1-2~bpo13+1`.
    fn is(&self, package: &str) -> bool {
        package
            .strip_prefix(self.release.as_str())
            .is_some_and(|rest| rest.starts_with(['+', '-']))
    }
}

/// The newest downloaded package of this name whose version is wanted.
pub(crate) fn downloaded(
    cache: &Cache,
    package: &str,
    wanted: impl Fn(&str) -> bool,
) -> Result<Option<PathBuf>> {
    let mut found: Vec<(Version, String)> = Vec::new();
    for name in cache.names("downloads")? {
        let mut parts = name.split('_');
        let (Some(of), Some(version)) = (parts.next(), parts.next()) else {
            continue;
        };
        if of == package && name.ends_with(".deb") && wanted(version) {
            found.extend(version.parse().ok().map(|version| (version, name.clone())));
        }
    }

    Ok(found
        .into_iter()
        .max()
        .map(|(_, name)| cache.path("downloads").join(name)))
}

/// A bindgen that is new enough, if it is here.
pub(crate) fn bindgen_here(cache: &Cache) -> Option<(PathBuf, Version)> {
    let built = cache.path("tools/bin/bindgen");
    let candidates = which("bindgen").into_iter().chain([built]);

    for program in candidates {
        // `bindgen 0.72.1`. Without any arguments, it would load libclang.
        let version = first_line(&program.to_string_lossy(), "--version")
            .and_then(|line| line.strip_prefix("bindgen ")?.parse::<Version>().ok());
        if let Some(version) = version.filter(|version| *version >= BINDGEN_MINIMUM) {
            return Some((program, version));
        }
    }
    None
}

/// A bindgen that is new enough, which is built if need be.
pub(crate) fn bindgen(shell: &Shell, cache: &Cache) -> Result<(PathBuf, Version)> {
    let _lock = cache.lock("tools")?;
    if let Some(found) = bindgen_here(cache) {
        return Ok(found);
    }

    cargo_install(shell, cache, "bindgen-cli", BINDGEN)?;
    bindgen_here(cache).context("cargo has built bindgen, and it does not run")
}

/// What runs fuzz targets, which is built if need be.
pub(crate) fn cargo_fuzz(shell: &Shell, cache: &Cache) -> Result<PathBuf> {
    let _lock = cache.lock("tools")?;
    let program = cache.path("tools/bin/cargo-fuzz");
    // `cargo-fuzz 0.13.2`.
    let is_here = || {
        let line = first_line(&program.to_string_lossy(), "--version");
        line.is_some_and(|line| line.ends_with(&format!(" {CARGO_FUZZ}")))
    };
    if !is_here() {
        cargo_install(shell, cache, "cargo-fuzz", CARGO_FUZZ)?;
        ensure!(is_here(), "cargo has built cargo-fuzz, and it does not run");
    }

    Ok(program)
}

/// Has cargo build the programs of a package.
fn cargo_install(shell: &Shell, cache: &Cache, package: &str, version: &str) -> Result<()> {
    let log = cache.path(&format!("logs/{package}.log"));
    let spinner = spinner(format!("building {package} {version}"));
    let job = Job::start(
        Command::new("cargo")
            .current_dir(shell.current_dir())
            .args(["install", package, "--locked", "--version", version])
            .arg("--root")
            .arg(cache.path("tools")),
        &log,
    )?;
    let built = job.finish()?;
    spinner.finish_and_clear();

    if !built {
        let said = job::tail(&log, 20);
        if is_cargo_offline(&said) {
            bail!(Exit::Skipped(format!(
                "{package} {version} cannot be downloaded, see {}",
                log.display()
            )));
        }
        bail!(
            "{package} {version} cannot be built, see {}:\n{said}",
            log.display()
        );
    }
    Ok(())
}

/// Makes sure that the machine has a C++ compiler, and installs one if that is allowed.
pub(crate) fn ensure_cxx(cache: &Cache, install: bool) -> Result<()> {
    // Where `CXX` names one, that is looked for by who calls it.
    let is_here = || env::var_os("CXX").is_some() || which("c++").is_some();

    ensure_packages(cache, install, || {
        Ok(vec![Check {
            what: "c++".to_owned(),
            state: needs(is_here(), "g++"),
        }])
    })
}

/// Whether the machine has its part: all but what is downloaded.
pub(crate) fn machine() -> Vec<Check> {
    let mut checks = Vec::new();

    let llvm = Llvm::find();
    checks.push(match &llvm {
        Some(llvm) => Check {
            what: format!("clang {} (`make {}`)", llvm.version, llvm.make_argument()),
            state: State::Here,
        },
        None => Check {
            what: format!(
                "clang {LLVM_MINIMUM} or newer, with {}, and libclang",
                LLVM_PROGRAMS.join(", ")
            ),
            state: State::Package(LLVM_PACKAGES.to_vec()),
        },
    });

    for (program, package) in PROGRAMS {
        let here = which(program).is_some();
        checks.push(Check {
            what: (*program).to_owned(),
            state: needs(here, package),
        });
    }

    let compiler = llvm.map_or("cc".to_owned(), |llvm| format!("clang{}", llvm.suffix));
    for (header, package) in HEADERS {
        checks.push(Check {
            what: format!("<{header}>"),
            state: needs(has_header(&compiler, header), package),
        });
    }

    checks
}

/// Whether the machine has what `lint` needs beside that.
pub(crate) fn linters(shell: &Shell) -> Result<Vec<Check>> {
    let programs = LINTERS.iter().map(|(program, package)| Check {
        what: (*program).to_owned(),
        state: needs(which(program).is_some(), package),
    });
    let rust = Rust::find(shell)?;
    let components = COMPONENTS.iter().map(|(program, component)| Check {
        what: format!("{program} of rustc {}", rust.release),
        state: if rust.bin().join(program).is_file() {
            State::Here
        } else {
            State::Missing(format!("`rustup component add {component}`"))
        },
    });

    Ok(programs.chain(components).collect())
}

fn needs(here: bool, package: &'static str) -> State {
    if here {
        State::Here
    } else {
        State::Package(vec![package])
    }
}

/// Whether the rest is here, or how it will be got.
pub(crate) fn downloads(shell: &Shell, cache: &Cache) -> Result<Vec<Check>> {
    let rust = Rust::find(shell)?;
    let mut checks = vec![Check {
        what: format!("rustc {}", rust.release),
        state: State::Here,
    }];

    checks.push(match bindgen_here(cache) {
        Some((program, version)) => Check {
            what: format!("bindgen {version}, {}", program.display()),
            state: State::Here,
        },
        None => Check {
            what: format!("bindgen {BINDGEN_MINIMUM} or newer"),
            state: State::ToGet(format!("builds bindgen-cli {BINDGEN}")),
        },
    });

    checks.push(match rust.library_here(cache) {
        Some(library) => Check {
            what: format!("the sources of Rust's library, {}", library.display()),
            state: State::Here,
        },
        None => Check {
            what: format!("the sources of Rust's library {}", rust.release),
            state: package("rust-src", "`rustup component add rust-src`"),
        },
    });

    checks.push(match super::linux::here(cache)? {
        Some(tree) => Check {
            what: format!("Linux, {}", tree.display()),
            state: State::Here,
        },
        None => Check {
            what: "Linux".to_owned(),
            state: package(super::linux::PACKAGE, "name a tree: `--linux DIR`"),
        },
    });
    Ok(checks)
}

/// How a package will be got, or what to do instead.
fn package(name: &str, instead: &str) -> State {
    let tools = ["apt-get", "apt-cache", "dpkg-deb"];
    match apt::Mirror::find() {
        Ok(mirror) if tools.iter().all(|tool| which(tool).is_some()) => State::ToGet(format!(
            "downloads {name} of {} from {}",
            apt::SUITE,
            mirror.uri
        )),
        Ok(_) => State::Missing(format!("{instead}; there is no APT to get {name} with")),
        Err(error) => State::Missing(format!("{instead}; {error:#}")),
    }
}

/// The packages that are missing, and the command that installs them.
pub(crate) fn install_command(checks: &[Check]) -> Option<(Vec<&'static str>, String)> {
    let packages: Vec<&str> = checks
        .iter()
        .filter_map(|check| match &check.state {
            State::Package(packages) => Some(packages),
            _ => None,
        })
        .flatten()
        .copied()
        .collect();
    if packages.is_empty() {
        return None;
    }

    let command = format!(
        "apt-get update && apt-get install --no-install-recommends {}",
        packages.join(" ")
    );
    Some((packages, command))
}

/// Makes sure that the machine has its part, and installs what is missing if that is allowed.
pub(crate) fn ensure_machine(cache: &Cache, install: bool) -> Result<()> {
    ensure_packages(cache, install, || Ok(machine()))
}

/// Makes the same sure of what `lint` needs beside that. Components cannot be installed this way.
pub(crate) fn ensure_linters(shell: &Shell, cache: &Cache, install: bool) -> Result<()> {
    for check in linters(shell)? {
        if let State::Missing(what_to_do) = check.state {
            bail!("{} is not here: {what_to_do}", check.what);
        }
    }

    ensure_packages(cache, install, || linters(shell))
}

/// Makes sure that these checks find what they look for, as far as packages have it.
fn ensure_packages(
    cache: &Cache,
    install: bool,
    checks: impl Fn() -> Result<Vec<Check>>,
) -> Result<()> {
    let found = checks()?;
    let Some((packages, command)) = install_command(&found) else {
        return Ok(());
    };
    if !install {
        let missing: Vec<String> = found
            .into_iter()
            .filter(|check| matches!(check.state, State::Package(_)))
            .map(|check| check.what)
            .collect();
        bail!(
            "not on this machine: {}. Pass --install as root, or run this as root: `{command}`",
            missing.join(", ")
        );
    }
    ensure!(
        which("apt-get").is_some(),
        "there is no apt-get to install with: {} are what Debian calls what is missing",
        packages.join(" ")
    );
    ensure!(
        rustix::process::geteuid().is_root(),
        "only root can install packages: run this as root, and then the same again without \
         --install: `{command}`"
    );

    install_packages(&packages, &cache.path("logs/install.log"))?;
    match install_command(&checks()?) {
        None => Ok(()),
        Some((packages, _)) => bail!(
            "{} have been installed, and what they are for is still missing",
            packages.join(" ")
        ),
    }
}

/// Installs packages. What cannot be downloaded is a reason to skip; all else is an error.
fn install_packages(packages: &[&str], log: &Path) -> Result<()> {
    let names = packages.join(" ");
    let spinner = spinner(format!("installing {names}"));
    // Lists that cannot be updated may be good enough.
    let outdated = if apt_get(&["update", "--option", "APT::Update::Error-Mode=any"], log)? {
        None
    } else {
        Some(apt::first_error(&job::tail(log, 20)).to_owned())
    };

    let install = ["install", "--yes", "--no-install-recommends"];
    let download = [&install[..], &["--download-only"], packages].concat();
    if !apt_get(&download, log)? {
        let said = job::tail(log, 20);
        let why = apt::first_error(&said);
        if let Some(why) = outdated {
            bail!(Exit::Skipped(format!(
                "APT's lists cannot be updated, and {names} not be downloaded: {why}"
            )));
        }
        if APT_OFFLINE.iter().any(|text| said.contains(text)) {
            bail!(Exit::Skipped(format!(
                "{names} cannot be downloaded, see {}: {why}",
                log.display()
            )));
        }
        bail!(
            "{names} cannot be installed from the APT sources of this machine, see {}: {why}",
            log.display()
        );
    }
    let install = [&install[..], &["--no-download"], packages].concat();
    if !apt_get(&install, log)? {
        bail!(
            "installing {names} failed, see {}:\n{}",
            log.display(),
            job::tail(log, 20)
        );
    }

    spinner.finish_and_clear();
    Ok(())
}

/// Runs the machine's own `apt-get`, and says whether that went well.
fn apt_get(args: &[&str], log: &Path) -> Result<bool> {
    Job::start(
        Command::new("apt-get")
            .arg("--quiet")
            // A machine that has just started may be installing updates.
            .args(["--option", "DPkg::Lock::Timeout=300"])
            .args(args)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("LC_ALL", "C"),
        log,
    )?
    .finish()
}

/// The version of QEMU.
pub(crate) fn qemu() -> Option<Version> {
    // `QEMU emulator version 7.2.22 (..)`.
    first_line("qemu-system-x86_64", "--version")?
        .split("version ")
        .nth(1)?
        .parse()
        .ok()
}

/// Where a program is.
fn which(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// The first line that a program prints.
fn first_line(program: &str, argument: &str) -> Option<String> {
    let output = Command::new(program)
        .arg(argument)
        .stderr(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success())?;

    Some(
        String::from_utf8(output.stdout)
            .ok()?
            .lines()
            .next()?
            .to_owned(),
    )
}

/// Whether a C compiler finds a header.
fn has_header(compiler: &str, header: &str) -> bool {
    let Ok(folder) = tempfile::tempdir() else {
        return false;
    };
    let source = folder.path().join("header.c");
    fs::write(&source, format!("#include <{header}>\n")).is_ok()
        && Command::new(compiler)
            .arg("-fsyntax-only")
            .arg(&source)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_those_of_the_release() {
        let rust = Rust {
            version: Version(1, 95, 0),
            release: "1.95.0".to_owned(),
            sysroot: PathBuf::new(),
        };

        assert!(rust.is("1.95.0+dfsg1-2~bpo13+1"));
        assert!(!rust.is("1.95.01-1") && !rust.is("1.95.1+dfsg1-1") && !rust.is("1.95.0"));
    }

    #[test]
    fn one_command_installs_all() {
        let checks = [
            Check {
                what: "make".to_owned(),
                state: State::Here,
            },
            Check {
                what: "clang".to_owned(),
                state: State::Package(vec!["clang-19", "lld-19"]),
            },
            Check {
                what: "flex".to_owned(),
                state: needs(false, "flex"),
            },
            Check {
                what: "Linux".to_owned(),
                state: State::ToGet(String::new()),
            },
        ];

        let (_, command) = install_command(&checks).unwrap();
        assert_eq!(
            command,
            "apt-get update && apt-get install --no-install-recommends clang-19 lld-19 flex"
        );
        assert!(install_command(&checks[..1]).is_none());
    }
}
