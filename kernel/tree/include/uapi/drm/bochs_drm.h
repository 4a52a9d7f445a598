/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */

#ifndef __BOCHS_DRM_H__
#define __BOCHS_DRM_H__

#include "drm.h"

/*
 * Requests of user space to the sample driver rust_drm_bochs, for QEMU's device
 * "bochs-display". This interface is for tests only, and not stable.
 */

#if defined(__cplusplus)
extern "C" {
#endif

/**
 * struct drm_bochs_mode - switch the screen on
 */
struct drm_bochs_mode {
	/** @width: The width of the screen in pixels, at least 64. */
	__u32 width;

	/** @height: The height of the screen in pixels, at least 64. */
	__u32 height;
};

/* The width and the height of a tile, in pixels. */
#define BOCHS_TILE		32

/**
 * struct drm_bochs_tile - draw a square of pixels
 *
 * The pixels are part of the argument, so that the driver does not wait for a
 * page of user space while the device cannot be unplugged.
 */
struct drm_bochs_tile {
	/** @x: The column of the left pixels. All pixels must be visible. */
	__u32 x;

	/** @y: The row of the upper pixels. */
	__u32 y;

	/** @pixels: The pixels row by row, each as 0x00rrggbb. */
	__u32 pixels[BOCHS_TILE * BOCHS_TILE];
};

#define DRM_BOCHS_MODE		0x00
#define DRM_BOCHS_TILE		0x01

/* An enum, so that bindgen resolves the numbers. */
enum {
	DRM_IOCTL_BOCHS_MODE	= DRM_IOW(DRM_COMMAND_BASE + DRM_BOCHS_MODE,
					  struct drm_bochs_mode),
	DRM_IOCTL_BOCHS_TILE	= DRM_IOW(DRM_COMMAND_BASE + DRM_BOCHS_TILE,
					  struct drm_bochs_tile),
};

#if defined(__cplusplus)
}
#endif

#endif /* __BOCHS_DRM_H__ */
