// SPDX-License-Identifier: Apache-2.0 OR MIT

//! C files of the tree that include one more file.

use anyhow::{
    ensure,
    Context,
    Result, //
};

/// Where a line comes, beside another one that is there.
#[derive(Clone, Copy)]
pub(crate) enum Beside<'a> {
    Before(&'a str),
    Behind(&'a str),
}

/// Adds a line to a list of includes. No line is given with its newline.
pub(crate) fn add(mut text: String, line: &str, beside: Beside<'_>) -> Result<String> {
    let line = format!("{line}\n");
    ensure!(
        !text.contains(&line),
        "there is `{}` already",
        line.trim_end()
    );
    let (Beside::Before(other) | Beside::Behind(other)) = beside;
    let begin = text
        .find(&format!("{other}\n"))
        .with_context(|| format!("there is no `{other}` to stand beside"))?;
    let at = match beside {
        Beside::Before(_) => begin,
        Beside::Behind(_) => begin + other.len() + 1,
    };
    text.insert_str(at, &line);

    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_where_it_is_asked_for() {
        let line = "#include <b.h>";
        for beside in [
            Beside::Behind("#include <a.h>"),
            Beside::Before("#include <c.h>"),
        ] {
            let before = "#include <a.h>\n#include <c.h>\n".to_owned();
            let after = add(before, line, beside).unwrap();

            assert_eq!(after, "#include <a.h>\n#include <b.h>\n#include <c.h>\n");
            assert_eq!(
                add(after, line, beside).unwrap_err().to_string(),
                "there is `#include <b.h>` already"
            );
            assert!(add(String::new(), line, beside)
                .unwrap_err()
                .to_string()
                .starts_with("there is no `#include"));
        }
    }
}
