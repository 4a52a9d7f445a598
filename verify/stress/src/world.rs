// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The parts of the stress test that do not depend on the slot: devices that are open for use,
//! resources that check their content, and counts.
//!
//! All counts are relaxed. A test whose own bookkeeping orders the threads would hide that the
//! protocol does not order them.

use kernel::{
    device::{Bound, Device},
    sync::aref::ARef,
};
use std::{
    env,
    sync::{
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed},
        Arc, PoisonError, RwLock,
    },
    thread,
    time::{Duration, Instant},
};

/// The number of devices.
pub(crate) const DEVICES: usize = 2;

/// The variable with the seconds for which the threads run. The default is one.
const SECONDS: &str = "DEVRES_LAZY_STRESS_SECONDS";

/// The variable with the minimum number of bindings. The default is none.
const BINDINGS: &str = "DEVRES_LAZY_STRESS_BINDINGS";

/// The seconds between two reports of the progress.
const REPORT: u64 = 30;

/// Returns the number that a variable is set to.
fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;

    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable}={text}: this has to be a number")),
    )
}

/// A device, for threads that may use it only while it is bound.
pub(crate) struct Gate {
    dev: ARef<Device>,
    is_open: RwLock<bool>,
}

impl Gate {
    pub(crate) fn new(dev: ARef<Device>) -> Self {
        Self {
            dev,
            is_open: RwLock::new(false),
        }
    }

    /// Uses the device, if it is bound.
    pub(crate) fn enter<R>(&self, f: impl FnOnce(&Device<Bound>) -> R) -> Option<R> {
        let is_open = self.is_open.read().unwrap_or_else(PoisonError::into_inner);

        is_open.then(|| {
            // SAFETY: The driver is bound before the gate is opened. It is unbound after the gate
            // is closed, and closing waits for this guard of `is_open`.
            f(unsafe { self.dev.as_bound() })
        })
    }

    /// Opens the gate, or closes it. Waits until no thread uses the device.
    pub(crate) fn set_open(&self, is_open: bool) {
        *self.is_open.write().unwrap_or_else(PoisonError::into_inner) = is_open;
    }
}

/// The number of resources that were made and dropped.
#[derive(Default)]
pub(crate) struct Ledger {
    made: AtomicI64,
    dropped: AtomicI64,
    /// The number of live resources, by device.
    live: [AtomicI64; DEVICES],
}

impl Ledger {
    pub(crate) fn made(&self) -> i64 {
        self.made.load(Relaxed)
    }

    pub(crate) fn dropped(&self) -> i64 {
        self.dropped.load(Relaxed)
    }

    pub(crate) fn live(&self, device: usize) -> i64 {
        self.live[device].load(Relaxed)
    }
}

/// A resource, which may own a `T`.
pub(crate) struct Resource<T> {
    words: [u64; 8],
    device: usize,
    ledger: Arc<Ledger>,
    _owned: Option<T>,
}

impl<T> Resource<T> {
    const WORD: u64 = 0x5eed_cafe_f00d_1dea;

    pub(crate) fn new(ledger: &Arc<Ledger>, device: usize, owned: Option<T>) -> Self {
        ledger.made.fetch_add(1, Relaxed);
        ledger.live[device].fetch_add(1, Relaxed);
        Self {
            words: [Self::WORD; 8],
            device,
            ledger: ledger.clone(),
            _owned: owned,
        }
    }

    /// Reads and checks all words.
    pub(crate) fn read(&self) {
        assert!(
            self.words.iter().all(|word| *word == Self::WORD),
            "a resource in use was dropped"
        );
    }
}

impl<T> Drop for Resource<T> {
    fn drop(&mut self) {
        self.words.fill(0);
        self.ledger.dropped.fetch_add(1, Relaxed);
        self.ledger.live[self.device].fetch_sub(1, Relaxed);
    }
}

/// The number of events of each kind.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) bindings: AtomicU64,
    pub(crate) maps: AtomicU64,
    pub(crate) accesses: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) tries: AtomicU64,
    pub(crate) tries_in_vain: AtomicU64,
    pub(crate) revocations: AtomicU64,
    pub(crate) frees: AtomicU64,
}

impl Counts {
    /// Prints the counts. Fails if an event never happened, as it was not tested then.
    pub(crate) fn report(&self) {
        for (what, count) in [
            ("bindings", &self.bindings),
            ("maps", &self.maps),
            ("accesses", &self.accesses),
            ("accesses refused", &self.refused),
            ("tries", &self.tries),
            ("tries in vain", &self.tries_in_vain),
            ("revocations", &self.revocations),
            ("frees", &self.frees),
        ] {
            let count = count.load(Relaxed);
            println!("{count:>10} {what}");
            assert!(count > 0, "no {what}");
        }
    }
}

/// Counts one event.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

/// Pseudorandom numbers, the same in each run.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Returns a number below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

/// The end of the test: the time is up and all bindings were made, or a thread has failed.
#[derive(Default)]
pub(crate) struct End(AtomicBool);

impl End {
    pub(crate) fn is_here(&self) -> bool {
        self.0.load(Relaxed)
    }

    /// Waits until the time is up, and all bindings were made, as [`SECONDS`] and [`BINDINGS`] say.
    pub(crate) fn wait(&self, counts: &Counts) {
        let time = Duration::from_secs(number(SECONDS).unwrap_or(1));
        let bindings = number(BINDINGS).unwrap_or(0);
        let begin = Instant::now();
        let mut reports = 1;

        while !self.is_here() {
            let made = counts.bindings.load(Relaxed);
            if begin.elapsed() >= time && made >= bindings {
                break;
            }
            if begin.elapsed() >= Duration::from_secs(REPORT * reports) {
                println!("{made:>10} bindings of {bindings}, {} s", REPORT * reports);
                reports += 1;
            }
            thread::sleep(Duration::from_millis(10));
        }
        self.0.store(true, Relaxed);
    }

    /// Ends the test if this thread panics before the result is dropped.
    pub(crate) fn if_this_fails(&self) -> impl Drop + '_ {
        struct IfThisFails<'a>(&'a End);

        impl Drop for IfThisFails<'_> {
            fn drop(&mut self) {
                if thread::panicking() {
                    self.0 .0.store(true, Relaxed);
                }
            }
        }

        IfThisFails(self)
    }
}
