// SPDX-License-Identifier: Apache-2.0 OR MIT

#![forbid(missing_docs, unsafe_code)]

use kernel::{devres::Mapped, devres_lazy, prelude::*};

#[devres_lazy]
#[pin_data]
struct Queue {
    #[lazy(fn table -> u32, device = &self.dev, map = Marker)]
    table: Mapped<Self, Marker>,
}

mod inner {
    #![deny(unsafe_code)]

    #[devres_lazy]
    #[pin_data]
    struct Ring {
        #[lazy(fn table -> u32, device = &self.dev, map = Marker)]
        table: Mapped<Self, Marker>,
    }

    #[allow(unsafe_code)]
    #[devres_lazy]
    #[pin_data]
    struct Allowed {
        #[lazy(fn table -> u32, device = &self.dev, map = Marker)]
        table: Mapped<Self, Marker>,
    }
}

#[devres_lazy]
#[pin_data]
struct Safe {
    #[lazy(fn table -> u32, device = &self.dev, init = 1)]
    table: u32,
}

#[cfg_attr(test, deny(unsafe_code))]
fn body() {
    #[devres_lazy]
    #[pinned_drop]
    impl PinnedDrop for Own {
        fn drop(self: Pin<&mut Self>) {}
    }
}
