// SPDX-License-Identifier: GPL-2.0
/*
 * The only process of a machine that has devices behind an IOMMU.
 *
 * Each scenario is a test of KTAP, with its name and the expectation. A figure
 * is a line with "# result: ", its name and its value. After the last line, the
 * machine is switched off.
 */
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>
#include "edu_device.h"
#include "scenario.h"

/* All scenarios. */
static const struct {
	const char *name;
	const struct scenario *scenarios;
} groups[] = {
	{ "edu", edu_scenarios },
	{ "made", made_scenarios },
	{ "import", import_scenarios },
	{ "vram", vram_scenarios },
};

/*
 * The arguments from the kernel: "without" names of groups and scenarios, which
 * are left out, or "only" names of scenarios, which are run.
 */
static const char *how = "without";
static int is_only;
static char **names;

static int is_named(const char *name)
{
	for (char **other = names; *other; other++)
		if (!strcmp(name, *other))
			return 1;
	return 0;
}

static int is_wanted(const char *name)
{
	return is_named(name) == is_only;
}

static void run(const struct scenario *scenario, int number)
{
	fault[0] = 0;
	scenario->run();
	if (fault[0])
		say("# %s: %s\n", scenario->name, fault);
	say("%sok %d %s: %s\n", fault[0] ? "not " : "", number, scenario->name,
	    scenario->expected);
	if (fault[0]) {
		/* The next scenario finds the driver bound. */
		unbind_driver();
		bind_driver();
	}
}

/* Counts the scenarios that are wanted. Runs them unless they are planned. */
static int all(int is_planned)
{
	int count = 0;

	for (size_t i = 0; i < sizeof(groups) / sizeof(*groups); i++) {
		const struct scenario *scenario = groups[i].scenarios;

		if (!is_only && !is_wanted(groups[i].name))
			continue;
		for (; scenario->name; scenario++) {
			if (!is_wanted(scenario->name))
				continue;
			count++;
			if (!is_planned)
				run(scenario, count);
		}
	}
	return count;
}

int main(int argc, char **argv)
{
	names = argv + argc;
	if (argc > 1) {
		how = argv[1];
		names = argv + 2;
	}
	is_only = !strcmp(how, "only");

	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mkdir("/dev", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);

	if (!is_only && strcmp(how, "without")) {
		say("# neither \"only\" nor \"without\": %s\n", how);
		goto off;
	}
	say("KTAP version 1\n");
	say("1..%d\n", all(1));
	if (find_device())
		say("# there is no edu\n");
	all(0);
off:
	reboot(RB_POWER_OFF);
	return 0;
}
