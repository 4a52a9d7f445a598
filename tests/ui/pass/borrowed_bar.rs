// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A BAR, which borrows the bound device, in an object that outlives the binding: by `ForLt!`, by
//! the type itself, and with a target of its own.

#![deny(warnings)]
#![forbid(unsafe_code)]

use kernel::{
    device::{Bound, Device},
    devres_lazy,
    io::Io,
    new_lazy,
    pci::{self, Bar, Vendor},
    prelude::*,
    sync::aref::ARef,
    testing::{PciConfig, PciDevice},
    types::{self, CovariantForLt, ForLt},
};

/// What the driver knows of its device.
struct Ring<'a> {
    bar: Bar<'a>,
    dev: &'a Device<Bound>,
    base: usize,
}

fn pdev(dev: &Device<Bound>) -> Result<&pci::Device<Bound>> {
    dev.try_into()
}

#[devres_lazy]
#[pin_data]
struct Queue<const N: usize> {
    dev: ARef<Device>,
    base: usize,

    /// The first BAR.
    #[lazy(
        pub fn bar -> Bar<'_>,
        device = &self.dev,
        init = pdev(dev)?.iomap_region(0, c"queue")?,
        peek = peek_bar,
        revoke = revoke_bar,
    )]
    bar: ForLt!(Bar<'_>),

    /// The second BAR, at least `N` bytes of it.
    #[lazy(
        fn sized_bar,
        device = &self.dev,
        init = pdev(dev)?.iomap_region_sized::<N>(1, c"sized")?,
    )]
    sized_bar: Bar<'_, N>,

    /// In a box.
    #[lazy(
        fn ring -> Ring<'_>,
        device = &self.dev,
        init = KBox::new(
            Ring {
                bar: pdev(dev)?.iomap_region(2, c"ring")?,
                dev,
                base: self.base,
            },
            GFP_KERNEL,
        )?,
    )]
    ring: types::CovariantForLt!(for<'d> KBox<Ring<'d>>),

    /// The device itself, and nothing of it.
    #[lazy(fn dev -> &Device<Bound>, device = &self.dev, init = dev)]
    itself: CovariantForLt!(&Device<Bound>),

    /// No lifetime at all.
    #[lazy(fn len -> usize, device = &self.dev, init = Ok(self.base))]
    len: ForLt!(usize),

    #[lazy(fn none -> Bar<'_>, device = &self.dev, init = return Err(ENODEV))]
    none: ForLt!(Bar<'_>),
}

fn use_both<'a, const N: usize>(
    queue: &'a Queue<N>,
    dev: &'a Device<Bound>,
) -> Result<(&'a Bar<'a>, &'a Device<Bound>)> {
    Ok((queue.bar(dev)?, queue.ring(dev)?.dev))
}

fn main() -> Result {
    let config = PciConfig::new(Vendor::REDHAT, 0x5)
        .bar(0, &[1, 2, 3, 4, 5, 6, 7, 8])
        .bar(1, &[9; 8])
        .bar(2, &[7; 8]);
    let mut testdev = PciDevice::new(c"0000:00:04.0", config)?;
    let bound = testdev.bind()?;
    let dev: &Device<Bound> = (*bound).as_ref();

    let mut queue: Pin<KBox<Queue<8>>> = KBox::pin_init(
        pin_init!(Queue {
            dev: dev.into(),
            base: 4,
            bar <- new_lazy!(),
            sized_bar <- new_lazy!(),
            ring <- new_lazy!(),
            itself <- new_lazy!(),
            len <- new_lazy!(),
            none <- new_lazy!(),
        }),
        GFP_KERNEL,
    )?;

    assert!(queue.peek_bar(dev)?.is_none());
    assert_eq!(queue.bar(dev)?.try_read8(4)?, 5);
    assert!(queue.peek_bar(dev)?.is_some());
    assert_eq!(queue.sized_bar(dev)?.read32(4), 0x0909_0909);
    let ring = queue.ring(dev)?;
    assert_eq!(ring.bar.try_read8(ring.base)?, 7);
    let (_, same) = use_both(&queue, dev)?;
    assert_eq!(same.as_raw(), dev.as_raw());
    assert_eq!(queue.dev(dev)?.as_raw(), dev.as_raw());
    assert_eq!(*queue.len(dev)?, 4);
    assert_eq!(queue.none(dev).err(), Some(ENODEV));

    // Unmapped now: the BAR can be requested again.
    assert_eq!(pdev(dev)?.iomap_region(0, c"again").err(), Some(EBUSY));
    queue.as_mut().revoke_bar();
    drop(pdev(dev)?.iomap_region(0, c"again")?);
    queue.bar(dev)?;

    // Unbind unmaps the others.
    bound.unbind();
    let bound = testdev.bind()?;
    let dev: &Device<Bound> = (*bound).as_ref();
    assert_eq!(queue.bar(dev).err(), Some(ENXIO));
    drop(pdev(dev)?.iomap_region(0, c"again")?);
    Ok(())
}
