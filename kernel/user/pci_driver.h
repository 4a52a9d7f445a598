/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A sample driver and the PCI device that it drives.
 */
#ifndef PCI_DRIVER_H
#define PCI_DRIVER_H

struct pci_driver {
	const char *name;

	/* The device by its ids, as in modalias, and which of several it is. */
	const char *ids;
	int nth;

	/* Where it is. */
	char slot[64];
};

/* Finds the device. Returns the error number. */
int pci_find(struct pci_driver *driver);

int pci_bind(const struct pci_driver *driver);
int pci_unbind(const struct pci_driver *driver);

/* Reads where a BAR begins. Returns 0 if it cannot. */
unsigned long long pci_bar(const struct pci_driver *driver, int bar);

/* What the names of DRM nodes begin with. Each binding has other nodes. */
#define RENDER		"renderD"
#define PRIMARY		"card"

/* Open a node of a device, which is given by its driver or in sysfs. */
int pci_open_node(const struct pci_driver *driver, const char *prefix);
int open_node_of(const char *device, const char *prefix);

#endif
