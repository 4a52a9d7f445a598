// SPDX-License-Identifier: GPL-2.0

//! Additions to `rust/kernel/drm/gem/shmem.rs`: the statement of `SGTableMap::drop()` that puts
//! the pages, and the tests of `keep`, `objects` and `pages`, for three fixes.

impl<T: DriverObject> Drop for SGTableMap<T> {
    fn drop(&mut self) {
        let shmem = obj.as_raw_shmem();
        // The device may have written to the pages. Clean ones would lose that under reclaim.
        // SAFETY: We acquired the lock that protects the field above.
        unsafe { bindings::drm_gem_shmem_object::set_pages_mark_dirty_on_put_raw(shmem, true) };

        // Ends the use of the pages that `drm_gem_shmem_get_pages_sgt()` has taken for the table.
        // SAFETY: We acquired the lock needed for calling this function above, and the table that
        // used the pages is gone.
        unsafe { bindings::drm_gem_shmem_put_pages_locked(shmem) };
    }
}

mod keep {
    // The release of an object reads its DRM device, so the object has to keep that.
    #[test]
    fn object_keeps_drm_device() -> Result {
        let (dev, drm) = create_drm_dev()?;
        let raw = drm.as_raw();
        // SAFETY: The device has a reference, `drm` or that of an object, and no other thread
        // changes the count.
        let refs = || unsafe { (*raw).ref_.refcount.refs.counter };

        let before = refs();
        let obj = Object::<KunitObject>::new(&drm, PAGE_SIZE, ObjectConfig::default(), ())?;
        let with_object = refs();
        drop(obj);
        let after = refs();

        if with_object > before {
            // An object may be the last that has a reference to the device.
            let obj = Object::<KunitObject>::new(&drm, PAGE_SIZE, ObjectConfig::default(), ())?;
            drop(drm);
            drop(obj);
        } else {
            drop(drm);
        }
        drop(dev);

        assert_eq!(with_object, before + 1);
        assert_eq!(after, before);
        Ok(())
    }
}

mod objects {
    // `lookup_handle()` takes whatever has a handle for an `Object`. The dumb buffers that C code
    // makes are none.
    #[test]
    fn dumb_buffer_is_refused() -> Result {
        let (dev, drm) = create_drm_dev()?;
        // SAFETY: The device is valid, and so is its driver.
        let create = unsafe { (*(*drm.as_raw()).driver).dumb_create };
        drop((drm, dev));

        assert!(create.is_none());
        Ok(())
    }

    // Nor is what C code makes of another device's buffer.
    #[test]
    fn import_is_refused() -> Result {
        let (dev, drm) = create_drm_dev()?;
        let exporter = faux::Registration::new(c"ExporterKunit", None)?;
        let data = try_pin_init!(KunitData {});
        let their_drm = UnregisteredDevice::<KunitDriver>::new(exporter.as_ref(), data)?;
        let theirs =
            Object::<KunitObject>::new(&their_drm, PAGE_SIZE, ObjectConfig::default(), ())?;

        let parent: &device::Device<Bound> = dev.as_ref().as_ref();
        // A faux device does not say which addresses it can use for DMA.
        // SAFETY: The device is valid, and no other thread uses it.
        unsafe {
            (*parent.as_raw()).coherent_dma_mask = u64::MAX;
            (*parent.as_raw()).dma_mask = &raw mut (*parent.as_raw()).coherent_dma_mask;
        }
        // SAFETY: The object is valid.
        let buffer = from_err_ptr(unsafe { bindings::drm_gem_prime_export(theirs.as_raw(), 0) })?;
        // SAFETY: The device and the buffer are valid.
        let made = from_err_ptr(unsafe { bindings::drm_gem_prime_import(drm.as_raw(), buffer) });
        // SAFETY: We have a reference to what was made, and do not use it again.
        let made = made.map(|obj| unsafe { bindings::drm_gem_object_put(obj) });
        // SAFETY: We have a reference to the buffer, and do not use it again.
        unsafe { bindings::dma_buf_put(buffer) };
        // A thread of the kernel's leaves the release of the buffer to a worker.
        // SAFETY: There are no requirements.
        unsafe { bindings::flush_delayed_fput() };
        drop((theirs, their_drm, exporter, drm, dev));

        assert_eq!(made, Err(EINVAL));
        Ok(())
    }
}

mod pages {
    // Mapping takes a use of the pages, so unmapping has to put it. The pages may have been written
    // to by the device, and the object still has them.
    #[test]
    fn unmapping_puts_pages() -> Result {
        let (dev, drm) = create_drm_dev()?;
        let obj = Object::<KunitObject>::new(&drm, PAGE_SIZE, ObjectConfig::default(), ())?;
        let parent: &device::Device<Bound> = dev.as_ref().as_ref();
        // A faux device does not say which addresses it can use for DMA.
        // SAFETY: The device is valid, and no other thread uses it.
        unsafe {
            (*parent.as_raw()).coherent_dma_mask = u64::MAX;
            (*parent.as_raw()).dma_mask = &raw mut (*parent.as_raw()).coherent_dma_mask;
        }
        let shmem = obj.as_raw_shmem();
        // SAFETY: The object is valid, and no other thread uses it.
        let uses = || unsafe { (*shmem).pages_use_count.refs.counter };

        obj.sg_table(parent)?;
        let mapped = uses();
        // SAFETY: A mapped object has a page.
        let page = unsafe { *(*shmem).pages };
        // Unbinds the device, which unmaps.
        drop(dev);
        let unmapped = uses();
        // SAFETY: The object keeps the page, which is not written to.
        let flags = unsafe { (*page).flags.f };
        drop((obj, drm));

        assert_eq!(mapped, 1);
        assert_eq!(unmapped, 0);
        assert_ne!(flags & (1 << bindings::pageflags_PG_dirty), 0);
        Ok(())
    }
}
