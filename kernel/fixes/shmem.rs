// SPDX-License-Identifier: GPL-2.0

//! Additions to `rust/kernel/drm/gem/shmem.rs`: the statement of `SGTableMap::drop()` that puts
//! the pages, and the tests of `keep`, `objects` and `pages`, for three fixes.

impl<T: DriverObject> Drop for SGTableMap<T> {
    fn drop(&mut self) {
        // Ends the use of the pages that `drm_gem_shmem_get_pages_sgt()` has taken for the table.
        // SAFETY: We acquired the lock needed for calling this function above, and the table that
        // used the pages is gone.
        unsafe { bindings::drm_gem_shmem_put_pages_locked(obj.as_raw_shmem()) };
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
    // Returns whether DRM has made an `Object`, as the driver has made `own`, and puts what DRM
    // has made.
    fn is_object(made: *mut bindings::drm_gem_object, own: &Object<KunitObject>) -> bool {
        // SAFETY: Both are valid objects, and `funcs` does not change.
        let is_object = unsafe { (*made).funcs == (*own.as_raw()).funcs };
        // SAFETY: The caller has a reference to `made`, and does not use it again.
        unsafe { bindings::drm_gem_object_put(made) };

        is_object
    }

    // `lookup_handle()` takes whatever has a handle for an `Object`: a dumb buffer has to be one,
    // or must not be made.
    #[test]
    fn dumb_buffer_is_object() -> Result {
        let (dev, drm) = create_drm_dev()?;
        let own = Object::<KunitObject>::new(&drm, PAGE_SIZE, ObjectConfig::default(), ())?;
        // SAFETY: The device is valid, and so is its driver.
        let Some(create) = (unsafe { (*(*drm.as_raw()).driver).dumb_create }) else {
            return Ok(());
        };

        // SAFETY: The primary minor is allocated with the device.
        let file = from_err_ptr(unsafe {
            bindings::mock_drm_getfile((*drm.as_raw()).primary, bindings::O_RDWR)
        })?;
        // SAFETY: `mock_drm_getfile()` has returned a file of DRM.
        let drm_file: *mut bindings::drm_file = unsafe { (*file).private_data }.cast();
        let mut args = bindings::drm_mode_create_dumb {
            width: 32,
            height: 32,
            bpp: 32,
            ..Default::default()
        };
        // SAFETY: The file, the device and the arguments are valid.
        let made = to_result(unsafe { create(drm_file, drm.as_raw(), &mut args) }).map(|()| {
            // SAFETY: The file is valid, and has this handle.
            let obj = unsafe { bindings::drm_gem_object_lookup(drm_file, args.handle) };
            is_object(obj, &own)
        });
        // SAFETY: We have the only reference to the file.
        unsafe { bindings::fput(file) };
        // A thread of the kernel's leaves the release of the file to a worker.
        // SAFETY: There are no requirements.
        unsafe { bindings::flush_delayed_fput() };
        drop((own, drm, dev));

        assert_eq!(made, Ok(true));
        Ok(())
    }

    // The same for an import of another device's buffer.
    #[test]
    fn import_is_object() -> Result {
        let (dev, drm) = create_drm_dev()?;
        let exporter = faux::Registration::new(c"ExporterKunit", None)?;
        let data = try_pin_init!(KunitData {});
        let their_drm = UnregisteredDevice::<KunitDriver>::new(exporter.as_ref(), data)?;
        let own = Object::<KunitObject>::new(&drm, PAGE_SIZE, ObjectConfig::default(), ())?;
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
        let made = from_err_ptr(unsafe { bindings::drm_gem_prime_import(drm.as_raw(), buffer) })
            .map(|obj| is_object(obj, &own));
        // SAFETY: We have a reference to the buffer, and do not use it again.
        unsafe { bindings::dma_buf_put(buffer) };
        // A thread of the kernel's leaves the release of the buffer to a worker.
        // SAFETY: There are no requirements.
        unsafe { bindings::flush_delayed_fput() };
        drop((theirs, own, their_drm, exporter, drm, dev));

        assert!(made.is_ok_and(|is_object| is_object) || made == Err(EINVAL));
        Ok(())
    }
}

mod pages {
    // Mapping takes a use of the pages, so unmapping has to put it.
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
        // Unbinds the device, which unmaps.
        drop(dev);
        let unmapped = uses();
        drop((obj, drm));

        assert_eq!(mapped, 1);
        assert_eq!(unmapped, 0);
        Ok(())
    }
}
