// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The objects that are measured in a kernel.

use crate::kernel::flavour::Object;

/// An object with a table, or a way to write it.
pub(crate) struct Candidate {
    /// The name of its file in `kernel/bench/candidates/`, which raw results have, too.
    pub(crate) file: &'static str,
    /// Its name in tables.
    pub(super) title: &'static str,
    pub(super) object: Object,
}

/// The reference copy, which others are compared with.
pub(super) const BY_HAND: Candidate = Candidate {
    file: "by_hand",
    title: "by hand",
    object: Object::ByHand,
};

/// The candidate that the targets are about.
pub(crate) const OURS: Candidate = Candidate {
    file: "lazy",
    title: "`#[devres_lazy]`",
    object: Object::Annotated,
};

/// All candidates, in the order in which they are measured.
pub(super) static CANDIDATES: [Candidate; 2] = [BY_HAND, OURS];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root;
    use std::fs;

    #[test]
    fn each_candidate_has_a_file() {
        let folder = root().join("kernel/bench/candidates");
        for candidate in &CANDIDATES {
            let file = folder.join(format!("{}.rs", candidate.file));
            assert!(file.exists(), "{}", file.display());
        }
        assert_eq!(fs::read_dir(folder).unwrap().count(), CANDIDATES.len());
    }
}
