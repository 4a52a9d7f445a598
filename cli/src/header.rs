// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The line in an expansion that says what it was made from, and how.

use crate::{shebang, Options};
use std::path::{self, Component, Path, PathBuf};

const FROM: &str = "// Expanded from ";
const BY: &str = " by cargo-devres-lazy";
const END: &str = "; S1, S2, ..: see its docs/safety.md.";

/// How many lines into a file the header may be.
const DEPTH: usize = 5;

/// The header of an expansion: its source and its options.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// The source, relative to the folder of the expansion.
    source: String,
    pub(crate) options: Options,
}

impl Header {
    /// For an expansion at `output` of the file at `source`.
    pub(crate) fn new(source: &Path, output: &Path, options: Options) -> Self {
        Self {
            source: relative(source, output.parent().unwrap_or(output)),
            options,
        }
    }

    /// The header of a file, if it has one.
    pub(crate) fn read(text: &str) -> Option<Self> {
        text.lines().take(DEPTH).find_map(Self::parse)
    }

    fn parse(line: &str) -> Option<Self> {
        let (source, rest) = line.strip_prefix(FROM)?.rsplit_once(BY)?;
        let mut words = rest.strip_suffix(END)?.split_whitespace();

        let mut options = Options::default();
        while let Some(option) = words.next() {
            let value = words.next()?.to_owned();
            match option {
                "--item" => options.items.push(value),
                "--edition" => options.edition = Some(value),
                _ => return None,
            }
        }

        Some(Self {
            source: source.to_owned(),
            options,
        })
    }

    /// Where the source of the expansion at `output` is.
    pub(crate) fn source(&self, output: &Path) -> PathBuf {
        output
            .parent()
            .map_or_else(PathBuf::new, Path::to_owned)
            .join(&self.source)
    }

    /// The expansion with this header, behind a byte order mark, a shebang and an SPDX line.
    pub(crate) fn put_into(&self, text: &str) -> String {
        let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
        let bom = text.len() - text.trim_start_matches('\u{feff}').len();
        let mut at = bom + shebang::length(&text[bom..]);
        if at > bom {
            at += text[at..].find('\n').map_or(0, |line_end| line_end + 1);
        }
        if let Some(line) = text[at..].split_inclusive('\n').next() {
            if line.contains("SPDX-License-Identifier") {
                at += line.len();
            }
        }

        let (before, after) = text.split_at(at);
        // A line that is the last one may have no end.
        let line_end = if before.ends_with('\n') || before.len() == bom {
            ""
        } else {
            end
        };
        format!("{before}{line_end}{}{end}{after}", self.line())
    }

    fn line(&self) -> String {
        let mut line = format!("{FROM}{}{BY}", self.source);
        for item in &self.options.items {
            line.push_str(&format!(" --item {item}"));
        }
        if let Some(edition) = &self.options.edition {
            line.push_str(&format!(" --edition {edition}"));
        }

        line + END
    }
}

/// `path` as seen from `folder`, with slashes.
fn relative(path: &Path, folder: &Path) -> String {
    let [path, folder] = [path, folder].map(|path| {
        // The parent of a plain file name is the empty path, which `absolute()` refuses.
        let absolute = path::absolute(Path::new(".").join(path));
        let absolute = absolute.unwrap_or_else(|_| path.to_owned());
        let mut components = Vec::new();
        for component in absolute.components() {
            match component {
                Component::ParentDir => {
                    components.pop();
                }
                component => components.push(component.as_os_str().to_string_lossy().into_owned()),
            }
        }
        components
    });
    let common = path.iter().zip(&folder).take_while(|(a, b)| a == b).count();

    let up = folder[common..].iter().map(|_| "..");
    let down = path[common..].iter().map(String::as_str);
    up.chain(down).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        let options = Options {
            items: vec!["A".into(), "B".into()],
            edition: Some("2024".into()),
        };
        Header::new(Path::new("a/b c.rs"), Path::new("a/d/e.rs"), options)
    }

    #[test]
    fn it_says_what_is_needed() {
        let header = header();
        assert_eq!(header.source, "../b c.rs");
        assert_eq!(Header::parse(&header.line()), Some(header));
        assert_eq!(Header::parse("// Expanded from memory by hand."), None);
    }

    #[test]
    fn it_comes_behind_what_has_to_be_first() {
        let header = header();
        let line = header.line();
        let spdx = "// SPDX-License-Identifier: MIT\n";

        for (before, after) in [
            ("", "fn main() {}\n"),
            (spdx, "\nfn main() {}\n"),
            ("#!/usr/bin/env rust\n", "fn main() {}\n"),
            ("#! /usr/bin/env rust\n", "fn main() {}\n"),
            (
                "\u{feff}#! /usr/bin/env rust\n// SPDX-License-Identifier: MIT\n",
                "fn main() {}\n",
            ),
            // The next line is no attribute of this one.
            ("#!run\n", "#![allow(dead_code)]\n"),
            ("", "#![allow(dead_code)]\n"),
            ("", "#!\n[allow(dead_code)]\n"),
            ("", "#! // A comment.\n[allow(dead_code)]\n"),
            ("\u{feff}", "fn main() {}\n"),
            ("\u{feff}// SPDX-License-Identifier: MIT\n", "fn main() {}"),
        ] {
            let text = header.put_into(&format!("{before}{after}"));
            assert_eq!(text, format!("{before}{line}\n{after}"));
            assert!(Header::read(text.trim_start_matches('\u{feff}')).is_some());
        }
        assert_eq!(
            header.put_into("fn main() {}\r\n"),
            format!("{line}\r\nfn main() {{}}\r\n")
        );
        assert_eq!(
            header.put_into("#! run\r\nfn main() {}\r\n"),
            format!("#! run\r\n{line}\r\nfn main() {{}}\r\n")
        );
        assert_eq!(header.put_into("#! run"), format!("#! run\n{line}\n"));
    }
}
