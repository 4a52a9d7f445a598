// SPDX-License-Identifier: Apache-2.0 OR MIT

use devres_lazy::{
    bindings,
    devres::Mapped,
    devres_lazy,
    drm::gem::DriverObject,
    prelude::*,
    scatterlist::SGTable,
    types::Opaque, //
};

pub struct Table;

#[devres_lazy]
#[pin_data(PinnedDrop)]
#[repr(C)]
pub struct Object<T: DriverObject> {
    #[pin]
    obj: Opaque<bindings::drm_gem_shmem_object>,

    /// Scatter-gather table of this object's DMA pages.
    #[lazy(
        pub fn sg_table -> SGTable,
        device = self.dev().as_ref(),
        map = Table,
        peek = sg_table_if_mapped,
        try_access = try_sg_table,
        revoke = unmap_sg_table,
    )]
    sgt: Mapped<Self, Table>,

    #[pin]
    inner: T,
}

#[devres_lazy]
#[pinned_drop]
impl<T: DriverObject> PinnedDrop for Object<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: This was the last reference.
        unsafe { bindings::drm_gem_shmem_release(self.obj.get()) };
    }
}
