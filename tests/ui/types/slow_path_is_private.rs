// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The slow path is nobody's to call.

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
            pub fn table -> Table,
            device = &self.dev,
            init = Table,
            peek = table_if_mapped,
            try_access = try_table,
            revoke = unmap_table,
        )]
        table: Table,
    }
}

fn table(queue: &queue::Queue, dev: &Device<Bound>) -> Result {
    queue.table_slow(dev)?;
    Ok(())
}

fn main() {
    let _ = table;
}
