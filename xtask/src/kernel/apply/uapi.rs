// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `rust/uapi/`: what user space asks of the samples, for Rust.

use anyhow::{
    ensure,
    Context,
    Result, //
};

/// A line of the list of headers, which is sorted.
const DRM: &str = "#include <uapi/drm/drm.h>\n";

/// What is added before and behind it.
const BEFORE: &str = "#include <uapi/drm/bochs_drm.h>\n";
const BEHIND: &str = "#include <uapi/drm/edu_drm.h>\n";

/// `rust/uapi/uapi_helper.h`: two more headers.
pub(crate) fn helper(mut text: String) -> Result<String> {
    for header in [BEFORE, BEHIND] {
        ensure!(
            !text.contains(header),
            "there is `{}` already",
            header.trim_end()
        );
    }
    let at = text
        .find(DRM)
        .with_context(|| format!("there is no `{}` to stand beside", DRM.trim_end()))?;
    text.insert_str(at + DRM.len(), BEHIND);
    text.insert_str(at, BEFORE);

    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headers_come_in_order() {
        let before = "#include <uapi/drm/drm.h>\n#include <uapi/drm/nova_drm.h>\n";
        let after = helper(before.to_owned()).unwrap();
        let mut lines: Vec<&str> = after.lines().collect();
        lines.sort_unstable();

        assert_eq!(lines.len(), 4);
        assert_eq!(after.lines().collect::<Vec<_>>(), lines);
        assert_eq!(
            helper(after).unwrap_err().to_string(),
            "there is `#include <uapi/drm/bochs_drm.h>` already"
        );
        assert_eq!(
            helper(String::new()).unwrap_err().to_string(),
            "there is no `#include <uapi/drm/drm.h>` to stand beside"
        );
    }
}
