// SPDX-License-Identifier: GPL-2.0

//! Code that makes every object of a driver an `Object`, including objects that user space creates
//! by DRM itself. `rust/kernel/drm/gem/mod.rs` gets the constant of `DriverObject`.
//! `rust/kernel/drm/gem/shmem.rs` gets the functions of `Object` and the operations in `ALLOC_OPS`.
//! Each part is taken from here by name. `Object::import()` is that of the host, in
//! `runtime/src/host/drm/gem/shmem/import.rs`.

trait DriverObject {
    /// Makes the arguments of an object that user space creates without an ioctl of the driver: a
    /// dumb buffer (`DRM_IOCTL_MODE_CREATE_DUMB`), or the import of another driver's buffer
    /// (`DRM_IOCTL_PRIME_FD_TO_HANDLE`).
    ///
    /// With [`None`], both are refused. Not every type of GEM objects supports them.
    ///
    /// For an import, [`DriverObject::new`] is called with locks of DRM held, and must not create
    /// handles.
    const DEFAULT_ARGS: Option<fn() -> Self::Args> = None;
}

impl<T: DriverObject> Object<T> {
    /// Allocates an object, which C code has yet to initialise.
    fn allocate(
        dev: &Device<T::Driver>,
        size: usize,
        parent_resv_obj: Option<ARef<Self>>,
        args: T::Args,
    ) -> Result<Pin<KBox<Self>>> {
        let new: Pin<KBox<Self>> = KBox::try_pin_init(
            try_pin_init!(Self {
                obj <- Opaque::init_zeroed(),
                parent_resv_obj,
                sgt <- new_lazy!(),
                inner <- T::new(dev, size, args),
                drm: dev.into(),
            }),
            GFP_KERNEL,
        )?;

        // SAFETY: `obj.as_raw()` is guaranteed to be valid by the initialization above.
        unsafe { (*new.as_raw()).funcs = &Self::VTABLE };

        Ok(new)
    }

    fn new() {
        let parent = config.parent_resv_obj.map(|p| p.into());
        let new = Self::allocate(dev, size, parent, args)?;
    }

    /// `drm_driver.dumb_create`: a buffer for the CPU to draw into, with a handle.
    ///
    /// Does not call `drm_gem_shmem_dumb_create()`, for which `drm_driver.gem_create_object` would
    /// allocate the object. If that C function fails to initialise the object, it frees the memory
    /// without dropping the object's fields.
    extern "C" fn dumb_create_callback(
        file: *mut bindings::drm_file,
        dev: *mut bindings::drm_device,
        args: *mut bindings::drm_mode_create_dumb,
    ) -> c_int {
        // SAFETY: DRM calls this for a device of this driver.
        let dev = unsafe { Device::<T::Driver>::from_raw(dev) };

        from_result(|| {
            let object_args = T::DEFAULT_ARGS.ok_or(EOPNOTSUPP)?;
            // SAFETY: `dev` and `args` are valid.
            to_result(unsafe { bindings::drm_mode_size_dumb(dev.as_raw(), args, 0, 0) })?;
            // SAFETY: `args` is valid, and no other code uses it.
            let args = unsafe { &mut *args };

            let size = args.size.try_into()?;
            let obj = Self::new(dev, size, ObjectConfig::default(), object_args())?;
            // SAFETY: `file` is an open file of `dev`, and `obj` is an object of `dev`.
            to_result(unsafe {
                bindings::drm_gem_handle_create(file, obj.as_raw(), &mut args.handle)
            })?;
            Ok(0)
        })
    }

    /// `drm_driver.gem_prime_import`: an object for a buffer of another driver, or the object that
    /// the buffer was exported from.
    extern "C" fn prime_import_callback(
        dev: *mut bindings::drm_device,
        dma_buf: *mut bindings::dma_buf,
    ) -> *mut bindings::drm_gem_object {
        // SAFETY: DRM calls this for a device of this driver.
        let dev = unsafe { Device::<T::Driver>::from_raw(dev) };

        // SAFETY: `dev` and `dma_buf` are valid.
        if unsafe { bindings::drm_gem_is_prime_exported_dma_buf(dev.as_raw(), dma_buf) } {
            // SAFETY: `dma_buf` is valid, and was exported from an object of `dev`.
            let obj: *mut bindings::drm_gem_object = unsafe { (*dma_buf).priv_ }.cast();

            // SAFETY: The buffer has a reference to the object.
            unsafe { bindings::drm_gem_object_get(obj) };
            return obj;
        }

        let import = || -> Result<ARef<Self>> {
            let object_args = T::DEFAULT_ARGS.ok_or(EOPNOTSUPP)?;

            // SAFETY: `dma_buf` is valid, and DRM does not hold its reservation lock.
            unsafe { Self::import(dev, dma_buf, object_args()) }
        };
        match import() {
            // SAFETY: The caller gets the reference, so the object is valid.
            Ok(obj) => unsafe { ARef::into_raw(obj).as_ref() }.as_raw(),
            Err(error) => error.to_ptr(),
        }
    }
}

impl<T: DriverObject> driver::AllocImpl for Object<T> {
    const ALLOC_OPS: driver::AllocOps = driver::AllocOps {
        // C code creates no objects: see `dumb_create_callback()`.
        gem_create_object: None,
        gem_prime_import: if T::DEFAULT_ARGS.is_some() {
            Some(Self::prime_import_callback)
        } else {
            None
        },
        gem_prime_import_sg_table: None,
        dumb_create: if T::DEFAULT_ARGS.is_some() {
            Some(Self::dumb_create_callback)
        } else {
            None
        },
    };
}
