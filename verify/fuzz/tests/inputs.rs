// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Replays the saved corpus, and the inputs that once found something.

use devres_lazy_fuzz::{annotation, file, history};
use std::{fs, path::Path, thread};

/// As large as that of a program, which is what the fuzzer runs in.
const STACK: usize = 8 << 20;

/// Checks what is in a folder of inputs, if there is one.
fn replay(folder: &str, target: &str, check: fn(&[u8])) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(folder)
        .join(target);
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };

    let mut count = 0;
    for entry in entries {
        let path = entry.unwrap().path();
        let data = fs::read(&path).unwrap();
        let run = thread::Builder::new().stack_size(STACK);
        let result = run.spawn(move || check(&data)).unwrap().join();
        assert!(result.is_ok(), "{}", path.display());
        count += 1;
    }

    count
}

/// Checks all inputs of a target.
fn all(target: &str, check: fn(&[u8])) {
    let found = replay("regressions", target, check);
    let saved = replay("corpus", target, check);

    assert!(saved > 0, "the saved corpus of `{target}` is empty");
    println!("{target}: {found} once found something, {saved} are the saved corpus");
}

#[test]
fn annotations() {
    all("annotation", annotation::check);
}

#[test]
fn files() {
    all("file", file::check);
}

#[test]
fn histories() {
    all("history", history::check);
}
