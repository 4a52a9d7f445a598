// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Without `pub` the accessors are private, whatever the struct is.

use kernel::{
    device::{Bound, Device},
    devres_lazy,
    prelude::*,
    sync::aref::ARef,
};

mod queue {
    use super::*;

    pub struct Table;

    #[devres_lazy]
    #[pin_data]
    pub struct Queue {
        dev: ARef<Device>,

        #[lazy(
            fn table -> Table,
            device = &self.dev,
            init = Table,
            peek = table_if_mapped,
            try_access = try_table,
            revoke = unmap_table,
        )]
        table: Table,
    }
}

fn all(mut queue: Pin<&mut queue::Queue>, dev: &Device<Bound>) -> Result {
    queue.table(dev)?;
    queue.table_if_mapped(dev)?;
    queue.try_table();
    queue.as_mut().unmap_table();
    Ok(())
}

fn main() {
    let _ = all;
}
