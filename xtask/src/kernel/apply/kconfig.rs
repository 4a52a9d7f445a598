// SPDX-License-Identifier: Apache-2.0 OR MIT

//! New options in a `Kconfig`.

use anyhow::{
    ensure,
    Context,
    Result, //
};

/// Adds an option, which must not be there yet, in front of another one.
pub(super) fn add(mut text: String, entry: &str, in_front_of: &str) -> Result<String> {
    let first = entry.lines().next().unwrap_or_default();
    let option = first.strip_prefix("config ").context("not an option")?;
    ensure!(at(&text, option).is_none(), "there is `{option}` already");
    let at = at(&text, in_front_of)
        .with_context(|| format!("there is no option `{in_front_of}` to stand in front of"))?;
    text.insert_str(at, entry);

    Ok(text)
}

/// Where an option begins.
fn at(text: &str, option: &str) -> Option<usize> {
    let line = format!("config {option}\n");
    if text.starts_with(&line) {
        return Some(0);
    }

    text.find(&format!("\n{line}")).map(|before| before + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "config A\n\tbool \"A\"\n\nconfig AB\n\tbool \"AB\"\n";
    const NEW: &str = "config NEW\n\tbool \"New\"\n\n";

    #[test]
    fn options_are_found_by_their_whole_name() {
        let add = |in_front_of| add(TEXT.to_owned(), NEW, in_front_of);

        assert_eq!(add("A").unwrap(), format!("{NEW}{TEXT}"));
        let (before, after) = TEXT.split_at(TEXT.find("config AB").unwrap());
        assert_eq!(add("AB").unwrap(), format!("{before}{NEW}{after}"));
        assert_eq!(
            add("B").unwrap_err().to_string(),
            "there is no option `B` to stand in front of"
        );
    }

    #[test]
    fn an_option_is_added_once() {
        let once = add(TEXT.to_owned(), NEW, "A").unwrap();
        let error = add(once, NEW, "A").unwrap_err();

        assert_eq!(error.to_string(), "there is `NEW` already");
    }
}
