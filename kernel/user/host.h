/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Requests to the host, which sees the machine from outside.
 */
#ifndef HOST_H
#define HOST_H

#include <stddef.h>

/* The size of the screen. */
#define SCREEN_WIDTH	640
#define SCREEN_HEIGHT	480

/*
 * Returns a pixel of the picture of this seed. The host computes the same, in
 * xtask/src/kernel/device/screen.rs.
 */
static inline unsigned int picture(unsigned int x, unsigned int y,
				   unsigned int seed)
{
	return ((x + seed) & 0xff) << 16 | (y & 0xff) << 8 | ((x ^ y) & 0xff);
}

/* The answer of the host if the screen is as expected. */
#define SAME		"the same"

/*
 * Makes the host compare the screen with the picture of this seed, and waits
 * for its answer. Returns the error number.
 */
int host_compare(unsigned int seed, char *answer, size_t size);

#endif
