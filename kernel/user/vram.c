// SPDX-License-Identifier: GPL-2.0
/*
 * The sample driver rust_drm_bochs, as user space sees it, and its pictures.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <drm/bochs_drm.h>
#include "host.h"
#include "pci_driver.h"
#include "scenario.h"

#define NAME		"rust_drm_bochs"
#define REGISTERS	NAME " registers"
#define FRAMEBUFFER	NAME " framebuffer"

#define COLUMNS		(SCREEN_WIDTH / BOCHS_TILE)
#define ROWS		(SCREEN_HEIGHT / BOCHS_TILE)
#define TILES		(COLUMNS * ROWS)
#define PAINTERS	4
#define UNBINDS		10
#define REPEATS		100

static struct pci_driver driver = {
	.name = NAME, .ids = "v00001234d00001111",
};

static int set_mode(int fd, uint32_t width, uint32_t height)
{
	struct drm_bochs_mode args = { .width = width, .height = height };

	return request(fd, DRM_IOCTL_BOCHS_MODE, &args);
}

/* Draws a tile of the picture of this seed, with a pixel of another color. */
static int draw_spoilt(int fd, uint32_t x, uint32_t y, unsigned int seed,
		       uint32_t spoil)
{
	struct drm_bochs_tile args = { .x = x, .y = y };

	for (unsigned int i = 0; i < BOCHS_TILE * BOCHS_TILE; i++)
		args.pixels[i] = picture(x + i % BOCHS_TILE,
					 y + i / BOCHS_TILE, seed);
	args.pixels[0] ^= spoil;
	return request(fd, DRM_IOCTL_BOCHS_TILE, &args);
}

static int draw(int fd, uint32_t x, uint32_t y, unsigned int seed)
{
	return draw_spoilt(fd, x, y, seed, 0);
}

/* Draws a tile of the picture of this seed. Tiles are counted row by row. */
static int draw_tile(int fd, unsigned int number, unsigned int seed)
{
	return draw(fd, number % COLUMNS * BOCHS_TILE,
		    number / COLUMNS * BOCHS_TILE, seed);
}

/* Draws each tile whose number leaves this remainder. */
static int draw_share(int fd, unsigned int seed, int remainder, int shares)
{
	int error = 0;

	for (int i = remainder; i < TILES && !error; i += shares)
		error = draw_tile(fd, i, seed);
	return error;
}

/* Begins a binding, which has mapped nothing yet. Returns a new file. */
static int bind_again(void)
{
	pci_unbind(&driver);
	if (pci_bind(&driver))
		return -1;
	return pci_open_node(&driver, RENDER);
}

/*
 * Returns how often the kernel has logged a mapping of this type for a BAR,
 * since the log was cleared. The kernel logs mappings with "debugpat".
 */
static int mappings(int bar, const char *type)
{
	static char log[1 << 20];
	int len = klogctl(3 /* SYSLOG_ACTION_READ_ALL */, log, sizeof(log) - 1);
	char start[64];
	int count = 0;

	log[len > 0 ? len : 0] = 0;
	snprintf(start, sizeof(start), "memtype_reserve added [mem %#010llx-",
		 pci_bar(&driver, bar));
	for (char *at = log; (at = strstr(at, start)); at++) {
		char *end = strchr(at, '\n');
		char *found = strstr(at, type);

		if (found && (!end || found < end))
			count++;
	}
	return count;
}

static void wrong_arguments(void)
{
	int fd = bind_again();

	ENSURE(fd >= 0, "there is no device node");
	ENSURE(draw(fd, 0, 0, 0) == EINVAL, "a tile without a mode");
	ENSURE(set_mode(fd, 0, 0) == EINVAL, "no pixels");
	ENSURE(set_mode(fd, 640, 63) == EINVAL, "63 rows");
	ENSURE(set_mode(fd, 65536, 64) == EINVAL, "65536 columns");
	ENSURE(set_mode(fd, 65535, 65535) == EINVAL, "too many pixels");
	ENSURE(!set_mode(fd, SCREEN_WIDTH, SCREEN_HEIGHT), "the mode");
	ENSURE(draw(fd, SCREEN_WIDTH - BOCHS_TILE + 1, 0, 0) == EINVAL,
	       "behind the end of a row");
	ENSURE(draw(fd, 0, SCREEN_HEIGHT - BOCHS_TILE + 1, 0) == EINVAL,
	       "below the last row");
	ENSURE(draw(fd, -1, 0, 0) == EINVAL, "column -1");
	ENSURE(draw(fd, 0, -1, 0) == EINVAL, "row -1");
	ENSURE(!draw(fd, SCREEN_WIDTH - BOCHS_TILE,
		     SCREEN_HEIGHT - BOCHS_TILE, 0), "the last tile");
	close(fd);
}

static void framebuffer_from_first_use(void)
{
	double first, later, unbinding;
	int fd = bind_again();

	ENSURE(fd >= 0, "there is no device node");
	ENSURE(!file_has("/proc/iomem", REGISTERS), "registers before use");
	ENSURE(!set_mode(fd, SCREEN_WIDTH, SCREEN_HEIGHT), "the mode");
	ENSURE(file_has("/proc/iomem", REGISTERS), "no registers after use");
	ENSURE(!file_has("/proc/iomem", FRAMEBUFFER), "framebuffer before use");
	first = now();
	ENSURE(!draw(fd, 0, 0, 0), "draw");
	first = now() - first;
	ENSURE(file_has("/proc/iomem", FRAMEBUFFER), "no framebuffer after use");
	later = now();
	for (int i = 0; i < REPEATS; i++)
		ENSURE(!draw(fd, 0, 0, 0), "draw again");
	later = (now() - later) / REPEATS;

	unbinding = now();
	ENSURE(!pci_unbind(&driver), "unbind");
	unbinding = now() - unbinding;
	ENSURE(!file_has("/proc/iomem", NAME), "mapped after unbind");
	say("# result: draw a tile, and map the framebuffer: %.0f us\n",
	    first * 1e6);
	say("# result: draw a tile: %.0f us\n", later * 1e6);
	say("# result: unbind the display: %.1f ms\n", unbinding * 1e3);
	ENSURE(!pci_bind(&driver), "bind");
	close(fd);
}

static void write_combined(void)
{
	int fd;

	klogctl(5 /* SYSLOG_ACTION_CLEAR */, NULL, 0);
	fd = bind_again();
	ENSURE(fd >= 0, "there is no device node");
	ENSURE(!set_mode(fd, SCREEN_WIDTH, SCREEN_HEIGHT), "the mode");
	ENSURE(mappings(2, "ret uncached") == 1, "the registers are not uncached");
	ENSURE(!mappings(0, "ret"), "the framebuffer is mapped before its use");
	ENSURE(!draw(fd, 0, 0, 0) && !draw(fd, 0, 0, 0), "draw");
	ENSURE(mappings(0, "ret write-combining") == 1,
	       "the framebuffer is not write-combined");
	ENSURE(mappings(0, "ret") == 1, "the framebuffer is mapped twice");
	close(fd);
}

/* Several processes draw a share each, and race to the first use. */
static void screen_shows_picture(void)
{
	volatile int *go = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char answer[128];
	int fd = bind_again();

	ENSURE(fd >= 0, "there is no device node");
	ENSURE(!set_mode(fd, SCREEN_WIDTH, SCREEN_HEIGHT), "the mode");
	for (int i = 0; i < PAINTERS; i++) {
		if (fork())
			continue;
		while (!*go)
			sched_yield();
		_exit(draw_share(fd, 0, i, PAINTERS));
	}
	*go = 1;
	for (int i = 0, status; i < PAINTERS; i++) {
		wait(&status);
		ENSURE(!status, "a process: %s", strerror(WEXITSTATUS(status)));
	}

	/* The host sees a single wrong pixel. */
	ENSURE(!draw_spoilt(fd, 96, 64, 0, 1), "draw");
	ENSURE(!host_compare(0, answer, sizeof(answer)), "no answer");
	ENSURE(!strcmp(answer, "pixel 96, 64 is 0x604021, not 0x604020"),
	       "with a wrong pixel: %s", answer);
	ENSURE(!draw(fd, 96, 64, 0), "draw");
	ENSURE(!host_compare(0, answer, sizeof(answer)), "no answer");
	ENSURE(!strcmp(answer, SAME), "%s", answer);

	munmap((void *)go, PAGE);
	close(fd);
}

/* Draws picture after picture as long as there is a device. */
static int paint(int fd, unsigned int first, volatile uint64_t *drawn)
{
	int error = 0;

	for (unsigned int i = first; !error; i += PAINTERS) {
		error = draw_tile(fd, i % TILES, i / TILES);
		if (!error)
			__atomic_add_fetch(drawn, 1, __ATOMIC_RELAXED);
	}
	return error;
}

static void unbind_while_drawn(void)
{
	volatile uint64_t *drawn = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
					MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	for (int i = 0; i < UNBINDS && !fault[0]; i++) {
		uint64_t before = *drawn;
		double begin = now();
		int fd = bind_again();

		ENSURE(fd >= 0, "there is no device node");
		ENSURE(!set_mode(fd, SCREEN_WIDTH, SCREEN_HEIGHT), "the mode");
		for (int j = 0; j < PAINTERS; j++)
			if (!fork())
				_exit(paint(fd, j, drawn));

		/* Waits for a count, not for a time. */
		while (*drawn < before + 8 * PAINTERS && now() < begin + 60)
			pause_ms(1);
		if (*drawn < before + 8 * PAINTERS)
			snprintf(fault, sizeof(fault), "nothing is drawn");
		if (pci_unbind(&driver))
			snprintf(fault, sizeof(fault), "unbind %d", i);
		for (int j = 0, status; j < PAINTERS; j++) {
			wait(&status);
			if (!WIFEXITED(status) || WEXITSTATUS(status) != ENODEV)
				snprintf(fault, sizeof(fault),
					 "unbind %d: a process: status %#x", i,
					 status);
		}
		if (file_has("/proc/iomem", NAME))
			snprintf(fault, sizeof(fault), "mapped after unbind");
		close(fd);
	}
	if (pci_bind(&driver))
		snprintf(fault, sizeof(fault), "bind");
	munmap((void *)drawn, PAGE);
}

static void bound_again(void)
{
	char answer[128];
	int new, fd = bind_again();

	ENSURE(fd >= 0, "there is no device node");
	ENSURE(!set_mode(fd, SCREEN_WIDTH, SCREEN_HEIGHT), "the mode");
	ENSURE(!draw_share(fd, 0, 0, 1), "draw");
	new = bind_again();
	ENSURE(new >= 0, "there is no device node, bound again");
	ENSURE(set_mode(fd, SCREEN_WIDTH, SCREEN_HEIGHT) == ENODEV,
	       "the mode, by the old file");
	ENSURE(draw(fd, 0, 0, 0) == ENODEV, "a tile, by the old file");
	ENSURE(!set_mode(new, SCREEN_WIDTH, SCREEN_HEIGHT), "the new mode");
	ENSURE(!draw_share(new, 128, 0, 1), "draw, by the new file");
	ENSURE(!host_compare(128, answer, sizeof(answer)), "no answer");
	ENSURE(!strcmp(answer, SAME), "%s", answer);
	close(new);
	close(fd);
}

static void device_is_there(void)
{
	ENSURE(!pci_find(&driver), "it is not");
}

const struct scenario vram_scenarios[] = {
	{ "vram_device", "there is a bochs-display", device_is_there },
	{ "vram_wrong_arguments", "EINVAL", wrong_arguments },
	{ "vram_from_first_use", "in /proc/iomem from first use to unbind",
	  framebuffer_from_first_use },
	{ "vram_write_combined", "the framebuffer is, the registers are not",
	  write_combined },
	{ "vram_screen_shows_picture", "pixel by pixel, as the host sees it",
	  screen_shows_picture },
	{ "vram_unbind_while_drawn", "10 times, with ENODEV and nothing else",
	  unbind_while_drawn },
	{ "vram_bound_again", "the new file draws, the old one gets ENODEV",
	  bound_again },
	{ 0 },
};
