// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Errors that accumulate, so that independent mistakes are reported together.

use quote::ToTokens;
use std::fmt::Display;
use syn::Error;

/// The errors found so far.
#[derive(Default)]
pub(crate) struct Errors(Option<Error>);

/// Proof that an error was reported. Stands where an error leaves something out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reported(());

impl Errors {
    /// Reports `message` on `tokens`.
    pub(crate) fn report(&mut self, tokens: impl ToTokens, message: impl Display) -> Reported {
        self.add(Error::new_spanned(tokens, message))
    }

    /// Reports an error that was made elsewhere.
    pub(crate) fn add(&mut self, error: Error) -> Reported {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            None => self.0 = Some(error),
        }

        Reported(())
    }

    /// Returns the proof if an error was reported.
    pub(crate) fn reported(&self) -> Option<Reported> {
        self.0.as_ref().map(|_| Reported(()))
    }

    /// The errors, combined; [`None`] if nothing was reported.
    pub(crate) fn into_error(self) -> Option<Error> {
        self.0
    }
}
