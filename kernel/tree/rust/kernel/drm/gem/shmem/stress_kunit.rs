// SPDX-License-Identifier: GPL-2.0

//! The stress of `devres::stress_kunit` for buffers that map real memory: the table of the GEM
//! object, and the memory of the driver's own object.

use super::{
    contract_kunit::{
        Gem,
        Gpu, //
    },
    vmap_kunit::Buffer,
    ObjectConfig, //
};
use crate::{
    device::{
        Bound,
        Device, //
    },
    devres::{
        kunit_support::{
            dma_mappings,
            ensure, //
        },
        stress_kunit::{
            stress,
            Stressed,
            Unbind, //
        },
    },
    io::{
        Io,
        ResourceSize, //
    },
    page::PAGE_SIZE,
    prelude::*,
    scatterlist::SGTable, //
};

/// The size of the buffers.
const SIZE: usize = 4 * PAGE_SIZE;

/// The word that is written to the memory of a buffer.
const WORD: u32 = 0x5eed_cafe;

/// Reads a table, which has to cover the whole object.
fn read(table: &SGTable) -> Result {
    let len: ResourceSize = table.iter().map(|entry| entry.dma_len()).sum();

    ensure!(
        len == SIZE as ResourceSize,
        "{len} bytes of {SIZE} are mapped"
    );
    Ok(())
}

impl Stressed for Pin<KBox<Buffer>> {
    const BURST: usize = 4;

    fn access(&self, dev: &Device<Bound>) -> Result {
        read(self.obj.sg_table(dev)?)?;

        let memory = self.memory(dev)?;
        memory.try_write32(WORD, 0)?;
        let word = memory.try_read32(0)?;
        ensure!(word == WORD, "{word:#x} was written as {WORD:#x}");
        Ok(())
    }

    fn try_access(&self) -> Result<bool> {
        if let Some(memory) = self.try_memory() {
            // Memory that is not yet written is zero.
            let word = memory.try_read32(0)?;
            ensure!(word == WORD || word == 0, "{word:#x} is in the mapping");
        }

        let Some(table) = self.obj.try_sg_table() else {
            return Ok(false);
        };
        read(&table)?;
        Ok(true)
    }
}

impl Unbind for Gpu {
    fn bound(&self) -> Result<&Device<Bound>> {
        self.bound()
    }

    fn unbind(&mut self) {
        self.dev.unbind();
    }

    fn rebind(&mut self) -> Result {
        self.rebind()
    }
}

#[kunit_tests(rust_lazy_stress_shmem)]
mod tests {
    use super::*;

    /// Buffers, with the scatter-gather tables of their objects.
    #[test]
    fn objects() -> Result {
        let before = dma_mappings();

        stress(
            "shmem buffers",
            Gpu::new,
            |gpu| {
                let drm = gpu.drm.clone();
                move || Buffer::new(Gem::new(&drm, SIZE, ObjectConfig::default(), ())?)
            },
            || match (before, dma_mappings()) {
                (Some(before), Some(now)) => now as i32 - before as i32,
                _ => 0,
            },
        )
    }
}
