// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The option of a `Devres` for each slot: what chooses it, and what it chooses between.

use super::{
    kconfig,
    source, //
};
use anyhow::{
    ensure,
    Result, //
};
use std::path::Path;

/// What is compiled with the option, and without it.
const CHOSEN: &str = "rust/kernel/devres/per_slot.rs";
const USUAL: [&str; 5] = [
    "rust/kernel/devres/batched.rs",
    "rust/kernel/devres/batched_kunit.rs",
    "rust/kernel/devres/container.rs",
    "rust/kernel/devres/registry.rs",
    "rust/kernel/devres/sys.rs",
];

/// What is added to `drivers/base/Kconfig`, beside what else there is about devres.
const ENTRY: &str = "\
config RUST_DEVRES_LAZY_PER_SLOT
	bool \"Manage each lazily mapped resource of Rust drivers by itself\"
	depends on RUST
	help
	  Rust drivers may have resources that are mapped on first use, and
	  belong to a device (devres::Lazy). All those of a device share one
	  entry of its list of managed resources: unbinding the device waits
	  for one RCU grace period at most, and freeing a resource takes the
	  same time however many there are.

	  With this option, each has an entry of its own, a devres::Devres.
	  Then each has its own place in the order in which devres releases
	  what a device has, and there is less code that can be at fault. But
	  unbinding waits for a grace period for each resource, freeing one
	  goes through all that the device has, and each takes an allocation.
	  And what is mapped for the first time while the device is being
	  unbound stays mapped, and the device cannot be bound again until its
	  owner is gone. And devres::prepare() does nothing, so drivers must
	  not rely on it.

	  If unsure, say N.

";

/// What `ENTRY` stands in front of.
const NEXT: &str = "DEBUG_TEST_DRIVER_REMOVE";

/// What is put in front of modules in `devres.rs`, in this order.
const MODULES: [(&str, &str); 5] = [
    (UNLESS_CHOSEN, "batched"),
    (UNLESS_CHOSEN, "container"),
    (UNLESS_CHOSEN, "registry"),
    (MODULE, "registry"),
    (UNLESS_CHOSEN, "sys"),
];

const UNLESS_CHOSEN: &str = "#[cfg(not(CONFIG_RUST_DEVRES_LAZY_PER_SLOT))]\n";
const MODULE: &str = "#[cfg(CONFIG_RUST_DEVRES_LAZY_PER_SLOT)]\nmod per_slot;\n";

/// What is exported only without it.
const EXPORT: &str = "pub use batched::Batched;\n";

/// What is put behind the exports, which takes the name of the usual one.
const NAME: &str = "#[cfg(CONFIG_RUST_DEVRES_LAZY_PER_SLOT)]\nuse per_slot as container;";

/// The files that are not compiled, if the option is chosen or if it is not.
pub(crate) fn configured_out(is_chosen: bool) -> impl Iterator<Item = &'static Path> {
    let files: &'static [&str] = if is_chosen { &USUAL } else { &[CHOSEN] };

    files.iter().map(Path::new)
}

/// `drivers/base/Kconfig`: the option.
pub(super) fn option(text: String) -> Result<String> {
    kconfig::add(text, ENTRY, NEXT)
}

/// `rust/kernel/devres.rs`: what depends on it.
pub(super) fn declare(text: String) -> Result<String> {
    let text = MODULES.iter().try_fold(text, |text, (new, before)| {
        source::declare_before(text, before, new)
    })?;

    ensure!(
        text.matches(EXPORT).count() == 1,
        "`{}` is not there, or not once",
        EXPORT.trim_end()
    );
    let text = text.replace(EXPORT, &format!("{UNLESS_CHOSEN}{EXPORT}"));

    source::import_behind(text, "mapped", NAME)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root;

    #[test]
    fn one_of_two_is_compiled() {
        let text = "use a::b;\n\nmod batched;\nmod container;\nmod registry;\nmod sys;\n\n\
                    pub use batched::Batched;\npub use mapped::Map;\n";
        let text = declare(text.to_owned()).unwrap();

        assert_eq!(
            text,
            "use a::b;\n\n\
             #[cfg(not(CONFIG_RUST_DEVRES_LAZY_PER_SLOT))]\nmod batched;\n\
             #[cfg(not(CONFIG_RUST_DEVRES_LAZY_PER_SLOT))]\nmod container;\n\
             #[cfg(CONFIG_RUST_DEVRES_LAZY_PER_SLOT)]\nmod per_slot;\n\
             #[cfg(not(CONFIG_RUST_DEVRES_LAZY_PER_SLOT))]\nmod registry;\n\
             #[cfg(not(CONFIG_RUST_DEVRES_LAZY_PER_SLOT))]\nmod sys;\n\n\
             #[cfg(not(CONFIG_RUST_DEVRES_LAZY_PER_SLOT))]\npub use batched::Batched;\n\
             pub use mapped::Map;\n\
             #[cfg(CONFIG_RUST_DEVRES_LAZY_PER_SLOT)]\nuse per_slot as container;\n"
        );
    }

    #[test]
    fn what_is_configured_out_is_there() {
        let folders = ["runtime/src/protocol", "kernel/tree/rust/kernel/devres"];
        for file in configured_out(true).chain(configured_out(false)) {
            let name = file.file_name().unwrap();
            assert!(
                folders
                    .iter()
                    .any(|folder| root().join(folder).join(name).exists()),
                "there is no {}",
                file.display()
            );
        }
    }

    #[test]
    fn the_option_is_the_one_that_is_asked_for() {
        let asked = include_str!("../../../../kernel/config/per_slot");
        let (first, _) = ENTRY.split_once('\n').unwrap();
        let name = first.strip_prefix("config ").unwrap();

        assert!(asked.ends_with(&format!("\nCONFIG_{name}=y\n")), "{name}");
        for text in [UNLESS_CHOSEN, MODULE, NAME] {
            assert!(text.contains(&format!("CONFIG_{name})")), "{text}");
        }
    }
}
