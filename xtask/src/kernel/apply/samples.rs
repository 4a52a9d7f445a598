// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `samples/rust/`: the sample driver, as an option and as a target.

use super::kconfig;
use anyhow::{
    ensure,
    Context,
    Result, //
};

const OPTION: &str = "SAMPLE_RUST_DEVRES_LAZY";

/// The last one, which is of another kind: new drivers stand in front of it.
const LAST: &str = "SAMPLE_RUST_HOSTPROGS";

/// What is added to `Kconfig`.
const ENTRY: &str = "\
config SAMPLE_RUST_DEVRES_LAZY
	tristate \"Lazily mapped device resources\"
	depends on DRM=y && MMU
	depends on PCI
	select RUST_DRM_GEM_SHMEM_HELPER
	help
	  This option builds the Rust sample of device resources that are
	  mapped on first use.

	  To compile this as a module, choose M here:
	  the module will be called rust_devres_lazy.

	  If unsure, say N.

";

/// What is added to `Makefile`.
const TARGET: &str = "obj-$(CONFIG_SAMPLE_RUST_DEVRES_LAZY)\t\t+= rust_devres_lazy.o\n";

/// `samples/rust/Kconfig`: one more option.
pub(crate) fn kconfig(text: String) -> Result<String> {
    kconfig::add(text, ENTRY, LAST)
}

/// `samples/rust/Makefile`: one more target.
pub(crate) fn makefile(mut text: String) -> Result<String> {
    ensure!(!text.contains(OPTION), "there is `{OPTION}` already");
    let (at, line) = lines(&text)
        .filter(|(_, line)| line.starts_with("obj-$(CONFIG_SAMPLE_RUST_") && line.ends_with('\n'))
        .last()
        .context("there is no line `obj-$(CONFIG_SAMPLE_RUST_..)` to stand behind")?;
    let behind = at + line.len();

    text.insert_str(behind, TARGET);

    Ok(text)
}

/// The lines of a text with their ends, and where they begin.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split_inclusive('\n').scan(0, |next, line| {
        let at = *next;
        *next += line.len();
        Some((at, line))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KCONFIG: &str = "\
config SAMPLE_RUST_SOC
\ttristate \"SoC\"

config SAMPLE_RUST_HOSTPROGS
\tbool \"Host programs\"
";

    const MAKEFILE: &str = "\
# A comment.

obj-$(CONFIG_SAMPLE_RUST_PRINT)\t\t+= rust_print.o
obj-$(CONFIG_SAMPLE_RUST_SOC)\t\t+= rust_soc.o

rust_print-y := rust_print_main.o
";

    #[test]
    fn the_option_comes_before_the_last_one() {
        let text = kconfig(KCONFIG.to_owned()).unwrap();
        let (before, after) = KCONFIG.split_at(KCONFIG.find("config SAMPLE_RUST_HOST").unwrap());

        assert_eq!(text, format!("{before}{ENTRY}{after}"));
        assert!(ENTRY.starts_with(&format!("config {OPTION}\n")));
    }

    #[test]
    fn the_target_comes_behind_the_others() {
        let text = makefile(MAKEFILE.to_owned()).unwrap();
        let (before, after) = MAKEFILE.split_at(MAKEFILE.find("\nrust_print-y").unwrap());

        assert_eq!(text, format!("{before}{TARGET}{after}"));
        assert!(TARGET.contains(OPTION));
    }

    #[test]
    fn what_is_not_expected_is_said() {
        let error = |result: Result<String>| result.unwrap_err().to_string();

        assert_eq!(
            error(kconfig("config SAMPLE_RUST_SOC\n".to_owned())),
            "there is no option `SAMPLE_RUST_HOSTPROGS` to stand in front of"
        );
        assert_eq!(
            error(makefile("obj-y += x.o\n".to_owned())),
            "there is no line `obj-$(CONFIG_SAMPLE_RUST_..)` to stand behind"
        );
        for again in [
            kconfig(KCONFIG.to_owned()).and_then(kconfig),
            makefile(MAKEFILE.to_owned()).and_then(makefile),
        ] {
            assert_eq!(error(again), "there is `SAMPLE_RUST_DEVRES_LAZY` already");
        }
    }
}
