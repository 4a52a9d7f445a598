// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `rust/uapi/`: what user space asks of a sample, for Rust.

use super::includes;
use anyhow::Result;

/// What is added to the list of headers, which is sorted, and what it comes behind.
const HEADER: &str = "#include <uapi/drm/edu_drm.h>";
const BEHIND: &str = "#include <uapi/drm/drm.h>";

/// `rust/uapi/uapi_helper.h`: one more header.
pub(crate) fn helper(text: String) -> Result<String> {
    includes::add(text, HEADER, BEHIND)
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

        assert_eq!(lines.len(), 3);
        assert_eq!(after.lines().collect::<Vec<_>>(), lines);
    }
}
