// SPDX-License-Identifier: Apache-2.0 OR MIT

//! All lazy fields are configured off: what is left has nothing to tear down, and warns of nothing.

#![forbid(unused_mut, unsafe_code)]
#![deny(warnings)]

use kernel::{devres_lazy, prelude::*};

struct Other(bool);

#[devres_lazy]
#[pin_data]
struct Queue {
    other: Other,

    #[cfg(any())]
    #[lazy(
        fn table -> Table,
        device = &self.dev,
        init = Table,
        revoke = unmap_table,
    )]
    table: Table,

    #[cfg(any())]
    #[lazy(
        fn shadow -> Table,
        device = &self.dev,
        init = Table,
    )]
    shadow: Table,
}

#[devres_lazy]
#[pin_data(PinnedDrop)]
struct WithDestructor {
    dropped: std::rc::Rc<std::cell::Cell<bool>>,

    #[cfg(any())]
    #[lazy(
        fn table -> Table,
        device = &self.dev,
        init = Table,
    )]
    table: Table,
}

#[devres_lazy]
#[pinned_drop]
impl PinnedDrop for WithDestructor {
    fn drop(self: Pin<&mut Self>) {
        self.dropped.set(true);
    }
}

fn main() -> Result {
    let queue = KBox::pin_init(try_pin_init!(Queue { other: Other(true) }), GFP_KERNEL)?;
    assert!(queue.other.0);

    let dropped = std::rc::Rc::<std::cell::Cell<bool>>::default();
    let of = dropped.clone();
    drop(KBox::pin_init(
        try_pin_init!(WithDestructor { dropped: of }),
        GFP_KERNEL,
    )?);
    assert!(dropped.get());
    Ok(())
}
