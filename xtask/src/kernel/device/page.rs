// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `docs/device.md`.

use crate::kernel::{flavour::Variant, tree::Version};

/// The command that writes the page.
const COMMAND: &str = "cargo xtask kernel device --control";

/// The whole page, with a table for each variant.
pub(super) fn text(linux: Version, machine: &str, tables: &[(Variant, String)]) -> String {
    let tables: String = tables
        .iter()
        .map(|(variant, table)| format!("## {}\n\n{table}\n", title(*variant)))
        .collect();

    format!(
        "<!-- SPDX-License-Identifier: Apache-2.0 OR MIT -->
<!-- Written by `{COMMAND}`. Do not edit. -->
# A driver that user space uses, by hand and annotated

`samples/rust/rust_drm_edu.rs` is a DRM driver for QEMU's device `edu`, which copies between memory
and a memory of its own. It runs in Linux {linux} under {machine}, behind an IOMMU. A program uses
it as user space does, and prints a row for each scenario. The columns are one driver on several
trees:

- **by hand**: Linux {linux} as it is. The sg table is that of `shmem::Object`. The driver's own
  fields are made lazy in the same manner, by `kernel/items/edu.rs`.
- **by hand, with P2 and P3**: the same, and an object keeps its DRM device (P2), and nothing but the
  driver makes objects (P3).
- **annotated, never unmapped**: the next one, where `unmap()` of the table does nothing. The scenarios that
  are about stale DMA have to be off there: the pages have leaked, and the IOMMU lets a write through.
- **annotated**: the object and the driver with `#[devres_lazy]`.

A cell is what has happened: the row holds, it is off, or the kernel complains, with the report of KASAN
if there is one. A row is left out where only KASAN could find the fault, or where the tree has another fault than
the row is about. By hand, imports and the display are left out: an import is no object of the driver's, and the
display has no driver.

{tables}"
    )
}

fn title(variant: Variant) -> &'static str {
    match variant {
        Variant::Fast => "As drivers run",
        Variant::Debug => "With KASAN, lockdep and the debugging of DMA",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_a_table_for_each_variant() {
        let tables = [(Variant::Fast, "| a |\n".to_owned())];
        let page = text(Version(7, 3, 4), "QEMU 7.2.22", &tables);

        assert!(page.starts_with("<!-- SPDX-License-Identifier: "));
        assert!(page.contains("\n## As drivers run\n\n| a |\n"), "{page}");
        assert!(page.contains("in Linux 7.3.4 under QEMU 7.2.22"), "{page}");
    }
}
