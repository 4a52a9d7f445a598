// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The fields that are added to the kernel's shmem object are those of the host's object, and of
//! the example's, line for line. So they compile on the host. The items behind them are one file.

use std::{fs, path::Path};

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);

    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The file from this line to its end.
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
    let fields = fields(&read("kernel/items/shmem.rs"));
    assert_eq!(fields.len(), 2);

    for object in [
        "runtime/src/host/drm/gem/shmem/mod.rs",
        "examples/shmem_sgt.rs",
    ] {
        let text = read(object);
        for field in &fields {
            assert!(text.contains(field), "not in {object}:\n{field}");
        }
    }
}
