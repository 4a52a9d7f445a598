// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A table that is read from a firmware image on first use, and is gone when the device is unbound.
//!
//! The table is in a box, as it has more than 256 bytes. Loading it fails with an error type of its
//! own, which `init` turns into an errno value.

use kernel::{
    device::Device,
    devres_lazy,
    firmware::Firmware,
    new_lazy,
    prelude::*,
    sync::aref::ARef,
    testing::{install_firmware, TestDevice},
};

/// Why a table cannot be loaded.
enum LoadError {
    /// There is no image, or no memory.
    Request(Error),
    /// The image has another size.
    Size,
}

impl From<LoadError> for Error {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Request(error) => error,
            LoadError::Size => EBADMSG,
        }
    }
}

/// Gamma values.
struct Table([u8; 1024]);

impl Table {
    fn load(dev: &Device) -> Result<KBox<Self>, LoadError> {
        let image = Firmware::request(c"acme/gamma.bin", dev).map_err(LoadError::Request)?;
        let bytes = image.data().try_into().map_err(|_| LoadError::Size)?;
        KBox::new(Self(bytes), GFP_KERNEL).map_err(|error| LoadError::Request(error.into()))
    }
}

#[devres_lazy]
#[pin_data]
struct Display {
    dev: ARef<Device>,

    #[lazy(fn gamma -> Table, device = &self.dev, init = Table::load(dev)?)]
    gamma: KBox<Table>,
}

fn main() -> Result {
    let mut dev = TestDevice::new(c"display0")?;
    let bound = dev.bind()?;
    let device = bound.device();
    let init = pin_init!(Display { dev: device, gamma <- new_lazy!() });
    let display = KBox::pin_init(init, GFP_KERNEL)?;

    // An error leaves the slot empty, and the next access tries again.
    install_firmware(c"acme/gamma.bin", &[2; 1000]);
    assert_eq!(display.gamma(&bound).err(), Some(EBADMSG));
    install_firmware(c"acme/gamma.bin", &[2; 1024]);
    assert_eq!(display.gamma(&bound)?.0[1023], 2);
    println!("loaded on first use");
    drop(bound);

    let bound = dev.bind()?;
    assert_eq!(display.gamma(&bound).err(), Some(ENXIO));
    println!("gone with the binding");
    Ok(())
}

#[test]
fn it_holds() -> Result {
    main()
}
