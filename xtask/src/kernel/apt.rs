// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Packages of Debian, without installing them.
//!
//! APT gets a configuration of its own, in the cache, that knows one suite of the mirror that the
//! machine uses, and the keys that the machine has. What the machine's own configuration says about
//! proxies still holds; its sources and lists are neither used nor changed.

use super::{
    cache::Cache,
    job::{
        self,
        Job, //
    },
    spinner,
};
use crate::exit::Exit;
use anyhow::{
    bail,
    Context,
    Result, //
};
use std::{
    fs,
    path::{
        Path,
        PathBuf, //
    },
    process::Command,
};

/// The suite that has the packages for building.
pub(crate) const SUITE: &str = "trixie-backports";

/// The one that it adds to, which has all others.
pub(crate) const STABLE: &str = "trixie";

/// Where the keys of Debian's archive can be.
const KEYRINGS: [&str; 2] = [
    "/usr/share/keyrings/debian-archive-keyring.gpg",
    "/usr/share/keyrings/debian-archive-keyring.pgp",
];

/// Suites of which a mirror has this one too.
const SUITES: &[&str] = &[
    "bookworm",
    "trixie",
    "forky",
    "oldstable",
    "stable",
    "testing",
    "unstable",
    "sid",
];

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

        let mut uris = Vec::new();
        for (file, text) in sources()? {
            if file.extension().is_some_and(|kind| kind == "sources") {
                uris.extend(deb822(&text));
            } else {
                uris.extend(one_line(&text));
            }
        }
        // Others have suites of the same names.
        let uri = uris
            .iter()
            .find(|uri| uri.trim_end_matches('/').ends_with("/debian"))
            .or(uris.first())
            .with_context(|| {
                "Debian's archive is not among the APT sources of this machine".to_owned()
            })?;

        Ok(Self {
            uri: uri.clone(),
            keyring,
        })
    }
}

impl Apt {
    /// Gets the lists of a suite.
    pub(crate) fn new(cache: &Cache, suite: &str) -> Result<Self> {
        let mirror = Mirror::find()?;
        let folder = cache.path("apt");
        for name in ["lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(folder.join(name))?;
        }

        fs::write(
            folder.join("sources.list"),
            format!(
                "deb [signed-by={}] {} {suite} main\n",
                mirror.keyring, mirror.uri
            ),
        )?;
        fs::write(folder.join("status"), "")?;
        let config = folder.join("apt.conf");
        fs::write(&config, configuration(&folder))?;

        let apt = Self {
            config,
            log: cache.path("logs/apt.log"),
        };
        let spinner = spinner(format!("asking {} for {suite}", mirror.uri));
        apt.get(&["update"], &folder)
            .with_context(|| format!("{suite} cannot be had from {}", mirror.uri))?;
        spinner.finish_and_clear();
        Ok(apt)
    }

    /// The versions of a package, newest first.
    pub(crate) fn versions(&self, package: &str) -> Result<Vec<String>> {
        let output = self
            .command("apt-cache")
            .args(["madison", package])
            .output()?;

        Ok(madison(&String::from_utf8_lossy(&output.stdout)))
    }

    /// Downloads a package. Returns its file, in the folder for downloads.
    pub(crate) fn download(&self, cache: &Cache, package: &str, version: &str) -> Result<PathBuf> {
        let unfinished = cache.temporary()?;
        let spinner = spinner(format!("downloading {package} {version}"));
        self.get(
            &["download", &format!("{package}={version}")],
            unfinished.path(),
        )
        .with_context(|| format!("{package} {version} cannot be downloaded"))?;
        spinner.finish_and_clear();

        let file = fs::read_dir(unfinished.path())?
            .next()
            .context("APT has downloaded nothing")??;
        let to = cache.path("downloads").join(file.file_name());
        fs::rename(file.path(), &to)?;
        Ok(to)
    }

    /// Runs `apt-get` in a folder.
    fn get(&self, args: &[&str], folder: &Path) -> Result<()> {
        let job = Job::start(
            self.command("apt-get").args(args).current_dir(folder),
            &self.log,
        )?;
        if job.finish()? {
            return Ok(());
        }

        let said = job::tail(&self.log, 20);
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

/// Unpacks the files of a package.
pub(crate) fn unpack(package: &Path, folder: &Path) -> Result<()> {
    let output = Command::new("dpkg-deb")
        .arg("--extract")
        .args([package, folder])
        .output()
        .context("dpkg-deb")?;
    if !output.status.success() {
        // It would be as broken the next time.
        fs::remove_file(package)?;
        bail!(
            "{} cannot be unpacked: {}",
            package.display(),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }

    Ok(())
}

/// The private configuration.
fn configuration(folder: &Path) -> String {
    let folder = folder.display();

    format!(
        r#"// Written by `cargo xtask kernel`.
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear APT::Default-Release;
#clear APT::Architectures;
APT::Architecture "amd64";
APT::Architectures {{ "amd64"; }};
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

/// The machine's lists of sources.
fn sources() -> Result<Vec<(PathBuf, String)>> {
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    if let Ok(parts) = fs::read_dir("/etc/apt/sources.list.d") {
        for part in parts {
            files.push(part?.path());
        }
    }
    files.sort();

    Ok(files
        .into_iter()
        .filter(|file| {
            file.extension()
                .is_some_and(|kind| kind == "list" || kind == "sources")
        })
        // Some may be for root's eyes only, for the password in them.
        .filter_map(|file| fs::read_to_string(&file).ok().map(|text| (file, text)))
        .collect())
}

/// URIs of Debian's archive in a `.list` file.
fn one_line(text: &str) -> Vec<String> {
    let mut uris = Vec::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let Some(rest) = line.strip_prefix("deb ") else {
            continue;
        };
        let (options, rest) = match rest.trim_start().strip_prefix('[') {
            Some(rest) => rest.split_once(']').unwrap_or_default(),
            None => ("", rest),
        };
        let signed_by = options
            .split_whitespace()
            .find_map(|option| option.strip_prefix("signed-by="));

        let words: Vec<&str> = rest.split_whitespace().collect();
        if let [uri, suite, components @ ..] = words.as_slice() {
            if !uri.starts_with("cdrom:") && is_archive(&[suite], components, signed_by) {
                uris.push((*uri).to_owned());
            }
        }
    }

    uris
}

/// URIs of Debian's archive in a `.sources` file.
fn deb822(text: &str) -> Vec<String> {
    let mut uris = Vec::new();
    let text: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();

    for stanza in text.split(|line| line.trim().is_empty()) {
        let field = |name: &str| -> Vec<&str> {
            let mut lines = stanza
                .iter()
                .skip_while(|line| !is_field(line, name))
                .peekable();
            let Some(first) = lines.next() else {
                return Vec::new();
            };
            let mut words: Vec<&str> = first[name.len() + 1..].split_whitespace().collect();
            // A line that begins with a space goes on with the one before.
            while let Some(line) = lines.next_if(|line| line.starts_with([' ', '\t'])) {
                words.extend(line.split_whitespace());
            }
            words
        };

        let signed_by = field("Signed-By").join(" ");
        let signed_by = Some(signed_by.as_str()).filter(|keys| !keys.is_empty());
        let enabled = !matches!(field("Enabled").as_slice(), ["no" | "false" | "0"]);
        if enabled
            && field("Types").contains(&"deb")
            && is_archive(&field("Suites"), &field("Components"), signed_by)
        {
            uris.extend(field("URIs").first().map(|uri| (*uri).to_owned()));
        }
    }

    uris
}

/// Whether a line is that of a field, whose name can be written in either case.
fn is_field(line: &str, name: &str) -> bool {
    line.get(..name.len())
        .is_some_and(|begin| begin.eq_ignore_ascii_case(name))
        && line[name.len()..].starts_with(':')
}

/// Whether a source is Debian's archive: it has the component `main` of one of its suites, and is
/// signed with its keys, or with any that the machine trusts.
fn is_archive(suites: &[&str], components: &[&str], signed_by: Option<&str>) -> bool {
    suites.iter().any(|suite| SUITES.contains(suite))
        && components.contains(&"main")
        && signed_by.is_none_or(|keys| keys.contains("debian-archive"))
}

/// The versions that `apt-cache madison` lists.
fn madison(text: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| line.split('|').nth(1))
        .map(|version| version.trim().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read() {
        let text = "\
# deb http://commented.example/debian trixie main
deb cdrom:[Debian]/ trixie main
deb-src http://source.example/debian trixie main
deb http://security.example/debian-security trixie-security main
deb [signed-by=/etc/apt/keyrings/other.gpg] http://other.example/apt trixie main
deb http://third.example/apt trixie stable
deb [signed-by=/a/debian-archive-keyring.gpg arch=amd64] http://signed.example/debian sid main # why
deb http://plain.example/debian/ stable main non-free
";

        assert_eq!(
            one_line(text),
            [
                "http://signed.example/debian",
                "http://plain.example/debian/"
            ]
        );
    }

    #[test]
    fn stanzas_are_read() {
        let text = "\
Types: deb
# a comment
URIs: http://one.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://one.example/debian-security
Suites: bookworm-security
Components: main

types: deb deb-src
uris:
 http://two.example/debian
 http://three.example/debian
suites:
 trixie
components: contrib
 main

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: trixie
Components: main

Types: deb
URIs: http://node.example/node
Suites: trixie
Components: main
Signed-By: /usr/share/keyrings/node.gpg
";

        assert_eq!(
            deb822(text),
            ["http://one.example/debian", "http://two.example/debian"]
        );
    }

    #[test]
    fn versions_are_listed() {
        assert_eq!(
            madison(
                "  rust-src | 1.96.0+dfsg1-1~bpo13+1 | http://a/debian s/main amd64 Packages\n\
                 \x20 rust-src | 1.95.0+dfsg1-2~bpo13+1 | http://a/debian s/main amd64 Packages\n"
            ),
            ["1.96.0+dfsg1-1~bpo13+1", "1.95.0+dfsg1-2~bpo13+1"]
        );
        assert!(madison("").is_empty());
    }
}
