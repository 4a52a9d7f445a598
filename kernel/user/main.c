// SPDX-License-Identifier: GPL-2.0
/*
 * The only process of a machine that has devices behind an IOMMU.
 *
 * Each scenario prints a row: its name, what is expected, what has happened,
 * and how long it took. The last line says how many rows are off. Then the
 * machine is switched off.
 */
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>
#include "edu_device.h"
#include "scenario.h"

static int off;

static void run(const struct scenario *scenario)
{
	for (; scenario->name && !off; scenario++) {
		double begin = now();

		fault[0] = 0;
		scenario->run();
		say("device: %s: %s: %s: %s: %.0f ms\n",
		    fault[0] ? "off" : "ok", scenario->name,
		    scenario->expected, fault[0] ? fault : "so it is",
		    (now() - begin) * 1000);
		if (fault[0])
			off++;
	}
}

int main(void)
{
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mkdir("/dev", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);

	if (find_device())
		say("device: there is no edu\n");
	else
		run(edu_scenarios);
	run(vram_scenarios);
	say("device: %d off\n", off);
	reboot(RB_POWER_OFF);
	return 0;
}
