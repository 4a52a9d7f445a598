// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `drm::gem::dma`, the GEM DMA helper: a module, an option, and bindings of a header.

use super::{
    includes::{
        self,
        Beside, //
    },
    kconfig,
    source, //
};
use anyhow::Result;

/// An option for `drivers/gpu/drm/Kconfig`, and the one that it stands in front of. A driver selects
/// it. Where there is KUnit it can also be asked for.
const ENTRY: &str = "\
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
const OPTION: &str = "RUST_DRM_GEM_SHMEM_HELPER";

/// The header, and what it stands in front of in the list.
const HEADER: &str = "#include <drm/drm_gem_dma_helper.h>";
const NEXT: &str = "#include <drm/drm_gem_shmem_helper.h>";

/// `drivers/gpu/drm/Kconfig`: an option.
pub(super) fn option(text: String) -> Result<String> {
    kconfig::add(text, ENTRY, OPTION)
}

/// `rust/bindings/bindings_helper.h`: a header.
pub(super) fn header(text: String) -> Result<String> {
    includes::add(text, HEADER, Beside::Before(NEXT))
}

/// `rust/kernel/drm/gem/mod.rs`: the module.
pub(super) fn module(text: String) -> Result<String> {
    let module = "#[cfg(CONFIG_RUST_DRM_GEM_DMA_HELPER)]\npub mod dma;\n";

    source::declare_before(text, "shmem", module)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_stand_in_front_of_shmem() {
        let before = "config DRM_GEM_SHMEM_HELPER\n\nconfig RUST_DRM_GEM_SHMEM_HELPER\n\tbool\n";
        let text = option(before.to_owned()).unwrap();
        assert!(text.contains("tests.\n\nconfig RUST_DRM_GEM_SHMEM_HELPER\n\tbool\n"));

        let before = "#include <drm/drm_gem.h>\n#include <drm/drm_gem_shmem_helper.h>\n";
        let text = header(before.to_owned()).unwrap();
        assert_eq!(text.lines().nth(1), Some(HEADER));
        assert_eq!(
            header(text).unwrap_err().to_string(),
            "there is `#include <drm/drm_gem_dma_helper.h>` already"
        );
        assert!(header(String::new()).is_err());

        let shmem = "#[cfg(CONFIG_RUST_DRM_GEM_SHMEM_HELPER)]\npub mod shmem;\n";
        let text = module(format!("use a::b;\n\n{shmem}")).unwrap();
        assert_eq!(
            text,
            format!("use a::b;\n\n#[cfg(CONFIG_RUST_DRM_GEM_DMA_HELPER)]\npub mod dma;\n{shmem}")
        );
    }
}
