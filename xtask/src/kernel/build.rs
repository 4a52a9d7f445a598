// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Builds a kernel, and shows how far that is.

use super::{
    job::{
        Job,
        Next, //
    },
    prepare::Prepared,
    progress::{
        seconds,
        Progress, //
    },
};
use anyhow::{
    bail,
    Context,
    Result, //
};
use std::{
    fs, thread,
    time::{
        Duration,
        Instant, //
    },
};

/// Of the errors of a build that fails, these many lines are printed.
const MAX_ERRORS: usize = 80;

/// Lines around an error that belong to it.
const BEFORE: usize = 2;
const AFTER: usize = 12;

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
        .arg("bzImage");
    let begin = Instant::now();
    let mut job = Job::start(&mut command, &log)?;
    let mut progress = Progress::new("building", expected)?;
    let status = loop {
        match job.next(Duration::from_millis(250))? {
            Next::Line(line) => {
                if let Some(file) = step(&line) {
                    progress.step(file);
                }
            }
            Next::Silence => progress.tick(),
            Next::End(status) => break status,
        }
    };
    let steps = progress.finish();

    if !status.success() {
        let text = fs::read(&log)?;
        let text = String::from_utf8_lossy(&text);
        bail!(
            "the build failed after {}, see {}:\n\n{}",
            seconds(begin.elapsed()),
            log.display(),
            errors(&text)
        );
    }
    fs::write(&count, format!("{steps}\n"))?;
    image
        .metadata()
        .context("the build went well, and there is no image")?;
    println!("build    {steps} steps, {}", seconds(begin.elapsed()));
    Ok(())
}

/// The file that a line of `make` is about: `  CC      lib/kunit/test.o`, `  RUSTC L rust/core.o`.
fn step(line: &str) -> Option<&str> {
    let line = line.strip_prefix("  ")?;
    let tag = line.split(' ').next()?;
    let is_tag = tag.len() >= 2
        && tag
            .chars()
            .all(|char| char.is_ascii_uppercase() || char.is_ascii_digit());

    // A file is the last word, unless a command follows it.
    is_tag
        .then(|| line[tag.len()..].split_whitespace().last())
        .flatten()
}

/// The lines of a log that say what is wrong, with those around them.
pub(crate) fn errors(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    let mut shown = vec![false; lines.len()];

    for (index, line) in lines.iter().enumerate() {
        if is_error(line) {
            let begin = index.saturating_sub(BEFORE);
            let end = lines.len().min(index + AFTER + 1);
            // Steps that other processes have begun meanwhile are not part of it.
            for (shown, line) in shown[begin..end].iter_mut().zip(&lines[begin..end]) {
                *shown = *shown || step(line).is_none();
            }
        }
    }

    let errors: Vec<&str> = lines
        .iter()
        .zip(shown)
        .filter_map(|(line, shown)| shown.then_some(*line))
        .collect();
    let last = match errors.len() {
        // Something else went wrong, such as a full disk.
        0 => &lines[lines.len().saturating_sub(20)..],
        len => &errors[len.saturating_sub(MAX_ERRORS)..],
    };
    last.join("\n")
}

/// Whether a line is the first one of an error.
fn is_error(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    let word = line.match_indices("error").any(|(at, word)| {
        // `error:`, `error[E0308]:`, `make[3]: *** [..] Error 1`; not `errors.o`, `drm_error.c`.
        let before = line[..at].chars().last();
        let after = line[at + word.len()..].chars().next();
        before.is_none_or(|char| char.is_whitespace())
            && after.is_none_or(|char| [':', '[', ' '].contains(&char))
    });

    step(&line).is_none() && (word || line.contains("undefined symbol") || line.contains("*** "))
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
    fn errors_are_told_from_names() {
        for line in [
            "error: cannot find macro `new_lazy` in this scope",
            "error[E0308]: mismatched types",
            "lib/a.c:10:3: error: expected ';'",
            "ld.lld: error: undefined symbol: rust_helper_a",
            "make[3]: *** [scripts/Makefile.build:290: lib/a.o] Error 1",
        ] {
            assert!(is_error(line), "{line}");
        }
        for line in [
            "  CC      drivers/gpu/drm/drm_error.o",
            "  CC      lib/errors.o",
            "lib/errname.c: In function `errname`",
            "no errors here",
        ] {
            assert!(!is_error(line), "{line}");
        }
    }

    #[test]
    fn errors_come_with_what_is_around_them() {
        let log = "  CC      a.o\n  RUSTC L rust/kernel.o\nerror[E0308]: mismatched types\n \
                   --> rust/kernel/lib.rs:1\n  CC      b.o\n  |\n1 | x\n\n"
            .to_owned()
            + &"  CC      c.o\n".repeat(50)
            + "make: *** [Makefile:248: __sub-make] Error 2\n";

        assert_eq!(
            errors(&log),
            "error[E0308]: mismatched types\n --> rust/kernel/lib.rs:1\n  |\n1 | x\n\n\
             make: *** [Makefile:248: __sub-make] Error 2"
        );
        assert_eq!(errors("a\nb\n"), "a\nb");
        assert_eq!(errors(""), "");
    }
}
