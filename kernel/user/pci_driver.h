/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A sample driver and the PCI device that it drives.
 */
#ifndef PCI_DRIVER_H
#define PCI_DRIVER_H

struct pci_driver {
	const char *name;

	/* The device by its ids, as in modalias, and where it is. */
	const char *ids;
	char slot[64];
};

/* Finds the device. Returns the error number. */
int pci_find(struct pci_driver *driver);

int pci_bind(const struct pci_driver *driver);
int pci_unbind(const struct pci_driver *driver);

/* Reads where a BAR begins. Returns 0 if it cannot. */
unsigned long long pci_bar(const struct pci_driver *driver, int bar);

/* Opens the render node of the driver: each binding has another one. */
int pci_open_node(const struct pci_driver *driver);

#endif
