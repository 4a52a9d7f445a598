// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The reports of the kernel on its console, beside the results of tests.
//!
//! A report begins with a line that matches a pattern, and ends where the next one begins.
//!
//! A test announces a report by marks: `# expect-splat: "<what it contains>"` before, and
//! `# end-expect-splat: "<the same>"` after it. The run fails on an end alone.

use super::pattern::pattern;
use regex_lite::Regex;
use std::sync::LazyLock;

#[derive(Clone, Debug)]
pub(crate) struct Splat {
    /// The line that says what it is.
    pub(crate) title: String,
    pub(crate) lines: Vec<String>,
    pub(crate) verdict: Verdict,
}

/// The effect of a report on the run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Verdict {
    /// It fails.
    Unexpected,
    /// Nothing: the test has announced it.
    Expected,
    /// The run fails, because this was announced, and did not come.
    Absent,
    /// Nothing: the tree's own test provokes it.
    Allowed,
}

impl Splat {
    /// Whether it makes the run fail.
    pub(crate) fn fails(&self) -> bool {
        matches!(self.verdict, Verdict::Unexpected | Verdict::Absent)
    }

    /// Whether a line of it contains this.
    pub(crate) fn contains(&self, text: &str) -> bool {
        self.lines.iter().any(|line| line.contains(text))
    }
}

/// Reports of the tree's own tests: a suite, and the text that the report contains.
const ALLOWED: [(&str, &str); 6] = [
    // One test registers a connector that was not initialised, to see it refused.
    (
        "drm_connector_dynamic_register_early",
        " at drm_connector_dynamic_register+",
    ),
    (
        "drm_connector_dynamic_register",
        " at drm_connector_dynamic_register+",
    ),
    // Two tests pass a framebuffer without format, or of another device, to see it refused.
    ("drm_framebuffer", " at drm_framebuffer_init+"),
    // The framebuffer of `drm_test_framebuffer_free` has a list that was not initialised.
    (
        "drm_framebuffer",
        "drm_WARN_ON(!list_empty(&fb->filp_head))",
    ),
    // The tests commit a state that they have checked, and committing checks it again.
    (
        "drm_atomic_helper_connector_hdmi_infoframes",
        "drm_WARN_ON(state->checked)",
    ),
    // The mock device does not say how long a segment may be, and 64 KiB is what it then means.
    (
        "drm_gem_shmem",
        "mapping sg segment longer than device claims to support",
    ),
];

/// The kind of line that a report begins with.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Start {
    /// [`CUT_HERE`], then a line or two that say what it is.
    CutHere,
    /// Always a report of its own, except after [`Start::CutHere`].
    Report,
    /// Part of the report that it comes in, if there is one.
    Detail,
}

const CUT_HERE: &str = "[ cut here ]";

/// Reports of their own. Dropped messages may have been reports. `DEBUG: ` is not `BUG: `.
static REPORT: LazyLock<Regex> = pattern!(
    r"\b(BUG: |WARNING: |KASAN: |KFENCE: |INFO: possible |INFO: trying to register non-static key"
    r"|INFO: rcu_|rcu: INFO: |INFO: task .* blocked |unreferenced object |suspected memory leaks"
    r"|printk messages dropped)"
);

/// Lines of reports, which may be all there is of one.
static DETAIL: LazyLock<Regex> = pattern!(
    r"\b(possible recursive locking|circular locking|suspicious RCU usage|sleeping function called"
    r"|Oops: |general protection fault|kernel BUG at |UBSAN: |DMA-API: |refcount_t: "
    r"|Kernel panic - |Unable to handle kernel |rust_kernel: panicked at )"
);

/// Messages that are not reports.
static HARMLESS: LazyLock<Regex> = pattern!(
    r"\bDMA-API: (preallocated |debugging enabled by kernel config|dma_debug_entry pool grown to )"
);

/// The end of the call trace: a report that begins after it is another one.
static TRACE_END: LazyLock<Regex> = pattern!(r"</TASK>|---\[ end trace");

/// The last line of an oops, after its call trace.
static FATAL: LazyLock<Regex> = pattern!(r"Kernel panic - not syncing: (Oops: )?Fatal exception");

/// A mark: whether it is an end, and its text.
static MARK: LazyLock<Regex> = pattern!(r##"# (end-)?expect-splat: "([^"]*)""##);

/// Reports are cut off after so many lines: what follows one may not be part of it.
const MAX_LINES: usize = 100;

/// The kind of report that begins with this line, if one does.
fn start(text: &str) -> Option<Start> {
    if text.contains(CUT_HERE) {
        Some(Start::CutHere)
    } else if HARMLESS.is_match(text) {
        None
    } else if REPORT.is_match(text) {
        Some(Start::Report)
    } else {
        DETAIL.is_match(text).then_some(Start::Detail)
    }
}

/// Returns the reports in lines without timestamps, which a test of this suite has printed until
/// its end.
pub(crate) fn find<'a>(suite: &str, lines: impl IntoIterator<Item = &'a String>) -> Vec<Splat> {
    let mut search = Search::default();
    for line in lines {
        search.line(line);
    }
    search.end_announced();

    for splat in &mut search.found {
        let is_allowed = |&(of, text): &(&str, &str)| of == suite && splat.contains(text);
        if splat.verdict == Verdict::Unexpected && ALLOWED.iter().any(is_allowed) {
            splat.verdict = Verdict::Allowed;
        }
    }
    search.found
}

#[derive(Default)]
struct Search {
    found: Vec<Splat>,
    /// How the last of them has begun, unless no more lines belong to it.
    open: Option<Start>,
    /// Whether its call trace is over.
    has_trace: bool,
    /// The text of the report that was announced, and how many there were before.
    announced: Option<(String, usize)>,
}

impl Search {
    fn line(&mut self, line: &str) {
        let Some(mark) = MARK.captures(line) else {
            self.text(line);
            return;
        };

        // Reports do not hide behind marks.
        let (before, after) = line.split_once(&mark[0]).unwrap_or_default();
        if start(before).is_some() {
            self.text(before);
        }
        self.open = None;
        let text = &mark[2];
        let was_announced = matches!(&self.announced, Some((it, _)) if it == text);
        self.end_announced();
        if mark.get(1).is_none() {
            self.announced = Some((text.to_owned(), self.found.len()));
        } else if !was_announced {
            self.absent(format!("ended, and not announced: {text}"));
        }
        if !after.is_empty() {
            self.line(after);
        }
    }

    /// Reads a line that is no mark.
    fn text(&mut self, text: &str) {
        if let Some(start) = start(text).filter(|start| self.is_new(*start, text)) {
            self.open = Some(start);
            self.has_trace = false;
            self.found.push(Splat {
                title: text.trim().to_owned(),
                lines: vec![text.to_owned()],
                verdict: Verdict::Unexpected,
            });
        } else if let (Some(_), Some(splat)) = (self.open, self.found.last_mut()) {
            if splat.lines.len() < MAX_LINES {
                splat.lines.push(text.to_owned());
            }
            // The message of a WARN() comes first, and says more than the place that follows.
            if splat.title.contains(CUT_HERE) && !text.trim().is_empty() {
                text.trim().clone_into(&mut splat.title);
            }
            self.has_trace |= TRACE_END.is_match(text);
        }
    }

    /// Whether this line begins another report than the one that is open.
    fn is_new(&self, start: Start, text: &str) -> bool {
        match (self.open, start) {
            (None, _) | (_, Start::CutHere) => true,
            _ if self.has_trace => !FATAL.is_match(text),
            // `WARNING:` is the second line, or the third if there is a message.
            (Some(Start::CutHere), Start::Report) => {
                self.found.last().is_some_and(|splat| splat.lines.len() > 3)
            }
            (_, Start::Report) => true,
            (_, Start::Detail) => false,
        }
    }

    /// Lets pass the one report that was announced, if one was.
    fn end_announced(&mut self) {
        let Some((text, since)) = self.announced.take() else {
            return;
        };
        // Every report contains nothing.
        let found = self.found[since..]
            .iter_mut()
            .find(|splat| !text.is_empty() && splat.contains(&text));
        match found {
            Some(splat) => splat.verdict = Verdict::Expected,
            None => self.absent(format!("announced, and did not come: {text}")),
        }
    }

    /// Adds a report that did not come as announced.
    fn absent(&mut self, title: String) {
        self.found.push(Splat {
            title,
            lines: Vec::new(),
            verdict: Verdict::Absent,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WARN: &str = "\
------------[ cut here ]------------
faux_driver device: still mapped
WARNING: drivers/gpu/drm/drm_gem_shmem_helper.c:180 at drm_gem_shmem_free+0x1c/0x90, CPU#0: kunit/42
Modules linked in:
CPU: 0 UID: 0 PID: 42 Comm: kunit_try_catch Tainted: G                 N
RIP: 0010:drm_gem_shmem_free+0x1c/0x90
Call Trace:
 <TASK>
 kunit_try_run_case+0x60/0x80
 </TASK>
---[ end trace 0000000000000000 ]---
";

    const OOPS: &str = "\
BUG: kernel NULL pointer dereference, address: 0000000000000000
#PF: supervisor read access in kernel mode
Oops: Oops: 0000 [#1] SMP NOPTI
CPU: 0 UID: 0 PID: 42 Comm: kunit_try_catch
Call Trace:
 <TASK>
 </TASK>
---[ end trace 0000000000000000 ]---
RIP: 0010:rust_drm_gem_shmem+0x1c/0x90
Kernel panic - not syncing: Fatal exception
";

    const LOCKDEP: &str = "\
======================================================
WARNING: possible circular locking dependency detected
7.3.4 #1 Tainted: G                 N
------------------------------------------------------
kunit_try_catch/42 is trying to acquire lock:
 *** DEADLOCK ***
stack backtrace:
Call Trace:
 <TASK>
 </TASK>
";

    const KASAN: &str = "\
==================================================================
BUG: KASAN: slab-use-after-free in sg_next+0x1c/0x90
Read of size 8 at addr ffff888001234567 by task kunit_try_catch/42
Call Trace:
 <TASK>
 </TASK>
Allocated by task 42:
The buggy address belongs to the object at ffff888001234560
==================================================================
";

    fn found(suite: &str, console: &str) -> Vec<Splat> {
        let lines: Vec<String> = console.lines().map(str::to_owned).collect();
        find(suite, &lines)
    }

    #[test]
    fn reports_have_titles() {
        let titles = |console: &str| {
            let titles = found("", console).into_iter().map(|splat| splat.title);
            titles.collect::<Vec<_>>().join("; ")
        };
        let of_warn = "faux_driver device: still mapped";
        let of_oops = "BUG: kernel NULL pointer dereference, address: 0000000000000000";
        let of_lockdep = "WARNING: possible circular locking dependency detected";
        let of_kasan = "BUG: KASAN: slab-use-after-free in sg_next+0x1c/0x90";

        // One after the other, and one in another.
        assert_eq!(
            titles(&[LOCKDEP, KASAN, WARN, WARN, OOPS].concat()),
            [of_lockdep, of_kasan, of_warn, of_warn, of_oops].join("; ")
        );
        let within = WARN.replace("Call Trace:", "BUG: KASAN: out-of-bounds in x\nCall Trace:");
        let of_within = "BUG: KASAN: out-of-bounds in x";
        assert_eq!(titles(&within), [of_warn, of_within].join("; "));

        // One line is enough.
        for line in [
            "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
            "INFO: task kunit_try_catch:42 blocked for more than 120 seconds.",
            "kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)",
            "unreferenced object 0xffff888001234560 (size 104):",
            "Oops: general protection fault, probably for non-canonical address",
            "UBSAN: array-index-out-of-bounds in lib/a.c:1",
            "DMA-API: faux: device driver frees DMA memory it has not allocated",
            "refcount_t: underflow; use-after-free.",
            "BUG: sleeping function called from invalid context at kernel/locking/mutex.c:591",
            "WARNING: suspicious RCU usage",
            "kernel BUG at lib/list_debug.c:30!",
            "Kernel panic - not syncing: Attempted to kill init!",
            "** 12 printk messages dropped **",
        ] {
            assert_eq!(titles(line), line);
        }
        for line in [
            "DEBUG: nothing",
            "# Subtest: warning",
            "Warning: unable to open an initial console.",
            "kasan: KernelAddressSanitizer initialized (generic)",
            "DMA-API: preallocated 65536 debug entries",
            "DMA-API: debugging enabled by kernel config",
            "rcu: Hierarchical RCU implementation.",
        ] {
            assert_eq!(titles(line), "");
        }
    }

    const BEGIN: &str = "rust_kernel: # expect-splat: \"still mapped\"\n";
    const END: &str = "rust_kernel: # end-expect-splat: \"still mapped\"\n";

    /// Verdicts, one after the other.
    fn verdicts(console: &[&str]) -> String {
        let found = found("", &console.concat()).into_iter();
        let verdicts = found.map(|splat| format!("{:?}", splat.verdict));
        verdicts.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn an_announced_report_may_come_once() {
        let cut = "rust_kernel: # expect-splat: \"BUG: KASAN: x\n";
        let other = END.replace("mapped", "bound");
        let (nothing, end_nothing) = ("# expect-splat: \"\"\n", "# end-expect-splat: \"\"\n");

        let cases: &[(&[&str], &str)] = &[
            (&[BEGIN, WARN, END], "Expected"),
            (&[BEGIN, WARN, WARN, END], "Expected Unexpected"),
            (&[BEGIN, KASAN, END], "Unexpected Absent"),
            (&[BEGIN, KASAN, WARN, END], "Unexpected Expected"),
            (&[BEGIN, END], "Absent"),
            // The announcement ends: with the mark, with another one, or else with the test.
            (&[BEGIN, WARN, END, WARN], "Expected Unexpected"),
            (&[BEGIN, END, WARN], "Absent Unexpected"),
            (&[BEGIN, WARN, BEGIN, WARN, END], "Expected Expected"),
            (&[BEGIN], "Absent"),
            (&[BEGIN, WARN], "Expected"),
            // It never ends without having begun.
            (&[END], "Absent"),
            (&[WARN, END], "Unexpected Absent"),
            (&[BEGIN, WARN, &other], "Expected Absent"),
            (&[BEGIN, WARN, END, END], "Expected Absent"),
            // A mark that is cut off announces nothing, and its text may be a report.
            (&[cut, KASAN, END], "Unexpected Unexpected Absent"),
            // An empty text is in no report.
            (&[nothing, WARN, end_nothing], "Unexpected Absent"),
        ];
        for (console, expected) in cases {
            assert_eq!(verdicts(console), *expected, "{console:?}");
        }
    }

    #[test]
    fn reports_do_not_hide_behind_marks() {
        for mark in [BEGIN, END].map(str::trim_end) {
            for line in [
                format!("BUG: KASAN: x {mark}"),
                format!("{mark}BUG: KASAN: x"),
                format!("{mark} {mark}BUG: KASAN: x"),
            ] {
                assert!(verdicts(&[&line]).contains("Unexpected"), "{line}");
            }
        }
    }

    #[test]
    fn a_suite_is_allowed_what_is_its_own() {
        let (suite, contains) = ALLOWED[0];
        let line = format!("WARNING: a.c:1{contains}0x25/0x30");
        let absent = format!("# end-expect-splat: \"{line}\"");

        for (suite, line, expected) in [
            (suite, line.as_str(), Verdict::Allowed),
            ("another", &line, Verdict::Unexpected),
            (suite, "BUG: KASAN", Verdict::Unexpected),
            (suite, &absent, Verdict::Absent),
        ] {
            assert_eq!(found(suite, line)[0].verdict, expected, "{line}");
        }
    }
}
