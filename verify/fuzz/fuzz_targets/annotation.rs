// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Annotated items through the macro's expander.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fuzz_target!(|data: &[u8]| devres_lazy_fuzz::annotation::check(data));
