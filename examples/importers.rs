// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A buffer with several importers. Each importing device has an object of its own, with a slot for
//! the descriptors that this device reads. Unbinding one device leaves those of the others mapped.

use kernel::{
    device::Device,
    devres_lazy,
    dma::Coherent,
    new_lazy,
    prelude::*,
    sync::{aref::ARef, Arc},
    testing::{ledger, TestDevice},
};

/// The buffer that all importers share.
struct Buffer {
    pages: usize,
}

/// One device's import of the buffer.
#[devres_lazy]
#[pin_data]
struct Import {
    dev: ARef<Device>,
    buffer: Arc<Buffer>,

    /// A descriptor for each page, in memory that the device reads.
    #[lazy(
        fn descriptors,
        device = &self.dev,
        init = Coherent::zeroed_slice(dev, self.buffer.pages, GFP_KERNEL),
    )]
    descriptors: Coherent<[u64]>,
}

impl Import {
    fn new(dev: &Device, buffer: &Arc<Buffer>) -> Result<Pin<KBox<Self>>> {
        let init = pin_init!(Self {
            dev: dev.into(),
            buffer: buffer.clone(),
            descriptors <- new_lazy!(),
        });

        KBox::pin_init(init, GFP_KERNEL)
    }
}

fn main() -> Result {
    let buffer = Arc::new(Buffer { pages: 16 }, GFP_KERNEL)?;
    let (mut camera, mut display) = (TestDevice::new(c"camera0")?, TestDevice::new(c"display0")?);
    let mapped = [camera.device(), display.device()];
    let live = || [&mapped[0], &mapped[1]].map(|dev| ledger(dev).live);
    let (camera, display) = (camera.bind()?, display.bind()?);
    let written = Import::new(&camera, &buffer)?;
    let shown = Import::new(&display, &buffer)?;

    assert_eq!(live(), [0, 0]);
    assert_eq!(written.descriptors(&camera)?.len(), 16);
    shown.descriptors(&display)?;
    assert_eq!(live(), [1, 1]);
    println!("each importer has a mapping of its own");

    assert_eq!(shown.descriptors(&camera).err(), Some(EINVAL));
    println!("an importer refuses the device of another one");

    camera.unbind();
    assert_eq!(live(), [0, 1]);
    shown.descriptors(&display)?;
    println!("unbinding the camera leaves the display's mapping");
    Ok(())
}

#[test]
fn it_holds() -> Result {
    main()
}
