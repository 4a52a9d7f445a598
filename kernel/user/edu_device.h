/* SPDX-License-Identifier: GPL-2.0 */
/*
 * QEMU's device edu, with the sample driver rust_drm_edu and without it.
 */
#ifndef EDU_DEVICE_H
#define EDU_DEVICE_H

#include <stddef.h>
#include <stdint.h>
#include <drm/edu_drm.h>

#define DRIVER		"rust_drm_edu"

/* How many bytes are copied at once: the device has less than a page. */
#define HALF		(PAGE / 2)

/*
 * Finds the device by its ids. There may be a second one, which exports
 * buffers. Returns the error number.
 */
int find_device(void);

int bind_driver(void);
int unbind_driver(void);

/* Open a node of the driver: each binding has others. */
int open_node(void);
int open_primary_node(void);

/* The same for the second device. */
int bind_second(void);
int unbind_second(void);
int open_second_node(void);

/* What the driver does. These return the error number. */
int create(int fd, size_t size, uint32_t *handle);
int map(int fd, uint32_t handle, uint64_t *address);
int copy(int fd, uint32_t handle, uint32_t direction, uint64_t offset,
	 uint32_t len);

/* Maps a buffer for this process. Returns NULL if that fails. */
void *map_for_us(int fd, uint32_t handle, size_t size);

/*
 * Has the device write the first HALF bytes of @expected to @address, past the
 * driver: it arrives in @memory while that is mapped. Then unbinds the driver,
 * and has it write again: the IOMMU has to refuse it.
 */
void writes_end_at_unbind(uint8_t *memory, size_t size,
			  const uint8_t *expected, uint64_t address);

#endif
