// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The order of the locks of an object, on the host: the slot's, then the reservation lock.

use super::{
    driver::{
        Data,
        Driver, //
    },
    fault,
    object::Object,
    resv::DmaResvGuard, //
};
use kernel::{
    drm,
    page::PAGE_SIZE,
    prelude::*,
    testing::TestDevice, //
};
use std::panic::{
    catch_unwind,
    AssertUnwindSafe, //
};

/// A first access with a reservation lock held is reported, also if it is that of another object
/// and nobody waits.
#[test]
fn first_access_under_a_reservation_lock() -> Result {
    let mut dev = TestDevice::new(c"gpu0")?;
    let bound = dev.bind()?;
    let drm = drm::UnregisteredDevice::<Driver>::new(&bound, Ok(Data::default()))?;
    let object = || Object::<fault::None>::new(&drm, PAGE_SIZE, None);
    let (mapped, locked, empty) = (object()?, object()?, object()?);

    mapped.sg_table(&bound)?;
    {
        let _resv = DmaResvGuard::new(&*locked);
        // No lock is taken for what is mapped.
        mapped.sg_table(&bound)?;

        let report = catch_unwind(AssertUnwindSafe(|| empty.sg_table(&bound).is_ok()));
        let report = report.expect_err("no report");
        let report = report.downcast_ref::<String>().expect("no text");
        for part in [
            "possible circular locking dependency detected",
            "takes `Object::sgt`",
            "holds `reservation_ww_class_mutex`",
        ] {
            assert!(report.contains(part), "{report}");
        }
    }

    empty.sg_table(&bound)?;
    locked.sg_table(&bound)?;
    Ok(())
}
