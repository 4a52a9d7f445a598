// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The attribute is imported in one module after the other, each time by a tree of another shape.

#![deny(unused_imports)]

mod first {
    use kernel::{device::Device, devres_lazy, new_lazy, prelude::*, sync::aref::ARef};

    #[devres_lazy]
    #[pin_data]
    pub struct Queue {
        dev: ARef<Device>,
        #[lazy(pub fn table -> u32, device = &self.dev, init = 1)]
        table: u32,
    }

    pub fn new(dev: &Device) -> Result<Pin<KBox<Queue>>> {
        KBox::try_pin_init(try_pin_init!(Queue { dev: dev.into(), table <- new_lazy!() }), GFP_KERNEL)
    }
}

mod last_of_a_group {
    use {
        kernel::{
            sync::aref::ARef,
            device::{self, Device}, // A module, and a type.
            new_lazy,
            prelude::{*},
            // The attribute.
            devres_lazy, //
        },
        std::cell::Cell, //
    };

    #[devres_lazy]
    #[pin_data]
    pub struct Queue {
        dev: ARef<device::Device>,
        #[lazy(pub fn table -> u32, device = &self.dev, init = Cell::new(2).get())]
        table: u32,
    }

    pub fn new(dev: &Device) -> Result<Pin<KBox<Queue>>> {
        KBox::try_pin_init(try_pin_init!(Queue { dev: dev.into(), table <- new_lazy!() }), GFP_KERNEL)
    }
}

mod groups_in_groups {
    use kernel::{{device::{Device}, {devres_lazy}}, new_lazy, {prelude::*, sync::{aref::{ARef}}}};
    use {std::{cell::{Cell as A}}, std::rc::{Rc,},};

    #[devres_lazy]
    #[pin_data]
    pub struct Queue {
        dev: ARef<Device>,
        #[lazy(pub fn table -> u32, device = &self.dev, init = *Rc::new(A::new(3).get()))]
        table: u32,
    }

    pub fn new(dev: &Device) -> Result<Pin<KBox<Queue>>> {
        KBox::try_pin_init(try_pin_init!(Queue { dev: dev.into(), table <- new_lazy!() }), GFP_KERNEL)
    }
}

mod with_the_crate {
    use kernel::{self as runtime, devres_lazy /* the attribute */, prelude::*, sync::aref::ARef,};
    use runtime::{self as again, new_lazy};

    #[devres_lazy]
    #[pin_data]
    pub struct Queue {
        dev: ARef<again::device::Device>,
        #[lazy(pub fn table -> u32, device = &self.dev, init = 4)]
        table: u32,
    }

    pub fn new(dev: &runtime::device::Device) -> Result<Pin<KBox<Queue>>> {
        KBox::try_pin_init(try_pin_init!(Queue { dev: dev.into(), table <- new_lazy!() }), GFP_KERNEL)
    }
}

mod on_its_own {
    use /* a group of one */ kernel::{ /* this */ devres_lazy, };
    use kernel::{device::Device, new_lazy, prelude::*, sync::aref::ARef};

    #[devres_lazy]
    #[pin_data]
    pub struct Queue {
        dev: ARef<Device>,
        #[lazy(pub fn table -> u32, device = &self.dev, init = 5)]
        table: u32,
    }

    pub fn new(dev: &Device) -> Result<Pin<KBox<Queue>>> {
        KBox::try_pin_init(try_pin_init!(Queue { dev: dev.into(), table <- new_lazy!() }), GFP_KERNEL)
    }
}

mod one_of_two_groups {
    use {kernel::{devres_lazy}, kernel::{device::Device, new_lazy, prelude::*, sync::aref::ARef}};

    #[devres_lazy]
    #[pin_data]
    pub struct Queue {
        dev: ARef<Device>,
        #[lazy(pub fn table -> u32, device = &self.dev, init = 6)]
        table: u32,
    }

    pub fn new(dev: &Device) -> Result<Pin<KBox<Queue>>> {
        KBox::try_pin_init(try_pin_init!(Queue { dev: dev.into(), table <- new_lazy!() }), GFP_KERNEL)
    }
}

mod on_one_line {
    use std::cell::Cell; use ::kernel::{devres_lazy}; use kernel::{device::Device, new_lazy, prelude::*, sync::aref::ARef};

    #[devres_lazy]
    #[pin_data]
    pub struct Queue {
        dev: ARef<Device>,
        #[lazy(pub fn table -> u32, device = &self.dev, init = Cell::new(7).get())]
        table: u32,
    }

    pub fn new(dev: &Device) -> Result<Pin<KBox<Queue>>> {
        KBox::try_pin_init(try_pin_init!(Queue { dev: dev.into(), table <- new_lazy!() }), GFP_KERNEL)
    }
}

mod with_attributes {
    /// Nobody reads this.
    #[cfg(all())]
    use kernel::devres_lazy; // The attribute.
    #[cfg(all())]
    use kernel::{device::Device, new_lazy, prelude::*, sync::aref::ARef};

    #[devres_lazy]
    #[pin_data]
    pub struct Queue {
        dev: ARef<Device>,
        #[lazy(pub fn table -> u32, device = &self.dev, init = 8)]
        table: u32,
    }

    pub fn new(dev: &Device) -> Result<Pin<KBox<Queue>>> {
        KBox::try_pin_init(try_pin_init!(Queue { dev: dev.into(), table <- new_lazy!() }), GFP_KERNEL)
    }
}

mod raw {
    use kernel::{r#device::Device, r#devres_lazy, new_lazy, prelude::*, sync::aref::ARef};

    #[r#devres_lazy]
    #[pin_data]
    pub struct Queue {
        dev: ARef<Device>,
        #[lazy(pub fn table -> u32, device = &self.dev, init = 9)]
        table: u32,
    }

    pub fn new(dev: &Device) -> Result<Pin<KBox<Queue>>> {
        KBox::try_pin_init(try_pin_init!(Queue { dev: dev.into(), table <- new_lazy!() }), GFP_KERNEL)
    }
}

use kernel::{error::Result, testing::TestDevice};

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = &bound.device();

    println!("{}", first::new(dev)?.table(&bound)?);
    println!("{}", last_of_a_group::new(dev)?.table(&bound)?);
    println!("{}", groups_in_groups::new(dev)?.table(&bound)?);
    println!("{}", with_the_crate::new(dev)?.table(&bound)?);
    println!("{}", on_its_own::new(dev)?.table(&bound)?);
    println!("{}", one_of_two_groups::new(dev)?.table(&bound)?);
    println!("{}", on_one_line::new(dev)?.table(&bound)?);
    println!("{}", with_attributes::new(dev)?.table(&bound)?);
    println!("{}", raw::new(dev)?.table(&bound)?);
    bound.unbind();
    Ok(())
}
