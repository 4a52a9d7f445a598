// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Other users of the pages.

use super::raw::{counts, object, pin, unpin};
use kernel::{
    prelude::*,
    testing::{self, TestDevice},
};

/// Pinning makes no table: `drm_gem_shmem_pin_locked()` takes a use of the pages, and
/// `drm_gem_shmem_get_pages_sgt_locked()` alone makes tables. So the first access takes a use of
/// its own beside that of the pin, and unbind puts just that one. The release puts none.
#[test]
fn a_pin_and_a_table_have_uses_of_their_own() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let (obj, _drm) = object(&bound)?;

    pin(&obj)?;
    assert_eq!(counts(&obj), (1, 1));
    assert!(obj.sg_table_if_mapped(&bound)?.is_none());
    obj.sg_table(&bound)?;
    assert_eq!(counts(&obj), (2, 1));
    bound.unbind();
    assert_eq!(counts(&obj), (1, 1));
    unpin(&obj);
    assert_eq!(counts(&obj), (0, 0));

    let ((), warnings) = testing::collect_warnings(|| drop(obj));
    assert!(warnings.is_empty(), "{warnings:?}");
    Ok(())
}
