/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */

#ifndef __EDU_DRM_H__
#define __EDU_DRM_H__

#include "drm.h"

/*
 * Requests of user space to the sample driver rust_drm_edu, for QEMU's device
 * "edu". This interface is for tests only, and not stable.
 */

#if defined(__cplusplus)
extern "C" {
#endif

/**
 * struct drm_edu_bo_create - make a buffer
 */
struct drm_edu_bo_create {
	/** @size: The size in bytes, which the driver rounds up to pages. */
	__u64 size;

	/** @handle: Set to the handle of the buffer. */
	__u32 handle;

	/** @pad: Must be zero. */
	__u32 pad;
};

/**
 * struct drm_edu_bo_mmap - return the offset to map a buffer at
 */
struct drm_edu_bo_mmap {
	/** @handle: The handle of the buffer. */
	__u32 handle;

	/** @pad: Must be zero. */
	__u32 pad;

	/** @offset: Set to the offset for mmap() on the DRM file. */
	__u64 offset;
};

/**
 * struct drm_edu_bo_map - map a buffer for the device
 *
 * A copy also maps the buffer, if it is the first use of the buffer.
 */
struct drm_edu_bo_map {
	/** @handle: The handle of the buffer. */
	__u32 handle;

	/** @segments: Set to the number of segments of the mapping. */
	__u32 segments;

	/** @address: Set to the address of the first byte for the device. */
	__u64 address;
};

/* Copy from the buffer to the device. */
#define EDU_COPY_TO_DEVICE	0
/* Copy from the device to the buffer. */
#define EDU_COPY_FROM_DEVICE	1

/**
 * struct drm_edu_copy - copy between a buffer and the memory of the device
 *
 * Returns when the device has copied all bytes.
 */
struct drm_edu_copy {
	/** @handle: The handle of the buffer. */
	__u32 handle;

	/** @direction: EDU_COPY_TO_DEVICE or EDU_COPY_FROM_DEVICE. */
	__u32 direction;

	/** @offset: The offset in the buffer, in bytes. */
	__u64 offset;

	/** @device_offset: The offset in the memory of the device, in bytes. */
	__u32 device_offset;

	/** @len: The number of bytes to copy. */
	__u32 len;
};

/* Write @word to all of the buffer. */
#define EDU_CPU_FILL	0
/* Add up the words of the buffer. */
#define EDU_CPU_SUM	1

/**
 * struct drm_edu_cpu - have the CPU work on a buffer, in the kernel
 */
struct drm_edu_cpu {
	/** @handle: The handle of the buffer. */
	__u32 handle;

	/** @op: EDU_CPU_FILL or EDU_CPU_SUM. */
	__u32 op;

	/** @word: The word to fill the buffer with. */
	__u32 word;

	/** @pad: Must be zero. */
	__u32 pad;

	/** @sum: Set to the sum of all words. */
	__u64 sum;
};

/**
 * struct drm_edu_clear - clear memory of the device
 *
 * The driver copies from a buffer of zeroes, which it makes on first use.
 */
struct drm_edu_clear {
	/** @device_offset: The offset in the memory of the device, in bytes. */
	__u32 device_offset;

	/** @len: The number of bytes to clear. */
	__u32 len;
};

#define DRM_EDU_BO_CREATE	0x00
#define DRM_EDU_BO_MMAP		0x01
#define DRM_EDU_BO_MAP		0x02
#define DRM_EDU_COPY		0x03
#define DRM_EDU_CPU		0x04
#define DRM_EDU_CLEAR		0x05

/* An enum, so that bindgen resolves the numbers. */
enum {
	DRM_IOCTL_EDU_BO_CREATE	= DRM_IOWR(DRM_COMMAND_BASE + DRM_EDU_BO_CREATE,
					   struct drm_edu_bo_create),
	DRM_IOCTL_EDU_BO_MMAP	= DRM_IOWR(DRM_COMMAND_BASE + DRM_EDU_BO_MMAP,
					   struct drm_edu_bo_mmap),
	DRM_IOCTL_EDU_BO_MAP	= DRM_IOWR(DRM_COMMAND_BASE + DRM_EDU_BO_MAP,
					   struct drm_edu_bo_map),
	DRM_IOCTL_EDU_COPY	= DRM_IOWR(DRM_COMMAND_BASE + DRM_EDU_COPY,
					   struct drm_edu_copy),
	DRM_IOCTL_EDU_CPU	= DRM_IOWR(DRM_COMMAND_BASE + DRM_EDU_CPU,
					   struct drm_edu_cpu),
	DRM_IOCTL_EDU_CLEAR	= DRM_IOWR(DRM_COMMAND_BASE + DRM_EDU_CLEAR,
					   struct drm_edu_clear),
};

#if defined(__cplusplus)
}
#endif

#endif /* __EDU_DRM_H__ */
