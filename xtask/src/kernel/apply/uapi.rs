// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `rust/uapi/`: what user space asks of the samples, for Rust.

use super::includes::{
    self,
    Beside, //
};
use anyhow::Result;

/// A line of the list of headers, which is sorted.
const DRM: &str = "#include <uapi/drm/drm.h>";

/// The samples' headers, and where each one goes.
const HEADERS: [(&str, Beside<'_>); 2] = [
    ("#include <uapi/drm/bochs_drm.h>", Beside::Before(DRM)),
    ("#include <uapi/drm/edu_drm.h>", Beside::Behind(DRM)),
];

/// `rust/uapi/uapi_helper.h`: two more headers.
pub(crate) fn helper(text: String) -> Result<String> {
    HEADERS
        .into_iter()
        .try_fold(text, |text, (header, beside)| {
            includes::add(text, header, beside)
        })
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
    }
}
