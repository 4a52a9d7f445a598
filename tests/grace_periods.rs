// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The cost of many slots on one device. The test has a process of its own, since it counts the
//! grace periods of the process.
//!
//! | | |
//! |---|---|
//! | grace periods of unbind | one, or none without a call of `try_access` |
//! | allocations to populate | those of the registry |

use kernel::{
    devres::Lazy,
    new_lazy,
    prelude::*,
    testing::{fail_nth, rcu_grace_periods, TestDevice},
};

/// The numbers of allocations and grace periods.
#[derive(Debug, PartialEq)]
struct Taken {
    allocations: u64,
    grace_periods: u64,
}

/// Populates `populated` slots, calls `try_access` on `tried` of the slots, and unbinds.
fn unbind(populated: usize, tried: usize) -> Result<Taken> {
    let mut dev = TestDevice::new(c"gpu0")?;
    let bound = dev.bind()?;

    let slots: Vec<Pin<KBox<Lazy<u32>>>> = (0..populated)
        .map(|_| KBox::pin_init(new_lazy!("slot"), GFP_KERNEL))
        .collect::<Result<_>>()?;
    let fault = fail_nth(u64::MAX);
    for slot in &slots {
        slot.get_or_populate(&bound, || Ok(7))?;
    }
    let allocations = fault.allocations();
    drop(fault);
    for slot in &slots[..tried] {
        assert!(slot.try_access().is_some());
    }

    let before = rcu_grace_periods();
    bound.unbind();
    let grace_periods = rcu_grace_periods() - before;

    // A revoked slot returns no guard.
    assert!(slots.iter().all(|slot| slot.try_access().is_none()));
    Ok(Taken {
        allocations,
        grace_periods,
    })
}

#[test]
fn many_slots() -> Result {
    for populated in [0, 1, 100, 10_000] {
        for tried in [0, populated.min(1), populated] {
            let expected = Taken {
                // The registry and the registry's devres node.
                allocations: if populated > 0 { 2 } else { 0 },
                grace_periods: tried.min(1) as u64,
            };
            let taken = unbind(populated, tried)?;
            assert_eq!(taken, expected, "{populated} populated, {tried} tried");
        }
    }
    Ok(())
}
