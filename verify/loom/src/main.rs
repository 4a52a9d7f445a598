// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The protocol under the model checker. Its sources run in every order that the memory model
//! allows, up to the printed number of preemptions. Then the mutants run, and each has to be
//! caught. A mutant is a copy of the sources that is broken in one way.
//!
//! Usage: `cargo test --package devres-lazy-loom [-- NAME..]`, where each `NAME` is a part of the
//! names of properties or mutants.

#![allow(
    clippy::duplicate_mod,
    reason = "each mutant is compiled with its own properties"
)]

extern crate pinned_init as pin_init;

mod check;
mod kernel;

pub(crate) use kernel::{bindings, cell, device, prelude, str, sync};

use anyhow::{bail, Context, Result};
use std::{env, process::Command, sync::atomic::Ordering::SeqCst, time::Instant};

include!(concat!(env!("OUT_DIR"), "/variants.rs"));

/// The name of a property, and the function that runs it.
type Property = (&'static str, fn());

/// The first argument of the processes that this program starts.
const ONE: &str = "--one";

/// Runs one property on one variant, and prints the number of orders.
fn one(variant: &str, property: &str) -> Result<()> {
    let (_, run) = properties(variant)
        .context("there is no such variant")?
        .iter()
        .find(|(name, _)| *name == property)
        .context("there is no such property")?;
    run();

    let preemptions = match check::PREEMPTIONS.load(SeqCst) {
        usize::MAX => "any number of".to_owned(),
        number => format!("up to {number}"),
    };
    println!(
        "{} orders, {preemptions} preemptions",
        check::ORDERS.load(SeqCst)
    );
    Ok(())
}

/// Runs one property on one variant in a separate process. The inner [`Err`] has the first line of
/// the fault that was found.
fn apart(variant: &str, property: &str) -> Result<Result<String, String>> {
    let output = Command::new(env::current_exe()?)
        .args([ONE, variant, property])
        .output()?;
    if output.status.success() {
        let text = String::from_utf8_lossy(&output.stdout);
        return Ok(Ok(text.trim().to_owned()));
    }

    let text = String::from_utf8_lossy(&output.stderr);
    let mut lines = text
        .lines()
        .skip_while(|line| !line.contains("panicked at"));
    let found = match (lines.nth(1), output.status.code()) {
        (Some(what), _) => what.trim().to_owned(),
        // The process was killed by a signal.
        (None, None) => output.status.to_string(),
        (None, Some(_)) => bail!("{variant}, {property}: {text}"),
    };
    Ok(Err(found))
}

fn main() -> Result<()> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    if let [first, variant, property] = &arguments[..] {
        if first == ONE {
            return one(variant, property);
        }
    }
    let wanted = arguments
        .iter()
        .filter(|argument| !argument.starts_with('-'));
    let is_all = wanted.clone().next().is_none();
    let is_wanted = |name: &str| is_all || wanted.clone().any(|part| name.contains(part.as_str()));

    let mut wrong = 0;
    for (property, _) in sound::properties::ALL {
        if !is_wanted(property) {
            continue;
        }
        let begin = Instant::now();
        match apart("sound", property)? {
            Ok(orders) => println!("holds   {property}: {orders}, {:.1?}", begin.elapsed()),
            Err(what) => {
                println!("FAILS   {property}: {what}");
                wrong += 1;
            }
        }
    }

    for (mutant, property) in MUTANTS {
        if !is_wanted(mutant) {
            continue;
        }
        match apart(mutant, property)? {
            Err(what) => println!("caught  {mutant} by {property}: {what}"),
            Ok(orders) => {
                println!("MISSED  {mutant} by {property}: {orders}");
                wrong += 1;
            }
        }
    }

    if wrong > 0 {
        bail!("{wrong} of the above are not as they have to be");
    }
    Ok(())
}
