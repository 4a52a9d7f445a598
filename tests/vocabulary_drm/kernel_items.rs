// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What is added to the kernel's shmem object is what the host's object has: the lazy fields, and
//! the items behind them, line for line. So these items compile on the host.

use std::{
    fs,
    path::Path, //
};

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);

    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The file from a line on.
fn from<'a>(text: &'a str, line: &str) -> &'a str {
    let at = text
        .find(line)
        .unwrap_or_else(|| panic!("there is no {line}"));
    &text[at..]
}

/// The fields of a file's `struct Object`, with documentation and attributes.
fn fields(text: &str) -> Vec<String> {
    let body = from(text, "struct Object<T: DriverObject> {\n");
    let body = &body[..body.find("\n}").expect("the struct has an end")];

    let (mut fields, mut field) = (Vec::new(), String::new());
    for line in body.lines().skip(1) {
        field += line;
        field += "\n";
        if line.starts_with("    ") && !line.starts_with("     ") && line.ends_with(',') {
            fields.push(std::mem::take(&mut field));
        }
    }
    fields
}

#[test]
fn the_fields_are_the_same() {
    let host = read("runtime/src/host/drm/gem/shmem/mod.rs");

    for (path, count) in [
        ("kernel/items/shmem.rs", 2),
        ("kernel/items/shmem_vmap.rs", 1),
    ] {
        let fields = fields(&read(path));
        assert_eq!(fields.len(), count, "{path}");
        for field in fields {
            assert!(host.contains(&field), "{path}: not on the host:\n{field}");
        }
    }
}

#[test]
fn the_items_are_the_same() {
    for (kernel, host, first) in [
        (
            "kernel/items/shmem.rs",
            "runtime/src/host/drm/gem/shmem/sg_table.rs",
            "/// Maps the scatter-gather table",
        ),
        (
            "kernel/items/shmem_vmap.rs",
            "runtime/src/host/drm/gem/shmem/vmap_cache.rs",
            "/// The memory of an object",
        ),
    ] {
        let (kernel, host) = (read(kernel), read(host));
        assert_eq!(from(&kernel, first), from(&host, first));
    }
}
