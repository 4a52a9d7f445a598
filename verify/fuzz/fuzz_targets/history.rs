// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Histories of objects and devices against a model.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| devres_lazy_fuzz::history::check(data));
