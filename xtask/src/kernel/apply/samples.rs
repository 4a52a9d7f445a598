// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `samples/rust/`: the sample drivers, as options and as targets.

use super::kconfig;
use anyhow::{
    ensure,
    Context,
    Result, //
};

/// The last one, which is of another kind: new drivers stand in front of it.
const LAST: &str = "SAMPLE_RUST_HOSTPROGS";

/// A sample driver.
pub(super) struct Sample {
    /// Its option in `Kconfig`.
    entry: &'static str,
    /// Its line in `Makefile`.
    target: &'static str,
}

/// The driver for `pci-testdev`, with its unit tests.
const DEVRES_LAZY: Sample = Sample {
    entry: "\
config SAMPLE_RUST_DEVRES_LAZY
	tristate \"Lazily mapped device resources\"
	depends on DRM=y && MMU
	depends on PCI
	select RUST_DRM_GEM_SHMEM_HELPER
	help
	  This option builds the Rust sample of device resources that are
	  mapped on first use.

	  To compile this as a module, choose M here:
	  the module will be called rust_devres_lazy.

	  If unsure, say N.

",
    target: "obj-$(CONFIG_SAMPLE_RUST_DEVRES_LAZY)\t\t+= rust_devres_lazy.o\n",
};

/// The driver that draws.
const BOCHS: Sample = Sample {
    entry: "\
config SAMPLE_RUST_DRM_BOCHS
	tristate \"DRM driver for QEMU's device bochs-display\"
	depends on DRM=y
	depends on PCI
	help
	  This option builds the Rust sample of a DRM driver with a framebuffer
	  that is mapped write-combined on first use.

	  To compile this as a module, choose M here:
	  the module will be called rust_drm_bochs.

	  If unsure, say N.

",
    target: "obj-$(CONFIG_SAMPLE_RUST_DRM_BOCHS)\t\t+= rust_drm_bochs.o\n",
};

/// The driver that user space uses.
pub(super) const EDU: Sample = Sample {
    entry: "\
config SAMPLE_RUST_DRM_EDU
	tristate \"DRM driver for QEMU's device edu\"
	depends on DRM=y && MMU
	depends on PCI
	select RUST_DRM_GEM_SHMEM_HELPER
	help
	  This option builds the Rust sample of a DRM driver with buffers that
	  a device copies to and from.

	  To compile this as a module, choose M here:
	  the module will be called rust_drm_edu.

	  If unsure, say N.

",
    target: "obj-$(CONFIG_SAMPLE_RUST_DRM_EDU)\t\t+= rust_drm_edu.o\n",
};

/// All samples, in the order of their names.
pub(super) const ALL: [Sample; 3] = [DEVRES_LAZY, BOCHS, EDU];

/// `samples/rust/Kconfig`: one option more for each sample.
pub(super) fn kconfig(text: String, samples: &[Sample]) -> Result<String> {
    samples
        .iter()
        .try_fold(text, |text, sample| kconfig::add(text, sample.entry, LAST))
}

/// `samples/rust/Makefile`: one target more for each sample.
pub(super) fn makefile(text: String, samples: &[Sample]) -> Result<String> {
    samples.iter().try_fold(text, |mut text, sample| {
        let (name, _) = sample.target.split_once(')').context("not a target")?;
        ensure!(!text.contains(name), "there is `{name})` already");
        let (at, line) = lines(&text)
            .filter(|(_, line)| {
                line.starts_with("obj-$(CONFIG_SAMPLE_RUST_") && line.ends_with('\n')
            })
            .last()
            .context("there is no line `obj-$(CONFIG_SAMPLE_RUST_..)` to stand behind")?;
        let behind = at + line.len();

        text.insert_str(behind, sample.target);
        Ok(text)
    })
}

/// The lines of a text with their ends, and where they begin.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split_inclusive('\n').scan(0, |next, line| {
        let at = *next;
        *next += line.len();
        Some((at, line))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KCONFIG: &str = "\
config SAMPLE_RUST_SOC
\ttristate \"SoC\"

config SAMPLE_RUST_HOSTPROGS
\tbool \"Host programs\"
";

    const MAKEFILE: &str = "\
# A comment.

obj-$(CONFIG_SAMPLE_RUST_PRINT)\t\t+= rust_print.o
obj-$(CONFIG_SAMPLE_RUST_SOC)\t\t+= rust_soc.o

rust_print-y := rust_print_main.o
";

    #[test]
    fn the_options_come_before_the_last_one() {
        let text = kconfig(KCONFIG.to_owned(), &ALL).unwrap();
        let (before, after) = KCONFIG.split_at(KCONFIG.find("config SAMPLE_RUST_HOST").unwrap());

        let entries = ALL.map(|sample| sample.entry).concat();
        assert_eq!(text, format!("{before}{entries}{after}"));
    }

    #[test]
    fn the_targets_come_behind_the_others() {
        let text = makefile(MAKEFILE.to_owned(), &ALL).unwrap();
        let (before, after) = MAKEFILE.split_at(MAKEFILE.find("\nrust_print-y").unwrap());

        let targets = ALL.map(|sample| sample.target).concat();
        assert_eq!(text, format!("{before}{targets}{after}"));
    }

    #[test]
    fn what_is_not_expected_is_said() {
        let error = |result: Result<String>| result.unwrap_err().to_string();

        assert_eq!(
            error(kconfig("config SAMPLE_RUST_SOC\n".to_owned(), &ALL)),
            "there is no option `SAMPLE_RUST_HOSTPROGS` to stand in front of"
        );
        assert_eq!(
            error(makefile("obj-y += x.o\n".to_owned(), &ALL)),
            "there is no line `obj-$(CONFIG_SAMPLE_RUST_..)` to stand behind"
        );
        assert_eq!(
            error(kconfig(KCONFIG.to_owned(), &ALL).and_then(|text| kconfig(text, &ALL))),
            "there is `SAMPLE_RUST_DEVRES_LAZY` already"
        );
        assert_eq!(
            error(makefile(MAKEFILE.to_owned(), &ALL).and_then(|text| makefile(text, &ALL))),
            "there is `obj-$(CONFIG_SAMPLE_RUST_DEVRES_LAZY)` already"
        );
    }
}
