// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The two compilers: the oldest that the crates support, and the newest that Debian has.

use crate::kernel::apt;
use clap::ValueEnum;
use std::fmt;

/// The oldest release that the crates support, as the workspace's `Cargo.toml` says.
const OLDEST: &str = env!("CARGO_PKG_RUST_VERSION");

/// One of the two compilers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Which {
    /// The oldest compiler that the crates support.
    Oldest,
    /// The newest compiler that Debian has.
    Newest,
}

impl Which {
    pub(super) const ALL: [Self; 2] = [Self::Oldest, Self::Newest];

    /// The suites of Debian with the compiler, the preferred one first.
    pub(super) fn suites(self) -> &'static [&'static str] {
        match self {
            Self::Oldest => &[apt::STABLE],
            // `experimental` lacks the packages in which it does not differ from `sid`.
            Self::Newest => &["experimental", "sid"],
        }
    }

    /// Whether a package of this version has the compiler.
    pub(super) fn is(self, version: &str) -> bool {
        let is_oldest = version
            .strip_prefix(OLDEST)
            .is_some_and(|rest| rest.starts_with(['.', '+', '-']));
        is_oldest == (self == Self::Oldest)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Oldest => "oldest",
            Self::Newest => "newest",
        }
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_that_of_the_workspace() {
        let version = format!("{OLDEST}.1+dfsg1-1+deb13u1");
        assert!(Which::Oldest.is(&version) && !Which::Newest.is(&version));

        let version = format!("{OLDEST}0.1+dfsg1-1~exp1");
        assert!(!Which::Oldest.is(&version) && Which::Newest.is(&version));
    }
}
