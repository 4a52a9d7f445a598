// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `#[kunit_tests]`: each test of the module runs under the harness of Rust, as the test of a suite.

use proc_macro2::{Span, TokenStream};
use quote::{quote, ToTokens};
use syn::{parse_quote, Error, Ident, Item, ItemFn, ItemMod, LitStr, Result};

/// The longest name of a suite: `KUNIT_SUITE_NAME` less the NUL.
const LONGEST: usize = 255;

pub(crate) fn expand(args: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let suite: Ident = syn::parse2(args).map_err(|error| {
        Error::new(
            error.span(),
            "expected the name of the suite: `#[kunit_tests(name)]`",
        )
    })?;
    let suite = LitStr::new(&suite.to_string(), suite.span());
    if suite.value().len() > LONGEST {
        let message = format!("the name of a suite has up to {LONGEST} characters");
        return Err(Error::new(suite.span(), message));
    }

    let mut module: ItemMod = syn::parse2(item)?;
    let Some((_, items)) = &mut module.content else {
        let message = "the tests have to be in the module's body: `mod tests { .. }`";
        return Err(Error::new(module.ident.span(), message));
    };
    for item in items {
        if let Item::Fn(function) = item {
            if is_test(function) {
                as_test(function, &suite)?;
            }
        }
    }

    Ok(quote!(#[cfg(test)] #module))
}

fn is_test(function: &ItemFn) -> bool {
    function
        .attrs
        .iter()
        .any(|attr| attr.path().is_ident("test"))
}

/// Hands the function to what runs the tests of suites.
fn as_test(function: &mut ItemFn, suite: &LitStr) -> Result<()> {
    if let Some(argument) = function.sig.inputs.first() {
        let message = "a test has no arguments";
        return Err(Error::new_spanned(argument, message));
    }

    let name = LitStr::new(&function.sig.ident.to_string(), Span::call_site());
    let output = std::mem::replace(&mut function.sig.output, syn::ReturnType::Default);
    let body = function.block.to_token_stream();
    *function.block = parse_quote!({
        fn body() #output #body
        ::kernel::kunit::run(#suite, #name, body);
    });
    Ok(())
}
