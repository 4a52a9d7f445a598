// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Groups of managed resources, which can be released while the device stays bound.
//!
//! Models the groups of `drivers/base/devres.c`. A group is two markers on the device's list; what
//! was added between them is in it.

use super::{device, devres_node, release_nodes, Entry, Kind};
use crate::alloc::flags::GFP_KERNEL;
use core::{
    ffi::{c_int, c_void},
    ops::Range,
    ptr,
};

/// A group: `struct devres_group`.
#[repr(C)]
struct devres_group {
    /// The opening marker. The first field: the code casts a pointer to it to a pointer to the
    /// group.
    open: devres_node,
    /// The closing marker.
    close: devres_node,
    id: *mut c_void,
}

impl devres_group {
    /// Returns the entry of the opening marker.
    fn open(this: *mut Self) -> Entry {
        Entry(this.cast())
    }

    /// Returns the entry of the closing marker.
    fn close(this: *mut Self) -> Entry {
        Entry(
            this.wrapping_byte_add(core::mem::offset_of!(Self, close))
                .cast(),
        )
    }

    /// Returns the group of a marker, or [`None`] for a resource: `node_to_group()`.
    ///
    /// # Safety
    ///
    /// The node must be valid.
    unsafe fn of(entry: Entry) -> Option<*mut Self> {
        // SAFETY: The caller promises that the node is valid.
        match unsafe { entry.kind() } {
            Kind::Resource => None,
            Kind::GroupOpen => Some(entry.0.cast()),
            Kind::GroupClose => Some(
                entry
                    .0
                    .wrapping_byte_sub(core::mem::offset_of!(Self, close))
                    .cast(),
            ),
        }
    }
}

/// Frees a group, by its opening marker: `devres_group_free()`.
unsafe extern "C-unwind" fn devres_group_free(node: *mut devres_node) {
    // SAFETY: The node is the first field of a group that was leaked for the list.
    drop(unsafe { Box::from_raw(node.cast::<devres_group>()) });
}

/// Opens a group: what is added to the device from now on is in it, until it is closed.
/// `devres_open_group()`.
///
/// Returns the group's identity, or null if there is no memory. The identity is `id`, or a new one
/// if `id` is null.
///
/// # Safety
///
/// `dev` must be valid.
pub unsafe fn devres_open_group(dev: *mut device, id: *mut c_void, _gfp: u32) -> *mut c_void {
    if GFP_KERNEL.try_alloc().is_err() {
        return ptr::null_mut();
    }

    let group = Box::into_raw(Box::new(devres_group {
        open: devres_node::new(Kind::GroupOpen, None, Some(devres_group_free)),
        close: devres_node::new(Kind::GroupClose, None, None),
        id: ptr::null_mut(),
    }));
    let id = if id.is_null() { group.cast() } else { id };
    // SAFETY: The group was just allocated.
    unsafe { (*group).id = id };

    // SAFETY: The caller promises that `dev` is valid.
    unsafe { &*dev }.devres().push(devres_group::open(group));
    id
}

/// Finds the latest group of this identity, or with null the latest one that is open:
/// `find_group()`.
///
/// # Safety
///
/// `list` must be that of a device.
unsafe fn find_group(list: &[Entry], id: *mut c_void) -> Option<*mut devres_group> {
    list.iter().rev().find_map(|&entry| {
        // SAFETY: A node on the list is valid.
        if unsafe { entry.kind() } != Kind::GroupOpen {
            return None;
        }

        let group = entry.0.cast::<devres_group>();
        let is_it = if id.is_null() {
            !list.contains(&devres_group::close(group))
        } else {
            // SAFETY: The marker of a group is on the list, so the group is valid.
            unsafe { (*group).id == id }
        };
        is_it.then_some(group)
    })
}

/// The report for a group that is not there.
#[track_caller]
fn no_group(dev: &device) {
    super::warn(format!("{}: no such group of resources", dev.label()));
}

/// Closes a group: what is added to the device later is not in it. `devres_close_group()`.
///
/// With null it is the latest group that is open. Warns if there is no such group.
///
/// # Panics
///
/// If the group is closed already.
///
/// # Safety
///
/// `dev` must be valid.
#[track_caller]
pub unsafe fn devres_close_group(dev: *mut device, id: *mut c_void) {
    // SAFETY: The caller promises that `dev` is valid.
    let dev = unsafe { &*dev };
    let mut list = dev.devres();

    // SAFETY: The list is that of a device, and is locked.
    let close = unsafe { find_group(&list, id) }.map(devres_group::close);
    match close {
        Some(close) if list.contains(&close) => {
            drop(list);
            panic!("kernel BUG: {}: a group is closed twice", dev.label());
        }
        Some(close) => list.push(close),
        None => {
            drop(list);
            no_group(dev);
        }
    }
}

/// Removes a group, and leaves what is in it: `devres_remove_group()`.
///
/// With null it is the latest group that is open. Warns if there is no such group.
///
/// # Safety
///
/// `dev` must be valid.
#[track_caller]
pub unsafe fn devres_remove_group(dev: *mut device, id: *mut c_void) {
    // SAFETY: The caller promises that `dev` is valid.
    let dev = unsafe { &*dev };
    let mut list = dev.devres();

    // SAFETY: The list is that of a device, and is locked.
    let Some(group) = (unsafe { find_group(&list, id) }) else {
        drop(list);
        return no_group(dev);
    };
    list.retain(|entry| ![devres_group::open(group), devres_group::close(group)].contains(entry));
    drop(list);

    // SAFETY: The group's markers are on no list any more, so nobody else has it.
    unsafe { devres_group_free(group.cast()) };
}

/// Releases what is in a group, the last first, and removes the group and those that are inside it:
/// `devres_release_group()`. May sleep.
///
/// With null it is the latest group that is open. Warns if there is no such group, unless nothing is
/// left on the device.
///
/// Returns how many resources were released.
///
/// # Panics
///
/// If a release function does, after the others were called.
///
/// # Safety
///
/// `dev` must be valid and stay so, and the resources in the group must not be used any more.
#[track_caller]
pub unsafe fn devres_release_group(dev: *mut device, id: *mut c_void) -> c_int {
    // SAFETY: The caller promises that `dev` is valid.
    let device = unsafe { &*dev };
    let mut list = device.devres();

    // SAFETY: The list is that of a device, and is locked.
    let Some(group) = (unsafe { find_group(&list, id) }) else {
        let is_empty = list.is_empty();
        drop(list);
        // All was taken off the list to be released, the groups first.
        if !is_empty {
            no_group(device);
        }
        return 0;
    };

    let place = |entry| list.iter().position(|other| *other == entry);
    let first = place(devres_group::open(group)).unwrap_or(0);
    let end = place(devres_group::close(group)).map_or(list.len(), |close| close + 1);
    // SAFETY: The list is that of a device, and is locked.
    let (todo, count) = unsafe { remove_nodes(&mut list, first..end) };
    drop(list);

    // SAFETY: `dev` is valid, and the nodes were just taken off its list.
    unsafe { release_nodes(dev, todo) };
    count
}

/// Takes a part of a device's list off it: its resources, and the groups that lie wholly inside.
/// `remove_nodes()`.
///
/// Returns the nodes to be released and freed, and how many of them are resources. The markers of
/// other groups stay.
///
/// # Safety
///
/// `list` must be that of a device, and `range` within it.
pub(super) unsafe fn remove_nodes(
    list: &mut Vec<Entry>,
    range: Range<usize>,
) -> (Vec<Entry>, c_int) {
    let first = range.start;
    let behind = list.split_off(range.end);
    let (mut todo, markers): (Vec<_>, Vec<_>) = list.drain(first..).partition(|entry| {
        // SAFETY: A node on the list is valid.
        unsafe { entry.kind() == Kind::Resource }
    });
    let count = todo.len().try_into().unwrap_or(c_int::MAX);

    let is_on = |list: &[Entry], entry| list.contains(&entry);
    let is_whole = |group| {
        // A closing marker is not before its opening one, and so not in front of the range if the
        // opening one is within.
        let (open, close) = (devres_group::open(group), devres_group::close(group));
        is_on(&markers, open) && !is_on(&behind, close)
    };
    for &marker in &markers {
        // SAFETY: The node was just taken off the list, and is not freed yet.
        let group = unsafe { devres_group::of(marker) };
        match group {
            Some(group) if !is_whole(group) => list.push(marker),
            // One of the two markers frees the group.
            Some(group) if marker == devres_group::open(group) => todo.push(marker),
            _ => (),
        }
    }
    list.extend(behind);

    (todo, count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        bindings::{collect_warnings, devm_add_action_or_reset, devres_release_all},
        testing::{fail_nth, TestDevice},
    };
    use std::{
        cell::RefCell,
        panic::{catch_unwind, AssertUnwindSafe},
    };

    thread_local! {
        static CALLED: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
    }

    unsafe extern "C-unwind" fn note(data: *mut c_void) {
        CALLED.with_borrow_mut(|called| called.push(data.addr()));
        assert_ne!(data.addr(), 99, "told to panic");
    }

    fn add(dev: *mut device, numbers: &[usize]) {
        for &number in numbers {
            let data = ptr::without_provenance_mut(number);
            // SAFETY: The device is valid, and the function does not use its argument as a pointer.
            assert_eq!(unsafe { devm_add_action_or_reset(dev, note, data) }, 0);
        }
    }

    fn id(number: usize) -> *mut c_void {
        ptr::without_provenance_mut(number)
    }

    fn open(dev: *mut device, id: *mut c_void) -> *mut c_void {
        // SAFETY: The device is valid.
        unsafe { devres_open_group(dev, id, 0) }
    }

    fn close(dev: *mut device, id: *mut c_void) {
        // SAFETY: The device is valid.
        unsafe { devres_close_group(dev, id) }
    }

    fn release(dev: *mut device, id: *mut c_void) -> (c_int, Vec<usize>) {
        // SAFETY: The device is valid, and nobody uses what is registered.
        let count = unsafe { devres_release_group(dev, id) };
        (count, CALLED.take())
    }

    fn release_all(dev: *mut device) -> (c_int, Vec<usize>) {
        // SAFETY: The device is valid, and nobody uses what is registered.
        let count = unsafe { devres_release_all(dev) };
        (count, CALLED.take())
    }

    #[test]
    fn a_group_is_what_lies_between_its_markers() {
        let device = TestDevice::new(c"dev0").unwrap();
        let dev = device.device().as_raw();

        add(dev, &[1]);
        let group = open(dev, ptr::null_mut());
        add(dev, &[2, 3]);
        close(dev, group);
        add(dev, &[4]);
        assert_eq!(release(dev, group), (2, vec![3, 2]));
        assert_eq!(release_all(dev), (2, vec![4, 1]));
    }

    #[test]
    fn an_open_group_reaches_to_the_end_and_takes_inner_ones() {
        let device = TestDevice::new(c"dev0").unwrap();
        let dev = device.device().as_raw();

        assert_eq!(open(dev, id(8)), id(8));
        add(dev, &[1]);
        open(dev, id(16));
        add(dev, &[2]);
        close(dev, id(16));
        open(dev, id(24));
        add(dev, &[3]);
        assert_eq!(release(dev, id(8)), (3, vec![3, 2, 1]));

        // All three are gone: nothing is left, so this is no failure.
        assert_eq!(release(dev, id(16)), (0, vec![]));
    }

    #[test]
    fn a_group_that_lies_partly_inside_stays() {
        let device = TestDevice::new(c"dev0").unwrap();
        let dev = device.device().as_raw();

        open(dev, id(8));
        add(dev, &[1]);
        open(dev, id(16));
        add(dev, &[2]);
        close(dev, id(8));
        add(dev, &[3]);
        close(dev, id(16));
        add(dev, &[4]);
        assert_eq!(release(dev, id(8)), (2, vec![2, 1]));
        assert_eq!(release(dev, id(16)), (1, vec![3]));
        assert_eq!(release_all(dev), (1, vec![4]));

        // The other way round: the closing marker is inside.
        open(dev, id(8));
        add(dev, &[1]);
        open(dev, id(16));
        add(dev, &[2]);
        close(dev, id(8));
        add(dev, &[3]);
        close(dev, id(16));
        assert_eq!(release(dev, id(16)), (2, vec![3, 2]));
        assert_eq!(release(dev, id(8)), (1, vec![1]));
    }

    #[test]
    fn without_an_identity_it_is_the_latest_open_one() {
        let device = TestDevice::new(c"dev0").unwrap();
        let dev = device.device().as_raw();

        open(dev, id(8));
        add(dev, &[1]);
        open(dev, id(16));
        add(dev, &[2]);
        close(dev, ptr::null_mut());
        add(dev, &[3]);
        // The inner one is closed.
        assert_eq!(release(dev, ptr::null_mut()), (3, vec![3, 2, 1]));
    }

    #[test]
    fn the_latest_of_the_same_identity_is_found() {
        let device = TestDevice::new(c"dev0").unwrap();
        let dev = device.device().as_raw();

        for number in [1, 2] {
            open(dev, id(8));
            add(dev, &[number]);
            close(dev, id(8));
        }
        assert_eq!(release(dev, id(8)), (1, vec![2]));
        assert_eq!(release(dev, id(8)), (1, vec![1]));
    }

    #[test]
    fn removing_a_group_leaves_what_is_in_it() {
        let device = TestDevice::new(c"dev0").unwrap();
        let dev = device.device().as_raw();

        open(dev, id(8));
        add(dev, &[1]);
        close(dev, id(8));
        // SAFETY: The device is valid.
        unsafe { devres_remove_group(dev, id(8)) };
        let (released, warnings) = collect_warnings(|| release(dev, id(8)));
        assert_eq!(released, (0, vec![]));
        assert_eq!(warnings, ["dev0: no such group of resources"]);
        assert_eq!(release_all(dev), (1, vec![1]));
    }

    #[test]
    fn misuse_is_reported() {
        let device = TestDevice::new(c"dev0").unwrap();
        let dev = device.device().as_raw();

        let ((), warnings) = collect_warnings(|| close(dev, ptr::null_mut()));
        assert_eq!(warnings.len(), 1);
        open(dev, id(8));
        close(dev, id(8));
        assert!(catch_unwind(|| close(dev, id(8))).is_err());

        let _fault = fail_nth(1);
        assert!(open(dev, id(16)).is_null());
    }

    #[test]
    fn a_panic_in_a_group_does_not_keep_the_rest() {
        let device = TestDevice::new(c"dev0").unwrap();
        let dev = device.device().as_raw();

        open(dev, id(8));
        add(dev, &[1, 99, 3]);
        let released = catch_unwind(AssertUnwindSafe(|| release(dev, id(8))));
        assert!(released.is_err());
        assert_eq!(CALLED.take(), [3, 99, 1]);
        assert_eq!(release_all(dev), (0, vec![]));
    }
}
