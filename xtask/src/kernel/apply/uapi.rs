// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `rust/uapi/`: what user space asks of a sample, for Rust.

use anyhow::{
    ensure,
    Context,
    Result, //
};

/// What is added to the list of headers, which is sorted, and what it comes behind.
const HEADER: &str = "#include <uapi/drm/edu_drm.h>\n";
const BEHIND: &str = "#include <uapi/drm/drm.h>\n";

/// `rust/uapi/uapi_helper.h`: one more header.
pub(crate) fn helper(mut text: String) -> Result<String> {
    ensure!(
        !text.contains(HEADER),
        "there is `{}` already",
        HEADER.trim_end()
    );
    let at = text
        .find(BEHIND)
        .with_context(|| format!("there is no `{}` to stand behind", BEHIND.trim_end()))?;
    text.insert_str(at + BEHIND.len(), HEADER);

    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_comes_in_order() {
        let before = "#include <uapi/drm/drm.h>\n#include <uapi/drm/nova_drm.h>\n";
        let after = helper(before.to_owned()).unwrap();
        let mut lines: Vec<&str> = after.lines().collect();
        lines.sort_unstable();

        assert_eq!(after.lines().collect::<Vec<_>>(), lines);
        assert_eq!(
            helper(after).unwrap_err().to_string(),
            "there is `#include <uapi/drm/edu_drm.h>` already"
        );
        assert_eq!(
            helper(String::new()).unwrap_err().to_string(),
            "there is no `#include <uapi/drm/drm.h>` to stand behind"
        );
    }
}
