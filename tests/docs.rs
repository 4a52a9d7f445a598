// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The README and the pages of `docs/` agree with the code: figures are counted, excerpts are
//! compared, and the targets of links exist. Complete snippets are compiled as documentation tests.

use anyhow::{ensure, Context, Result};
use kernel::{
    alloc::{flags::GFP_KERNEL, KBox},
    device::Device,
    devres_lazy,
    prelude::pin_data,
    sync::aref::ARef,
};
use std::{fs, path::Path};

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

/// The code for the table in the annotated object: the beginning of each part, and the text that
/// follows the part.
const ANNOTATED: [(&str, &str); 4] = [
    ("#[devres_lazy]", "#[pin_data]"),
    ("#[lazy(", "#[pin]"),
    ("sgt <- new_lazy!(\"Object::sgt\"),", "drm: dev.into(),"),
    (
        "let owner = unsafe { &mut *this };",
        "// SAFETY: This was the last reference. It reads `obj->dev`, which `drm` keeps.",
    ),
];

/// The code for the table in the object by hand, in the same form.
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

/// The code in these parts of a file. The last part may extend to the end of the file.
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

/// The code of a file below its last import.
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
    let by_hand = read("examples/shmem/by_hand.rs")?;
    let annotated = read("examples/shmem_sgt.rs")?;
    let items = read(SG_TABLE)?;
    let lines_by_hand = code_of(&by_hand, &BY_HAND)?;
    let lines_annotated = [code_of(&annotated, &ANNOTATED)?, below_imports(&items)?].concat();
    let lines = [lines_by_hand.len(), lines_annotated.len()];
    let uses = [count_unsafe(&lines_by_hand), count_unsafe(&lines_annotated)];

    let rows = [
        (
            "docs/shmem.md",
            format!("| lines of code | {} | {} |", lines[0], lines[1]),
        ),
        (
            "docs/shmem.md",
            format!("| `unsafe` | {} | {} |", uses[0], uses[1]),
        ),
        (
            "README.md",
            format!(
                "the field | {}, {} | {}, {} |",
                lines[0], uses[0], lines[1], uses[1]
            ),
        ),
    ];
    for (page, row) in rows {
        ensure!(read(page)?.contains(&row), "{page} should say: {row}");
    }
    Ok(())
}

#[test]
fn queues_are_measured() -> Result<()> {
    let boxed = size_of::<Boxed>();
    let inline = size_of::<Inline>();
    ensure!((1000..10_000).contains(&inline), "{inline} has no comma");

    let claims = [
        format!("takes {boxed} bytes, and 4,096 more once its table is mapped."),
        format!(
            "With `table: [u64; 512]` every queue would take {},{:03} bytes.",
            inline / 1000,
            inline % 1000
        ),
    ];
    let page = words("docs/annotation.md")?;
    for claim in claims {
        ensure!(
            page.contains(&claim),
            "docs/annotation.md should say: {claim}"
        );
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

    let page = read("docs/shmem.md")?;
    let sources = [
        "examples/shmem/by_hand.rs",
        "examples/shmem_sgt.rs",
        SG_TABLE,
    ]
    .map(|path| read(path).map(|text| trimmed(&text)));

    let excerpts: Vec<_> = page
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
        ensure!(found, "no example has this excerpt:\n{excerpt}");
    }
    Ok(())
}

#[test]
fn properties_and_mutants_are_counted() -> Result<()> {
    let properties = read("verify/loom/src/properties.rs")?;
    let (_, list) = properties
        .split_once("pub(crate) const ALL")
        .context("there is no list of properties")?;
    let (list, _) = list.split_once("\n];").context("it does not end")?;
    let properties = list.matches("\n    (\"").count();
    let mutants = read("verify/loom/mutants.rs")?
        .matches("\n    Mutant {\n")
        .count();

    let claim = format!("{properties} properties hold, and each of {mutants} mutants is caught");
    let page = words("docs/protocol.md")?;
    ensure!(
        page.contains(&claim),
        "docs/protocol.md should say: {claim}"
    );
    Ok(())
}

/// The anchor that a heading of Markdown has.
fn anchor(heading: &str) -> String {
    heading
        .trim_start_matches('#')
        .trim()
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

/// The targets of the links in a page, without those to other sites.
fn links(page: &str) -> impl Iterator<Item = &str> {
    page.split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .filter(|link| !link.contains("://"))
}

#[test]
fn links_lead_somewhere() -> Result<()> {
    let mut pages = vec![Path::new("README.md").to_owned()];
    for entry in fs::read_dir("docs")? {
        pages.push(entry?.path());
    }
    pages.retain(|page| page.extension().is_some_and(|it| it == "md"));

    let mut found = 0;
    for page in &pages {
        let text = fs::read_to_string(page)?;
        let folder = page.parent().context("a page without a folder")?;
        for link in links(&text) {
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => page.clone(),
                path => folder.join(path),
            };
            ensure!(target.exists(), "{}: no file {link}", page.display());
            if !heading.is_empty() {
                let text = fs::read_to_string(&target)?;
                let mut headings = text.lines().filter(|line| line.starts_with('#'));
                ensure!(
                    headings.any(|line| anchor(line) == heading),
                    "{}: no heading {link}",
                    page.display()
                );
            }
            found += 1;
        }
    }
    ensure!(found > 50, "only {found} links");
    Ok(())
}

#[test]
fn a_link_to_a_heading_is_made_as_on_the_web() {
    assert_eq!(anchor("## A screen"), "a-screen");
    assert_eq!(anchor("## `map` fields, and `init`"), "map-fields-and-init");
}
