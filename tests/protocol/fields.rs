// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What a row of the contract does not ask: all that `init` may be, several fields in one object,
//! a destructor of its own, and a slot without the attribute.
//!
//! The tests have the names of those of the kernel's suite for the slot.

use kernel::{
    alloc::AllocError,
    device::{
        Bound,
        Device, //
    },
    devres::Lazy,
    devres_lazy,
    new_lazy,
    new_mutex,
    prelude::*,
    sync::{
        aref::ARef,
        Mutex, //
    },
    testing::TestDevice, //
};
use std::{
    ptr,
    sync::{
        Arc,
        Mutex as Shared, //
    },
};

/// What happens to the resources of a test, and what making the next one fails with.
#[derive(Default)]
struct Log {
    made: Shared<u32>,
    /// The names of what was dropped.
    dropped: Shared<Vec<u32>>,
    next_error: Shared<Option<Error>>,
}

impl Log {
    fn fail_next(&self, error: Error) {
        *self.next_error.lock().unwrap() = Some(error);
    }

    fn planned(&self) -> Result {
        self.next_error.lock().unwrap().take().map_or(Ok(()), Err)
    }

    fn made(&self) -> u32 {
        *self.made.lock().unwrap()
    }

    fn dropped(&self) -> Vec<u32> {
        self.dropped.lock().unwrap().clone()
    }
}

/// A resource that must not move, and that knows whether it did.
#[pin_data(PinnedDrop)]
struct Resource {
    name: u32,
    address: usize,
    /// Pins the resource.
    #[pin]
    lock: Mutex<()>,
    log: Arc<Log>,
}

impl Resource {
    /// Fails half-way if that is planned, when there is something to put back.
    fn new(name: u32, log: &Arc<Log>) -> impl PinInit<Self, Error> + '_ {
        try_pin_init!(&this in Self {
            name,
            address: this.as_ptr().addr(),
            lock <- new_mutex!(()),
            log: {
                log.planned()?;
                *log.made.lock().unwrap() += 1;
                log.clone()
            },
        })
    }
}

#[pinned_drop]
impl PinnedDrop for Resource {
    fn drop(self: Pin<&mut Self>) {
        self.log.dropped.lock().unwrap().push(self.name);
    }
}

/// An object with several lazy fields, and all that `init` may be.
#[devres_lazy]
#[pin_data]
struct Several {
    dev: ARef<Device>,
    log: Arc<Log>,

    /// Made by an initialiser that pins.
    #[lazy(fn first -> Resource, device = &self.dev, init = Resource::new(1, &self.log))]
    first: Resource,

    /// Made by an expression that fails before there is an initialiser.
    #[lazy(
        fn second,
        device = &self.dev,
        init = {
            self.log.planned()?;
            Resource::new(2, &self.log)
        },
    )]
    second: Resource,

    /// Made by value, with an error of another type; lent as what it derefs to.
    #[lazy(
        fn third -> Resource,
        device = &self.dev,
        init = {
            let resource: Result<_, AllocError> =
                KBox::try_pin_init(Resource::new(3, &self.log), GFP_KERNEL).map_err(|_| AllocError);
            resource
        },
    )]
    third: Pin<KBox<Resource>>,
}

impl Several {
    fn new(dev: &Device<Bound>, log: &Arc<Log>) -> Result<Pin<KBox<Self>>> {
        KBox::try_pin_init(
            try_pin_init!(Self {
                dev: dev.into(),
                log: log.clone(),
                first <- new_lazy!("Several::first"),
                second <- new_lazy!("Several::second"),
                third <- new_lazy!("Several::third"),
            }),
            GFP_KERNEL,
        )
    }
}

/// An object with a destructor of its own.
#[devres_lazy]
#[pin_data(PinnedDrop)]
struct Destructor {
    dev: ARef<Device>,
    log: Arc<Log>,

    #[lazy(fn resource -> Resource, device = &self.dev, init = Resource::new(1, &self.log))]
    resource: Resource,
}

impl Destructor {
    fn new(dev: &Device<Bound>, log: &Arc<Log>) -> Result<Pin<KBox<Self>>> {
        KBox::try_pin_init(
            try_pin_init!(Self {
                dev: dev.into(),
                log: log.clone(),
                resource <- new_lazy!("Destructor::resource"),
            }),
            GFP_KERNEL,
        )
    }
}

#[devres_lazy]
#[pinned_drop]
impl PinnedDrop for Destructor {
    fn drop(self: Pin<&mut Self>) {
        self.log.dropped.lock().unwrap().push(9);
    }
}

fn device() -> Result<TestDevice> {
    TestDevice::new(c"gpu0")
}

/// A resource that pins is made where it stays.
#[test]
fn init_in_place() -> Result {
    let log = Arc::default();
    let mut dev = device()?;
    let bound = dev.bind()?;
    let object = Several::new(&bound, &log)?;

    for resource in [
        object.first(&bound)?,
        object.second(&bound)?,
        object.third(&bound)?,
    ] {
        let address = ptr::from_ref(resource).addr();
        assert_eq!(address, resource.address, "resource {}", resource.name);

        // Its lock works, which is why it must not move.
        drop(resource.lock.lock());
    }
    Ok(())
}

/// Whatever fails on the way, fails the accessor, and leaves the other fields alone.
#[test]
fn init_with_error() -> Result {
    let log: Arc<Log> = Arc::default();
    let mut dev = device()?;
    let bound = dev.bind()?;
    let object = Several::new(&bound, &log)?;
    let name = |resource: Result<&Resource>| resource.map(|resource| resource.name);

    // In the initialiser.
    log.fail_next(EIO);
    assert_eq!(name(object.first(&bound)), Err(EIO));

    // In front of the initialiser.
    log.fail_next(EAGAIN);
    assert_eq!(name(object.second(&bound)), Err(EAGAIN));

    // With an error that is converted.
    log.fail_next(EIO);
    assert_eq!(name(object.third(&bound)), Err(ENOMEM));

    assert_eq!(log.made(), 0);
    assert_eq!(name(object.second(&bound)), Ok(2));
    assert_eq!(log.made(), 1);

    drop(object);
    assert_eq!(log.dropped(), [2]);
    Ok(())
}

/// At unbind, what was made last goes first.
#[test]
fn order_at_unbind() -> Result {
    let log: Arc<Log> = Arc::default();
    let mut dev = device()?;
    let bound = dev.bind()?;
    let object = Several::new(&bound, &log)?;
    object.second(&bound)?;
    object.third(&bound)?;
    object.first(&bound)?;

    bound.unbind();

    assert_eq!(log.dropped(), [1, 3, 2]);
    drop(object);
    assert_eq!(log.dropped(), [1, 3, 2], "dropped again");
    Ok(())
}

/// When the owner is freed, what is declared last goes first, whenever it was made.
#[test]
fn order_at_free() -> Result {
    let log: Arc<Log> = Arc::default();
    let mut dev = device()?;
    let bound = dev.bind()?;
    let object = Several::new(&bound, &log)?;
    object.second(&bound)?;
    object.third(&bound)?;
    object.first(&bound)?;

    drop(object);

    assert_eq!(log.dropped(), [3, 2, 1]);
    bound.unbind();
    assert_eq!(log.dropped(), [3, 2, 1], "dropped again");
    Ok(())
}

/// A destructor of one's own finds the resource gone.
#[test]
fn own_destructor() -> Result {
    let log: Arc<Log> = Arc::default();
    let mut dev = device()?;
    let bound = dev.bind()?;
    let object = Destructor::new(&bound, &log)?;
    object.resource(&bound)?;

    drop(object);

    assert_eq!(log.dropped(), [1, 9]);
    Ok(())
}

/// A slot by itself, without the attribute.
#[test]
fn slot_by_hand() -> Result {
    let mut dev = device()?;
    let slot: Pin<KBox<Lazy<u32>>> = KBox::pin_init(new_lazy!(), GFP_KERNEL)?;

    let bound = dev.bind()?;
    assert_eq!(slot.get(&bound), None);
    let value = slot.lock().populate(&bound, || Ok(42)).copied();
    assert_eq!(value, Ok(42));
    let other = slot.lock().populate(&bound, || Ok(43)).copied();
    assert_eq!(other, Err(EINVAL), "populated twice");
    assert_eq!(slot.get(&bound), Some(&42));
    bound.unbind();

    let bound = dev.bind()?;
    assert_eq!(slot.get(&bound), None, "lent after a rebind");
    let late = slot.lock().populate(&bound, || Ok(44)).copied();
    assert_eq!(late, Err(ENXIO), "populated after a rebind");
    Ok(())
}

/// What is revoked through an owner has to be a field of it.
#[test]
#[should_panic(expected = "`slot` has to return a field of `owner`")]
fn revoke_of_a_stranger() {
    let stranger: Result<Pin<KBox<Lazy<u32>>>> = KBox::pin_init(new_lazy!(), GFP_KERNEL);
    let stranger: &'static Pin<KBox<Lazy<u32>>> = Box::leak(Box::new(stranger.unwrap()));
    let mut owner: Pin<KBox<Lazy<u32>>> = KBox::pin_init(new_lazy!(), GFP_KERNEL).unwrap();

    Lazy::revoke_field(owner.as_mut(), |_| &**stranger);
}
