// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Random histories of one object on one device, against a model of a few lines.

use super::{
    probe::Probe,
    real::Real,
    subject::Subject,
    twin::{
        fault,
        Twin, //
    },
};
use devres_lazy::{
    device::{
        Bound,
        Device, //
    },
    prelude::*,
    testing::{
        self,
        TestDevice, //
    },
};
use proptest::{
    prelude::*,
    test_runner::{
        Config,
        TestError,
        TestRunner, //
    },
};
use std::sync::Arc;

/// What is done while the device is bound.
#[derive(Clone, Copy, Debug)]
enum BoundOp {
    Create,
    Access,
    AccessOther,
    AccessFailingMap,
    AccessFailingAllocation(u64),
    Peek,
    PeekOther,
    Always(AnyOp),
}

/// What is done at any time.
#[derive(Clone, Copy, Debug)]
enum AnyOp {
    Try,
    Revoke,
    Free,
}

/// What a slot should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Empty,
    Mapped(u32),
    Revoked,
}

/// An object and what it should be.
struct Both<S> {
    real: S,
    model: State,
}

/// The device's history so far.
struct History<S> {
    probe: Arc<Probe>,
    object: Option<Both<S>>,
}

impl<S: Subject> History<S> {
    fn bound(&mut self, op: BoundOp, dev: &Device<Bound>, other: &Device<Bound>) -> Result<()> {
        match op {
            BoundOp::Create => {
                self.object = Some(Both {
                    real: S::new(dev, &self.probe)?,
                    model: State::Empty,
                });
            }
            BoundOp::Always(op) => self.always(op),
            _ => {
                let Some(Both { real, model }) = &mut self.object else {
                    return Ok(());
                };
                match op {
                    BoundOp::Access => {
                        let result = real.access(dev);
                        match *model {
                            State::Empty => {
                                let id = result?;
                                assert_eq!(id, self.probe.made(), "not a new one");
                                *model = State::Mapped(id);
                            }
                            State::Mapped(id) => assert_eq!(result, Ok(id)),
                            State::Revoked => assert_eq!(result, Err(ENXIO)),
                        }
                    }
                    BoundOp::AccessOther => assert_eq!(real.access(other), Err(EINVAL)),
                    BoundOp::AccessFailingMap if *model == State::Empty => {
                        self.probe.next_make(|_| Err(EIO));
                        assert_eq!(real.access(dev), Err(EIO));
                    }
                    BoundOp::AccessFailingAllocation(nth) if *model == State::Empty => {
                        let fault = testing::fail_nth(nth);
                        match real.access(dev) {
                            Ok(id) => {
                                assert!(!fault.tripped());
                                *model = State::Mapped(id);
                            }
                            Err(error) => {
                                assert!(fault.tripped());
                                assert_eq!(error, ENOMEM);
                            }
                        }
                    }
                    BoundOp::Peek => {
                        let mapped = match *model {
                            State::Mapped(id) => Some(id),
                            State::Empty | State::Revoked => None,
                        };
                        assert_eq!(real.peek(dev), Ok(mapped));
                    }
                    BoundOp::PeekOther => assert_eq!(real.peek(other), Err(EINVAL)),
                    _ => (),
                }
            }
        }

        Ok(())
    }

    fn always(&mut self, op: AnyOp) {
        let Some(Both { real, model }) = &mut self.object else {
            return;
        };

        match op {
            AnyOp::Try => {
                let mapped = match *model {
                    State::Mapped(id) => Some(id),
                    State::Empty | State::Revoked => None,
                };
                assert_eq!(real.try_access(|| ()), mapped);
            }
            AnyOp::Revoke => {
                real.revoke();
                *model = State::Empty;
            }
            AnyOp::Free => self.object = None,
        }
    }

    /// Unbind happens.
    fn unbound(&mut self) {
        if let Some(Both { model, .. }) = &mut self.object {
            if *model != State::Empty {
                *model = State::Revoked;
            }
        }
    }

    /// What holds at any time.
    fn check(&self) {
        let live = self
            .object
            .as_ref()
            .is_some_and(|both| matches!(both.model, State::Mapped(_)));
        assert_eq!(self.probe.live(), i64::from(live));
    }
}

fn any_op() -> impl Strategy<Value = AnyOp> {
    prop_oneof![Just(AnyOp::Try), Just(AnyOp::Revoke), Just(AnyOp::Free)]
}

fn bound_op() -> impl Strategy<Value = BoundOp> {
    prop_oneof![
        2 => Just(BoundOp::Create),
        6 => Just(BoundOp::Access),
        1 => Just(BoundOp::AccessOther),
        1 => Just(BoundOp::AccessFailingMap),
        1 => (1..4_u64).prop_map(BoundOp::AccessFailingAllocation),
        2 => Just(BoundOp::Peek),
        1 => Just(BoundOp::PeekOther),
        3 => any_op().prop_map(BoundOp::Always),
    ]
}

/// Each element is one binding of the device, and what is done after it.
type Bindings = Vec<(Vec<BoundOp>, Vec<AnyOp>)>;

fn bindings() -> impl Strategy<Value = Bindings> {
    let while_bound = prop::collection::vec(bound_op(), 0..12);
    let while_unbound = prop::collection::vec(any_op(), 0..3);

    prop::collection::vec((while_bound, while_unbound), 1..6)
}

/// Goes through one history. What is wrong is a panic.
fn history<S: Subject>(bindings: Bindings) -> Result<()> {
    let (mut dev, mut other) = (TestDevice::new(c"gpu0")?, TestDevice::new(c"gpu1")?);
    let other = other.bind()?;
    let mut history = History::<S> {
        probe: Arc::default(),
        object: None,
    };

    for (while_bound, while_unbound) in bindings {
        let bound = dev.bind()?;
        for op in while_bound {
            history.bound(op, &bound, &other)?;
            history.check();
        }
        bound.unbind();
        history.unbound();
        history.check();
        for op in while_unbound {
            history.always(op);
            history.check();
        }
    }

    Ok(())
}

/// Goes through many; [`Err`] has the shortest one that fails.
fn histories<S: Subject>() -> Result<(), TestError<Bindings>> {
    let mut runner = TestRunner::new(Config {
        failure_persistence: None,
        ..Config::default()
    });

    runner.run(&bindings(), |bindings| Ok(history::<S>(bindings)?))
}

#[test]
fn holds() {
    histories::<Real>().unwrap();
    histories::<Twin<fault::None>>().unwrap();
}

#[test]
fn catches() {
    histories::<Twin<fault::NoDeviceCheck>>().unwrap_err();
    histories::<Twin<fault::NoRevokedCheck>>().unwrap_err();
    histories::<Twin<fault::EmptyAfterUnbind>>().unwrap_err();
    histories::<Twin<fault::StaysFailed>>().unwrap_err();
    histories::<Twin<fault::Unbalanced>>().unwrap_err();
    histories::<Twin<fault::PeekIgnoresDevice>>().unwrap_err();
    histories::<Twin<fault::TryIgnoresRevoked>>().unwrap_err();
    histories::<Twin<fault::RevokeIsFinal>>().unwrap_err();
}
