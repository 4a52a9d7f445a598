// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `rust/kernel/devres.rs`: `register()` takes the slots' place before it adds a registration.

use super::source::Source;
use anyhow::{ensure, Context, Result};
use quote::ToTokens;
use syn::ItemFn;

/// Documentation that is added in front of the examples.
const DOCS: &str = "\
/// The first call in a binding also gives the slots of `dev` their place, as [`prepare()`] does. At
/// unbind `data` is dropped first, and its drop waits for its callbacks. So a callback may keep
/// what an accessor returned until the callback returns. The first call allocates the registry of
/// the slots and its devres node, also for a driver that has no slots.
///
/// A devres group that is released before unbind must not contain the first call: all slots of
/// `dev` would be revoked with the group. Call [`prepare()`] before the group is opened.
///
/// # Errors
///
/// [`ENOMEM`], or the error of `data`. Nothing is registered then.
///
/// While unbind is under way, the call succeeds as it does without slots. A device whose slots have
/// no place yet gets none then, and a first access fails with [`ENXIO`].
///
";

/// The call, as the function's first statement.
const CALL: &str = "    place::take(dev)?;\n\n";

/// The line that the documentation stands in front of.
const EXAMPLES: &str = "/// # Examples\n";

/// Edits the function.
pub(super) fn take_place(text: &str) -> Result<String> {
    let source = Source::parse(text)?;
    let function = source.free_function("register")?;
    ensure!(
        adds_action(function),
        "`register()` does not make a box and register it"
    );

    let first = function
        .block
        .stmts
        .first()
        .map(|stmt| source.lines_of(stmt).start)
        .context("`register()` is empty")?;
    let lines = source.lines_of(function);
    let examples = source
        .text(lines.clone())
        .find(EXAMPLES)
        .map(|at| lines.start + at)
        .context("the documentation of `register()` has no examples")?;
    source.insert(examples, DOCS);
    source.insert(first, CALL);

    Ok(source.finish())
}

/// Whether the function does what the call is to come before, and nothing else.
fn adds_action(function: &ItemFn) -> bool {
    let body = function.block.to_token_stream().to_string();
    let expected =
        "{ let data = KBox :: pin_init (data , flags) ? ; register_foreign (dev , data) }";

    body == expected
}

/// The function as a tree has it, in short.
#[cfg(test)]
pub(super) const REGISTER: &str = "\
/// Encapsulates.
///
/// # Examples
///
/// ```
/// ```
pub fn register<T, E>(dev: &Device<Bound>, data: impl PinInit<T, E>, flags: Flags) -> Result
where
    T: Send + 'static,
{
    let data = KBox::pin_init(data, flags)?;

    register_foreign(dev, data)
}
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_call_comes_first() {
        let text = take_place(REGISTER).unwrap();

        assert!(text.contains(
            "{\n    place::take(dev)?;\n\n    let data = KBox::pin_init(data, flags)?;\n\n    \
             register_foreign(dev, data)\n}\n"
        ));
        assert!(
            text.contains("with [`ENXIO`].\n///\n/// # Examples\n"),
            "{text}"
        );
        assert!(text.starts_with("/// Encapsulates.\n///\n/// The first call"));
    }

    #[test]
    fn another_function_is_refused() {
        for (from, to) in [
            ("fn register", "fn registers"),
            ("flags)?;", "flags)?;\n    note(&data);"),
            ("# Examples", "# Example"),
        ] {
            assert!(take_place(&REGISTER.replace(from, to)).is_err(), "{to}");
        }
        // It is edited once.
        let text = take_place(REGISTER).unwrap();
        assert!(take_place(&text).is_err());
    }
}
