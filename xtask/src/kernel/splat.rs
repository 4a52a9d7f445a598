// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The reports of the kernel on its console, beside the results of tests.
//!
//! A report is found by its first line, and ends with its call trace. A test that provokes one says
//! so by marks before and after it, see `mark`. A mark may be cut off or printed twice. The run
//! fails on an end alone, and on a cut-off begin without an end: either could let a report pass
//! that no test has announced.

use super::mark::Mark;

/// A report.
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
    /// Nothing: the tree's own test provokes it, for this reason.
    Allowed(&'static str),
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

/// Reports of the tree's own tests: a suite, what the report contains, and why it is allowed there.
const ALLOWED: &[(&str, &str, &str)] = &[
    (
        "drm_connector_dynamic_register_early",
        " at drm_connector_dynamic_register+",
        "one test registers a connector that was not initialised, to see it refused",
    ),
    (
        "drm_connector_dynamic_register",
        " at drm_connector_dynamic_register+",
        "one test registers a connector that was not initialised, to see it refused",
    ),
    (
        "drm_framebuffer",
        " at drm_framebuffer_init+",
        "two tests pass a framebuffer without format, or of another device, to see it refused",
    ),
    (
        "drm_framebuffer",
        "drm_WARN_ON(!list_empty(&fb->filp_head))",
        "the framebuffer of `drm_test_framebuffer_free` has a list that was not initialised",
    ),
    (
        "drm_atomic_helper_connector_hdmi_infoframes",
        "drm_WARN_ON(state->checked)",
        "the tests commit a state that they have checked, and committing checks it again",
    ),
    (
        "drm_gem_shmem",
        "mapping sg segment longer than device claims to support",
        "the mock device does not say how long a segment may be, and 64 KiB is what it then means",
    ),
];

/// Lets pass what a suite is allowed.
pub(crate) fn allow(suite: &str, splats: &mut [Splat]) {
    for splat in splats {
        let allowed = ALLOWED
            .iter()
            .find(|(of, contains, _)| *of == suite && splat.contains(contains));
        if let (Verdict::Unexpected, Some((_, _, why))) = (splat.verdict, allowed) {
            splat.verdict = Verdict::Allowed(why);
        }
    }
}

/// The kind of line that a report begins with.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Start {
    /// `------------[ cut here ]------------`, then a line or two that say what it is.
    CutHere,
    /// Always a report of its own, except after [`Start::CutHere`].
    Report,
    /// Part of the report that it comes in, if there is one.
    Detail,
}

/// Reports of their own.
const REPORTS: &[&str] = &[
    "BUG: ",
    "WARNING: ",
    "KASAN: ",
    "KFENCE: ",
    "INFO: possible ",
    "INFO: trying to register non-static key",
    "INFO: rcu_",
    "rcu: INFO: ",
    "unreferenced object ",
    "suspected memory leaks",
    // The dropped messages may have been reports.
    "printk messages dropped",
];

/// Lines of reports, which may be all there is of one.
const DETAILS: &[&str] = &[
    "possible recursive locking",
    "circular locking",
    "suspicious RCU usage",
    "sleeping function called",
    "Oops: ",
    "general protection fault",
    "kernel BUG at ",
    "UBSAN: ",
    "DMA-API: ",
    "refcount_t: ",
    "Kernel panic - ",
    "Unable to handle kernel ",
    "rust_kernel: panicked at ",
];

/// Harmless messages of `DMA-API:`.
const HARMLESS: &[&str] = &[
    "DMA-API: preallocated ",
    "DMA-API: debugging enabled by kernel config",
    "DMA-API: dma_debug_entry pool grown to ",
];

/// The last line of kernels that halt after their tests, or that find no init.
const END: &[&str] = &[
    "reboot: System halted",
    "Kernel panic - not syncing: VFS: Unable to mount root fs",
    "Kernel panic - not syncing: No working init found",
];

/// The last line of an oops, after its call trace.
const FATAL: &str = "Kernel panic - not syncing: Fatal exception";

/// Reports are cut off after so many lines: what follows one may not be part of it.
const MAX_LINES: usize = 100;

/// Whether this line is the one that a run ends with.
pub(crate) fn is_end(text: &str) -> bool {
    END.iter().any(|end| text.starts_with(end))
}

/// Whether a report begins with this line.
fn start(text: &str) -> Option<Start> {
    let any = |patterns: &[&str]| patterns.iter().any(|pattern| has_word(text, pattern));

    if text.contains("[ cut here ]") {
        Some(Start::CutHere)
    } else if any(HARMLESS) {
        None
    } else if any(REPORTS) || (text.contains("INFO: task ") && text.contains(" blocked ")) {
        Some(Start::Report)
    } else if any(DETAILS) {
        Some(Start::Detail)
    } else {
        None
    }
}

/// Whether the text contains this, and not as the end of a word: `DEBUG: ` is not `BUG: `.
fn has_word(text: &str, pattern: &str) -> bool {
    text.match_indices(pattern).any(|(at, _)| {
        !text[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_')
    })
}

/// A report that is not complete.
struct Open {
    start: Start,
    title: Option<String>,
    lines: Vec<String>,
    /// Whether its call trace has been seen: what begins now is another one.
    ended: bool,
}

/// A report that a test has announced.
struct Announced {
    /// The text that the report contains, or the begin of the text.
    contains: String,
    /// Whether that is all of it.
    is_whole: bool,
    /// How many reports there were before.
    since: usize,
}

impl Announced {
    /// Whether a whole mark can be about this.
    fn is(&self, contains: &str) -> bool {
        if self.is_whole {
            contains == self.contains
        } else {
            contains.starts_with(&self.contains)
        }
    }
}

/// Finds reports.
#[derive(Default)]
pub(crate) struct Detector {
    open: Option<Open>,
    announced: Option<Announced>,
    /// The text of the last end mark, if there was one.
    ended: Option<String>,
    found: Vec<Splat>,
}

impl Detector {
    /// Reads a line, without its timestamp.
    pub(crate) fn line(&mut self, text: &str) {
        let Some(mark) = Mark::find(text) else {
            self.text(text);
            return;
        };

        // Reports do not hide behind marks.
        if start(mark.before).is_some() {
            self.text(mark.before);
        }
        match mark.begins {
            true => self.begin(mark.contains, mark.is_whole),
            false => self.end(mark.contains),
        }
        if !mark.after.is_empty() {
            self.line(mark.after);
        }
    }

    /// Returns the reports since the last time. Ends the open report, and the announcement.
    pub(crate) fn take(&mut self) -> Vec<Splat> {
        self.end_announced();
        self.ended = None;
        std::mem::take(&mut self.found)
    }

    /// Reads what is no mark.
    fn text(&mut self, text: &str) {
        if let Some(start) = start(text).filter(|start| self.is_new(*start, text)) {
            self.close();
            self.open = Some(Open {
                start,
                title: (start != Start::CutHere).then(|| text.trim().to_owned()),
                lines: vec![text.to_owned()],
                ended: false,
            });
        } else if let Some(open) = &mut self.open {
            if open.lines.len() < MAX_LINES {
                open.lines.push(text.to_owned());
            }
            // What WARN() prints comes first, and says more than where it is.
            if open.title.is_none() && !text.trim().is_empty() {
                open.title = Some(text.trim().to_owned());
            }
            open.ended |= text.contains("</TASK>") || text.contains("---[ end trace");
        }
    }

    /// Announces a report, of which all or the begin of what it contains is known.
    fn begin(&mut self, contains: &str, is_whole: bool) {
        self.close();
        let found = self.found.len();

        // The same again, before anything has happened: the longer one is right.
        if let Some(announced) = self.announced.as_mut().filter(|it| it.since == found) {
            if is_whole && announced.is(contains) {
                contains.clone_into(&mut announced.contains);
                announced.is_whole = true;
                return;
            }
            if !is_whole && announced.is_whole && announced.contains.starts_with(contains) {
                return;
            }
        }

        self.end_announced();
        self.announced = Some(Announced {
            contains: contains.to_owned(),
            is_whole,
            since: self.found.len(),
        });
    }

    /// Ends what was announced.
    fn end(&mut self, contains: &str) {
        self.close();
        match &self.announced {
            Some(announced) if announced.is(contains) => {
                let since = announced.since;
                self.announced = None;
                self.expect(contains, since);
            }
            // The same again.
            None if self.ended.as_deref() == Some(contains) => {}
            _ => {
                self.end_announced();
                self.found
                    .push(absent(&format!("ended, and not announced: {contains}")));
            }
        }
        self.ended = Some(contains.to_owned());
    }

    /// Ends what is announced, and what is open.
    fn end_announced(&mut self) {
        self.close();
        match self.announced.take() {
            Some(announced) if announced.is_whole => {
                self.expect(&announced.contains, announced.since);
            }
            Some(announced) => self.found.push(absent(&format!(
                "announced by a mark that was cut off: {}",
                announced.contains
            ))),
            None => {}
        }
    }

    /// Lets pass the one report that was announced.
    fn expect(&mut self, contains: &str, since: usize) {
        // Every report contains nothing.
        let splat = self.found[since..]
            .iter_mut()
            .find(|splat| !contains.is_empty() && splat.contains(contains));
        match splat {
            Some(splat) => splat.verdict = Verdict::Expected,
            None => self
                .found
                .push(absent(&format!("announced, and did not come: {contains}"))),
        }
    }

    /// Whether that begins another report than the one that is open.
    fn is_new(&self, start: Start, text: &str) -> bool {
        match &self.open {
            None => true,
            Some(open) if open.ended => !text.contains(FATAL),
            Some(open) => match (open.start, start) {
                (_, Start::CutHere) => true,
                (Start::CutHere, Start::Report) => {
                    // `WARNING:` is the second line, or the third if there is a message.
                    open.lines.len() > 3
                }
                (_, Start::Report) => true,
                (_, Start::Detail) => false,
            },
        }
    }

    /// Ends what is open.
    fn close(&mut self) {
        let Some(open) = self.open.take() else {
            return;
        };
        self.found.push(Splat {
            title: open.title.unwrap_or_else(|| "[ cut here ]".to_owned()),
            lines: open.lines,
            verdict: Verdict::Unexpected,
        });
    }
}

/// Stands for a report that did not come as announced.
fn absent(title: &str) -> Splat {
    Splat {
        title: title.to_owned(),
        lines: Vec::new(),
        verdict: Verdict::Absent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Titles and verdicts of what is found.
    fn find(console: &str) -> Vec<(String, Verdict)> {
        let mut detector = Detector::default();
        for line in console.lines() {
            detector.line(line);
        }

        detector
            .take()
            .into_iter()
            .map(|splat| (splat.title, splat.verdict))
            .collect()
    }

    fn titles(console: &str) -> Vec<String> {
        find(console).into_iter().map(|(title, _)| title).collect()
    }

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

    #[test]
    fn a_report_is_one() {
        assert_eq!(titles(WARN), ["faux_driver device: still mapped"]);
        assert_eq!(
            titles(OOPS),
            ["BUG: kernel NULL pointer dereference, address: 0000000000000000"]
        );
        assert_eq!(
            titles(LOCKDEP),
            ["WARNING: possible circular locking dependency detected"]
        );
        assert_eq!(
            titles(KASAN),
            ["BUG: KASAN: slab-use-after-free in sg_next+0x1c/0x90"]
        );
    }

    #[test]
    fn reports_in_a_row_are_several() {
        assert_eq!(
            titles(&format!("{LOCKDEP}{KASAN}{WARN}{WARN}{OOPS}")).len(),
            5
        );
    }

    #[test]
    fn a_report_within_another_is_its_own() {
        let within = WARN.replace("Call Trace:", "BUG: KASAN: out-of-bounds in x\nCall Trace:");

        assert_eq!(
            titles(&within),
            [
                "faux_driver device: still mapped",
                "BUG: KASAN: out-of-bounds in x"
            ]
        );
    }

    #[test]
    fn one_line_is_enough() {
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
            assert_eq!(titles(line), [line]);
        }
    }

    #[test]
    fn what_looks_alike_is_not_a_report() {
        for line in [
            "DEBUG: nothing",
            "# Subtest: warning",
            "Warning: unable to open an initial console.",
            "kasan: KernelAddressSanitizer initialized (generic)",
            "DMA-API: preallocated 65536 debug entries",
            "DMA-API: debugging enabled by kernel config",
            "rcu: Hierarchical RCU implementation.",
        ] {
            assert_eq!(titles(line), [""; 0], "{line}");
        }
    }

    #[test]
    fn the_end_is_told_from_a_panic() {
        assert!(is_end(
            "Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)"
        ));
        assert!(is_end(
            "Kernel panic - not syncing: No working init found.  Try passing init= option"
        ));
        assert!(!is_end("Kernel panic - not syncing: Fatal exception"));
    }

    const BEGIN: &str = "rust_kernel: # expect-splat: \"still mapped\"\n";
    const CUT_BEGIN: &str = "rust_kernel: # expect-splat: \"still m\n";
    const END: &str = "rust_kernel: # end-expect-splat: \"still mapped\"\n";

    /// Verdicts of what is found in these, one after the other.
    fn verdicts(parts: &[&str]) -> Vec<Verdict> {
        find(&parts.concat())
            .into_iter()
            .map(|(_, verdict)| verdict)
            .collect()
    }

    use Verdict::{Absent, Expected, Unexpected};

    #[test]
    fn what_is_announced_may_come_once() {
        assert_eq!(verdicts(&[BEGIN, WARN, END]), [Expected]);
        assert_eq!(verdicts(&[BEGIN, WARN, WARN, END]), [Expected, Unexpected]);
        assert_eq!(verdicts(&[BEGIN, KASAN, END]), [Unexpected, Absent]);
        assert_eq!(verdicts(&[BEGIN, KASAN, WARN, END]), [Unexpected, Expected]);
        assert_eq!(verdicts(&[BEGIN, END]), [Absent]);
    }

    #[test]
    fn an_announcement_ends() {
        // After the end.
        assert_eq!(verdicts(&[BEGIN, WARN, END, WARN]), [Expected, Unexpected]);
        assert_eq!(verdicts(&[BEGIN, END, WARN]), [Absent, Unexpected]);

        // With the test, if it does not say so itself.
        let mut detector = Detector::default();
        detector.line(BEGIN);
        assert_eq!(detector.take()[0].verdict, Absent);
        assert!(detector.take().is_empty());

        // And never without a begin.
        assert_eq!(verdicts(&[END]), [Absent]);
        assert_eq!(verdicts(&[WARN, END]), [Unexpected, Absent]);
        let other = END.replace("still", "not");
        assert_eq!(verdicts(&[BEGIN, WARN, &other]), [Expected, Absent]);
        detector.line(BEGIN);
        detector.line(END);
        detector.take();
        detector.line(END);
        assert_eq!(detector.take()[0].verdict, Absent);
    }

    #[test]
    fn marks_may_be_printed_twice() {
        assert_eq!(verdicts(&[BEGIN, BEGIN, WARN, END, END]), [Expected]);
        assert_eq!(verdicts(&[BEGIN, BEGIN, END, END]), [Absent]);
        assert_eq!(verdicts(&[BEGIN, END, END, WARN]), [Absent, Unexpected]);
        assert_eq!(
            verdicts(&[BEGIN, BEGIN, WARN, WARN, END, END]),
            [Expected, Unexpected]
        );
        // One announcement is not made two.
        assert_eq!(
            verdicts(&[BEGIN, WARN, BEGIN, END, END]),
            [Expected, Absent]
        );
    }

    #[test]
    fn marks_may_be_cut_off_and_printed_again() {
        for at in 0..BEGIN.len() {
            let cut = format!("{}\n", &BEGIN[..at]);
            assert_eq!(verdicts(&[&cut, BEGIN, WARN, END]), [Expected], "{cut}");
            assert_eq!(verdicts(&[BEGIN, &cut, WARN, END]), [Expected], "{cut}");
            assert_eq!(verdicts(&[&cut, BEGIN, END]), [Absent], "{cut}");
        }
        for at in 0..END.len() {
            let cut = format!("{}\n", &END[..at]);
            assert_eq!(verdicts(&[BEGIN, WARN, &cut, END]), [Expected], "{cut}");
            assert_eq!(verdicts(&[BEGIN, WARN, END, &cut]), [Expected], "{cut}");
            assert_eq!(verdicts(&[BEGIN, &cut, END]), [Absent], "{cut}");
            // Until the end of the test.
            assert_eq!(verdicts(&[BEGIN, WARN, &cut]), [Expected], "{cut}");
            assert_eq!(
                verdicts(&[BEGIN, WARN, &cut, WARN]),
                [Expected, Unexpected],
                "{cut}"
            );
        }
    }

    #[test]
    fn a_mark_that_is_cut_off_is_completed_by_the_other() {
        assert_eq!(verdicts(&[CUT_BEGIN, WARN, END]), [Expected]);
        assert_eq!(
            verdicts(&[CUT_BEGIN, WARN, WARN, END]),
            [Expected, Unexpected]
        );
        assert_eq!(verdicts(&[CUT_BEGIN, KASAN, END]), [Unexpected, Absent]);
        // But not before it, nor by another, nor by itself.
        assert_eq!(verdicts(&[WARN, CUT_BEGIN, END]), [Unexpected, Absent]);
        let other = END.replace("mapped", "bound");
        assert_eq!(
            verdicts(&[CUT_BEGIN, WARN, &other]),
            [Unexpected, Absent, Absent]
        );
        assert_eq!(verdicts(&[CUT_BEGIN, WARN]), [Unexpected, Absent]);
        assert_eq!(verdicts(&[CUT_BEGIN]), [Absent]);
    }

    #[test]
    fn a_mark_that_is_cut_off_is_no_report() {
        let [begin, end] = [BEGIN, END].map(|mark| mark.replace("still mapped", "BUG: KASAN"));

        for at in 0..begin.len() {
            let cut = format!("{}\n", &begin[..at]);
            assert_eq!(verdicts(&[&cut, &begin, KASAN, &end]), [Expected], "{cut}");
        }
        assert_eq!(
            verdicts(&["# expect-splat: \"BUG: KASAN: real\n", END]),
            [Absent, Absent]
        );
    }

    #[test]
    fn reports_do_not_hide_behind_marks() {
        for mark in [BEGIN, END] {
            let mark = mark.trim_end();
            let lines = [
                format!("BUG: KASAN: x {mark}\n"),
                format!("{mark}BUG: KASAN: x\n"),
                format!("{mark} {mark}BUG: KASAN: x\n"),
            ];
            for line in lines {
                assert!(verdicts(&[&line]).contains(&Unexpected), "{line}");
            }
        }
    }

    #[test]
    fn nothing_cannot_be_announced() {
        assert_eq!(
            verdicts(&["# expect-splat: \"\"\n", WARN, "# end-expect-splat: \"\"\n"]),
            [Unexpected, Absent]
        );
    }

    #[test]
    fn a_suite_is_allowed_what_is_its_own() {
        let (suite, contains, why) = ALLOWED[0];
        let allowed = |suite: &str, line: &str| {
            let mut splats = vec![Splat {
                title: "WARNING".to_owned(),
                lines: vec![line.to_owned()],
                verdict: Verdict::Unexpected,
            }];
            allow(suite, &mut splats);
            splats[0].verdict
        };

        let line = format!("WARNING: a.c:1{contains}0x25/0x30");
        assert_eq!(allowed(suite, &line), Verdict::Allowed(why));
        assert_eq!(allowed("another", &line), Verdict::Unexpected);
        assert_eq!(allowed(suite, "BUG: KASAN"), Verdict::Unexpected);

        // A report that did not come is not forgiven.
        let mut splats = vec![absent(&line)];
        allow(suite, &mut splats);
        assert!(splats[0].fails());
    }
}
