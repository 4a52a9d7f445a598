// SPDX-License-Identifier: GPL-2.0
/*
 * The only process of a machine that has devices behind an IOMMU.
 *
 * Each scenario prints a row: whether it holds, its name, what has to hold, and
 * what is off or how long it took. A figure is a line as well: what it is, and
 * its value. After the last line, the machine is switched off.
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

/* The names of groups and scenarios that the kernel was told to leave out. */
static char **left_out;

static int is_left_out(const char *name)
{
	for (char **other = left_out; *other; other++)
		if (!strcmp(name, *other))
			return 1;
	return 0;
}

static void run(const struct scenario *scenario)
{
	for (; scenario->name; scenario++) {
		double begin = now();

		if (is_left_out(scenario->name))
			continue;
		fault[0] = 0;
		scenario->run();
		if (fault[0]) {
			say("device: off: %s: %s: %s\n", scenario->name,
			    scenario->expected, fault);
			/* The next one finds the driver bound. */
			unbind_driver();
			bind_driver();
		} else {
			say("device: ok: %s: %s: %.0f ms\n", scenario->name,
			    scenario->expected, (now() - begin) * 1000);
		}
	}
}

int main(int argc, char **argv)
{
	left_out = argc ? argv + 1 : argv;

	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mkdir("/dev", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);

	if (find_device())
		say("device: there is no edu\n");
	for (size_t i = 0; i < sizeof(groups) / sizeof(*groups); i++)
		if (!is_left_out(groups[i].name))
			run(groups[i].scenarios);
	say("device: end\n");
	reboot(RB_POWER_OFF);
	return 0;
}
