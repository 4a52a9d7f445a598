// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Errors that accumulate, so that independent mistakes are reported together.

use quote::ToTokens;
use std::fmt::Display;
use syn::Error;

/// The errors found so far.
#[derive(Default)]
pub(crate) struct Errors(Option<Error>);

/// Proof that an error was reported.
#[derive(Clone, Copy)]
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

    /// Whether nothing was reported.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The errors, combined; [`None`] if nothing was reported.
    pub(crate) fn into_error(self) -> Option<Error> {
        self.0
    }
}
