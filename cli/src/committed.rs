// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Expansions that are committed instead of the macro, and whether they are what their sources
//! expand to.

use crate::{expand, header::Header, report::Failure, Options, Source};
use anyhow::{Context, Result};
use similar::TextDiff;
use std::{
    ffi::OsStr,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};
use tempfile::Builder;

/// A file that says what it was expanded from.
pub struct Committed {
    /// The path of the expansion.
    pub path: PathBuf,
    /// The text of the file.
    text: String,
    /// The text that the source expands to now.
    fresh: String,
}

impl Committed {
    /// Finds the expansions among files, which have to be such, and in directories.
    ///
    /// # Errors
    ///
    /// If a file is no expansion, or something cannot be read.
    pub fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for path in paths {
            if path.is_dir() {
                search(path, &mut found)?;
            } else if is_expansion(path)? {
                found.push(path.clone());
            } else {
                return Err(Failure::without_source(format!(
                    "`{0}` does not say what it was expanded from\n  = help: \
                     `cargo devres-lazy expand {0} --output FILE` makes an expansion of it",
                    path.display()
                ))
                .into());
            }
        }

        Ok(found)
    }

    /// Reads an expansion, and expands its source again.
    ///
    /// # Errors
    ///
    /// If the source cannot be expanded.
    pub fn read(path: &Path) -> Result<Self> {
        let text = read(path)?;
        let header = Header::read(text.trim_start_matches('\u{feff}'))
            .with_context(|| format!("`{}` is no expansion any more", path.display()))?;
        let fresh = Source::read(&header.source(path))
            .map_err(Into::into)
            .and_then(|source| expand(&source, &header.options))
            .map_err(|error| of_expansion(error, path))?;

        Ok(Self {
            path: path.to_owned(),
            text,
            fresh: header.put_into(&fresh),
        })
    }

    /// Expands `source` to the text to be committed at `path`.
    ///
    /// # Errors
    ///
    /// If the source cannot be expanded, or is the file at `path`.
    pub fn new(source: &Source, path: &Path, options: Options) -> Result<Self> {
        let is_source = |source| fs::canonicalize(path).is_ok_and(|path| path == source);
        if fs::canonicalize(&source.path).is_ok_and(is_source) {
            return Err(Failure::without_source(format!(
                "`{}` is the source itself\n  = help: write the expansion to another file",
                path.display()
            ))
            .into());
        }
        let header = Header::new(&source.path, path, options);

        Ok(Self {
            path: path.to_owned(),
            text: String::new(),
            fresh: header.put_into(&expand(source, &header.options)?),
        })
    }

    /// Whether it is not what its source expands to.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.text != self.fresh
    }

    /// Returns the difference between the file and the text that its source expands to.
    #[must_use]
    pub fn diff(&self) -> String {
        TextDiff::from_lines(&self.text, &self.fresh)
            .unified_diff()
            .header(
                &self.path.display().to_string(),
                "what its source expands to",
            )
            .to_string()
    }

    /// Writes the text that the source expands to: all of it, or nothing.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn write(&self) -> Result<()> {
        let context = || format!("cannot write `{}`", self.path.display());
        // Through a link, not over it.
        let path = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };

        if !folder.is_dir() {
            return Err(Failure::without_source(format!(
                "cannot write `{}`: there is no folder `{}`\n  = help: make the folder first",
                self.path.display(),
                folder.display()
            ))
            .into());
        }

        let mut builder = Builder::new();
        #[cfg(unix)]
        let builder = {
            use std::os::unix::fs::PermissionsExt;
            let permissions = fs::metadata(&path).map_or_else(
                |_| fs::Permissions::from_mode(0o666),
                |metadata| metadata.permissions(),
            );
            builder.permissions(permissions)
        };
        let mut file = builder
            .tempfile_in(folder)
            .map_err(without_name)
            .with_context(context)?;
        file.write_all(self.fresh.as_bytes())
            .map_err(without_name)
            .with_context(context)?;
        file.persist(&path).with_context(context)?;

        Ok(())
    }
}

/// Adds the name of the expansion whose source cannot be read or expanded.
fn of_expansion(error: anyhow::Error, path: &Path) -> anyhow::Error {
    let expansion = path.display();
    match error.downcast::<Failure>() {
        Ok(failure) => failure
            .note(format!("`{expansion}` is expanded from this file"))
            .into(),
        Err(error) => error.context(format!("cannot refresh `{expansion}`")),
    }
}

/// The error without the name of the temporary file, which means nothing to the user.
fn without_name(error: io::Error) -> io::Error {
    error.kind().into()
}

/// Reads a text file.
fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))
}

/// Whether a file says what it was expanded from.
fn is_expansion(path: &Path) -> Result<bool> {
    let bytes = fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let text = String::from_utf8_lossy(&bytes);

    Ok(Header::read(text.trim_start_matches('\u{feff}')).is_some())
}

/// Searches a folder, but no build output and no hidden files in it.
fn search(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let mut paths = Vec::new();
    for entry in
        fs::read_dir(folder).with_context(|| format!("cannot read `{}`", folder.display()))?
    {
        let path = entry?.path();
        paths.push(path.strip_prefix(".").map_or(path.clone(), Path::to_owned));
    }
    paths.sort();

    for path in paths {
        let is_hidden = path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.is_symlink() || is_hidden {
            continue;
        }
        if path.is_dir() {
            if !path.join("CACHEDIR.TAG").exists() {
                search(&path, found)?;
            }
        } else if path.extension() == Some(OsStr::new("rs")) && is_expansion(&path)? {
            found.push(path);
        }
    }

    Ok(())
}
