// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Builds a kernel, and shows how far that is.

use super::{
    job::{self, Job},
    pattern::pattern,
    prepare::Prepared,
    progress::{seconds, Progress},
};
use anyhow::{bail, Context, Result};
use regex_lite::Regex;
use std::{fs, sync::LazyLock, thread, time::Instant};

/// Of what a build that fails says beside its steps, these many lines are printed, the last ones.
const MAX_ERRORS: usize = 80;

/// Builds the kernel, and prints how long that took.
pub(crate) fn run(kernel: &Prepared) -> Result<()> {
    let log = kernel.log("build");
    let image = kernel.image();

    // The first build takes many more steps than those after it.
    let again = image.exists();
    let count = kernel
        .work
        .join(if again { "steps.again" } else { "steps" });
    let expected = fs::read_to_string(&count)
        .ok()
        .and_then(|steps| steps.trim().parse().ok());

    let mut command = kernel.make.command(&kernel.work.join("out"))?;
    command
        .arg(format!("-j{}", thread::available_parallelism()?))
        .arg(kernel.make.arch.target());
    let begin = Instant::now();
    let mut progress = Progress::new("building", expected)?;
    let status = Job::start(&mut command, &log)?.read(|line| {
        match line.map(step) {
            Some(Some(file)) => progress.step(file),
            Some(None) => {}
            None => progress.tick(),
        }
        Ok(true)
    })?;
    let steps = progress.finish();

    if !status.success() {
        bail!(
            "the build failed after {}, see {}:\n\n{}",
            seconds(begin.elapsed()),
            log.display(),
            errors(&job::text(&log)?)
        );
    }
    fs::write(&count, format!("{steps}\n"))?;
    image
        .metadata()
        .context("the build went well, and there is no image")?;
    println!("build    {steps} steps, {}", seconds(begin.elapsed()));
    Ok(())
}

/// A step of `make`: `  CC      lib/kunit/test.o`, `  RUSTC L rust/core.o`.
static STEP: LazyLock<Regex> = pattern!(r"^  [A-Z0-9]{2,} (?:.* )?(\S+)\s*$");

/// The file that a line of `make` is about: the last word of a step.
fn step(line: &str) -> Option<&str> {
    Some(STEP.captures(line)?.get(1)?.as_str())
}

/// The last lines of a log that are not steps. There are few if nothing is wrong.
pub(crate) fn errors(log: &str) -> String {
    let lines: Vec<&str> = log.lines().filter(|line| step(line).is_none()).collect();
    lines[lines.len().saturating_sub(MAX_ERRORS)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_counted() {
        assert_eq!(step("  CC      lib/kunit/test.o"), Some("lib/kunit/test.o"));
        assert_eq!(step("  RUSTC L rust/core.o"), Some("rust/core.o"));
        assert_eq!(step("  XZKERN  arch/x86/boot/a"), Some("arch/x86/boot/a"));
        assert_eq!(step("  VDSO2C  a"), Some("a"));
        for line in [
            "make[1]: Entering directory '/a'",
            "error[E0308]: mismatched types",
            "  --> rust/kernel/lib.rs:1",
            "  |",
            "  = note: expected",
            "  A b",
            "  CC",
            "",
        ] {
            assert_eq!(step(line), None, "{line}");
        }
    }

    #[test]
    fn errors_are_what_is_no_step() {
        let steps = "  CC      drivers/gpu/drm/drm_error.o\n".repeat(50);
        let error = "error[E0308]: mismatched types\n --> rust/kernel/lib.rs:1\n";
        let rest = "  |\n1 | x\n\nmake: *** [Makefile:248: __sub-make] Error 2";

        // Other processes begin steps meanwhile.
        let log = format!("{steps}{error}{steps}{rest}\n{steps}");
        assert_eq!(errors(&log), format!("{error}{rest}"));
        let many = "error: x\n".repeat(2 * MAX_ERRORS);
        assert_eq!(errors(&many).lines().count(), MAX_ERRORS);
        assert_eq!(errors(""), "");
    }
}
