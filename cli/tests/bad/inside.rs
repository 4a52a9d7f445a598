// SPDX-License-Identifier: Apache-2.0 OR MIT

#[devres_lazy]
#[pinned_drop]
impl PinnedDrop for Queue {
    fn drop(self: Pin<&mut Self>) {
        #[devres_lazy]
        #[pin_data]
        struct Inner {}
    }
}
