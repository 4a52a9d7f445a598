// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Adds the code to a tree: new files as they are, and edits by item in those that are there.
//!
//! | in the tree | what |
//! |---|---|
//! | `rust/kernel/devres/{lazy,lazy_lt,evictable,pins,batched,slot,registry,table,mapped,place}.rs` | the slot and form B, from `runtime/src/protocol/` |
//! | `rust/macros/devres_lazy/` | the macro, from `macros/src/` |
//! | everything in `kernel/tree/` | test suites, samples, the macro's entry |
//! | `kunit_skip.rs`, `crates_kunit.rs` | parts of test suites, from `runtime/src/` |
//! | `rust/kernel/devres.rs`, `rust/kernel/lib.rs`, `rust/macros/lib.rs` | declarations |
//! | `rust/kernel/devres.rs` | `register()`: see `devres` |
//! | `rust/kernel/{i2c,pci,platform}.rs` | one lifetime for both sides of `TryFrom`: see `try_from` |
//! | `rust/kernel/drm/gem/shmem.rs` | converted: see `shmem` |
//! | `rust/kernel/drm/gem/{mod,shmem}.rs`, `rust/helpers/helpers.c`, `rust/bindings/bindings_helper.h` | imports: see `import` |
//! | `rust/kernel/drm/gem/mod.rs`, `drivers/gpu/drm/Kconfig`, `rust/bindings/bindings_helper.h` | the GEM DMA helper: see `gem_dma` |
//! | `rust/kernel/pci/io.rs` | a BAR can be mapped write-combined: see `pci_io` |
//! | `samples/rust/{Kconfig,Makefile}` | the sample drivers: see `samples` |
//! | `rust/uapi/uapi_helper.h` | what user space asks of two of them: see `uapi` |
//!
//! It is done in steps, which are the patches of a series. The printed form (`expanded`) goes
//! without the macro. The control gets the suite of the contract, what is in `kernel/control/`, the
//! driver that user space uses, by hand (`edu`), and nothing else; one of its forms gets two fixes.
//! What measures is added to either, by itself (`bench`).
//!
//! Nothing is written before all of it has been found to work, and nothing is replaced: a tree that
//! has any of the new files is refused.

mod alloc_ops;
mod bench;
mod count;
mod devres;
mod edu;
mod expanded;
mod gem_dma;
mod import;
mod imports;
mod includes;
mod kconfig;
mod pci_io;
mod samples;
mod shmem;
mod source;
mod try_from;
mod uapi;

use super::tree::Tree;
use crate::{
    exit::Exit,
    root, //
};
use anyhow::{
    anyhow,
    bail,
    Context,
    Result, //
};
pub(crate) use bench::add_bench;
pub(crate) use count::{
    count,
    Counts, //
};
use samples::Sample;
use source::Source;
use std::{
    fs,
    path::{
        Path,
        PathBuf, //
    },
};
use syn::Item;

/// Which object the tests are to run on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Object {
    /// The annotated one.
    Annotated,
    /// The same as it is printed, in a tree that has no macro.
    Expanded,
    /// The one by hand that the tree has, on which the tests have to fail.
    ByHand,
    /// The same, with two fixes: see [`shmem::fix()`].
    Fixed,
    /// The annotated one, whose table is never unmapped: scenarios that are about that have to be
    /// off.
    Leaking,
}

impl Object {
    /// The one with lazy fields: as it is printed, or else the annotated one.
    pub(crate) fn lazy(is_expanded: bool) -> Self {
        if is_expanded {
            Self::Expanded
        } else {
            Self::Annotated
        }
    }

    /// Whether it has lazy fields, in whatever form.
    pub(crate) fn is_lazy(self) -> bool {
        matches!(self, Self::Annotated | Self::Expanded | Self::Leaking)
    }

    /// What the names of logs have for it.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::Annotated => "",
            Self::Expanded => "-expanded",
            Self::ByHand => "-control",
            Self::Fixed => "-fixed",
            Self::Leaking => "-leaking",
        }
    }
}

/// A part of what is done to a tree: as much as makes one patch.
struct Step {
    name: &'static str,
    run: fn(&mut Tree) -> Result<()>,
}

/// Each of these leaves a tree that can be built.
const STEPS: [Step; 10] = [
    Step {
        name: "try_from",
        run: try_from,
    },
    Step {
        name: "slot",
        run: slot,
    },
    Step {
        name: MACRO,
        run: attribute,
    },
    Step {
        name: SG_TABLE,
        run: |tree| edit(tree, SHMEM, shmem::convert),
    },
    Step {
        name: "import",
        run: import_buffers,
    },
    Step {
        name: "kunit",
        run: kunit,
    },
    Step {
        name: "gem_dma",
        run: gem_dma,
    },
    Step {
        name: "pci_wc",
        run: |tree| edit(tree, PCI_IO, pci_io::write_combined),
    },
    Step {
        name: "sample",
        run: sample,
    },
    Step {
        name: LEAK,
        run: |tree| edit(tree, SHMEM, shmem::leak),
    },
];

/// The steps for the control. The last one is left out but for the fixed object.
const CONTROL: [Step; 3] = [
    Step {
        name: "control",
        run: control,
    },
    Step {
        name: "sample",
        run: sample_by_hand,
    },
    Step {
        name: FIX,
        run: |tree| edit(tree, SHMEM, shmem::fix),
    },
];

/// The step for the fixed object.
const FIX: &str = "fix";

/// The step for the leaking object.
const LEAK: &str = "leak";

/// The step that is left out for the printed form.
const MACRO: &str = "macro";

/// The step that changes the object.
const SG_TABLE: &str = "sg_table";

/// A tree as it is after a step.
pub(crate) struct Stage {
    pub(crate) step: &'static str,
    pub(crate) tree: Tree,
}

/// The files of `kernel/tree/` that know nothing of the annotated object.
const OF_THE_CONTRACT: [&str; 3] = [
    "rust/kernel/devres/kunit_machine.rs",
    "rust/kernel/devres/kunit_support.rs",
    "rust/kernel/drm/gem/shmem/contract_kunit.rs",
];

/// The parts of the suites that are in the host's library: the folder, the file, and where it goes.
const KUNIT_OF_THE_HOST: [(&str, &str, &str); 2] = [
    ("runtime/src/devres", SKIP, "rust/kernel/devres"),
    (
        "runtime/src/host/drm/gem/shmem",
        "crates_kunit.rs",
        "rust/kernel/drm/gem/shmem",
    ),
];

/// The one of them that knows nothing of the annotated object.
const SKIP: &str = "kunit_skip.rs";

/// The files of `kernel/tree/` that belong to the slot.
const OF_THE_SLOT: [&str; 3] = [
    "rust/kernel/devres/dep_map.rs",
    "rust/kernel/devres/sys.rs",
    "rust/kernel/devres/unwind.rs",
];

/// The files of `kernel/tree/` that are the GEM DMA helper, with its suite.
const OF_GEM_DMA: [&str; 2] = [
    "rust/kernel/drm/gem/dma.rs",
    "rust/kernel/drm/gem/dma/lazy_kunit.rs",
];

const BINDINGS_HELPER: &str = "rust/bindings/bindings_helper.h";
const DEVRES: &str = "rust/kernel/devres.rs";
const DRM_KCONFIG: &str = "drivers/gpu/drm/Kconfig";
const GEM: &str = "rust/kernel/drm/gem/mod.rs";
const HELPERS: &str = "rust/helpers";
const HELPERS_C: &str = "rust/helpers/helpers.c";
const KERNEL: &str = "rust/kernel/lib.rs";
const MACROS: &str = "rust/macros/lib.rs";
const PCI_IO: &str = "rust/kernel/pci/io.rs";
const SHMEM: &str = "rust/kernel/drm/gem/shmem.rs";
const UAPI_HELPER: &str = "rust/uapi/uapi_helper.h";
const EDU: &str = "samples/rust/rust_drm_edu.rs";
const SAMPLES_KCONFIG: &str = "samples/rust/Kconfig";
const SAMPLES_MAKEFILE: &str = "samples/rust/Makefile";

/// What is declared in `devres.rs`.
const DEVRES_MODULES: &str = "\
mod batched;
mod dep_map;
mod devres_node;
mod evictable;
mod lazy;
mod lazy_lt;
mod mapped;
mod pins;
mod place;
mod registry;
mod slot;
mod state;
mod sys;
mod table;
mod unwind;

pub use crate::{
    new_evictable_lazy,
    new_lazy, //
};
pub use batched::Batched;
pub use evictable::{
    EvictableLazy,
    LazyPin,
    PinEntry,
    PinVacant, //
};
pub use lazy::{
    prepare,
    same_device,
    Entry,
    Lazy,
    LazyGuard,
    LazyOwner,
    Place,
    Placed,
    TeardownFirst,
    Vacant, //
};
pub use lazy_lt::{
    LazyLt,
    PlaceLt,
    PlacedLt,
    StoredLt, //
};
pub use mapped::{
    HasView,
    Map,
    MapMarker,
    Mapped,
    Names,
    OwnerView, //
};

";

/// The same for tests, with the modules that stand behind them.
const DEVRES_TESTS: [(&str, &str); 9] = [
    (
        "#[cfg(CONFIG_KUNIT = \"y\")]\nmod kunit_driver;\n\
         #[cfg(CONFIG_KUNIT = \"y\")]\nmod kunit_gate;\n\
         #[cfg(CONFIG_KUNIT = \"y\")]\npub(crate) mod kunit_lockdep;\n\
         #[cfg(CONFIG_KUNIT = \"y\")]\nmod kunit_machine;\n\
         #[cfg(all(CONFIG_KUNIT = \"y\", CONFIG_PCI))]\nmod kunit_pci;\n\
         #[cfg(CONFIG_KUNIT = \"y\")]\nmod kunit_shrinker;\n\
         #[cfg(CONFIG_KUNIT = \"y\")]\npub(crate) mod kunit_skip;\n\
         #[cfg(CONFIG_KUNIT = \"y\")]\nmod kunit_stress;\n\
         #[cfg(CONFIG_KUNIT = \"y\")]\npub(crate) mod kunit_support;\n",
        "lazy",
    ),
    (
        "#[cfg(CONFIG_KUNIT = \"y\")]\nmod evict_kunit;\n",
        "evictable",
    ),
    ("#[cfg(CONFIG_KUNIT = \"y\")]\nmod lazy_kunit;\n", "lazy_lt"),
    (
        "#[cfg(CONFIG_KUNIT = \"y\")]\nmod lazy_lt_kunit;\n",
        "mapped",
    ),
    (
        "#[cfg(CONFIG_KUNIT = \"y\")]\nmod order_kunit;\n\
         #[cfg(CONFIG_KUNIT = \"y\")]\nmod phases_kunit;\n",
        "pins",
    ),
    (
        "#[cfg(CONFIG_KUNIT = \"y\")]\nmod registry_kunit;\n",
        "slot",
    ),
    (
        "#[cfg(all(CONFIG_KUNIT = \"y\", CONFIG_PCI))]\nmod bar_kunit;\n",
        "batched",
    ),
    (
        "#[cfg(CONFIG_KUNIT = \"y\")]\nmod batched_kunit;\n\
         #[cfg(CONFIG_KUNIT = \"y\")]\nmod callbacks_kunit;\n",
        "dep_map",
    ),
    (
        "#[cfg(CONFIG_KUNIT = \"y\")]\npub(crate) mod stress_kunit;\n",
        "sys",
    ),
];

/// The same for the control.
const DEVRES_MODULES_BY_HAND: &str = "\
#[cfg(CONFIG_KUNIT = \"y\")]
mod kunit_machine;
#[cfg(CONFIG_KUNIT = \"y\")]
mod kunit_skip;
#[cfg(CONFIG_KUNIT = \"y\")]
pub(crate) mod kunit_support;

";

/// What is declared in `shmem.rs`.
const SHMEM_MODULES: &str = "\
#[cfg(CONFIG_KUNIT = \"y\")]
mod contract_kunit;
#[cfg(CONFIG_KUNIT = \"y\")]
#[doc(hidden)]
pub mod crates_kunit;
#[cfg(CONFIG_KUNIT = \"y\")]
mod import_kunit;
#[cfg(CONFIG_KUNIT = \"y\")]
mod lazy_kunit;
#[cfg(CONFIG_KUNIT = \"y\")]
mod prime_kunit;
#[cfg(CONFIG_KUNIT = \"y\")]
mod stress_kunit;
#[cfg(CONFIG_KUNIT = \"y\")]
mod vmap_kunit;

";

/// The same for the control.
const SHMEM_MODULES_BY_HAND: &str = "\
#[cfg(CONFIG_KUNIT = \"y\")]
mod contract_kunit;
#[cfg(CONFIG_KUNIT = \"y\")]
mod kasan_kunit;
#[cfg(CONFIG_KUNIT = \"y\")]
mod oops_kunit;

";

/// Adds the code to a tree, all of it or up to the step of this name.
pub(crate) fn run(tree: &mut Tree, object: Object, until: Option<&str>) -> Result<()> {
    let mut stages = stages(tree, object)?.into_iter();
    let last = match until {
        Some(step) => stages.find(|stage| stage.step == step),
        None => stages.last(),
    };
    *tree = last.context("there is no such step")?.tree;

    Ok(())
}

/// What is done for an object, in order.
fn steps(object: Object) -> impl Iterator<Item = &'static Step> {
    let steps: &'static [Step] = if object.is_lazy() { &STEPS } else { &CONTROL };
    let has_macro = object != Object::Expanded;

    steps
        .iter()
        .filter(move |step| has_macro || step.name != MACRO)
        .filter(move |step| object == Object::Fixed || step.name != FIX)
        .filter(move |step| object == Object::Leaking || step.name != LEAK)
}

/// Adds the code to a tree, step by step. Returns what it is after each.
pub(crate) fn stages(tree: &Tree, object: Object) -> Result<Vec<Stage>> {
    let mut annotated = tree.clone();
    let mut printed = tree.clone();
    let mut stages = Vec::new();
    for step in steps(object) {
        let before = annotated.clone();
        (step.run)(&mut annotated)?;
        let tree = if object == Object::Expanded {
            expanded::print(&annotated, &before, &mut printed)?;
            &printed
        } else {
            &annotated
        };
        stages.push(Stage {
            step: step.name,
            tree: tree.clone(),
        });
    }

    Ok(stages)
}

/// The devices of the buses.
fn try_from(tree: &mut Tree) -> Result<()> {
    for bus in try_from::BUSES {
        edit(tree, bus, try_from::one_lifetime)?;
    }
    Ok(())
}

/// The slot, and form B.
fn slot(tree: &mut Tree) -> Result<()> {
    add_files(
        tree,
        &root().join("runtime/src/protocol"),
        Path::new("rust/kernel/devres"),
        |path| path != Path::new("mod.rs"),
    )?;
    add_files_of_tree(tree, |path| {
        OF_THE_SLOT.iter().any(|of| path == Path::new(of))
    })?;
    edit(tree, DEVRES, |text| source::declare(text, DEVRES_MODULES))?;
    edit(tree, DEVRES, devres::take_place)
}

/// The macro.
fn attribute(tree: &mut Tree) -> Result<()> {
    add_files(
        tree,
        &root().join("macros/src"),
        Path::new("rust/macros/devres_lazy"),
        |path| path != Path::new("lib.rs"),
    )?;
    add_files_of_tree(tree, |path| path.starts_with("rust/macros"))?;
    edit(tree, MACROS, macros)?;
    edit(tree, KERNEL, kernel)
}

/// Objects that user space creates by DRM itself, imported ones among them.
fn import_buffers(tree: &mut Tree) -> Result<()> {
    add_files_of_tree(tree, |path| path.starts_with(HELPERS))?;
    edit(tree, HELPERS_C, import::helpers)?;
    edit(tree, BINDINGS_HELPER, import::bindings)?;
    edit(tree, GEM, import::default_args)?;
    edit(tree, SHMEM, import::operations)
}

/// The test suites.
fn kunit(tree: &mut Tree) -> Result<()> {
    add_files_of_tree(tree, |path| {
        let mut others = OF_THE_SLOT.iter().chain(&OF_GEM_DMA);
        path.starts_with("rust/kernel") && others.all(|of| path != Path::new(of))
    })?;
    add_kunit_of_the_host(tree, |_| true)?;
    for (declaration, behind) in DEVRES_TESTS {
        edit(tree, DEVRES, |text| {
            source::declare_before(text, behind, declaration)
        })?;
    }
    edit(tree, SHMEM, |text| source::declare(text, SHMEM_MODULES))
}

/// The GEM DMA helper.
fn gem_dma(tree: &mut Tree) -> Result<()> {
    add_files_of_tree(tree, |path| {
        OF_GEM_DMA.iter().any(|of| path == Path::new(of))
    })?;
    edit(tree, BINDINGS_HELPER, gem_dma::header)?;
    edit(tree, DRM_KCONFIG, gem_dma::option)?;
    edit(tree, GEM, gem_dma::module)
}

/// The sample drivers.
fn sample(tree: &mut Tree) -> Result<()> {
    add_files_of_tree(tree, |path| {
        ["samples", "include"].iter().any(|of| path.starts_with(of))
    })?;
    declare_samples(tree, &samples::ALL)
}

/// The one of them that user space uses, without the annotation.
fn sample_by_hand(tree: &mut Tree) -> Result<()> {
    add_files_of_tree(tree, |path| {
        path == Path::new(EDU) || path.starts_with("include")
    })?;
    edit(tree, EDU, edu::by_hand)?;
    declare_samples(tree, &[samples::EDU])
}

/// Makes samples known to the build.
fn declare_samples(tree: &mut Tree, samples: &[Sample]) -> Result<()> {
    edit(tree, UAPI_HELPER, uapi::helper)?;
    edit(tree, SAMPLES_KCONFIG, |text| {
        samples::kconfig(text, samples)
    })?;
    edit(tree, SAMPLES_MAKEFILE, |text| {
        samples::makefile(text, samples)
    })
}

/// What the control needs.
fn control(tree: &mut Tree) -> Result<()> {
    add_files_of_tree(tree, |path| {
        OF_THE_CONTRACT.iter().any(|file| path == Path::new(file))
    })?;
    add_kunit_of_the_host(tree, |file| file == SKIP)?;
    add_files(tree, &root().join("kernel/control"), Path::new(""), |_| {
        true
    })?;

    edit(tree, DEVRES, |text| {
        source::declare(text, DEVRES_MODULES_BY_HAND)
    })?;
    edit(tree, SHMEM, |text| {
        source::declare(text, SHMEM_MODULES_BY_HAND)
    })
}

/// Adds the files of `kernel/tree/` that are wanted.
fn add_files_of_tree(tree: &mut Tree, is_wanted: impl Fn(&Path) -> bool) -> Result<()> {
    add_files(tree, &root().join("kernel/tree"), Path::new(""), is_wanted)
}

/// Adds the parts of the suites that are in the host's library, and are wanted.
fn add_kunit_of_the_host(tree: &mut Tree, is_wanted: impl Fn(&str) -> bool) -> Result<()> {
    for (from, file, to) in KUNIT_OF_THE_HOST {
        if is_wanted(file) {
            let from = root().join(from);
            add_files(tree, &from, Path::new(to), |path| path == Path::new(file))?;
        }
    }
    Ok(())
}

/// Adds the files below a folder that are wanted, to a folder of the tree.
fn add_files(
    tree: &mut Tree,
    from: &Path,
    to: &Path,
    is_wanted: impl Fn(&Path) -> bool,
) -> Result<()> {
    for file in files(from)? {
        let name = file.strip_prefix(from)?;
        if is_wanted(name) {
            let new = to.join(name);
            if tree.has(&new) {
                bail!(Exit::Usage(format!(
                    "this tree has the code already: {} is there. Take it out first, or begin \
                     with a tree without it",
                    new.display()
                )));
            }
            let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
            tree.write(new, text);
        }
    }

    Ok(())
}

/// All files below a folder, in order.
fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(self::files(&path)?);
        } else {
            files.push(path);
        }
    }
    files.sort();

    Ok(files)
}

/// Edits a file of the tree.
fn edit(tree: &mut Tree, path: &str, with: impl FnOnce(String) -> Result<String>) -> Result<()> {
    let text = with(tree.read(path)?).with_context(|| {
        format!("{path} is not what is expected: is this tree older or newer than 7.3?")
    })?;
    tree.write(path, text);

    Ok(())
}

/// `rust/macros/lib.rs`: a module, and an attribute at the end.
fn macros(text: String) -> Result<String> {
    let new = include_str!("../../../../kernel/items/macros.rs");
    let new = Source::parse(new.to_owned())?;
    let function = new
        .items()
        .iter()
        .find(|item| matches!(item, Item::Fn(item) if item.sig.ident == "devres_lazy"))
        .map(|item| new.text(new.lines(new.range(item))).to_owned())
        .ok_or_else(|| anyhow!("there is no `fn devres_lazy()` among our own items"))?;

    let mut source = Source::parse(text)?;
    let next = source
        .items()
        .iter()
        .find_map(|item| match item {
            Item::Mod(item)
                if item.content.is_none() && item.ident.to_string().as_str() > "devres_lazy" =>
            {
                Some(item)
            }
            _ => None,
        })
        .map(|item| source.range(item).start)
        .ok_or_else(|| anyhow!("there are no modules behind which `devres_lazy` would stand"))?;
    source.insert(next, "mod devres_lazy;\n");
    source.append(&format!("\n{function}"));

    Ok(source.finish())
}

/// `rust/kernel/lib.rs`: the attribute's name.
fn kernel(text: String) -> Result<String> {
    let mut source = Source::parse(text)?;
    let behind = source
        .items()
        .iter()
        .find(|item| source.text(source.range(item)) == "pub use macros;")
        .map(|item| source.range(item).end)
        .ok_or_else(|| anyhow!("there is no `pub use macros;`"))?;
    source.insert(behind, "\npub use macros::devres_lazy;");

    Ok(source.finish())
}

/// The names of the steps.
#[cfg(test)]
pub(crate) fn step_names(object: Object) -> Vec<&'static str> {
    steps(object).map(|step| step.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    /// A tree with these files and nothing else, each with what is edited before the code is added.
    fn tree(files: &[&str]) -> (TempDir, Tree) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(
            folder.path().join("Makefile"),
            "VERSION = 7\nPATCHLEVEL = 3\nSUBLEVEL = 4\n",
        )
        .unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let register = match *file {
                DEVRES => devres::REGISTER,
                bus if try_from::BUSES.contains(&bus) => try_from::TRY_FROM,
                _ => "",
            };
            fs::write(path, format!("use their::s;\n\n{register}")).unwrap();
        }
        let tree = Tree::open(folder.path()).unwrap();
        (folder, tree)
    }

    #[test]
    fn only_the_printed_form_goes_without_the_macro() {
        assert_eq!(
            step_names(Object::Annotated),
            [
                "try_from", "slot", "macro", "sg_table", "import", "kunit", "gem_dma", "pci_wc",
                "sample"
            ]
        );
        assert_eq!(
            step_names(Object::Expanded),
            ["try_from", "slot", "sg_table", "import", "kunit", "gem_dma", "pci_wc", "sample"]
        );
        assert_eq!(step_names(Object::ByHand), ["control", "sample"]);
        assert_eq!(step_names(Object::Fixed), ["control", "sample", "fix"]);
    }

    #[test]
    fn no_file_is_left_behind() {
        let from = root().join("kernel/tree");
        for file in files(&from).unwrap() {
            let name = file.strip_prefix(&from).unwrap();
            let steps = ["rust/macros", "rust/kernel", HELPERS, "samples", "include"];
            assert!(
                steps.iter().any(|step| name.starts_with(step)),
                "no step adds {}",
                name.display()
            );
        }

        for (from, file, _) in KUNIT_OF_THE_HOST {
            let file = root().join(from).join(file);
            assert!(file.is_file(), "no step adds {}", file.display());
        }
    }

    #[test]
    fn a_tree_that_has_the_code_is_refused() {
        for file in [
            "rust/kernel/devres/lazy.rs",
            "rust/macros/devres_lazy/model.rs",
            "rust/macros/devres_lazy.rs",
        ] {
            let [i2c, pci, platform] = try_from::BUSES;
            let (_folder, mut tree) = tree(&[file, DEVRES, i2c, pci, platform]);
            let error = run(&mut tree, Object::Annotated, None).unwrap_err();

            assert!(
                matches!(error.downcast_ref(), Some(Exit::Usage(_))),
                "{error}"
            );
            let expected = format!("this tree has the code already: {file} is there");
            assert!(error.to_string().starts_with(&expected), "{error}");
        }
    }

    #[test]
    fn a_tree_with_other_items_is_told_from_it() {
        let [i2c, pci, platform] = try_from::BUSES;
        let (_folder, mut tree) = tree(&[MACROS, KERNEL, DEVRES, SHMEM, i2c, pci, platform]);
        let error = run(&mut tree, Object::Annotated, None).unwrap_err();

        assert!(!error.is::<Exit>(), "{error}");
        assert!(
            error.to_string().contains("older or newer than 7.3"),
            "{error}"
        );
    }
}
