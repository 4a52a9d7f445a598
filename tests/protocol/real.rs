// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The annotated object.

use super::{
    probe::{Probe, Resource},
    tested::Tested,
};
use kernel::{
    device::{Bound, Device},
    devres_lazy, new_lazy,
    prelude::*,
    sync::aref::ARef,
};
use std::sync::Arc;

#[devres_lazy]
#[pin_data]
struct Object {
    dev: ARef<Device>,
    probe: Arc<Probe>,

    #[lazy(
        fn resource -> Resource,
        device = self.probe.ask(&self.dev),
        init = self.probe.make(dev),
        peek = peek_resource,
        try_access = try_resource,
        revoke = revoke_resource,
    )]
    resource: Resource,
}

/// The object as its user has it.
pub(crate) struct Real(Pin<KBox<Object>>);

impl Tested for Real {
    fn new(dev: &Device<Bound>, probe: &Arc<Probe>) -> Result<Self> {
        let object = KBox::try_pin_init(
            try_pin_init!(Object {
                dev: dev.into(),
                probe: probe.clone(),
                resource <- new_lazy!("Object::resource"),
            }),
            GFP_KERNEL,
        )?;

        Ok(Self(object))
    }

    fn access(&self, dev: &Device<Bound>) -> Result<u32> {
        Ok(self.0.resource(dev)?.id)
    }

    fn peek(&self, dev: &Device<Bound>) -> Result<Option<u32>> {
        Ok(self.0.peek_resource(dev)?.map(|resource| resource.id))
    }

    fn try_access(&self, with: impl FnOnce()) -> Option<u32> {
        let guard = self.0.try_resource()?;
        with();
        Some(guard.id)
    }

    fn revoke(&mut self) {
        self.0.as_mut().revoke_resource();
    }
}
