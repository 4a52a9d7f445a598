// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Builds a candidate, and boots it: once to be timed, and once to be traced.

use super::{candidate::Candidate, code::Code, results::Outcome, rows, trace::Trace, Options};
use crate::{
    kernel::{
        boot::Boot,
        build,
        cache::Cache,
        flavour::{Flavour, Variant},
        hardware::{Accelerator, Hardware},
        prepare::{prepare, Prepared, Request},
    },
    report::{accesses::without_loop, rows::Rows},
};
use anyhow::{ensure, Context, Result};
use std::{
    ffi::OsString,
    fs::{self, File},
    io::BufReader,
    path::Path,
    time::Duration,
};
use xshell::Shell;

/// How long a boot may take, at most.
const LIMIT: Duration = Duration::from_secs(60 * 60);

/// Grace periods as a system has them that is up: while it boots they are short.
const NORMAL: &str = "rcupdate.rcu_normal=1";

/// For one test, in seconds. KUnit gives five minutes otherwise.
const TIMEOUT: &str = "kunit.timeout=3600";

/// Builds and boots one candidate, twice, and reads what it has measured.
pub(super) fn measure(
    shell: &Shell,
    cache: &Cache,
    options: &Options,
    candidate: &'static Candidate,
) -> Result<Outcome> {
    println!("\n== {}", candidate.title.replace('`', ""));
    let hardware = options.hardware;
    let flavour = Flavour {
        arch: hardware.arch,
        bench: Some(candidate.file),
        ..Flavour::new(Variant::Fast, candidate.object)
    };
    let kernel = prepare(
        shell,
        cache,
        &Request {
            work: &flavour.work(),
            logs: &format!("bench-{}{}", candidate.file, hardware.arch.suffix()),
            flavour,
            linux: options.source.linux.as_deref(),
        },
    )?;
    build::run(&kernel)?;

    let suite = match options.quick {
        true => "rust_lazy_bench_quick",
        false => "rust_lazy_bench",
    };
    println!("running  {suite}\n");
    let rows = boot(&kernel, suite, &hardware, None)?;

    let llvm = &kernel.make.llvm;
    let mut outcome = Outcome {
        candidate,
        rows,
        listing: Vec::new(),
        linux: kernel.tree.version(),
        clang: llvm.version,
    };
    if hardware.arch.emulator().is_none() {
        return Ok(outcome);
    }

    let code = Code::of(shell, &llvm.suffix, &kernel.work.join("out/vmlinux"))?;
    let log = kernel.work.join("trace.log");
    let suite = "rust_lazy_bench_traced";
    println!("\nrunning  {suite}, and writing down what is executed\n");
    let stepped = Hardware {
        accel: Accelerator::Stepped,
        ..hardware
    };
    let announced = boot(&kernel, suite, &stepped, Some((&code, &log)))?;
    let file = File::open(&log).with_context(|| log.display().to_string())?;
    let trace = Trace::read(BufReader::new(file), code.mark, &announced)?;
    fs::remove_file(&log)?;
    println!();

    let rows = &mut outcome.rows;
    for (section, calls) in trace.calls("unbind,", code.synchronize) {
        rows.push(format!("calls,synchronize_rcu,{section}"), calls as f64);
    }
    let (nothing, _) = trace.per_access("nothing")?;
    let mut access = |shape, nothing| -> Result<Vec<u64>> {
        let (instructions, addresses) = trace.per_access(shape)?;
        code.ensure_complete(&addresses)?;
        let instructions = without_loop(instructions, nothing)?;
        let calls = u32::from(code.calls_accessor(&addresses));
        rows.push(
            format!("instructions,access,{shape},1"),
            instructions as f64,
        );
        rows.push(format!("calls,accessor,{shape},1"), calls.into());
        Ok(addresses)
    };
    outcome.listing = code.listing(&access("out_of_line", 0)?);
    access("in_loop", nothing)?;
    Ok(outcome)
}

/// Boots into a suite, which has to pass, and returns what it has measured. QEMU writes down what
/// is executed of some code, if there is a log for that.
fn boot(
    kernel: &Prepared,
    suite: &str,
    hardware: &Hardware,
    traced: Option<(&Code, &Path)>,
) -> Result<Rows> {
    let mut arguments = vec![NORMAL, TIMEOUT];
    let mut qemu: Vec<OsString> = Vec::new();
    let mut console = kernel.log("console");
    if let Some((code, log)) = traced {
        // Where `vmlinux` says that it is.
        arguments.push("nokaslr");
        // One CPU, so that there is one order.
        qemu.extend(["-smp", "1", "-d", "exec,nochain", "-dfilter"].map(OsString::from));
        qemu.extend([code.filter().into(), "-D".into(), log.into()]);
        console = kernel.log("console-traced");
    }

    let results = Boot {
        image: &kernel.image(),
        hardware,
        qemu: &qemu,
        kernel: &arguments,
        filter: suite,
        leaks: None,
        limit: LIMIT,
        verbose: true,
        log: &console,
    }
    .run()?;
    ensure!(
        results.held(),
        "the kernel has not measured to the end, see {}",
        console.display()
    );
    let tests = results.suites.iter().flat_map(|suite| &suite.parts);
    let lines = tests.flat_map(|test| &test.notes).map(String::as_str);
    rows::read(lines).with_context(|| console.display().to_string())
}
