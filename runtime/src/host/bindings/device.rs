// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `struct device`, its managed resources, and what the driver core does with them.
//!
//! Models `include/linux/device.h`, `include/linux/device/devres.h`, `drivers/base/devres.c`,
//! `drivers/base/core.c` and `drivers/base/dd.c`. Uses the DMA state that each device has.
//!
//! Callbacks have the ABI `C-unwind` and not `C`, as here a loud failure may pass through them. One
//! in a release callback does not keep the other resources from being released: it goes on when
//! they are.

use super::{
    dma_check_unbind,
    DmaState, //
};
use crate::{
    alloc::flags::GFP_KERNEL,
    error::code,
    fault,
    str::CStr, //
};
use core::{
    alloc::Layout,
    ffi::{
        c_char,
        c_int,
        c_void, //
    },
    mem::{
        self,
        offset_of, //
    },
    ptr,
    sync::atomic::{
        fence,
        AtomicBool,
        AtomicU32,
        AtomicUsize,
        Ordering, //
    },
};
use std::{
    any::Any,
    ffi::CString,
    panic::{
        catch_unwind,
        resume_unwind, //
    },
    sync::{
        Mutex,
        MutexGuard,
        PoisonError, //
    },
    thread,
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
}

/// An entry of a device's list of managed resources.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Entry(*mut devres_node);

// SAFETY: Who adds a node promises that it can be released on any thread.
unsafe impl Send for Entry {}

/// What the driver core is doing with a device: `enum dl_dev_state`.
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

/// A device: `struct device`. It is reference-counted, and shared by whoever has a pointer to it.
pub struct device {
    name: CString,
    refcount: AtomicUsize,
    bound: AtomicBool,
    /// What its driver is doing.
    pub links: dev_links_info,
    /// In the order they were added in; `devres_head`, with `devres_lock`.
    devres: Mutex<Vec<Entry>>,
    /// What is mapped for DMA.
    pub(crate) dma: DmaState,
}

impl device {
    fn devres(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.devres.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_status(&self, status: dl_dev_state) {
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

    // SAFETY: By the caller's promise.
    let name = unsafe { CStr::from_ptr(name) };

    Box::into_raw(Box::new(device {
        name: name.to_owned(),
        refcount: AtomicUsize::new(1),
        bound: AtomicBool::new(false),
        links: dev_links_info {
            status: AtomicU32::new(dl_dev_state_DL_DEV_NO_DRIVER),
        },
        devres: Mutex::new(Vec::new()),
        dma: DmaState::new(),
    }))
}

/// Returns the name of a device, which it keeps: `dev_name()`.
///
/// # Safety
///
/// `dev` must be valid.
#[inline]
pub unsafe fn dev_name(dev: *const device) -> *const c_char {
    // SAFETY: By the caller's promise.
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
    // SAFETY: By the caller's promise.
    let device = unsafe { &*dev };
    device.refcount.fetch_add(1, Ordering::Relaxed);
    dev
}

/// Puts a reference, and with the last one frees the device: `put_device()`.
///
/// What is still registered with the device is then released first: `device_release()`.
///
/// # Safety
///
/// `dev` must be valid, and the caller must own a reference and give it up.
pub unsafe fn put_device(dev: *mut device) {
    // SAFETY: By the caller's promise.
    let device = unsafe { &*dev };
    if device.refcount.fetch_sub(1, Ordering::Release) != 1 {
        return;
    }
    // What other threads did before they put theirs has to be over.
    fence(Ordering::Acquire);

    // SAFETY: `dev` is still valid.
    let released = catch_unwind(|| unsafe { release_all_and_check(dev) });

    // SAFETY: It was made by `root_device_register()`, and this was the last reference.
    drop(unsafe { Box::from_raw(dev) });

    released.unwrap_or_else(go_on_panicking);
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
    let value = devres_node { release, free_node };

    // SAFETY: By the caller's promise.
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
    // SAFETY: By the caller's promise.
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
    // SAFETY: By the caller's promise.
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
    /// First, so that a pointer to it is one to the whole.
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
        // SAFETY: By the promise of who allocated it; it is off the list, so this is the one time.
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
        node: devres_node {
            release: Some(dr_node_release),
            free_node: Some(dr_node_free),
        },
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
        // SAFETY: By the caller's promise.
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
            // SAFETY: What is on the list is valid.
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
                // SAFETY: By the caller's promise.
                unsafe { matches(dev, devres::data(this), match_data) != 0 }
            })
        })
    }
}

/// Finds the latest resource of a device that has this release function and matches:
/// `devres_find()`. Returns its data, or null.
///
/// # Safety
///
/// `dev` must be valid, and `matches` must be made for such resources, and neither sleep nor use
/// the device's list.
pub unsafe fn devres_find(
    dev: *mut device,
    release: dr_release_t,
    matches: dr_match_t,
    match_data: *mut c_void,
) -> *mut c_void {
    // SAFETY: By the caller's promise.
    let dev = unsafe { &*dev };
    let list = dev.devres();

    // SAFETY: As above.
    match unsafe { dev.find_dr(&list, release, matches, match_data) } {
        Some(index) => devres::data(list[index].0.cast()),
        None => ptr::null_mut(),
    }
}

/// Finds as [`devres_find()`], and if there is none, adds `new_res`: `devres_get()`. If one is
/// found, `new_res` is freed, and its release function not called.
///
/// # Safety
///
/// As for [`devres_find()`], and `new_res` must come from [`__devres_alloc_node()`], be on no list,
/// and not be used after this unless it is what is returned.
pub unsafe fn devres_get(
    dev: *mut device,
    new_res: *mut c_void,
    matches: dr_match_t,
    match_data: *mut c_void,
) -> *mut c_void {
    let new = devres::of(new_res);
    // SAFETY: By the caller's promise.
    let release = unsafe { &*new }.release;
    // SAFETY: As above.
    let dev = unsafe { &*dev };
    let mut list = dev.devres();

    // SAFETY: As above.
    match unsafe { dev.find_dr(&list, release, matches, match_data) } {
        Some(index) => {
            let found = devres::data(list[index].0.cast());
            drop(list);
            // SAFETY: As above.
            unsafe { devres_free(new_res) };
            found
        }
        None => {
            list.push(Entry(new.cast()));
            new_res
        }
    }
}

/// Finds as [`devres_find()`], takes what is found off the device, calls its release function and
/// frees it: `devres_release()`.
///
/// Returns 0, or `-ENOENT` if there is none.
///
/// # Safety
///
/// As for [`devres_find()`].
pub unsafe fn devres_release(
    dev: *mut device,
    release: dr_release_t,
    matches: dr_match_t,
    match_data: *mut c_void,
) -> c_int {
    // SAFETY: By the caller's promise.
    let this = unsafe { &*dev };
    let mut list = this.devres();

    // SAFETY: As above.
    let Some(index) = (unsafe { this.find_dr(&list, release, matches, match_data) }) else {
        return code::ENOENT.to_errno();
    };
    let Entry(node) = list.remove(index);
    drop(list);

    // SAFETY: It was on the list, and is off it now: nobody else releases it.
    unsafe { dr_node_release(dev, node) };
    // SAFETY: As above.
    unsafe { dr_node_free(node) };
    0
}

/// Releases all that is registered with a device, the last first: `devres_release_all()`.
///
/// Returns how many that were. What is registered meanwhile stays.
///
/// # Safety
///
/// `dev` must be valid, and stay so.
pub unsafe fn devres_release_all(dev: *mut device) -> c_int {
    // SAFETY: By the caller's promise.
    let todo = mem::take(&mut *unsafe { &*dev }.devres());
    let count = todo.len().try_into().unwrap_or(c_int::MAX);

    let mut failure = None;
    for Entry(node) in todo.into_iter().rev() {
        let released = catch_unwind(|| {
            // SAFETY: By the promise of who added it, the node is valid: it was on the list, and
            // nobody else frees it once it is off.
            if let Some(release) = unsafe { &*node }.release {
                // SAFETY: As above; the function is made for this node.
                unsafe { release(dev, node) };
            }
        });
        // SAFETY: As above.
        if let Some(free_node) = unsafe { &*node }.free_node {
            // SAFETY: As above, and the node is not used after this.
            let freed = catch_unwind(|| unsafe { free_node(node) });
            failure = failure.or(freed.err());
        }
        failure = failure.or(released.err());
    }

    if let Some(failure) = failure {
        go_on_panicking(failure);
    }
    count
}

/// An action of [`devm_add_action_or_reset()`]: `struct devres_action`.
#[repr(C)]
struct devres_action {
    /// First, so that a pointer to it is one to the whole.
    node: devres_node,
    action: unsafe extern "C-unwind" fn(data: *mut c_void),
    data: *mut c_void,
}

unsafe extern "C-unwind" fn action_release(_dev: *mut device, node: *mut devres_node) {
    // SAFETY: `node` is the first field of a `devres_action` that is valid until it is freed.
    let this = unsafe { &*node.cast::<devres_action>() };
    let action = this.action;

    // SAFETY: By the promise of who added the action; this is the one time it is called.
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
        // SAFETY: By the caller's promise.
        unsafe { action(data) };
        return code::ENOMEM.to_errno();
    }

    let this = Box::into_raw(Box::new(devres_action {
        node: devres_node {
            release: Some(action_release),
            free_node: Some(action_free),
        },
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

/// Binds a driver to a device: `device_bind_driver()`, as far as `probe()` is not concerned.
///
/// Returns 0, or `-EBUSY` if the device has one, or has managed resources left over, which
/// `really_probe()` refuses too.
///
/// # Safety
///
/// `dev` must be valid. Calls of this and of [`device_release_driver()`] for one device must not
/// overlap: in C, `device_lock()` sees to it.
pub unsafe fn device_bind_driver(dev: *mut device) -> c_int {
    // SAFETY: By the caller's promise.
    let dev = unsafe { &*dev };

    if dev.bound.load(Ordering::Relaxed) {
        return code::EBUSY.to_errno();
    }
    if !dev.devres().is_empty() {
        super::warn(format!(
            "{}: resources present before probing",
            dev.name.to_string_lossy()
        ));
        return code::EBUSY.to_errno();
    }

    dev.bound.store(true, Ordering::Relaxed);
    dev.set_status(dl_dev_state_DL_DEV_DRIVER_BOUND);
    0
}

/// Returns whether a device has a driver: `device_is_bound()`.
///
/// # Safety
///
/// `dev` must be valid.
pub unsafe fn device_is_bound(dev: *mut device) -> bool {
    // SAFETY: By the caller's promise.
    unsafe { &*dev }.bound.load(Ordering::Relaxed)
}

/// Unbinds the driver of a device, if it has one: `device_release_driver()`. May sleep.
///
/// All that is registered with the device is released. After that it is a loud failure if anything
/// is still mapped for DMA.
///
/// # Safety
///
/// - `dev` must be valid, and stay so.
/// - Nobody may rely on the device being bound any more, but release functions until they return.
/// - As for [`device_bind_driver()`], calls must not overlap.
pub unsafe fn device_release_driver(dev: *mut device) {
    // SAFETY: By the caller's promise.
    let device = unsafe { &*dev };

    if !device.bound.load(Ordering::Relaxed) {
        return;
    }
    // Found out now, the device is still bound afterwards, and nothing was released.
    fault::might_sleep("device_release_driver");
    device.set_status(dl_dev_state_DL_DEV_UNBINDING);

    // SAFETY: By the caller's promise.
    let released = catch_unwind(|| unsafe { release_all_and_check(dev) });
    device.bound.store(false, Ordering::Relaxed);
    device.set_status(dl_dev_state_DL_DEV_NO_DRIVER);
    released.unwrap_or_else(go_on_panicking);
}

/// Releases all that is registered with a device, and looks for what that has left.
///
/// # Safety
///
/// `dev` must be valid, and stay so.
unsafe fn release_all_and_check(dev: *mut device) {
    // SAFETY: By the caller's promise.
    unsafe { devres_release_all(dev) };

    // SAFETY: As above.
    dma_check_unbind(unsafe { &*dev });
}

/// Goes on with a panic that had to wait, unless there is one under way: it was printed already.
fn go_on_panicking(failure: Box<dyn Any + Send>) {
    if !thread::panicking() {
        resume_unwind(failure);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        bindings::collect_warnings,
        error::from_err_ptr,
        testing::fail_nth, //
    };
    use std::cell::RefCell;

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
        assert_eq!(unsafe { device_bind_driver(dev) }, 0);
        for number in [1, 99, 3] {
            assert_eq!(add(dev, number), 0);
        }

        // SAFETY: As above.
        assert!(catch_unwind(|| unsafe { device_release_driver(dev) }).is_err());
        assert_eq!(called(), [3, 99, 1]);

        // SAFETY: As above.
        assert!(!unsafe { device_is_bound(dev) });
        // SAFETY: As above, and not used after this.
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
        // SAFETY: As above.
        unsafe { put_device(dev) };
        assert_eq!(called(), [1]);
    }

    #[test]
    fn binding_twice_or_over_leftovers() {
        let dev = device();
        // SAFETY: The device is valid until it is put.
        let bind = || unsafe { device_bind_driver(dev) };

        add(dev, 1);
        let (result, warnings) = collect_warnings(bind);
        assert_eq!(result, code::EBUSY.to_errno());
        assert_eq!(warnings, ["dev0: resources present before probing"]);

        // SAFETY: As above.
        assert_eq!(unsafe { devres_release_all(dev) }, 1);
        assert_eq!(bind(), 0);
        assert_eq!(bind(), code::EBUSY.to_errno());

        // SAFETY: As above.
        unsafe { device_release_driver(dev) };
        // SAFETY: As above, and not used after this.
        unsafe { put_device(dev) };
        called();
    }

    #[test]
    fn a_node_that_is_removed_is_not_released() {
        let dev = device();
        let mut node = devres_node {
            release: None,
            free_node: None,
        };
        let node = &raw mut node;

        // SAFETY: The device is valid, and the node until it is removed.
        unsafe { devres_node_add(dev, node) };
        add(dev, 2);
        // SAFETY: As above.
        assert!(unsafe { devres_node_remove(dev, node) });
        // SAFETY: As above.
        assert!(!unsafe { devres_node_remove(dev, node) });

        // SAFETY: As above, and not used after this.
        unsafe { put_device(dev) };
        assert_eq!(called(), [2]);
    }
}
