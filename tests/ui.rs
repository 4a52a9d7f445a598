// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What compiles and works, and what does not compile and how that is said: `tests/ui`.
//!
//! `tests/ui/pass/<case>.rs` is run; some are run as `cargo devres-lazy expand` prints them as well,
//! where print could mean something else. `tests/ui/<topic>/<case>.rs` of every other topic fails to
//! compile, with the messages in `<case>.stderr`. `cargo xtask bless` rewrites those.

use anyhow::{
    ensure,
    Result, //
};
use cargo_devres_lazy::{
    expand,
    Options,
    Source, //
};
use std::{
    fs,
    path::{
        Path,
        PathBuf, //
    },
};
use trybuild::TestCases;

/// Where the meaning depends on names and scopes, which are those of the file in print.
const PRINTED: [&str; 13] = [
    "destructor_brings_nothing_back",
    "destructor_items",
    "device_temporary",
    "extension_traits",
    "form_b_keep",
    "generic_marker",
    "generics",
    "names_of_our_locals",
    "names_of_our_types",
    "nested",
    "no_implicit_prelude",
    "self_in_types",
    "shadowed_names",
];

/// The printed form of a case that passes.
fn printed(case: &str) -> Result<PathBuf> {
    let source = Source::read(&Path::new("tests/ui/pass").join(case).with_extension("rs"))?;
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{case}_printed.rs"));
    fs::write(&path, expand(&source, &Options::default())?)?;

    Ok(path)
}

/// The topics, in order.
fn topics() -> Result<Vec<PathBuf>> {
    let mut topics = Vec::new();
    for entry in fs::read_dir("tests/ui")? {
        let path = entry?.path();
        if path.is_dir() {
            topics.push(path);
        }
    }
    topics.sort();

    Ok(topics)
}

#[test]
fn ui() -> Result<()> {
    let topics = topics()?;
    ensure!(!topics.is_empty(), "there are no cases");

    let cases = TestCases::new();
    for topic in topics {
        let all = topic.join("*.rs");
        if topic.ends_with("pass") {
            cases.pass(all);
        } else {
            cases.compile_fail(all);
        }
    }
    for case in PRINTED {
        cases.pass(printed(case)?);
    }

    Ok(())
}
