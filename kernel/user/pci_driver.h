/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A sample driver and the PCI device that it drives.
 */
#ifndef PCI_DRIVER_H
#define PCI_DRIVER_H

struct pci_driver {
	const char *name;

	/* The device's IDs, as in modalias, and its number among several. */
	const char *ids;
	int nth;

	/* The device's name in sysfs. */
	char slot[64];
};

/* Finds the device. Returns the error number. */
int pci_find(struct pci_driver *driver);

int pci_bind(const struct pci_driver *driver);
int pci_unbind(const struct pci_driver *driver);

/* Returns the address of a BAR, or 0 if that fails. */
unsigned long long pci_bar(const struct pci_driver *driver, int bar);

/* The prefixes of the names of DRM nodes. Each binding has new nodes. */
#define RENDER		"renderD"
#define PRIMARY		"card"

/* Open a node of a device, given by its driver or its path in sysfs. */
int pci_open_node(const struct pci_driver *driver, const char *prefix);
int open_node_of(const char *device, const char *prefix);

#endif
