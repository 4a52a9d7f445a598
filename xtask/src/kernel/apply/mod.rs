// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Adds the code to a tree: new files as they are, and edits by item in those that are there.
//!
//! | in the tree | what |
//! |---|---|
//! | `rust/kernel/devres/{lazy,lazy_lt,evictable,pins,batched,slot,registry,table,mapped,place}.rs` | the slot and `map` fields, from `runtime/src/protocol/` |
//! | `rust/macros/devres_lazy/` | the macro, from `macros/src/devres_lazy/` |
//! | everything in `kernel/tree/` | test suites, samples |
//! | `kunit_skip.rs`, `crates_kunit.rs` | parts of test suites, from `runtime/src/` |
//! | `rust/kernel/devres.rs`, `rust/kernel/lib.rs`, `rust/macros/lib.rs` | declarations |
//! | `rust/kernel/devres.rs` | `register()`: see `devres` |
//! | `rust/kernel/{i2c,pci,platform}.rs` | one lifetime for both sides of `TryFrom`: see `try_from` |
//! | `rust/kernel/drm/gem/shmem.rs` | converted: see `shmem` |
//! | `rust/kernel/drm/gem/{mod,shmem}.rs`, `rust/helpers/helpers.c`, `rust/bindings/bindings_helper.h` | imports: see `import` |
//! | `rust/kernel/drm/gem/mod.rs`, `drivers/gpu/drm/Kconfig`, `rust/bindings/bindings_helper.h` | the GEM DMA helper: see `lists` |
//! | `rust/kernel/pci/io.rs` | a BAR can be mapped write-combined: see `pci_io` |
//! | `samples/rust/{Kconfig,Makefile}`, `rust/uapi/uapi_helper.h` | the sample drivers: see `lists` |
//!
//! The code is added in steps, which are the patches of a series. The printed form (`expanded`) has
//! no macro. The control gets only the suite of the contract, the files of `kernel/control/`, and
//! the driver that user space uses, by hand (`edu`). The fixed object is the control with two
//! fixes, and `fixes` has all of them, each with its tests. The suites that measure are added to either, by themselves.
//!
//! Nothing is written unless all steps succeed. A tree that has any of the new files is refused, so
//! that nothing is replaced.

mod alloc_ops;
mod count;
mod devres;
mod edu;
mod expanded;
mod fixes;
mod import;
mod imports;
mod lists;
mod pci_io;
mod shmem;
mod source;
mod try_from;

use super::{
    flavour::{Flavour, Object},
    tree::{walk, Tree},
};
use crate::{exit::Exit, root};
use anyhow::{bail, Context, Result};
pub(crate) use count::Counts;
pub(crate) use fixes::{Fixes, FIXES};
use lists::{Beside, Sample};
use source::Source;
use std::{fs, path::Path};

/// A part of what is done to a tree, as much as makes one patch, and its name.
type Step = (&'static str, fn(&mut Tree) -> Result<()>);

/// Each of these leaves a tree that can be built.
const STEPS: [Step; 9] = [
    ("try_from", try_from),
    ("slot", slot),
    (MACRO, attribute),
    (SG_TABLE, |tree| edit(tree, SHMEM, shmem::convert)),
    ("import", import_buffers),
    ("kunit", kunit),
    ("gem_dma", gem_dma),
    ("pci_wc", |tree| edit(tree, PCI_IO, pci_io::write_combined)),
    ("sample", sample),
];

/// The steps for the control, and one for the fixed object.
const CONTROL: [Step; 2] = [("control", control), ("sample", sample_by_hand)];
const FIX: Step = ("fix", |tree| edit(tree, SHMEM, shmem::fix));

/// The step for the leaking object.
const LEAK: Step = ("leak", |tree| edit(tree, SHMEM, shmem::leak));

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
const CANDIDATE: &str = "rust/kernel/drm/gem/shmem/bench_kunit/candidate.rs";
const UAPI_HELPER: &str = "rust/uapi/uapi_helper.h";
const EDU: &str = "samples/rust/rust_drm_edu.rs";
const SAMPLES_KCONFIG: &str = "samples/rust/Kconfig";
const SAMPLES_MAKEFILE: &str = "samples/rust/Makefile";

/// The items that `devres.rs` re-exports from its new modules.
const DEVRES_USES: &str = "\
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

/// Adds the code to the tree in this folder, and says how much of it there is.
pub(crate) fn to_folder(linux: &Path, object: Object) -> Result<()> {
    let tree = Tree::open(linux)?;
    let stages = stages(&tree, object)?;
    let counts = count(&tree, &stages, object)?;

    let changed = last(&stages)?.save()?;
    for path in &changed {
        println!("{}", path.display());
    }
    println!("{} files changed\n\n{counts}", changed.len());
    Ok(())
}

/// Adds the code of a kernel to a tree.
pub(crate) fn run(tree: &mut Tree, flavour: &Flavour) -> Result<()> {
    let mut stages = stages(tree, flavour.object)?;
    if let Some(until) = flavour.until {
        let step = stages.iter().position(|stage| stage.step == until);
        stages.truncate(step.context("there is no such step")? + 1);
    }
    *tree = last(&stages)?.clone();

    flavour
        .bench
        .map_or(Ok(()), |candidate| bench(tree, candidate))
}

/// The tree after all stages.
fn last(stages: &[Stage]) -> Result<&Tree> {
    let stage = stages.last().context("there are no steps")?;
    Ok(&stage.tree)
}

/// The steps for an object, in order.
fn steps(object: Object) -> Vec<Step> {
    match object {
        Object::Annotated => STEPS.to_vec(),
        Object::Expanded => STEPS.into_iter().filter(|it| it.0 != MACRO).collect(),
        Object::ByHand => CONTROL.to_vec(),
        Object::Fixed => CONTROL.into_iter().chain([FIX]).collect(),
        Object::Mended(fixes) => fixes::steps(fixes),
        Object::Leaking => STEPS.into_iter().chain([LEAK]).collect(),
    }
}

/// Adds the code to a tree, step by step. Returns what it is after each.
pub(crate) fn stages(tree: &Tree, object: Object) -> Result<Vec<Stage>> {
    // Before the first edit, which would not find what it expects.
    for path in walk(&root().join("kernel/tree"))? {
        ensure_new(tree, &path)?;
    }
    let mut annotated = tree.clone();
    let mut printed = tree.clone();
    let mut stages = Vec::new();
    for (step, run) in steps(object) {
        let before = annotated.clone();
        run(&mut annotated)?;
        let tree = if object == Object::Expanded {
            expanded::print(&annotated, &before, &mut printed)?;
            &printed
        } else {
            &annotated
        };
        stages.push(Stage {
            step,
            tree: tree.clone(),
        });
    }

    Ok(stages)
}

/// How much code there is in the object of this tree, and in the converted one.
pub(crate) fn count(tree: &Tree, stages: &[Stage], object: Object) -> Result<Counts> {
    let converted = stages
        .iter()
        .find(|stage| stage.step == SG_TABLE)
        .with_context(|| format!("there is no step `{SG_TABLE}`"))?;
    let form = match object {
        Object::Expanded => "printed",
        _ => "annotated",
    };

    Counts::of(SHMEM, tree, &converted.tree, form)
}

/// The devices of the buses.
fn try_from(tree: &mut Tree) -> Result<()> {
    for bus in try_from::BUSES {
        edit(tree, bus, try_from::one_lifetime)?;
    }
    Ok(())
}

/// The slot, and `map` fields.
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
    declare_new(tree, DEVRES, DEVRES_USES)?;
    edit(tree, DEVRES, devres::take_place)
}

/// The macro.
fn attribute(tree: &mut Tree) -> Result<()> {
    add_files(
        tree,
        &root().join("macros/src/devres_lazy"),
        Path::new("rust/macros/devres_lazy"),
        |_| true,
    )?;
    edit(tree, MACROS, macros)?;
    edit(tree, KERNEL, kernel)
}

/// Objects that user space creates by DRM itself, imported ones among them.
fn import_buffers(tree: &mut Tree) -> Result<()> {
    add_files_of_tree(tree, |path| path.starts_with(HELPERS))?;
    edit(tree, HELPERS_C, lists::dma_buf_helper)?;
    edit(tree, BINDINGS_HELPER, lists::dumb_buffers_header)?;
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
    declare_new(tree, DEVRES, "")?;
    declare_new(tree, SHMEM, "")
}

/// The GEM DMA helper.
fn gem_dma(tree: &mut Tree) -> Result<()> {
    add_files_of_tree(tree, |path| {
        OF_GEM_DMA.iter().any(|of| path == Path::new(of))
    })?;
    edit(tree, BINDINGS_HELPER, lists::gem_dma_header)?;
    edit(tree, DRM_KCONFIG, lists::gem_dma_option)?;
    let module = "#[cfg(CONFIG_RUST_DRM_GEM_DMA_HELPER)]\npub mod dma;\n";
    edit(tree, GEM, |text| source::declare(text, &[module], ""))
}

/// The sample drivers.
fn sample(tree: &mut Tree) -> Result<()> {
    add_files_of_tree(tree, |path| {
        ["samples", "include"].iter().any(|of| path.starts_with(of))
    })?;
    declare_samples(tree, &lists::SAMPLES)
}

/// The one of them that user space uses, without the annotation.
fn sample_by_hand(tree: &mut Tree) -> Result<()> {
    add_files_of_tree(tree, |path| {
        path == Path::new(EDU) || path.starts_with("include")
    })?;
    edit(tree, EDU, edu::by_hand)?;
    declare_samples(tree, &[lists::EDU])
}

/// Makes samples known to the build.
fn declare_samples(tree: &mut Tree, samples: &[Sample]) -> Result<()> {
    edit(tree, UAPI_HELPER, lists::uapi_headers)?;
    edit(tree, SAMPLES_KCONFIG, |text| {
        lists::sample_options(text, samples)
    })?;
    edit(tree, SAMPLES_MAKEFILE, |text| {
        lists::sample_targets(text, samples)
    })
}

/// Adds the suites that measure, of `kernel/bench/`, and the candidate of this name, of
/// `kernel/bench/candidates/`.
fn bench(tree: &mut Tree, candidate: &str) -> Result<()> {
    let folder = root().join("kernel/bench");
    add_files(tree, &folder, Path::new(""), |path| {
        path.starts_with("rust")
    })?;
    let file = folder.join("candidates").join(format!("{candidate}.rs"));
    let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    tree.write(CANDIDATE, text);
    declare_new(tree, SHMEM, "")
}

/// Adds the files of the control, and declares them.
fn control(tree: &mut Tree) -> Result<()> {
    add_files_of_tree(tree, |path| {
        OF_THE_CONTRACT.iter().any(|file| path == Path::new(file))
    })?;
    add_kunit_of_the_host(tree, |file| file == SKIP)?;
    add_files(tree, &root().join("kernel/control"), Path::new(""), |_| {
        true
    })?;

    declare_new(tree, DEVRES, "")?;
    declare_new(tree, SHMEM, "")
}

/// Declares the new files beside a file as its modules, in order of their names, and then `uses`.
fn declare_new(tree: &mut Tree, path: &str, uses: &str) -> Result<()> {
    let folder = Path::new(path).with_extension("");
    let mut names: Vec<&str> = tree
        .edited()
        .filter(|file| file.parent() == Some(&folder))
        .filter_map(|file| file.file_name()?.to_str()?.strip_suffix(".rs"))
        .collect();
    names.sort_unstable();
    let modules: Vec<String> = names
        .into_iter()
        .map(|name| declaration(&folder, name))
        .collect();

    edit(tree, path, |text| source::declare(text, &modules, uses))
}

/// How a module is declared. Suites are not there without KUnit.
fn declaration(folder: &Path, name: &str) -> String {
    let with = match name {
        "bar_kunit" | "kunit_pci" => "#[cfg(all(CONFIG_KUNIT = \"y\", CONFIG_PCI))]\n",
        _ if name.contains("kunit") => "#[cfg(CONFIG_KUNIT = \"y\")]\n",
        _ => "",
    };
    let public = match name {
        "crates_kunit" => "#[doc(hidden)]\npub ",
        "kunit_lockdep" | "kunit_skip" | "kunit_support" => "pub(crate) ",
        "stress_kunit" if folder.ends_with("devres") => "pub(crate) ",
        _ => "",
    };
    format!("{with}{public}mod {name};\n")
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
    for name in walk(from)? {
        if is_wanted(&name) {
            let new = to.join(&name);
            ensure_new(tree, &new)?;
            let file = from.join(name);
            let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
            tree.write(new, text);
        }
    }

    Ok(())
}

/// Refuses a tree that has this file, which is one of ours.
fn ensure_new(tree: &Tree, path: &Path) -> Result<()> {
    if tree.has(path) {
        bail!(Exit::Usage(format!(
            "this tree has the code already: {} is there. Take it out first, or begin with a tree \
             without it",
            path.display()
        )));
    }
    Ok(())
}

/// Edits a file of the tree.
fn edit(tree: &mut Tree, path: &str, with: impl FnOnce(&str) -> Result<String>) -> Result<()> {
    let text = with(&tree.read(path)?).with_context(|| {
        format!("{path} is not what is expected: is this tree older or newer than 7.3?")
    })?;
    tree.write(path, text);

    Ok(())
}

/// `rust/macros/lib.rs`: a module, and an attribute at the end.
fn macros(text: &str) -> Result<String> {
    let ours = Source::parse(include_str!("../../../../kernel/items/macros.rs"))?;
    let function = ours.text_of(ours.free_function("devres_lazy")?);
    let text = source::declare(text, &["mod devres_lazy;\n"], "")?;

    Ok(format!("{text}\n{function}"))
}

/// `rust/kernel/lib.rs`: the attribute's name.
fn kernel(text: &str) -> Result<String> {
    let macros = "pub use macros;";
    lists::add(
        text,
        "pub use macros::devres_lazy;\n",
        Beside::Behind(macros),
    )
}

/// The names of the steps.
#[cfg(test)]
pub(crate) fn step_names(object: Object) -> Vec<&'static str> {
    steps(object).iter().map(|(name, _)| *name).collect()
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
    fn no_file_is_left_behind() {
        for name in walk(&root().join("kernel/tree")).unwrap() {
            let steps = ["rust/kernel", HELPERS, "samples", "include"];
            let is_added = steps.iter().any(|step| name.starts_with(step));
            assert!(is_added, "no step adds {}", name.display());
        }

        for (from, file, _) in KUNIT_OF_THE_HOST {
            let folder = root().join(from);
            assert!(folder.join(file).is_file(), "there is no {from}/{file}");
            for entry in fs::read_dir(folder).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                let is_added = KUNIT_OF_THE_HOST.iter().any(|(_, it, _)| *it == name);
                assert!(!name.contains("kunit") || is_added, "no step adds {name}");
            }
        }
    }

    #[test]
    fn a_tree_that_has_the_code_is_refused() {
        for file in [
            "rust/kernel/devres/lazy.rs",
            "rust/macros/devres_lazy/model.rs",
            "samples/rust/rust_drm_edu.rs",
        ] {
            let [i2c, pci, platform] = try_from::BUSES;
            let (_folder, tree) = tree(&[file, DEVRES, i2c, pci, platform]);
            let error = stages(&tree, Object::Annotated).err().unwrap();

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
        let (_folder, tree) = tree(&[MACROS, KERNEL, DEVRES, SHMEM, i2c, pci, platform]);
        let error = stages(&tree, Object::Annotated).err().unwrap();

        assert!(!error.is::<Exit>(), "{error}");
        assert!(
            error.to_string().contains("older or newer than 7.3"),
            "{error}"
        );
    }
}
