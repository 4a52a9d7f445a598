// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Modules with a PCI driver, as tests find them in a driver's file.

use crate::{
    pci,
    prelude::*,
    testing::{DriverData, PciBinding, PciDevice},
};
use core::fmt;
use std::any::Any;

/// A module with one PCI driver: what [`module_pci_driver!`](crate::module_pci_driver) makes.
///
/// A driver's file has it as `MODULE`. A test that includes the file needs nothing else of it: the
/// driver, its data and its functions can stay private, as they are in a kernel tree.
pub struct PciModule {
    info: ModuleInfo,
    probe: for<'a> fn(&CStr, &'a mut PciDevice) -> Result<PciBinding<'a, ModuleData>>,
}

/// The description of a module that `modinfo` prints.
#[derive(Clone, Copy, Debug)]
pub struct ModuleInfo {
    /// Name.
    pub name: &'static CStr,
    /// Authors.
    pub authors: &'static [&'static str],
    /// Description.
    pub description: Option<&'static str>,
    /// License.
    pub license: &'static str,
}

/// The private data of a driver that a test does not name.
pub struct ModuleData(Box<dyn Any + Send>);

impl PciModule {
    /// Makes the module of the driver `D`.
    #[doc(hidden)]
    pub const fn new<D: pci::Driver + 'static>(info: ModuleInfo) -> Self {
        Self {
            info,
            probe: |name, dev| {
                dev.attach::<D, _>(
                    name,
                    |data| ModuleData(Box::new(data)),
                    |kept| kept.0.downcast_ref::<DriverData<D>>(),
                )
            },
        }
    }

    /// Returns what the module says of itself.
    pub fn info(&self) -> ModuleInfo {
        self.info
    }

    /// Binds the driver, for as long as the result exists.
    ///
    /// # Errors
    ///
    /// As for [`PciDevice::probe()`].
    ///
    /// # Context
    ///
    /// May sleep.
    #[track_caller]
    pub fn probe<'a>(&self, dev: &'a mut PciDevice) -> Result<PciBinding<'a, ModuleData>> {
        (self.probe)(self.info.name, dev)
    }
}

impl fmt::Debug for PciModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PciModule").field(&self.info).finish()
    }
}

/// Returns the string of a literal that ends with NUL.
///
/// # Panics
///
/// If there is another NUL, which does not compile in a constant.
#[doc(hidden)]
pub const fn name_of_module(name: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(name.as_bytes()) {
        Ok(name) => name,
        Err(_) => panic!("the name of a module has no NUL in it"),
    }
}

/// Declares a module that has one PCI driver.
///
/// It takes the fields `type`, `name`, `authors`, `description` and `license` in this order, as
/// the kernel's macro does. `authors` and `description` may be left out.
///
/// In a kernel the module registers the driver when it is loaded. Here it is a public `MODULE`,
/// with which a test binds the driver.
///
/// # Examples
///
/// ```
/// use kernel::{
///     device::Core,
///     pci,
///     prelude::*,
///     testing::{PciConfig, PciDevice},
/// };
///
/// #[pin_data]
/// struct Sample {}
///
/// kernel::pci_device_table!(
///     TABLE,
///     (),
///     [(pci::DeviceId::from_id(pci::Vendor::REDHAT, 0x5), ())]
/// );
///
/// impl pci::Driver for Sample {
///     type IdInfo = ();
///     type Data<'bound> = Self;
///     const ID_TABLE: pci::IdTable<()> = &TABLE;
///
///     fn probe<'bound>(
///         _pdev: &'bound pci::Device<Core<'_>>,
///         _info: Option<&'bound ()>,
///     ) -> impl PinInit<Self, Error> + 'bound {
///         try_pin_init!(Self {})
///     }
/// }
///
/// kernel::module_pci_driver! {
///     type: Sample,
///     name: "sample",
///     authors: ["An author"],
///     description: "A sample",
///     license: "GPL v2",
/// }
///
/// # fn main() -> Result {
/// let config = PciConfig::new(pci::Vendor::REDHAT, 0x5);
/// let mut testdev = PciDevice::new(c"0000:00:04.0", config)?;
///
/// assert_eq!(MODULE.info().name, c"sample");
/// MODULE.probe(&mut testdev)?.unbind();
/// # Ok(())
/// # }
/// ```
#[macro_export]
macro_rules! module_pci_driver {
    (
        type: $type:ty,
        name: $name:literal,
        $(authors: [$($author:literal),+ $(,)?],)?
        $(description: $description:literal,)?
        license: $license:literal,
    ) => {
        /// The module of this file, for tests.
        #[allow(dead_code, reason = "not every crate with this file tests it")]
        pub static MODULE: $crate::testing::PciModule = {
            #[allow(unused_mut, unused_assignments, reason = "there may be no description")]
            let mut description = ::core::option::Option::None;
            $(description = ::core::option::Option::Some($description);)?

            $crate::testing::PciModule::new::<$type>($crate::testing::ModuleInfo {
                name: $crate::testing::name_of_module(::core::concat!($name, "\0")),
                authors: &[$($($author),+)?],
                description,
                license: $license,
            })
        };
    };
}
