// SPDX-License-Identifier: GPL-2.0
/*
 * The sample driver rust_drm_edu, as user space sees it.
 *
 * Processes race here, and not threads of libpthread, as the kernel may have no
 * futex.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "edu_device.h"
#include "scenario.h"

#define PAGES		4u
#define RACERS		4
#define UNBINDS		30
#define MANY		10000

static void copy_both_ways(void)
{
	size_t size = PAGES * PAGE;
	uint32_t out, in;
	uint8_t *sent, *received;
	int fd = open_node();
	int error;

	ENSURE(fd >= 0, "there is no device node");
	ENSURE(!create(fd, size, &out) && !create(fd, size, &in), "create");
	sent = map_for_us(fd, out, size);
	received = map_for_us(fd, in, size);
	ENSURE(sent && received, "mmap: %s", strerror(errno));

	fill(sent, size, 1);
	for (size_t at = 0; at < size; at += HALF) {
		error = copy(fd, out, EDU_COPY_TO_DEVICE, at, HALF);
		ENSURE(!error, "to the device: %s", strerror(error));
		error = copy(fd, in, EDU_COPY_FROM_DEVICE, at, HALF);
		ENSURE(!error, "from the device: %s", strerror(error));
	}
	ENSURE(!memcmp(sent, received, size), "other bytes have come back");

	munmap(sent, size);
	munmap(received, size);
	close(fd);
}

static void cpu_buffer(void)
{
	struct drm_edu_cpu args = { .op = EDU_CPU_FILL, .word = 7 };
	uint32_t *memory;
	int fd = open_node();

	ENSURE(fd >= 0, "there is no device node");
	ENSURE(!create(fd, PAGES * PAGE, &args.handle), "create");
	memory = map_for_us(fd, args.handle, PAGES * PAGE);
	ENSURE(memory, "mmap: %s", strerror(errno));

	ENSURE(!request(fd, DRM_IOCTL_EDU_CPU, &args), "fill");
	for (size_t i = 0; i < PAGES * PAGE / 4; i++)
		ENSURE(memory[i] == 7, "word %zu is %u", i, memory[i]);
	memory[0] = 10;
	args.op = EDU_CPU_SUM;
	ENSURE(!request(fd, DRM_IOCTL_EDU_CPU, &args), "sum");
	ENSURE(args.sum == 7 * (PAGES * PAGE / 4) + 3, "the sum is %llu",
	       (unsigned long long)args.sum);

	munmap(memory, PAGES * PAGE);
	close(fd);
}

static void racing_first_accesses(void)
{
	uint64_t *addresses = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	volatile int *go = (int *)&addresses[RACERS];
	uint32_t handle;
	int fd = open_node();

	ENSURE(fd >= 0, "there is no device node");
	ENSURE(!create(fd, 16 * PAGE, &handle), "create");
	for (int i = 0; i < RACERS; i++) {
		if (fork())
			continue;
		while (!*go)
			sched_yield();
		_exit(map(fd, handle, &addresses[i]));
	}
	*go = 1;
	for (int i = 0, status; i < RACERS; i++) {
		wait(&status);
		ENSURE(!status, "a process: %s", strerror(WEXITSTATUS(status)));
	}
	for (int i = 0; i < RACERS; i++)
		ENSURE(addresses[i] && addresses[i] == addresses[0],
		       "process %d got another address", i);

	munmap(addresses, PAGE);
	close(fd);
}

static void wrong_arguments(void)
{
	struct drm_edu_bo_create padded = { .size = PAGE, .pad = 1 };
	uint32_t handle, none;
	int fd = open_node();

	ENSURE(fd >= 0, "there is no device node");
	ENSURE(!create(fd, PAGE, &handle), "create");
	none = handle + 1;
	ENSURE(create(fd, 0, &(uint32_t){ 0 }) == EINVAL, "no bytes");
	ENSURE(request(fd, DRM_IOCTL_EDU_BO_CREATE, &padded) == EINVAL, "pad");
	ENSURE(map(fd, none, NULL) == ENOENT, "map");
	ENSURE(!map_for_us(fd, none, PAGE), "mmap");
	ENSURE(copy(fd, none, EDU_COPY_TO_DEVICE, 0, 4) == ENOENT, "copy");
	ENSURE(copy(fd, handle, 2, 0, 4) == EINVAL, "direction");
	ENSURE(copy(fd, handle, EDU_COPY_TO_DEVICE, 0, 0) == EINVAL, "length 0");
	ENSURE(copy(fd, handle, EDU_COPY_TO_DEVICE, PAGE - 4, 8) == EINVAL,
	       "behind the end");
	ENSURE(copy(fd, handle, EDU_COPY_TO_DEVICE, -4ull, 8) == EINVAL,
	       "around the end");
	ENSURE(copy(fd, handle, EDU_COPY_TO_DEVICE, 0, PAGE) == EINVAL,
	       "behind the end of the device's memory");
	close(fd);
}

static void registers_from_first_use(void)
{
	uint32_t handle;
	int fd, error;

	unbind_driver();
	ENSURE(!bind_driver(), "bind");
	ENSURE(!file_has("/proc/iomem", DRIVER), "mapped before the first use");
	fd = open_node();
	ENSURE(fd >= 0, "there is no device node");
	ENSURE(!create(fd, PAGE, &handle), "create");
	error = copy(fd, handle, EDU_COPY_TO_DEVICE, 0, 4);
	ENSURE(!error, "copy: %s", strerror(error));
	ENSURE(file_has("/proc/iomem", DRIVER), "not mapped by the first use");
	ENSURE(!unbind_driver(), "unbind");
	ENSURE(!file_has("/proc/iomem", DRIVER), "mapped after unbind");
	ENSURE(!bind_driver(), "bind");
	close(fd);
}

static void unbind_with_open_file(void)
{
	uint8_t expected[PAGE];
	uint8_t *memory;
	uint32_t handle;
	int new, fd = open_node();

	ENSURE(fd >= 0, "there is no device node");
	ENSURE(!create(fd, PAGE, &handle), "create");
	memory = map_for_us(fd, handle, PAGE);
	ENSURE(memory, "mmap: %s", strerror(errno));
	fill(memory, PAGE, 2);
	fill(expected, PAGE, 2);
	ENSURE(!map(fd, handle, NULL), "map");

	ENSURE(!unbind_driver(), "unbind");
	ENSURE(map(fd, handle, NULL) == ENODEV, "map after unbind");
	ENSURE(!memcmp(memory, expected, PAGE), "the buffer has changed");

	ENSURE(!bind_driver(), "bind");
	ENSURE(map(fd, handle, NULL) == ENODEV, "the old file, bound again");
	new = open_node();
	ENSURE(new >= 0, "there is no device node, bound again");
	ENSURE(!create(new, PAGE, &handle) && !map(new, handle, NULL),
	       "the new file");

	munmap(memory, PAGE);
	close(new);
	close(fd);
}

static void unbind_during_copy(void)
{
	uint32_t handle;
	int fd = open_node();
	int status;

	ENSURE(fd >= 0, "there is no device node");
	ENSURE(!create(fd, PAGE, &handle), "create");
	ENSURE(!copy(fd, handle, EDU_COPY_TO_DEVICE, 0, 4), "copy");
	if (!fork())
		_exit(copy(fd, handle, EDU_COPY_TO_DEVICE, 0, HALF));
	/* A copy takes 300 ms. */
	pause_ms(50);
	ENSURE(!unbind_driver(), "unbind");
	wait(&status);
	ENSURE(!status, "the copy: %s", strerror(WEXITSTATUS(status)));
	ENSURE(copy(fd, handle, EDU_COPY_TO_DEVICE, 0, 4) == ENODEV,
	       "a copy after unbind");
	ENSURE(!bind_driver(), "bind");
	close(fd);
}

/* Makes buffers and maps them for as long as there is a device. */
static int load(volatile uint64_t *mapped)
{
	for (;;) {
		uint32_t handle;
		int error, fd = open_node();

		if (fd < 0) {
			sched_yield();
			continue;
		}
		for (error = 0; !error; __atomic_add_fetch(mapped, 1, __ATOMIC_RELAXED)) {
			error = create(fd, 4 * PAGE, &handle);
			if (!error)
				error = map(fd, handle, NULL);
			if (!error) {
				struct drm_gem_close args = { .handle = handle };

				error = request(fd, DRM_IOCTL_GEM_CLOSE, &args);
			}
		}
		close(fd);
		if (error != ENODEV)
			return error;
	}
}

static void unbind_under_load(void)
{
	volatile uint64_t *mapped = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
					 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t children[RACERS];
	int status;

	for (int i = 0; i < RACERS; i++) {
		children[i] = fork();
		if (!children[i])
			_exit(load(mapped));
	}
	for (int i = 0; i < UNBINDS && !fault[0]; i++) {
		uint64_t before = *mapped;
		double begin = now();

		/* Waits for a count, not for a time. */
		while (*mapped < before + 2 * RACERS && now() < begin + 60)
			pause_ms(1);
		if (*mapped < before + 2 * RACERS)
			snprintf(fault, sizeof(fault), "binding %d is not used", i);
		else if (unbind_driver() || bind_driver())
			snprintf(fault, sizeof(fault), "unbind or bind %d", i);
	}
	for (int i = 0; i < RACERS; i++) {
		kill(children[i], SIGKILL);
		waitpid(children[i], &status, 0);
		ENSURE(WIFSIGNALED(status), "a process: %s",
		       strerror(WEXITSTATUS(status)));
	}
	munmap((void *)mapped, PAGE);
}

/*
 * From here on, the driver has a buffer of its own. Unbind drops it with the
 * registration data that it belongs to.
 */
static void driver_buffer(void)
{
	struct drm_edu_clear args = { .len = HALF };
	uint8_t zeroes[HALF] = { 0 };
	uint8_t *memory;
	uint32_t handle;
	int fd = open_node();

	ENSURE(fd >= 0, "there is no device node");
	ENSURE(!create(fd, PAGE, &handle), "create");
	memory = map_for_us(fd, handle, PAGE);
	ENSURE(memory, "mmap: %s", strerror(errno));
	fill(memory, PAGE, 4);
	ENSURE(!copy(fd, handle, EDU_COPY_TO_DEVICE, 0, HALF), "to the device");
	ENSURE(!request(fd, DRM_IOCTL_EDU_CLEAR, &args), "clear");
	ENSURE(!copy(fd, handle, EDU_COPY_FROM_DEVICE, 0, HALF),
	       "from the device");
	ENSURE(!memcmp(memory, zeroes, HALF), "the device has other bytes");

	munmap(memory, PAGE);
	close(fd);
	ENSURE(!unbind_driver(), "unbind");
	ENSURE(!bind_driver(), "bind");
}

static void stale_dma(void)
{
	uint8_t expected[PAGE];
	uint8_t *memory;
	uint64_t address;
	uint32_t handle;
	int fd = open_node();

	ENSURE(fd >= 0, "there is no device node");
	ENSURE(!create(fd, PAGE, &handle), "create");
	memory = map_for_us(fd, handle, PAGE);
	ENSURE(memory, "mmap: %s", strerror(errno));
	fill(memory, PAGE, 3);
	ENSURE(!copy(fd, handle, EDU_COPY_TO_DEVICE, 0, HALF), "copy");
	ENSURE(!map(fd, handle, &address), "map");

	fill(expected, PAGE, 3);
	writes_end_at_unbind(memory, PAGE, expected, address);
	ENSURE_NO_FAULT();
	ENSURE(!bind_driver(), "bind");
	munmap(memory, PAGE);
	close(fd);
}

static void many_buffers(void)
{
	double unbinding;
	int fd = open_node();

	ENSURE(fd >= 0, "there is no device node");
	for (int i = 0; i < MANY; i++) {
		uint32_t handle;
		int error = create(fd, PAGE, &handle);

		ENSURE(!error, "create %d: %s", i, strerror(error));
		error = map(fd, handle, NULL);
		ENSURE(!error, "map %d: %s", i, strerror(error));
	}

	unbinding = now();
	ENSURE(!unbind_driver(), "unbind");
	unbinding = now() - unbinding;
	say("# result: unbind with %d mapped buffers: %.0f ms\n", MANY,
	    unbinding * 1000);
	ENSURE(!bind_driver(), "bind");
	close(fd);
}

const struct scenario edu_scenarios[] = {
	{ "copy_both_ways", "the same bytes come back", copy_both_ways },
	{ "cpu_buffer", "the CPU fills and adds up a buffer", cpu_buffer },
	{ "racing_first_accesses", "one mapping for all processes",
	  racing_first_accesses },
	{ "wrong_arguments", "ENOENT or EINVAL", wrong_arguments },
	{ "registers_from_first_use", "in /proc/iomem from first use to unbind",
	  registers_from_first_use },
	{ "unbind_with_open_file", "ENODEV for good; memory stays readable",
	  unbind_with_open_file },
	{ "unbind_during_copy", "unbind waits for the copy", unbind_during_copy },
	{ "unbind_under_load", "30 times, with ENODEV and nothing else",
	  unbind_under_load },
	{ "stale_dma", "refused by the IOMMU; memory stays as it is", stale_dma },
	{ "many_buffers", "10000 mapped buffers, unbound", many_buffers },
	/* If this fails, the kernel may not work properly any more. */
	{ "driver_buffer", "the driver's own buffer goes with its device",
	  driver_buffer },
	{ 0 },
};
