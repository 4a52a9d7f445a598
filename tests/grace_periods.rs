// SPDX-License-Identifier: Apache-2.0 OR MIT

//! How many grace periods unbind waits for: one at most, however many slots there are, and none if
//! nobody has tried to get a guard. Alone in its process, which they are counted for.

use devres_lazy::{
    devres::Lazy,
    new_lazy,
    prelude::*,
    testing::{
        rcu_grace_periods,
        TestDevice, //
    },
};

/// Populates so many slots, tries to get so many guards, and returns the grace periods of unbind.
fn unbind(populated: usize, tried: usize) -> Result<u64> {
    let mut dev = TestDevice::new(c"gpu0")?;
    let bound = dev.bind()?;

    let mut slots: Vec<Pin<KBox<Lazy<u32>>>> = Vec::new();
    for _ in 0..populated {
        let slot: Pin<KBox<Lazy<_>>> = KBox::pin_init(new_lazy!("slot"), GFP_KERNEL)?;
        slot.lock().populate(&bound, || Ok(7))?;
        slots.push(slot);
    }
    for slot in &slots[..tried] {
        assert!(slot.try_access().is_some());
    }

    let before = rcu_grace_periods();
    bound.unbind();
    let grace_periods = rcu_grace_periods() - before;

    // Of a slot that was revoked there is no guard, and nobody to wait for.
    assert!(slots.iter().all(|slot| slot.try_access().is_none()));
    Ok(grace_periods)
}

#[test]
fn one_per_unbind_if_any() -> Result {
    for populated in [0, 1, 100, 10_000] {
        assert_eq!(unbind(populated, 0)?, 0, "{populated} populated");
        if populated > 0 {
            assert_eq!(unbind(populated, 1)?, 1, "{populated} populated, 1 tried");
            assert_eq!(unbind(populated, populated)?, 1, "all of {populated} tried");
        }
    }
    Ok(())
}
