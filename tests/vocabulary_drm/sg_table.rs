// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Scatter-gather tables that own their memory.

use kernel::{
    alloc::allocator::VmallocPageIter,
    device::{Bound, Device},
    dma::DataDirection,
    page::{AsPageIter, PAGE_SIZE},
    prelude::*,
    scatterlist::{Owned, SGTable},
    testing::{self, fail_nth, TestDevice},
};
use std::{
    collections::BTreeSet,
    ptr::NonNull,
    sync::{
        atomic::{AtomicU32, Ordering::Relaxed},
        Arc,
    },
};

#[repr(align(4096))]
struct Page(#[allow(dead_code, reason = "it is for the device")] [u8; PAGE_SIZE]);

/// Memory that tells when it is freed.
struct Pages {
    memory: Vec<Page>,
    freed: Arc<AtomicU32>,
}

impl Pages {
    fn new(count: usize, freed: &Arc<AtomicU32>) -> Self {
        Self {
            memory: (0..count).map(|_| Page([0; PAGE_SIZE])).collect(),
            freed: freed.clone(),
        }
    }
}

impl AsPageIter for Pages {
    type Iter<'a> = VmallocPageIter<'a>;

    fn page_iter(&mut self) -> VmallocPageIter<'_> {
        let first = NonNull::from(self.memory.as_mut_slice()).cast();
        // SAFETY: These are the pages of the vector.
        unsafe { VmallocPageIter::new(first, self.memory.len() * PAGE_SIZE) }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.freed.fetch_add(1, Relaxed);
    }
}

fn table(
    dev: &Device<Bound>,
    count: usize,
    freed: &Arc<AtomicU32>,
) -> Result<Pin<KBox<SGTable<Owned<Pages>>>>> {
    KBox::pin_init(
        SGTable::new(
            dev,
            Pages::new(count, freed),
            DataDirection::Bidirectional,
            GFP_KERNEL,
        ),
        GFP_KERNEL,
    )
}

#[test]
fn every_page_is_mapped() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let freed = Arc::default();
    let bound = gpu.bind()?;
    let table = table(&bound, 5, &freed)?;

    // Not contiguous for the device.
    let addresses: BTreeSet<_> = table.iter().map(|entry| entry.dma_address()).collect();
    assert_eq!(addresses.len(), 5);
    assert!(table
        .iter()
        .all(|entry| entry.dma_len() == PAGE_SIZE as u64));
    let ledger = testing::ledger(&bound);
    assert_eq!((ledger.live, ledger.bytes), (1, 5 * PAGE_SIZE as u64));

    drop(table);
    let ledger = testing::ledger(&bound);
    assert_eq!(
        (ledger.live, ledger.unmapped, freed.load(Relaxed)),
        (0, 1, 1)
    );
    // Nothing is left for unbind.
    bound.unbind();
    assert_eq!(freed.load(Relaxed), 1);
    Ok(())
}

#[test]
fn unbind_ends_the_mapping_and_not_the_table() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let freed = Arc::default();
    let dev = gpu.device();
    let bound = gpu.bind()?;
    let table = table(&bound, 2, &freed)?;

    bound.unbind();
    assert_eq!(testing::ledger(&dev).live, 0);
    assert_eq!(freed.load(Relaxed), 0);
    assert_eq!(table.iter().count(), 2);
    drop(table);
    assert_eq!(
        (testing::ledger(&dev).unmapped, freed.load(Relaxed)),
        (1, 1)
    );
    Ok(())
}

#[test]
fn no_pages_are_einval() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let freed = Arc::default();

    assert_eq!(table(&bound, 0, &freed).err(), Some(EINVAL));
    assert_eq!(freed.load(Relaxed), 1);
    Ok(())
}

#[test]
fn memory_out_of_reach_is_eio() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    gpu.set_dma_mask(24);
    let bound = gpu.bind()?;
    let freed = Arc::default();

    let (result, warnings) = testing::collect_warnings(|| table(&bound, 1, &freed).err());
    assert_eq!(result, Some(EIO));
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("overflow (mask ffffff,"));
    assert_eq!(
        (testing::ledger(&bound).mapped, freed.load(Relaxed)),
        (0, 1)
    );
    Ok(())
}

#[test]
fn every_failure_leaves_nothing() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let freed = Arc::default();

    let mut failed = 0;
    loop {
        let fault = fail_nth(u64::from(failed) + 1);
        let result = table(&bound, 3, &freed);
        if !fault.tripped() {
            result?;
            break;
        }
        failed += 1;
        assert_eq!(result.err(), Some(ENOMEM), "{failed}");
        assert_eq!(testing::ledger(&bound).live, 0, "{failed}");
        assert_eq!(freed.load(Relaxed), failed);
    }
    // The box, the list of pages, the entries, and the `Devres`.
    assert!(failed >= 4, "{failed}");
    Ok(())
}
