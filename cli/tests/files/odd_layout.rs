// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What rustfmt does not format, or not without changing it.

#![allow(dead_code, unused_parens, clippy::all)]

use kernel::{device::Device, devres_lazy, new_lazy, prelude::*, sync::aref::ARef, testing::TestDevice};

#[derive(Debug)]
pub struct Table(pub u32);

#[devres_lazy]
#[pin_data]
struct Macros {
    dev: ARef<Device>,
    #[lazy(fn one -> Table, device = &self.dev, init = { macro_rules! a { () => { 1 } } Table(a!()) })]
    one: Table,
    #[lazy(fn two -> Table, device = { macro_rules! dev { ($a:expr) => { &$a.dev } } dev!(self) }, init = {
        macro_rules! a {
            () => {2};
            ($($a:tt)*) => { a!() }
        }
        Table(a!{ what , ever })
    })]
    two: Table,
    #[lazy(
        fn three -> Table,
        device = &self.dev,
        init = Table({
            let text = "three
  lines
    of text";
            /* A comment
             that goes on. */
            macro_rules! a { ($a:expr) => { $a.lines().count() as u32 } }
            a!(text)
        }),
        peek = three_if_mapped, try_access = try_three, revoke = unmap_three
    )]
    three: Table,
}

#[devres_lazy]
#[allow(dead_code)]
#[allow(unused)]
#[pin_data(PinnedDrop)]
struct Merged where Table: Sized, {
    dev: (ARef<Device>),
    #[lazy(pub(in crate) fn table -> (Table), device = (&self.dev), init = ((Table(4))))]
    table: (Table),
}

#[devres_lazy]
#[pinned_drop]
impl PinnedDrop for Merged {
    fn drop(self: Pin<&mut Self>) {
        macro_rules! say { ($a:expr) => { println!("{}", $a) } }
        let text = "two
lines";
        if self . dev . is_bound_to_nobody () { say!("nobody") } else { say!(text) }
    }
}

trait Nobody { fn is_bound_to_nobody(&self) -> bool; }
impl Nobody for ARef<Device> { fn is_bound_to_nobody(&self) -> bool { false } }

#[devres_lazy]#[pin_data]struct Dense{dev:ARef<Device>,#[lazy(fn table->Table,device=&self.dev,init=Table(5),peek=table_if_mapped,try_access=try_table,revoke=unmap_table)]table:Table}

mod deep { pub mod er { pub mod down {
            use super::super::super::*;
	#[devres_lazy]
	#[pin_data]
	pub struct Tabs {
		pub dev: ARef<Device>,
		#[lazy(
			pub fn table -> Table,
			device = &self.dev,
			init = {
				macro_rules! a { () => { "a
				b".len() as u32 } }
				Table(a!())
			},
		)]
		pub table: Table,
	}
} } }

fn main() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;
    let dev = bound.device();
    let macros = KBox::pin_init(
        try_pin_init!(Macros { dev, one <- new_lazy!("a"), two <- new_lazy!("b"), three <- new_lazy!("c") }),
        GFP_KERNEL,
    )?;
    println!("{:?}", macros.one(&bound)?);
    println!("{:?}", macros.two(&bound)?);
    println!("{:?}", macros.three(&bound)?);
    let dev = bound.device();
    let dense = KBox::pin_init(try_pin_init!(Dense { dev, table <- new_lazy!() }), GFP_KERNEL)?;
    println!("{:?}", dense.table(&bound)?);
    use deep::er::down::Tabs;
    let dev = bound.device();
    let tabs = KBox::pin_init(try_pin_init!(Tabs { dev, table <- new_lazy!() }), GFP_KERNEL)?;
    println!("{:?}", tabs.table(&bound)?);
    bound.unbind();
    Ok(())
}
