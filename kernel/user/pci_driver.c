// SPDX-License-Identifier: GPL-2.0
/*
 * A sample driver and the PCI device that it drives.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>
#include "pci_driver.h"
#include "scenario.h"

#define DEVICES		"/sys/bus/pci/devices"

int pci_find(struct pci_driver *driver)
{
	DIR *dir = opendir(DEVICES);
	struct dirent *entry;
	int nth = driver->nth;

	while (dir && !driver->slot[0] && (entry = readdir(dir))) {
		char path[PATH_MAX];

		snprintf(path, sizeof(path), DEVICES "/%s/modalias",
			 entry->d_name);
		if (file_has(path, driver->ids) && !nth--)
			snprintf(driver->slot, sizeof(driver->slot), "%.63s",
				 entry->d_name);
	}
	if (dir)
		closedir(dir);
	return driver->slot[0] ? 0 : ENODEV;
}

static int write_slot(const struct pci_driver *driver, const char *file)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/bus/pci/drivers/%s/%s",
		 driver->name, file);
	return write_file(path, driver->slot);
}

int pci_bind(const struct pci_driver *driver)
{
	return write_slot(driver, "bind");
}

int pci_unbind(const struct pci_driver *driver)
{
	return write_slot(driver, "unbind");
}

unsigned long long pci_bar(const struct pci_driver *driver, int bar)
{
	unsigned long long start = 0;
	char path[PATH_MAX], line[128];
	FILE *file;

	snprintf(path, sizeof(path), DEVICES "/%s/resource", driver->slot);
	file = fopen(path, "r");
	if (!file)
		return 0;
	/* The file has a line for each BAR. */
	for (int i = 0; i <= bar && fgets(line, sizeof(line), file); i++)
		if (i == bar && sscanf(line, "%llx", &start) != 1)
			start = 0;
	fclose(file);
	return start;
}

int open_node_of(const char *device, const char *prefix)
{
	char path[PATH_MAX];
	struct dirent *entry;
	int found = -1;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/drm", device);
	dir = opendir(path);
	if (!dir)
		return -1;
	while (found < 0 && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, prefix, strlen(prefix)))
			continue;
		snprintf(path, sizeof(path), "/dev/dri/%s", entry->d_name);
		found = open(path, O_RDWR | O_CLOEXEC);
	}
	closedir(dir);
	return found;
}

int pci_open_node(const struct pci_driver *driver, const char *prefix)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), DEVICES "/%s", driver->slot);
	return open_node_of(path, prefix);
}
