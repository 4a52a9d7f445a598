// SPDX-License-Identifier: Apache-2.0 OR MIT

//! C files of the tree that include one more file.

use anyhow::{
    ensure,
    Context,
    Result, //
};

/// Adds a line to a list of includes, behind another line. Both are without a newline.
pub(crate) fn add(mut text: String, line: &str, behind: &str) -> Result<String> {
    let line = format!("{line}\n");
    ensure!(
        !text.contains(&line),
        "there is `{}` already",
        line.trim_end()
    );
    let at = text
        .find(&format!("{behind}\n"))
        .with_context(|| format!("there is no `{behind}` to stand behind"))?;
    text.insert_str(at + behind.len() + 1, &line);

    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_where_it_is_asked_for() {
        let (line, behind) = ("#include <b.h>", "#include <a.h>");
        let before = "#include <a.h>\n#include <c.h>\n".to_owned();
        let after = add(before, line, behind).unwrap();

        assert_eq!(after, "#include <a.h>\n#include <b.h>\n#include <c.h>\n");
        assert_eq!(
            add(after, line, behind).unwrap_err().to_string(),
            "there is `#include <b.h>` already"
        );
        assert_eq!(
            add(String::new(), line, behind).unwrap_err().to_string(),
            "there is no `#include <a.h>` to stand behind"
        );
    }
}
