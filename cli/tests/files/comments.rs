// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Comments wherever one can be.

#![allow(dead_code)]
// First of all.
use kernel::{
    device::Device, // The device.
    /* The attribute. */ devres_lazy,
    new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice, //
}; // That is all.

// Above the struct.
struct Table(u32); // Behind it.

// Above the attribute.
#[devres_lazy(/* Nothing special. */)] // Behind the attribute.
/* Between attributes. */
#[pin_data /* As always. */] // Behind the other one.
// Above the name.
struct /* Before the name. */ Queue /* Behind the name. */ {
    // Above the first field.
    dev: ARef<Device>, // Behind the first field.

    // Above the annotation.
    /// The table.
    #[lazy( // Behind the parenthesis.
        // Above the accessor.
        pub /* The visibility. */ (crate /* For tests. */) /* Behind that. */ fn /* The name. */ table /* It is a table. */ -> /* The target. */ Table /* Behind the target. */, // Behind the accessor.
        /* Before the key. */ device /* Before the equals sign. */ = // Behind the equals sign.
            // SAFETY: A device that is counted is valid.
            unsafe /* Really. */ { &*core::ptr::from_ref::<Device>(&self.dev) /* The field. */ } /* Behind the value. */, /* Behind the comma. */
        // Made of nothing.
        init = Table(
            // The answer.
            42, /* and nothing else */
            // Above the end.
        ), // Behind the initialiser.
        /* One. */ /* Two. */ peek = /* Three. */ table_if_mapped /* Four. */,
        try_access = // Not now.
            try_table,
        revoke
            // On its own.
            = unmap_table,
        // Below the last one.
    )] // Behind the annotation.
    // Above the field.
    table: /* A resource. */ Table /* Behind the type. */, // Behind the field.

    // Behind all fields.
} // Behind the struct.

// Between the two.

#[devres_lazy /* Twice. */]
#[pin_data]
struct Ring { dev: ARef<Device>, /* a */ #[lazy(/* b */ fn table -> Table, /* c */ device = &self.dev, /* d */ init = /* e */ Table(/* f */ 43) /* g */ /* h */)] /* i */ table: Table /* j */ }

#[devres_lazy] // Above the destructor.
#[pin_data(PinnedDrop /* My own. */)]
struct Last {
    dev: ARef<Device>,
    #[lazy(
        fn table -> Table,
        device = { // The device.
            /* It is a field. */
            &self.dev // Of this.
        },
        init = {
            // A multiplication.
            let a = 22; // Half.
            /*
             * In several lines.
             */
            Table(a * 2)
            // The end.
        },
    )]
    table: Table,
}

// The attribute is on the destructor.
#[devres_lazy(/* As there. */)] // Behind it.
#[pinned_drop] // Pinned.
impl /* For. */ PinnedDrop for Last {
    // Above the function.
    fn drop(/* Nothing. */ self: Pin<&mut Self> /* Pinned. */) {
        // First.
        println!("gone"); // Said.
        // Last.
    }
    // Behind the function.
}

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let queue = KBox::pin_init(try_pin_init!(Queue { dev, table <- new_lazy!() }), GFP_KERNEL)?;
    println!("{}", queue.table(&bound)?.0);
    let dev = bound.device();
    let ring = KBox::pin_init(try_pin_init!(Ring { dev, table <- new_lazy!() }), GFP_KERNEL)?;
    println!("{}", ring.table(&bound)?.0);
    let dev = bound.device();
    let last = KBox::pin_init(try_pin_init!(Last { dev, table <- new_lazy!() }), GFP_KERNEL)?;
    println!("{}", last.table(&bound)?.0);
    drop(last);
    bound.unbind();
    Ok(())
}
