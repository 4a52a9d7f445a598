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

/* The number of bytes to copy at once: the device has less than a page. */
#define HALF		(PAGE / 2)

/*
 * Finds the device by its IDs. There may be a second one, which exports
 * buffers. Returns the error number.
 */
int find_device(void);

int bind_driver(void);
int unbind_driver(void);

/* Open a node of the driver. Each binding has new nodes. */
int open_node(void);
int open_primary_node(void);

/* The same for the second device. */
int bind_second(void);
int unbind_second(void);
int open_second_node(void);

/* Requests to the driver, which return the error number. */
int create(int fd, size_t size, uint32_t *handle);
int map(int fd, uint32_t handle, uint64_t *address);
int copy(int fd, uint32_t handle, uint32_t direction, uint64_t offset,
	 uint32_t len);

/* Maps a buffer for this process. Returns NULL if that fails. */
void *map_for_us(int fd, uint32_t handle, size_t size);

/*
 * Makes the device write the first HALF bytes of @expected to @address, without
 * the driver. The bytes have to arrive in @memory while it is mapped. Then
 * unbinds the driver, and makes the device write again, which the IOMMU has to
 * refuse.
 */
void writes_end_at_unbind(uint8_t *memory, size_t size,
			  const uint8_t *expected, uint64_t address);

#endif
