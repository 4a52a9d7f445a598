// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `struct device`, its managed resources, and what the driver core does with them.
//!
//! Models `include/linux/device.h`, `include/linux/device/devres.h`, `drivers/base/devres.c` and
//! `drivers/base/core.c`. Uses the DMA state that each device has. Binding a driver, device links
//! and groups of managed resources have files of their own.
//!
//! Callbacks have the ABI `C-unwind` and not `C`, as here a loud failure may pass through them. One
//! in a release callback does not keep the other resources from being released: it goes on when
//! they are.

use super::{
    bus_type, device_driver, device_links_purge, device_release_driver, dma_check_unbind,
    faux::FAUX_BUS, faux_device, pci::PCI_BUS, pci_dev, remove_nodes, DmaState,
};
use crate::{
    alloc::flags::GFP_KERNEL, error::code, fault, str::CStr, types::ScopeGuard, unwind::go_on,
};
use core::{
    alloc::Layout,
    ffi::{c_char, c_int, c_void},
    mem::offset_of,
    num::NonZeroU64,
    ptr,
    sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, Ordering},
};
use std::{
    any::Any,
    ffi::CString,
    panic::{catch_unwind, AssertUnwindSafe},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

/// Releases what a node stands for: `dr_node_release_t`.
pub type dr_node_release_t =
    Option<unsafe extern "C-unwind" fn(dev: *mut device, node: *mut devres_node)>;

/// Frees a node, after it was released: `dr_node_free_t`.
pub type dr_node_free_t = Option<unsafe extern "C-unwind" fn(node: *mut devres_node)>;

/// One managed resource of a device: `struct devres_node`, to be embedded.
pub struct devres_node {
    release: dr_node_release_t,
    free_node: dr_node_free_t,
    kind: Kind,
}

/// The kind of a node. C compares release functions, which need not have distinct addresses here.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A managed resource.
    Resource,
    /// The opening marker of a group.
    GroupOpen,
    /// The closing marker of a group.
    GroupClose,
}

impl devres_node {
    /// Returns a node that is on no list.
    pub(super) const fn new(
        kind: Kind,
        release: dr_node_release_t,
        free_node: dr_node_free_t,
    ) -> Self {
        Self {
            release,
            free_node,
            kind,
        }
    }
}

/// An entry of a device's list of managed resources.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry(pub(super) *mut devres_node);

impl Entry {
    /// Returns the kind of a node on the list.
    ///
    /// # Safety
    ///
    /// The node must be valid.
    pub(super) unsafe fn kind(self) -> Kind {
        // SAFETY: The caller promises that the node is valid.
        unsafe { &*self.0 }.kind
    }
}

// SAFETY: `devres_node_add()` requires that the node can be released on any thread.
unsafe impl Send for Entry {}

/// The state of a device in the driver core: `enum dl_dev_state`.
pub type dl_dev_state = u32;

/// It has no driver, or probing it has failed: `DL_DEV_NO_DRIVER`.
pub const dl_dev_state_DL_DEV_NO_DRIVER: dl_dev_state = 0;
/// A driver is being bound: `DL_DEV_PROBING`.
pub const dl_dev_state_DL_DEV_PROBING: dl_dev_state = 1;
/// It has a driver: `DL_DEV_DRIVER_BOUND`.
pub const dl_dev_state_DL_DEV_DRIVER_BOUND: dl_dev_state = 2;
/// The driver is being unbound: `DL_DEV_UNBINDING`.
pub const dl_dev_state_DL_DEV_UNBINDING: dl_dev_state = 3;

/// `struct dev_links_info`, as far as it is looked at.
pub struct dev_links_info {
    /// A [`dl_dev_state`], which only the driver core writes.
    pub status: AtomicU32,
}

/// The mutex of a device, which a thread may unlock without a guard.
struct DeviceMutex {
    /// The thread that holds it.
    owner: Mutex<Option<NonZeroU64>>,
    unlocked: Condvar,
}

/// The structure that a device is part of, which tells its bus.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum device_kind {
    /// Nothing.
    None,
    /// A [`faux_device`].
    Faux,
    /// A [`pci_dev`].
    Pci,
}

/// A device: `struct device`. It is reference-counted, and all code with a pointer to it shares it.
pub struct device {
    name: CString,
    kind: device_kind,
    /// The bus that it is on, or null.
    pub bus: *const bus_type,
    refcount: AtomicUsize,
    mutex: DeviceMutex,
    /// Removed from its bus by [`device_del()`]: `dev->p->dead`.
    pub(super) dead: AtomicBool,
    /// The driver from the beginning of its probe to the end of its unbind, else null.
    pub(super) driver: AtomicPtr<device_driver>,
    driver_data: AtomicPtr<c_void>,
    /// Data for the driver from the code that made the device. Null unless that code sets it.
    pub platform_data: *mut c_void,
    /// The name of the one driver that may bind the device.
    pub(super) driver_override: Mutex<Option<CString>>,
    /// The driver's list of devices has this one: `device_is_bound()`.
    pub(super) bound: AtomicBool,
    /// Its state in the driver core.
    pub links: dev_links_info,
    /// In the order they were added in; `devres_head`, with `devres_lock`.
    devres: Mutex<Vec<Entry>>,
    /// The addresses that the device reaches: the mask for streaming mappings, or null while no
    /// mask was set. See [`dma_set_mask()`](super::dma_set_mask).
    pub dma_mask: *mut u64,
    /// The mask for coherent memory, and the usual target of [`dma_mask`](Self::dma_mask).
    pub coherent_dma_mask: u64,
    /// Its DMA mappings.
    pub(crate) dma: DmaState,
}

impl device {
    /// A device with one reference and no driver, which is part of what `kind` says.
    pub(super) fn new(name: &CStr, kind: device_kind) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            bus: match kind {
                device_kind::None => ptr::null(),
                device_kind::Faux => &FAUX_BUS,
                device_kind::Pci => &PCI_BUS,
            },
            refcount: AtomicUsize::new(1),
            mutex: DeviceMutex {
                owner: Mutex::new(None),
                unlocked: Condvar::new(),
            },
            dead: AtomicBool::new(false),
            driver: AtomicPtr::new(ptr::null_mut()),
            driver_data: AtomicPtr::new(ptr::null_mut()),
            platform_data: ptr::null_mut(),
            driver_override: Mutex::new(None),
            bound: AtomicBool::new(false),
            links: dev_links_info {
                status: AtomicU32::new(dl_dev_state_DL_DEV_NO_DRIVER),
            },
            devres: Mutex::new(Vec::new()),
            dma_mask: ptr::null_mut(),
            coherent_dma_mask: 0,
            dma: DmaState::new(),
        }
    }

    pub(super) fn kind(&self) -> device_kind {
        self.kind
    }

    pub(super) fn devres(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.devres.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how many entries the list of managed resources has, for tests.
    #[cfg(test)]
    pub(crate) fn devres_nodes(&self) -> usize {
        self.devres().len()
    }

    /// Returns the name as text, for reports.
    pub(super) fn label(&self) -> String {
        self.name.to_string_lossy().into_owned()
    }

    pub(super) fn set_status(&self, status: dl_dev_state) {
        self.links.status.store(status, Ordering::Relaxed);
    }
}

/// Makes a device with one reference and no driver: `root_device_register()`.
///
/// Returns an error pointer with `ENOMEM` if there is no memory. The reference is to be put by
/// [`put_device()`].
///
/// # Safety
///
/// `name` must be a C string.
pub unsafe fn root_device_register(name: *const c_char) -> *mut device {
    if let Err(error) = GFP_KERNEL.try_alloc() {
        return crate::error::Error::from(error).to_ptr();
    }

    // SAFETY: The caller promises that `name` is a C string.
    let name = unsafe { CStr::from_ptr(name) };

    Box::into_raw(Box::new(device::new(name, device_kind::None)))
}

/// Returns the name of a device, which it keeps: `dev_name()`.
///
/// # Safety
///
/// `dev` must be valid.
#[inline]
pub unsafe fn dev_name(dev: *const device) -> *const c_char {
    // SAFETY: The caller promises that `dev` is valid.
    let dev = unsafe { &*dev };
    dev.name.as_ptr()
}

/// Takes a reference: `get_device()`. Returns `dev`.
///
/// # Safety
///
/// `dev` must be valid.
#[inline]
pub unsafe fn get_device(dev: *mut device) -> *mut device {
    // SAFETY: The caller promises that `dev` is valid.
    let device = unsafe { &*dev };
    device.refcount.fetch_add(1, Ordering::Relaxed);
    dev
}

/// Puts a reference, and with the last one frees the device: `put_device()`.
///
/// `device_release()` first releases the resources that are still registered with the device.
///
/// # Safety
///
/// `dev` must be valid, and the caller must own a reference and give it up.
pub unsafe fn put_device(dev: *mut device) {
    // SAFETY: The caller promises that `dev` is valid, and owns a reference.
    let device = unsafe { &*dev };
    // Orders this after all that other threads did before they put their references. `AcqRel`
    // rather than a fence, which ThreadSanitizer does not know.
    if device.refcount.fetch_sub(1, Ordering::AcqRel) != 1 {
        return;
    }

    // SAFETY: `dev` is still valid.
    let released = catch_unwind(|| unsafe { release_all_and_check(dev) });

    match device.kind {
        // SAFETY: It was made by `root_device_register()`, and this was the last reference.
        device_kind::None => drop(unsafe { Box::from_raw(dev) }),
        // CAST: The device is the first field.
        // SAFETY: It was made by `faux_device_create()`, and this was the last reference.
        device_kind::Faux => drop(unsafe { Box::from_raw(dev.cast::<faux_device>()) }),
        // CAST: The device is the first field.
        // SAFETY: It was made by `pci_alloc_dev()`, and this was the last reference.
        device_kind::Pci => drop(unsafe { Box::from_raw(dev.cast::<pci_dev>()) }),
    }

    released.unwrap_or_else(go_on);
}

/// Removes a device from its bus: `device_del()`. May sleep.
///
/// Unbinds its driver, deletes its links to other devices, and releases what is left of its managed
/// resources. Probing it fails with `-ENODEV` from then on. The `struct device` is there until the
/// last reference is put.
///
/// # Safety
///
/// As for [`device_release_driver()`].
pub unsafe fn device_del(dev: *mut device) {
    let mut steps = Steps::default();

    // SAFETY: The caller promises that `dev` is valid and stays so.
    let lock = unsafe { device_guard(dev) };
    // SAFETY: The caller promises that `dev` is valid.
    unsafe { &*dev }.dead.store(true, Ordering::Relaxed);
    drop(lock);

    // SAFETY: The caller promises what this function asks for.
    steps.run(|| unsafe { device_release_driver(dev) });
    // SAFETY: `dev` is valid.
    steps.run(|| unsafe { device_links_purge(dev) });
    steps.run(|| {
        // SAFETY: `dev` is valid, and stays so.
        unsafe { devres_release_all(dev) };
    });
    steps.finish();
}

/// Locks a device's mutex, and sleeps until it can: `device_lock()`.
///
/// The driver core holds it while it binds, probes, removes and unbinds. It has no place in the
/// order of lock classes, as in C, where it is exempt by `lockdep_set_novalidate_class()`.
///
/// # Panics
///
/// If the thread holds it already, or is where nothing may sleep.
///
/// # Safety
///
/// `dev` must be valid until it is unlocked by [`device_unlock()`], on the same thread.
#[track_caller]
pub unsafe fn device_lock(dev: *mut device) {
    fault::might_sleep("device_lock");

    // SAFETY: The caller promises that `dev` is valid.
    let dev = unsafe { &*dev };
    let task = fault::current_task();
    let mut owner = dev.mutex.owner();
    if *owner == Some(task) {
        drop(owner);
        panic!(
            "deadlock: the lock of device `{}` is already held by this thread",
            dev.label()
        );
    }
    while owner.is_some() {
        owner = dev
            .mutex
            .unlocked
            .wait(owner)
            .unwrap_or_else(PoisonError::into_inner);
    }
    *owner = Some(task);
}

/// Unlocks a device's mutex: `device_unlock()`. Warns if the thread does not hold it.
///
/// # Safety
///
/// `dev` must be valid.
#[track_caller]
pub unsafe fn device_unlock(dev: *mut device) {
    // SAFETY: The caller promises that `dev` is valid.
    let dev = unsafe { &*dev };

    if !dev.mutex.is_mine() {
        super::warn(format!(
            "{}: bad unlock balance: this thread does not hold the device's lock",
            dev.label()
        ));
        return;
    }
    *dev.mutex.owner() = None;
    dev.mutex.unlocked.notify_one();
}

/// Locks a device until the result is dropped.
///
/// # Safety
///
/// `dev` must be valid until then.
#[track_caller]
pub(crate) unsafe fn device_guard(dev: *mut device) -> ScopeGuard<(), impl FnOnce(())> {
    // SAFETY: The caller promises that `dev` is valid until the guard below unlocks it.
    unsafe { device_lock(dev) };

    ScopeGuard::new(move || {
        // SAFETY: The caller promises that `dev` is still valid.
        unsafe { device_unlock(dev) };
    })
}

/// Warns unless this thread holds the device's lock: `device_lock_assert()`.
#[track_caller]
pub(super) fn device_lock_assert(dev: &device) {
    if !dev.mutex.is_mine() {
        super::warn(format!(
            "{}: the device's lock is not held by this thread",
            dev.label()
        ));
    }
}

impl DeviceMutex {
    fn owner(&self) -> MutexGuard<'_, Option<NonZeroU64>> {
        self.owner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether the current thread holds it.
    fn is_mine(&self) -> bool {
        *self.owner() == Some(fault::current_task())
    }
}

/// Returns the private data of a device's driver: `dev_get_drvdata()`.
///
/// # Safety
///
/// `dev` must be valid.
#[inline]
pub unsafe fn dev_get_drvdata(dev: *const device) -> *mut c_void {
    // SAFETY: The caller promises that `dev` is valid.
    unsafe { &*dev }.driver_data.load(Ordering::Acquire)
}

/// Sets the private data of a device's driver: `dev_set_drvdata()`.
///
/// # Safety
///
/// `dev` must be valid, and `data` be what the driver's callbacks expect.
#[inline]
pub unsafe fn dev_set_drvdata(dev: *mut device, data: *mut c_void) {
    // SAFETY: The caller promises that `dev` is valid.
    unsafe { &*dev }.driver_data.store(data, Ordering::Release);
}

/// Prepares a node: `devres_node_init()`.
///
/// # Safety
///
/// `node` must be valid for writes.
#[inline]
pub unsafe fn devres_node_init(
    node: *mut devres_node,
    release: dr_node_release_t,
    free_node: dr_node_free_t,
) {
    let value = devres_node::new(Kind::Resource, release, free_node);

    // SAFETY: The caller promises that `node` is valid for writes.
    unsafe { node.write(value) };
}

/// Adds a node to those of a device: `devres_node_add()`.
///
/// When the driver is unbound, its release function is called, and then the one that frees it.
///
/// # Safety
///
/// - `dev` must be valid.
/// - `node` must be initialised, on no list, and valid until it is removed or its function that
///   frees it is called.
/// - It must be possible to call its functions on any thread.
pub unsafe fn devres_node_add(dev: *mut device, node: *mut devres_node) {
    // SAFETY: The caller promises that `dev` is valid.
    let dev = unsafe { &*dev };
    dev.devres().push(Entry(node));
}

/// Takes a node off a device, and returns whether it was there: `devres_node_remove()`.
///
/// If not, it is being released, or has been. As in C, the list is searched from its end.
///
/// # Safety
///
/// `dev` must be valid.
#[must_use]
pub unsafe fn devres_node_remove(dev: *mut device, node: *mut devres_node) -> bool {
    // SAFETY: The caller promises that `dev` is valid.
    let dev = unsafe { &*dev };
    let mut devres = dev.devres();

    match devres.iter().rposition(|entry| *entry == Entry(node)) {
        Some(index) => {
            devres.remove(index);
            true
        }
        None => false,
    }
}

/// Releases a resource of [`__devres_alloc_node()`]: `dr_release_t`.
pub type dr_release_t = Option<unsafe extern "C-unwind" fn(dev: *mut device, res: *mut c_void)>;

/// Tells the resource that is looked for, by not returning 0: `dr_match_t`.
pub type dr_match_t = Option<
    unsafe extern "C-unwind" fn(
        dev: *mut device,
        res: *mut c_void,
        match_data: *mut c_void,
    ) -> c_int,
>;

/// `NUMA_NO_NODE`.
pub const NUMA_NO_NODE: c_int = -1;

/// A resource whose memory devres has allocated: `struct devres`.
#[repr(C)]
struct devres {
    /// The first field: the code casts a pointer to it to a pointer to the struct.
    node: devres_node,
    release: dr_release_t,
    size: usize,
    /// As much as was asked for follows.
    data: [u64; 0],
}

impl devres {
    /// Where the memory is, and how much, for `size` bytes of data.
    fn layout(size: usize) -> Option<Layout> {
        let (layout, _) = Layout::new::<Self>()
            .extend(Layout::from_size_align(size, align_of::<Self>()).ok()?)
            .ok()?;
        Some(layout)
    }

    /// The resource with this data.
    fn of(res: *mut c_void) -> *mut Self {
        res.wrapping_byte_sub(offset_of!(Self, data)).cast()
    }

    /// The data of a resource.
    fn data(this: *mut Self) -> *mut c_void {
        this.wrapping_byte_add(offset_of!(Self, data)).cast()
    }
}

unsafe extern "C-unwind" fn dr_node_release(dev: *mut device, node: *mut devres_node) {
    let this = node.cast::<devres>();

    // SAFETY: `node` is the first field of a `devres` that is valid until it is freed.
    if let Some(release) = unsafe { &*this }.release {
        // SAFETY: The allocating caller promises that `release` may be called once. `node` is off
        // the list, so this is that call.
        unsafe { release(dev, devres::data(this)) };
    }
}

unsafe extern "C-unwind" fn dr_node_free(node: *mut devres_node) {
    // SAFETY: `node` is the first field of a `devres`.
    let size = unsafe { &*node.cast::<devres>() }.size;

    if let Some(layout) = devres::layout(size) {
        // SAFETY: It was allocated with this layout.
        unsafe { std::alloc::dealloc(node.cast(), layout) };
    }
}

/// Allocates a resource with `size` bytes of data, all zeroes, aligned as a `u64`:
/// `__devres_alloc_node()`.
///
/// Returns the data, or null if there is no memory.
///
/// # Safety
///
/// It must be possible to call `release` with the data on any thread, once it is added.
pub unsafe fn __devres_alloc_node(
    release: dr_release_t,
    size: usize,
    _gfp: u32,
    _nid: c_int,
    _name: *const c_char,
) -> *mut c_void {
    let Some(layout) = devres::layout(size).filter(|_| GFP_KERNEL.try_alloc().is_ok()) else {
        return ptr::null_mut();
    };

    // SAFETY: The layout has a size, which is at least that of a `devres`.
    let this = unsafe { std::alloc::alloc_zeroed(layout) }.cast::<devres>();
    if this.is_null() {
        return ptr::null_mut();
    }

    let header = devres {
        node: devres_node::new(Kind::Resource, Some(dr_node_release), Some(dr_node_free)),
        release,
        size,
        data: [],
    };
    // SAFETY: It was just allocated.
    unsafe { this.write(header) };
    devres::data(this)
}

/// Frees a resource that is on no list, if there is one: `devres_free()`.
///
/// # Safety
///
/// `res` must be null, or come from [`__devres_alloc_node()`], on no list, and not be used after
/// this.
pub unsafe fn devres_free(res: *mut c_void) {
    if !res.is_null() {
        // SAFETY: The caller promises that `res` comes from `__devres_alloc_node()`, is on no list,
        // and is not used after this.
        unsafe { dr_node_free(devres::of(res).cast()) };
    }
}

impl device {
    /// Looks for a resource, the latest first: `find_dr()`.
    ///
    /// # Safety
    ///
    /// `list` must be that of the device, and `matches` made for such resources.
    unsafe fn find_dr(
        &self,
        list: &[Entry],
        release: dr_release_t,
        matches: dr_match_t,
        match_data: *mut c_void,
    ) -> Option<usize> {
        list.iter().rposition(|Entry(node)| {
            // SAFETY: The nodes on the list are valid.
            let kind = unsafe { &**node }.release;
            if kind.map(|kind| kind as usize) != Some(dr_node_release as *const () as usize) {
                return false;
            }

            let this = node.cast::<devres>();
            // SAFETY: Only a `devres` has this function.
            let of = unsafe { &*this }.release;
            if of.map(|of| of as usize) != release.map(|release| release as usize) {
                return false;
            }

            matches.is_none_or(|matches| {
                let dev = ptr::from_ref(self).cast_mut();
                // SAFETY: The caller promises that `matches` is made for such resources.
                unsafe { matches(dev, devres::data(this), match_data) != 0 }
            })
        })
    }
}

/// Adds a resource to what is released when the device is unbound: `devres_add()`.
///
/// # Safety
///
/// `dev` must be valid. `res` must come from [`__devres_alloc_node()`] and be on no list.
pub unsafe fn devres_add(dev: *mut device, res: *mut c_void) {
    // SAFETY: The caller promises that `dev` is valid.
    let mut list = unsafe { &*dev }.devres();

    list.push(Entry(devres::of(res).cast()));
}

/// Finds the latest resource of a device that has this release function and matches, takes it off
/// the device, calls its release function and frees it: `devres_release()`.
///
/// Returns 0, or `-ENOENT` if there is none.
///
/// # Safety
///
/// `dev` must be valid, and `matches` must be made for such resources, and neither sleep nor use
/// the device's list.
pub unsafe fn devres_release(
    dev: *mut device,
    release: dr_release_t,
    matches: dr_match_t,
    match_data: *mut c_void,
) -> c_int {
    // SAFETY: The caller promises that `dev` is valid.
    let this = unsafe { &*dev };
    let mut list = this.devres();

    // SAFETY: `list` is that of the device, and the caller promises that `matches` is made for such
    // resources.
    let Some(index) = (unsafe { this.find_dr(&list, release, matches, match_data) }) else {
        return code::ENOENT.to_errno();
    };
    let entry = list.remove(index);
    drop(list);

    // SAFETY: `dev` is valid, and the node was just taken off its list.
    unsafe { release_nodes(dev, vec![entry]) };
    0
}

/// Releases all that is registered with a device, the last first: `devres_release_all()`.
///
/// Returns the number of these resources, without the markers of groups. A resource that is
/// registered meanwhile stays.
///
/// # Safety
///
/// `dev` must be valid, and stay so.
pub unsafe fn devres_release_all(dev: *mut device) -> c_int {
    // SAFETY: The caller promises that `dev` is valid.
    let mut list = unsafe { &*dev }.devres();
    let all = 0..list.len();
    // SAFETY: The list is that of a device, and is locked.
    let (todo, count) = unsafe { remove_nodes(&mut list, all) };
    drop(list);

    // SAFETY: `dev` is valid, and the nodes were just taken off its list.
    unsafe { release_nodes(dev, todo) };
    count
}

/// Releases and frees nodes, the last first: `release_nodes()`.
///
/// A panic of a release function does not keep the others from being called: it goes on when they
/// were.
///
/// # Safety
///
/// `dev` must be valid, and stay so, and the nodes must have been taken off its list by the caller.
pub(super) unsafe fn release_nodes(dev: *mut device, todo: Vec<Entry>) {
    let mut steps = Steps::default();
    for Entry(node) in todo.into_iter().rev() {
        steps.run(|| {
            // SAFETY: The node was on the list, so it is valid until it is freed below.
            if let Some(release) = unsafe { &*node }.release {
                // SAFETY: The function is made for this node, and is called this one time.
                unsafe { release(dev, node) };
            }
        });
        // SAFETY: The node is valid until it is freed below.
        if let Some(free_node) = unsafe { &*node }.free_node {
            // SAFETY: The node is on no list, and not used after this.
            steps.run(|| unsafe { free_node(node) });
        }
    }
    steps.finish();
}

/// An action of [`devm_add_action_or_reset()`]: `struct devres_action`.
#[repr(C)]
struct devres_action {
    /// The first field: the code casts a pointer to it to a pointer to the struct.
    node: devres_node,
    action: unsafe extern "C-unwind" fn(data: *mut c_void),
    data: *mut c_void,
}

unsafe extern "C-unwind" fn action_release(_dev: *mut device, node: *mut devres_node) {
    // SAFETY: `node` is the first field of a `devres_action` that is valid until it is freed.
    let this = unsafe { &*node.cast::<devres_action>() };
    let action = this.action;

    // SAFETY: The code that added the action promises that it may be called once. This is that
    // call.
    unsafe { action(this.data) };
}

unsafe extern "C-unwind" fn action_free(node: *mut devres_node) {
    // SAFETY: `node` is the first field of a `devres_action`, which was leaked for the list.
    drop(unsafe { Box::from_raw(node.cast::<devres_action>()) });
}

/// Has `action(data)` called when the driver is unbound: `devm_add_action_or_reset()`.
///
/// Returns 0, or `-ENOMEM` if there is no memory, and then has called it already. May sleep.
///
/// # Safety
///
/// - `dev` must be valid.
/// - It must be possible to call `action` with `data`, once, now or later, on any thread.
pub unsafe fn devm_add_action_or_reset(
    dev: *mut device,
    action: unsafe extern "C-unwind" fn(data: *mut c_void),
    data: *mut c_void,
) -> c_int {
    if GFP_KERNEL.try_alloc().is_err() {
        // SAFETY: The caller promises that `action` may be called with `data` now. It is called
        // once.
        unsafe { action(data) };
        return code::ENOMEM.to_errno();
    }

    let this = Box::into_raw(Box::new(devres_action {
        node: devres_node::new(Kind::Resource, Some(action_release), Some(action_free)),
        action,
        data,
    }));

    // SAFETY:
    // - `dev` is valid by the caller's promise.
    // - The node is the first field of `this`, which `action_free()` frees.
    // - The caller promises that the action can be called on any thread.
    unsafe { devres_node_add(dev, this.cast()) };
    0
}

/// Releases all that is registered with a device, and looks for what that has left.
///
/// # Safety
///
/// `dev` must be valid, and stay so.
unsafe fn release_all_and_check(dev: *mut device) {
    // SAFETY: The caller promises that `dev` stays valid.
    unsafe { devres_release_all(dev) };

    // SAFETY: The caller promises that `dev` stays valid.
    dma_check_unbind(unsafe { &*dev });
}

/// The steps of a teardown, all of which are done even if some panic.
#[derive(Default)]
pub(super) struct Steps(Option<Box<dyn Any + Send>>);

impl Steps {
    /// Does a step, and keeps its panic if it is the first one.
    pub(super) fn run(&mut self, step: impl FnOnce()) {
        if let Err(failure) = catch_unwind(AssertUnwindSafe(step)) {
            self.0.get_or_insert(failure);
        }
    }

    /// Goes on with the first panic, if there was one.
    pub(super) fn finish(self) {
        if let Some(failure) = self.0 {
            go_on(failure);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        bindings::{
            collect_warnings, device_driver__bindgen_ty_1, device_driver_attach, device_is_bound,
        },
        error::from_err_ptr,
        testing::fail_nth,
    };
    use std::{cell::RefCell, sync::mpsc, thread};

    /// A driver that does nothing.
    static DRIVER: device_driver = device_driver {
        name: c"test".as_ptr(),
        probe: None,
        remove: None,
        p_cb: device_driver__bindgen_ty_1 {
            post_unbind_rust: None,
        },
    };

    thread_local! {
        static CALLED: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
    }

    /// Notes that it was called, and panics if it is told to.
    unsafe extern "C-unwind" fn note(data: *mut c_void) {
        CALLED.with_borrow_mut(|called| called.push(data.addr()));
        assert_ne!(data.addr(), 99, "told to panic");
    }

    fn device() -> *mut device {
        // SAFETY: The name is a C string.
        from_err_ptr(unsafe { root_device_register(c"dev0".as_ptr()) }).unwrap()
    }

    fn add(dev: *mut device, number: usize) -> c_int {
        let data = core::ptr::without_provenance_mut(number);
        // SAFETY: The device is valid, and the function does not use its argument as a pointer.
        unsafe { devm_add_action_or_reset(dev, note, data) }
    }

    fn called() -> Vec<usize> {
        CALLED.take()
    }

    #[test]
    fn released_in_reverse_order_also_if_one_fails() {
        let dev = device();
        // SAFETY: The device is valid until it is put.
        assert_eq!(unsafe { device_driver_attach(&DRIVER, dev) }, 0);
        for number in [1, 99, 3] {
            assert_eq!(add(dev, number), 0);
        }

        // SAFETY: The device is valid until it is put, and no code here relies on it being bound.
        assert!(catch_unwind(|| unsafe { device_release_driver(dev) }).is_err());
        assert_eq!(called(), [3, 99, 1]);

        // SAFETY: The device is valid until it is put.
        assert!(!unsafe { device_is_bound(dev) });
        // SAFETY: The test owns this reference, and does not use the device after this.
        unsafe { put_device(dev) };
    }

    #[test]
    fn an_action_that_cannot_be_added_is_called() {
        let dev = device();
        {
            let _fault = fail_nth(1);
            assert_eq!(add(dev, 5), code::ENOMEM.to_errno());
            assert_eq!(called(), [5]);
        }
        // SAFETY: The device is valid, and not used after this.
        unsafe { put_device(dev) };
        assert!(called().is_empty());
    }

    #[test]
    fn the_last_reference_releases_too() {
        let dev = device();
        // SAFETY: The device is valid.
        assert_eq!(unsafe { get_device(dev) }, dev);
        add(dev, 1);

        // SAFETY: There are two references.
        unsafe { put_device(dev) };
        assert!(called().is_empty());
        // SAFETY: This is the second reference, and the device is not used after this.
        unsafe { put_device(dev) };
        assert_eq!(called(), [1]);
    }

    #[test]
    fn binding_twice_or_over_leftovers() {
        let dev = device();
        // SAFETY: The device is valid until it is put.
        let bind = || unsafe { device_driver_attach(&DRIVER, dev) };

        add(dev, 1);
        let (result, warnings) = collect_warnings(bind);
        assert_eq!(result, code::EBUSY.to_errno());
        assert_eq!(warnings, ["dev0: resources present before probing"]);

        // SAFETY: The device is valid until it is put.
        assert_eq!(unsafe { devres_release_all(dev) }, 1);
        assert_eq!(bind(), 0);
        assert_eq!(bind(), code::EBUSY.to_errno());

        // SAFETY: The device is valid until it is put, and no code here relies on it being bound.
        unsafe { device_release_driver(dev) };
        // SAFETY: The test owns this reference, and does not use the device after this.
        unsafe { put_device(dev) };
        called();
    }

    #[test]
    fn a_device_lock_is_exclusive_and_not_recursive() {
        let dev = device();
        // SAFETY: The device is valid, and unlocked below.
        unsafe { device_lock(dev) };
        // SAFETY: The device is valid, and this does not return.
        let report = catch_unwind(|| unsafe { device_lock(dev) }).unwrap_err();
        let report = report.downcast_ref::<String>().unwrap();
        assert!(
            report.contains("the lock of device `dev0` is already held"),
            "{report}"
        );

        let shared = AtomicPtr::new(dev);
        let (sender, receiver) = mpsc::channel();
        thread::scope(|scope| {
            let (shared, sender) = (&shared, sender);
            scope.spawn(move || {
                let dev = shared.load(Ordering::Relaxed);
                // SAFETY: The device is valid.
                let ((), warnings) = collect_warnings(|| unsafe { device_unlock(dev) });
                assert_eq!(warnings.len(), 1, "unlocked what another thread holds");
                // SAFETY: The device is valid, and unlocked below.
                unsafe { device_lock(dev) };
                sender.send("there").unwrap();
                // SAFETY: The device is valid, and this thread holds its lock.
                unsafe { device_unlock(dev) };
            });
            assert!(receiver.try_recv().is_err());
            // SAFETY: The device is valid, and this thread holds its lock.
            unsafe { device_unlock(dev) };
            assert_eq!(receiver.recv(), Ok("there"));
        });

        // SAFETY: The device is valid, and not used after this.
        unsafe { put_device(dev) };
    }

    #[test]
    fn a_node_that_is_removed_is_not_released() {
        let dev = device();
        let mut node = devres_node::new(Kind::Resource, None, None);
        let node = &raw mut node;

        // SAFETY: The device is valid, and the node until it is removed.
        unsafe { devres_node_add(dev, node) };
        add(dev, 2);
        // SAFETY: The device is valid, and the node was added.
        assert!(unsafe { devres_node_remove(dev, node) });
        // SAFETY: The device is valid. `node` is only compared with the nodes in the list.
        assert!(!unsafe { devres_node_remove(dev, node) });

        // SAFETY: The test owns this reference, and does not use the device after this.
        unsafe { put_device(dev) };
        assert_eq!(called(), [2]);
    }
}
