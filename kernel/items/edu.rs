// SPDX-License-Identifier: GPL-2.0

//! Code by hand in place of the annotated fields of the sample driver `rust_drm_edu`, for a tree
//! without the annotation. Each accessor is written as `shmem::Object::sg_table()` is in Linux 7.3.
//! Each part is taken from here by name: the fields and the constructors of the two structs, and
//! the accessors, which are added.

use kernel::{
    devres::{
        Devres,
        DevresLt, //
    },
    sync::SetOnce, //
};

/// Returns whether both refer to the same device.
fn is_same(dev: &Device<Bound>, other: &Device) -> bool {
    let dev: &Device = dev;

    ptr::eq(dev, other)
}

/// The device, as files see it: part of the DRM device, to which an open file has a reference.
#[pin_data]
struct Edu {
    dev: ARef<Device>,

    /// The registers of the device.
    registers: SetOnce<DevresLt<Bar<'static>>>,

    /// The holder maps the registers.
    #[pin]
    registers_lock: Mutex<()>,

    /// The page in which the device reports its progress.
    fence: SetOnce<Devres<Coherent<[u32]>>>,

    /// The holder makes the page.
    #[pin]
    fence_lock: Mutex<()>,

    /// The number of copies. The holder of the lock may use the DMA engine.
    #[pin]
    copies: Mutex<u32>,
}

impl Edu {
    fn new(dev: &Device) -> impl PinInit<Self, Error> + '_ {
        try_pin_init!(Self {
            dev: dev.into(),
            registers: SetOnce::new(),
            registers_lock <- new_mutex!(()),
            fence: SetOnce::new(),
            fence_lock <- new_mutex!(()),
            copies <- new_mutex!(0),
        })
    }

    fn registers<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a Bar<'a>> {
        if !is_same(dev, &self.dev) {
            return Err(EINVAL);
        }

        let registers = 'out: {
            if let Some(registers) = self.registers.as_ref() {
                break 'out registers;
            }

            let _guard = self.registers_lock.lock();
            if let Some(registers) = self.registers.as_ref() {
                break 'out registers;
            }

            // SAFETY: The registers can be mapped as long as the device is bound.
            let registers = unsafe { DevresLt::new(dev, map_registers(dev)?)? };
            self.registers.populate(registers);
            // SAFETY: `registers` was populated above.
            unsafe { self.registers.as_ref().unwrap_unchecked() }
        };
        registers.access(dev)
    }

    fn fence<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a Coherent<[u32]>> {
        if !is_same(dev, &self.dev) {
            return Err(EINVAL);
        }

        let fence = 'out: {
            if let Some(fence) = self.fence.as_ref() {
                break 'out fence;
            }

            let _guard = self.fence_lock.lock();
            if let Some(fence) = self.fence.as_ref() {
                break 'out fence;
            }

            let fence = Coherent::zeroed_slice(dev, 2, GFP_KERNEL)?;
            self.fence.populate(Devres::new(dev, fence)?);
            // SAFETY: `fence` was populated above.
            unsafe { self.fence.as_ref().unwrap_unchecked() }
        };
        fence.access(dev)
    }
}

/// A buffer that the CPU works on.
#[pin_data]
struct CpuBuffer {
    object: ARef<BufferObject>,

    /// The memory of the buffer, as the kernel sees it.
    memory: SetOnce<Devres<shmem::VMapOwned<BufferData>>>,

    /// The holder maps the memory.
    #[pin]
    memory_lock: Mutex<()>,
}

impl CpuBuffer {
    fn new(object: ARef<BufferObject>) -> Result<Arc<Self>> {
        let init = pin_init!(Self {
            object,
            memory: SetOnce::new(),
            memory_lock <- new_mutex!(()),
        });

        Arc::pin_init(init, GFP_KERNEL)
    }

    fn memory<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a shmem::VMapOwned<BufferData>> {
        if !is_same(
            dev,
            AsRef::<pci::Device>::as_ref(self.object.dev()).as_ref(),
        ) {
            return Err(EINVAL);
        }

        let memory = 'out: {
            if let Some(memory) = self.memory.as_ref() {
                break 'out memory;
            }

            let _guard = self.memory_lock.lock();
            if let Some(memory) = self.memory.as_ref() {
                break 'out memory;
            }

            let memory = Devres::new(dev, self.object.owned_vmap())?;
            self.memory.populate(memory);
            // SAFETY: `memory` was populated above.
            unsafe { self.memory.as_ref().unwrap_unchecked() }
        };
        memory.access(dev)
    }
}
