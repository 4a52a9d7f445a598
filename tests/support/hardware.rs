// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A device with an address space, and two resources of it: a page table, and a ring buffer that is
//! mapped through the page table. Both record their events.

use std::sync::{
    atomic::{AtomicBool, Ordering::SeqCst},
    Arc, Mutex, PoisonError,
};

/// The device.
#[derive(Default)]
pub(crate) struct Hardware {
    has_page_table: AtomicBool,
    log: Mutex<Vec<&'static str>>,
}

impl Hardware {
    fn note(&self, what: &'static str) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.push(what);
    }

    /// Returns the events since the last call.
    pub(crate) fn log(&self) -> Vec<&'static str> {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.split_off(0)
    }
}

/// The page table of the device. It is installed while this exists.
pub(crate) struct PageTable(Arc<Hardware>);

impl PageTable {
    pub(crate) fn new(hardware: &Arc<Hardware>) -> Self {
        hardware.has_page_table.store(true, SeqCst);
        hardware.note("page table installed");
        Self(hardware.clone())
    }
}

impl Drop for PageTable {
    fn drop(&mut self) {
        self.0.has_page_table.store(false, SeqCst);
        self.0.note("page table removed");
    }
}

/// A ring buffer. The device reaches it through the page table while this exists.
pub(crate) struct Ring(Arc<Hardware>);

impl Ring {
    pub(crate) fn new(table: &PageTable) -> Self {
        table.0.note("ring mapped");
        Self(table.0.clone())
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // Unmapping changes entries of the page table.
        self.0.note(if self.0.has_page_table.load(SeqCst) {
            "ring unmapped"
        } else {
            "ring unmapped WITHOUT A PAGE TABLE"
        });
    }
}
