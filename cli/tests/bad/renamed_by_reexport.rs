// SPDX-License-Identifier: Apache-2.0 OR MIT

mod attributes {
    mod inner {
        pub(super) use ::kernel::devres_lazy as of_fields;
    }
    pub use inner::of_fields as fields;
    pub use crate::macros::devres_lazy as others;
}

mod queue {
    use super::attributes::{self, fields as lazy_fields};
    use attributes::*;

    #[lazy_fields]
    struct First {}

    #[attributes::fields]
    struct Second {}

    #[others(crate = kernel)]
    struct Third {}
}

#[devres_lazy]
#[pin_data]
struct Queue {
    dev: ARef<Device>,
    #[lazy(fn table -> Table, device = &self.dev, init = Table)]
    table: Table,
}
