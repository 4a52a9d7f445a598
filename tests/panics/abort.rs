// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A thread that can neither continue nor unwind prints the reason and aborts, so each of these
//! tests has a process of its own.

use kernel::{
    bindings, device::Device, devres::Lazy, new_lazy, prelude::*, sync::aref::ARef,
    testing::TestDevice,
};
use std::{env, process::Command, sync::Mutex};

/// Runs the ignored test `name` in a process of its own, which has to abort and print `what`.
#[track_caller]
fn aborts(name: &str, what: &str) {
    let output = Command::new(env::current_exe().unwrap())
        .args(["--ignored", "--exact", name])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);

    assert_eq!(output.status.code(), None, "{said}");
    assert!(said.contains(what), "{said}");
    assert!(
        said.contains("this thread can neither go on nor unwind"),
        "{said}"
    );
}

/// An owner whose resource calls a function when it is dropped.
type Slot = Pin<KBox<Lazy<Called>>>;

struct Called(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Called {
    fn new(function: impl FnOnce() + Send + 'static) -> Self {
        Self(Mutex::new(Some(Box::new(function))))
    }
}

impl Drop for Called {
    fn drop(&mut self) {
        if let Some(function) = self.0.get_mut().unwrap().take() {
            function();
        }
    }
}

fn slot() -> Slot {
    KBox::pin_init(new_lazy!("slot"), GFP_KERNEL).unwrap()
}

/// A test fails while it holds a guard, and unbinds on the way out.
#[test]
#[ignore = "aborts; `unbinding_under_a_guard_while_unwinding` runs it"]
fn unbinds_under_a_guard_while_unwinding() {
    let mut dev = TestDevice::new(c"gpu0").unwrap();
    let slot = slot();
    let _guard;
    let bound = dev.bind().unwrap();
    slot.get_or_populate(&bound, || Ok(Called::new(|| ())))
        .unwrap();
    _guard = slot.try_access().unwrap();
    panic!("a test fails");
}

#[test]
fn unbinding_under_a_guard_while_unwinding() {
    aborts(
        "abort::unbinds_under_a_guard_while_unwinding",
        "synchronize_rcu() waits for this thread",
    );
}

/// A slot that is dropped by its own resource.
static OWNER: Mutex<Option<Slot>> = Mutex::new(None);

#[test]
#[ignore = "aborts; `a_resource_that_drops_its_owner` runs it"]
fn drops_its_owner() {
    let mut dev = TestDevice::new(c"gpu0").unwrap();
    let bound = dev.bind().unwrap();
    let slot = slot();
    slot.get_or_populate(&bound, || {
        Ok(Called::new(|| {
            let owner = OWNER.lock().unwrap().take();
            drop(owner);
        }))
    })
    .unwrap();
    *OWNER.lock().unwrap() = Some(slot);
    bound.unbind();
}

#[test]
fn a_resource_that_drops_its_owner() {
    aborts("abort::drops_its_owner", "deadlock: ");
}

#[test]
#[ignore = "aborts; `a_resource_that_unbinds_its_device` runs it"]
fn unbinds_its_device() {
    let mut dev = TestDevice::new(c"gpu0").unwrap();
    let bound = dev.bind().unwrap();
    let device: ARef<Device> = bound.device();
    let slot = slot();
    slot.get_or_populate(&bound, || {
        Ok(Called::new(move || {
            // SAFETY: The device is valid. It is not unbound twice: this does not return.
            unsafe { bindings::device_release_driver(device.as_raw()) };
        }))
    })
    .unwrap();
    drop(slot);
}

#[test]
fn a_resource_that_unbinds_its_device() {
    aborts("abort::unbinds_its_device", "deadlock: ");
}
