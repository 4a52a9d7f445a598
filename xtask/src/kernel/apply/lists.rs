// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Files of the tree that are lists, of options, headers and targets: what is added to them.

use anyhow::{ensure, Context, Result};

/// Where a line comes, beside another one that is there.
#[derive(Clone, Copy)]
pub(super) enum Beside<'a> {
    Before(&'a str),
    Behind(&'a str),
}

/// Adds lines, whose first one must not be there yet.
pub(super) fn add(text: &str, new: &str, beside: Beside<'_>) -> Result<String> {
    let find = |wanted: &str| {
        text.split_inclusive('\n')
            .position(|it| it.trim_end() == wanted)
    };
    let first = new.lines().next().unwrap_or_default();
    ensure!(find(first).is_none(), "there is `{first}` already");

    let (Beside::Before(other) | Beside::Behind(other)) = beside;
    let at = find(other).with_context(|| format!("there is no `{other}` to stand beside"))?;
    let at = at + usize::from(matches!(beside, Beside::Behind(_)));
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    Ok(lines[..at].concat() + new + &lines[at..].concat())
}

/// The GEM DMA helper, for `drivers/gpu/drm/Kconfig`. A driver selects it. Where there is KUnit it
/// can also be asked for.
const GEM_DMA: &str = "\
config RUST_DRM_GEM_DMA_HELPER
	bool \"GEM DMA helper functions in Rust\" if KUNIT
	depends on RUST && DRM=y
	select DRM_GEM_DMA_HELPER
	help
	  Choose this if you need the GEM DMA helper functions in Rust: GEM
	  objects whose memory is contiguous for the device.

	  A driver that needs them selects this. It can also be chosen to run
	  their KUnit tests.

";

/// `drivers/gpu/drm/Kconfig`: the GEM DMA helper.
pub(super) fn gem_dma_option(text: &str) -> Result<String> {
    add(
        text,
        GEM_DMA,
        Beside::Before("config RUST_DRM_GEM_SHMEM_HELPER"),
    )
}

/// `rust/bindings/bindings_helper.h`: the header of the GEM DMA helper.
pub(super) fn gem_dma_header(text: &str) -> Result<String> {
    add(
        text,
        "#include <drm/drm_gem_dma_helper.h>\n",
        Beside::Before("#include <drm/drm_gem_shmem_helper.h>"),
    )
}

/// `rust/bindings/bindings_helper.h`: the size of a dumb buffer.
pub(super) fn dumb_buffers_header(text: &str) -> Result<String> {
    add(
        text,
        "#include <drm/drm_dumb_buffers.h>\n",
        Beside::Behind("#include <drm/drm_drv.h>"),
    )
}

/// `rust/helpers/helpers.c`: an inline function of imports.
pub(super) fn dma_buf_helper(text: &str) -> Result<String> {
    add(
        text,
        "#include \"dma-buf.c\"\n",
        Beside::Behind("#ifdef CONFIG_DMA_SHARED_BUFFER"),
    )
}

/// `rust/uapi/uapi_helper.h`: what user space asks of two of the samples.
pub(super) fn uapi_headers(text: &str) -> Result<String> {
    let drm = "#include <uapi/drm/drm.h>";
    let text = add(
        text,
        "#include <uapi/drm/bochs_drm.h>\n",
        Beside::Before(drm),
    )?;

    add(
        &text,
        "#include <uapi/drm/edu_drm.h>\n",
        Beside::Behind(drm),
    )
}

/// A sample driver.
pub(super) struct Sample {
    /// Its option, and in lower case its module, behind `SAMPLE_`.
    name: &'static str,
    title: &'static str,
    /// The option's dependencies, and the options that it selects.
    needs: &'static str,
    /// The subject of the sample, for the option's help text.
    what: &'static str,
}

/// The driver for `pci-testdev`, with its unit tests.
const DEVRES_LAZY: Sample = Sample {
    name: "RUST_DEVRES_LAZY",
    title: "Lazily mapped device resources",
    needs: "depends on DRM=y && MMU\n\tdepends on PCI\n\tselect RUST_DRM_GEM_SHMEM_HELPER",
    what: "device resources that are\n\t  mapped on first use",
};

/// The driver that draws.
const BOCHS: Sample = Sample {
    name: "RUST_DRM_BOCHS",
    title: "DRM driver for QEMU's device bochs-display",
    needs: "depends on DRM=y\n\tdepends on PCI",
    what: "a DRM driver with a framebuffer\n\t  that is mapped write-combined on first use",
};

/// The driver that user space uses.
pub(super) const EDU: Sample = Sample {
    name: "RUST_DRM_EDU",
    title: "DRM driver for QEMU's device edu",
    needs: "depends on DRM=y && MMU\n\tdepends on PCI\n\tselect RUST_DRM_GEM_SHMEM_HELPER",
    what: "a DRM driver with buffers that\n\t  a device copies to and from",
};

/// All samples, in the order of their names.
pub(super) const SAMPLES: [Sample; 3] = [DEVRES_LAZY, BOCHS, EDU];

impl Sample {
    fn module(&self) -> String {
        self.name.to_ascii_lowercase()
    }

    fn option(&self) -> String {
        let Self {
            name,
            title,
            needs,
            what,
        } = self;
        let module = self.module();

        format!(
            "\
config SAMPLE_{name}
	tristate \"{title}\"
	{needs}
	help
	  This option builds the Rust sample of {what}.

	  To compile this as a module, choose M here:
	  the module will be called {module}.

	  If unsure, say N.

"
        )
    }

    fn target(&self) -> String {
        let module = self.module();
        format!("obj-$(CONFIG_SAMPLE_{})\t\t+= {module}.o\n", self.name)
    }
}

/// `samples/rust/Kconfig`: one option more for each sample.
pub(super) fn sample_options(text: &str, samples: &[Sample]) -> Result<String> {
    // The last one is of another kind: new drivers stand in front of it.
    let options: String = samples.iter().map(Sample::option).collect();
    add(
        text,
        &options,
        Beside::Before("config SAMPLE_RUST_HOSTPROGS"),
    )
}

/// `samples/rust/Makefile`: one target more for each sample.
pub(super) fn sample_targets(text: &str, samples: &[Sample]) -> Result<String> {
    let last = text
        .lines()
        .rfind(|line| line.starts_with("obj-$(CONFIG_SAMPLE_RUST_"))
        .context("there is no line `obj-$(CONFIG_SAMPLE_RUST_..)` to stand behind")?;
    let targets: String = samples.iter().map(Sample::target).collect();

    add(text, &targets, Beside::Behind(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_where_they_are_asked_for() {
        let before = "config A\n\tbool\n\nconfig AB\n\tbool\n";
        let new = "config NEW\n\tbool\n\n";

        let first = add(before, new, Beside::Before("config A")).unwrap();
        assert_eq!(first, format!("{new}{before}"));
        // An option is found by its whole name.
        let last = add(before, "x\n", Beside::Behind("config AB")).unwrap();
        assert_eq!(last, "config A\n\tbool\n\nconfig AB\nx\n\tbool\n");
        for (text, other, error) in [
            (before, "config B", "there is no `config B` to stand beside"),
            (&first, "config A", "there is `config NEW` already"),
        ] {
            let found = add(text, new, Beside::Before(other)).unwrap_err();
            assert_eq!(found.to_string(), error);
        }
    }

    #[test]
    fn headers_stay_sorted() {
        let text = uapi_headers("#include <uapi/drm/drm.h>\n#include <uapi/drm/nova.h>\n").unwrap();

        assert_eq!(text.lines().count(), 4);
        assert!(text.lines().is_sorted(), "{text}");
    }

    #[test]
    fn samples_have_an_option_and_a_target() {
        let kconfig = "config SAMPLE_RUST_SOC\n\ttristate\n\nconfig SAMPLE_RUST_HOSTPROGS\n";
        let options = sample_options(kconfig, &SAMPLES).unwrap();
        assert!(options.ends_with("  If unsure, say N.\n\nconfig SAMPLE_RUST_HOSTPROGS\n"));
        assert!(sample_options(&options, &SAMPLES).is_err());

        let makefile = "obj-$(CONFIG_SAMPLE_RUST_SOC)\t+= rust_soc.o\n\nx-y := main.o\n";
        let targets = sample_targets(makefile, &[EDU]).unwrap();
        assert_eq!(
            targets.lines().nth(1),
            Some("obj-$(CONFIG_SAMPLE_RUST_DRM_EDU)\t\t+= rust_drm_edu.o")
        );
        assert!(sample_targets(&targets, &[EDU]).is_err());
        assert!(sample_targets("obj-y += x.o\n", &[EDU]).is_err());
    }
}
