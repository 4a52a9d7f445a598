// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Whole files through the printer.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fuzz_target!(|data: &[u8]| devres_lazy_fuzz::file::check(data));
