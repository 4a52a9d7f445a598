// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Builds a candidate, and boots it: once to be timed, and once to be traced.

use super::{
    candidate::Candidate,
    code::Code,
    rows::Rows,
    trace::{self, PerAccess, Trace},
};
use crate::kernel::{
    boot::Boot,
    build,
    cache::Cache,
    flavour::{Flavour, Variant},
    hardware::{Accelerator, Hardware},
    prepare::{prepare, Prepared, Request},
    tree::Version,
};
use anyhow::{ensure, Context, Result};
use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use xshell::Shell;

/// How long a boot may take, at most.
const LIMIT: Duration = Duration::from_secs(60 * 60);

/// Grace periods as a system has them that is up: while it boots they are short.
const NORMAL: &str = "rcupdate.rcu_normal=1";

/// For one test, in seconds. KUnit gives five minutes otherwise.
const TIMEOUT: &str = "kunit.timeout=3600";

/// How to measure.
pub(super) struct How<'a> {
    /// Where, if not in Debian's tree.
    pub(super) linux: Option<&'a Path>,
    /// For the boot that is timed.
    pub(super) hardware: Hardware,
    pub(super) is_quick: bool,
}

/// Everything that was seen of a candidate.
pub(super) struct Measured {
    pub(super) rows: Rows,
    pub(super) traced: Rows,
    pub(super) trace: Trace,
    pub(super) out_of_line: Access,
    pub(super) in_loop: Access,
    /// How often `synchronize_rcu()` was called in each of the traced sections of unbind.
    pub(super) synchronize: u64,
    pub(super) linux: Version,
    pub(super) clang: Version,
}

/// The code that one access executes.
pub(super) struct Access {
    pub(super) instructions: u64,
    /// Whether there is a call of the accessor in it.
    pub(super) calls_accessor: bool,
    pub(super) listing: Vec<String>,
}

/// A kernel.
struct Kernel {
    prepared: Prepared,
    image: PathBuf,
}

/// Builds and boots one candidate, twice, and reads what it has measured.
pub(super) fn measure(
    shell: &Shell,
    cache: &Cache,
    how: &How<'_>,
    candidate: &Candidate,
) -> Result<Measured> {
    let kernel = build(shell, cache, how.linux, candidate)?;
    let suite = if how.is_quick {
        "rust_lazy_bench_quick"
    } else {
        "rust_lazy_bench"
    };
    let console = |name: &str| cache.path(&format!("logs/bench-{}-{name}.log", candidate.file));

    println!("running  {suite}\n");
    let rows = boot(&kernel, suite, &how.hardware, &[], &[], &console("console"))?;

    let vmlinux = kernel.prepared.work.join("out/vmlinux");
    let llvm = &kernel.prepared.make.llvm;
    let code = Code::of(shell, &llvm.suffix, &vmlinux)?;
    let log = kernel.prepared.work.join("trace.log");
    let suite = "rust_lazy_bench_traced";
    println!("\nrunning  {suite}, and writing down what is executed\n");
    let traced = boot(
        &kernel,
        suite,
        &Hardware {
            accel: Accelerator::Stepped,
            ..how.hardware
        },
        &trace::arguments(&code, &log),
        // Where `vmlinux` says that it is.
        &["nokaslr"],
        &console("console-traced"),
    )?;
    let trace = Trace::read(&log, &code, &traced)?;
    fs::remove_file(&log)?;
    println!();

    let nothing = trace.per_access("nothing")?;
    Ok(Measured {
        out_of_line: access(&code, trace.per_access("out_of_line")?, 0)?,
        in_loop: access(&code, trace.per_access("in_loop")?, nothing.instructions)?,
        synchronize: code.synchronize,
        linux: kernel.prepared.tree.version(),
        clang: llvm.version,
        rows,
        traced,
        trace,
    })
}

/// Returns the code of an access, counted without `nothing` instructions of the loop around it.
fn access(code: &Code, traced: PerAccess, nothing: u64) -> Result<Access> {
    code.ensure_complete(&traced.addresses)?;
    Ok(Access {
        instructions: traced
            .instructions
            .checked_sub(nothing)
            .context("an access takes less than none")?,
        calls_accessor: code.accessors(&traced.addresses) > 1,
        listing: code.listing(&traced.addresses),
    })
}

fn build(
    shell: &Shell,
    cache: &Cache,
    linux: Option<&Path>,
    candidate: &Candidate,
) -> Result<Kernel> {
    println!("\n== {}", candidate.title.replace('`', ""));
    let variant = Variant::Fast;
    let logs = format!("bench-{}", candidate.file);
    let prepared = prepare(
        shell,
        cache,
        &Request {
            work: variant.name(),
            logs: &logs,
            flavour: Flavour {
                bench: Some(candidate.file),
                ..Flavour::new(variant, candidate.object)
            },
            linux,
        },
    )?;
    build::run(&prepared)?;
    let image = prepared.image();

    Ok(Kernel { prepared, image })
}

/// Boots into a suite, which has to pass, and returns what it has measured.
fn boot(
    kernel: &Kernel,
    suite: &str,
    hardware: &Hardware,
    qemu: &[OsString],
    arguments: &[&str],
    log: &Path,
) -> Result<Rows> {
    let results = Boot {
        image: &kernel.image,
        hardware,
        qemu,
        kernel: &[&[NORMAL, TIMEOUT], arguments].concat(),
        filter: suite,
        leaks: None,
        limit: LIMIT,
        verbose: true,
        log,
    }
    .run()?;
    ensure!(
        results.held(),
        "the kernel has not measured to the end, see {}",
        log.display()
    );
    Rows::of(&results).with_context(|| log.display().to_string())
}
