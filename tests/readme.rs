// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What the README says of the code is so: its figures are counted, and its excerpts are excerpts.
//! The snippets that stand alone are compiled as documentation tests.

use anyhow::{
    ensure,
    Context,
    Result, //
};
use kernel::{
    alloc::{
        flags::GFP_KERNEL,
        KBox, //
    },
    device::Device,
    devres_lazy,
    prelude::pin_data,
    sync::aref::ARef, //
};
use std::fs;

/// The queue of the README, with its table in a box.
#[devres_lazy]
#[pin_data]
struct Boxed {
    dev: ARef<Device>,

    #[lazy(
        pub fn table -> [u64; 512],
        device = &self.dev,
        init = KBox::zeroed(GFP_KERNEL)?,
    )]
    table: KBox<[u64; 512]>,
}

/// The queue of the README, with its table in the slot.
#[devres_lazy]
#[pin_data]
struct Inline {
    dev: ARef<Device>,

    #[lazy(
        pub fn table -> [u64; 512],
        device = &self.dev,
        init = [0; 512],
    )]
    table: [u64; 512],
}

/// How the table of the example's object is mapped and unmapped.
const SG_TABLE: &str = "runtime/src/host/drm/gem/shmem/sg_table.rs";

/// Reads a file of the project.
fn read(path: &str) -> Result<String> {
    fs::read_to_string(path).with_context(|| path.to_owned())
}

/// Reads a file of the project, with one space between its words.
fn words(path: &str) -> Result<String> {
    Ok(read(path)?.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Whether a line is neither empty nor a comment.
fn is_code(line: &&str) -> bool {
    !line.is_empty() && !line.starts_with("//")
}

/// The code for the table in the annotated object: where each part begins, and what follows it.
const ANNOTATED: [(&str, &str); 4] = [
    ("#[devres_lazy]", "#[pin_data]"),
    ("#[lazy(", "#[pin]"),
    ("sgt <- new_lazy!(\"Object::sgt\"),", "drm: dev.into(),"),
    (
        "let owner = unsafe { &mut *this };",
        "// SAFETY: This was the last reference. It reads `obj->dev`, which `drm` keeps.",
    ),
];

/// The same in the object by hand.
const BY_HAND: [(&str, &str); 5] = [
    (
        "sgt_res: ManuallyDrop<SetOnce<Devres<SGTableMap<T>>>>,",
        "#[pin]\n    inner: T,",
    ),
    (
        "sgt_res: ManuallyDrop::new(SetOnce::new()),",
        "obj <- Opaque::try_ffi_init(",
    ),
    (
        "pub(crate) fn sg_table<'a>(",
        "extern \"C\" fn free_callback(",
    ),
    (
        "let sgt_res = unsafe { &mut (*this).sgt_res };",
        "// SAFETY: This was the last reference.\n",
    ),
    ("pub(crate) struct SGTableMap<T: DriverObject> {", ""),
];

/// The code in some parts of a file. The last one may go on to its end.
fn code_of<'a>(text: &'a str, parts: &[(&str, &str)]) -> Result<Vec<&'a str>> {
    let mut lines = Vec::new();
    for &(begin, end) in parts {
        let begin = text.find(begin).with_context(|| begin.to_owned())?;
        let text = &text[begin..];
        let length = match end {
            "" => text.len(),
            end => text.find(end).with_context(|| end.to_owned())?,
        };
        lines.extend(text[..length].lines().map(str::trim).filter(is_code));
    }
    Ok(lines)
}

/// The code of a file below the last of its imports.
fn below_imports(text: &str) -> Result<Vec<&str>> {
    let (_, items) = text
        .rsplit_once("\n};\n\n")
        .context("there are no imports")?;

    Ok(items.lines().map(str::trim).filter(is_code).collect())
}

/// How often a line of code says `unsafe`.
fn count_unsafe(lines: &[&str]) -> usize {
    lines
        .iter()
        .flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_'))
        .filter(|&word| word == "unsafe")
        .count()
}

#[test]
fn figures_are_counted() -> Result<()> {
    let readme = read("README.md")?;
    let by_hand = read("examples/shmem/by_hand.rs")?;
    let annotated = read("examples/shmem_sgt.rs")?;
    let items = read(SG_TABLE)?;
    let by_hand = code_of(&by_hand, &BY_HAND)?;
    let annotated = [code_of(&annotated, &ANNOTATED)?, below_imports(&items)?].concat();

    let rows = [
        format!(
            "| lines of code | {} | {} |",
            by_hand.len(),
            annotated.len()
        ),
        format!(
            "| `unsafe` | {} | {} |",
            count_unsafe(&by_hand),
            count_unsafe(&annotated)
        ),
    ];
    for row in rows {
        ensure!(readme.contains(&row), "the README should say: {row}");
    }
    Ok(())
}

#[test]
fn queues_are_measured() -> Result<()> {
    let boxed = size_of::<Boxed>();
    let inline = size_of::<Inline>();
    ensure!((1000..10_000).contains(&inline), "{inline} has no comma");

    let claims = [
        format!("The queue above takes {boxed} bytes, and 4,096 more once its table is mapped."),
        format!(
            "With `table: [u64; 512]` every queue would take {},{:03} bytes.",
            inline / 1000,
            inline % 1000
        ),
    ];
    let readme = words("README.md")?;
    for claim in claims {
        ensure!(readme.contains(&claim), "the README should say: {claim}");
    }
    Ok(())
}

#[test]
fn excerpts_are_excerpts() -> Result<()> {
    /// Lines without indentation, so that an excerpt may have less of it.
    fn trimmed(text: &str) -> String {
        text.lines()
            .map(|line| line.trim().to_owned() + "\n")
            .collect()
    }

    let readme = read("README.md")?;
    let sources = [
        "examples/shmem/by_hand.rs",
        "examples/shmem_sgt.rs",
        "examples/shmem_sgt_expanded.rs",
        SG_TABLE,
    ]
    .map(|path| read(path).map(|text| trimmed(&text)));

    let excerpts: Vec<_> = readme
        .split("```rust,ignore\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect();
    ensure!(!excerpts.is_empty(), "there are no excerpts");

    for excerpt in excerpts {
        let text = trimmed(excerpt);
        let found = sources
            .iter()
            .any(|source| source.as_ref().is_ok_and(|source| source.contains(&text)));
        ensure!(found, "not in the examples as it stands here:\n{excerpt}");
    }
    Ok(())
}

#[test]
fn properties_and_twins_are_counted() -> Result<()> {
    let properties = read("tests/loom/src/properties.rs")?;
    let (_, list) = properties
        .split_once("pub(crate) const ALL")
        .context("there is no list of properties")?;
    let (list, _) = list.split_once("\n];").context("it does not end")?;
    let properties = list.matches("\n    (\"").count();
    let twins = read("tests/loom/twins.rs")?
        .matches("\n    Twin {\n")
        .count();

    let claim = format!("{properties} properties hold, and each of {twins} mutants is caught");
    let readme = words("README.md")?;
    ensure!(readme.contains(&claim), "the README should say: {claim}");
    Ok(())
}
