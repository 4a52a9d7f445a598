// SPDX-License-Identifier: GPL-2.0
/*
 * What user space sees of the sample driver rust_drm_edu, as the only process
 * of a machine that has QEMU's device edu behind an IOMMU.
 *
 * Each scenario prints a row: its name, what is expected, what has happened,
 * and how long it took. The last line says how many rows are off. Then the
 * machine is switched off.
 *
 * There is no libpthread here, as the kernel may have no futex: who races is a
 * process.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <drm/edu_drm.h>

#define DRIVER		"rust_drm_edu"
#define SYSFS_DRIVER	"/sys/bus/pci/drivers/" DRIVER
#define PAGE		4096u
#define PAGES		4u
#define HALF		(PAGE / 2)
#define RACERS		4
#define UNBINDS		30
#define MANY		10000

/* Where edu has its DMA registers. */
#define EDU_DMA_SOURCE		(0x80 / 4)
#define EDU_DMA_DESTINATION	(0x88 / 4)
#define EDU_DMA_COUNT		(0x90 / 4)
#define EDU_DMA_COMMAND		(0x98 / 4)
#define EDU_DMA_START		1u
#define EDU_DMA_TO_RAM		2u
#define EDU_MEMORY		0x40000u

static int off;
static char slot[64];

/* The kernel's log: lines that go there are not mixed with the kernel's. */
static int kmsg = -1;

/* What has gone wrong in a scenario, in words. Empty if nothing has. */
static char fault[256];

#define FAIL(...) do {							\
	if (!fault[0])							\
		snprintf(fault, sizeof(fault), __VA_ARGS__);		\
	return;								\
} while (0)

#define ENSURE(condition, ...) do {					\
	if (!(condition))						\
		FAIL(__VA_ARGS__);					\
} while (0)

/* Prints a line, at once: dprintf() would seek, which the log does not allow. */
static void say(const char *format, ...)
{
	char line[512];
	va_list arguments;
	int len;

	va_start(arguments, format);
	len = vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	if (write(kmsg, line, len) < 0)
		off++;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static void pause_ms(int ms)
{
	struct timespec time = { ms / 1000, ms % 1000 * 1000000L };

	while (nanosleep(&time, &time))
		;
}

/* As ioctl(), but returns the error number. */
static int request(int fd, unsigned long command, void *data)
{
	return ioctl(fd, command, data) ? errno : 0;
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	int error = 0;

	if (fd < 0)
		return errno;
	if (write(fd, text, strlen(text)) < 0)
		error = errno;
	close(fd);
	return error;
}

static int bind_driver(void)
{
	return write_file(SYSFS_DRIVER "/bind", slot);
}

static int unbind_driver(void)
{
	return write_file(SYSFS_DRIVER "/unbind", slot);
}

/* Opens the render node of the driver: each binding has another one. */
static int open_node(void)
{
	DIR *dir = opendir("/dev/dri");
	struct dirent *entry;
	int found = -1;

	if (!dir)
		return -1;
	while (found < 0 && (entry = readdir(dir))) {
		char path[PATH_MAX], name[32] = "";
		struct drm_version version = {
			.name = name, .name_len = sizeof(name) - 1,
		};

		if (strncmp(entry->d_name, "renderD", 7))
			continue;
		snprintf(path, sizeof(path), "/dev/dri/%s", entry->d_name);
		found = open(path, O_RDWR | O_CLOEXEC);
		if (found < 0)
			continue;
		if (request(found, DRM_IOCTL_VERSION, &version) ||
		    strcmp(name, DRIVER)) {
			close(found);
			found = -1;
		}
	}
	closedir(dir);
	return found;
}

static int create(int fd, size_t size, uint32_t *handle)
{
	struct drm_edu_bo_create args = { .size = size };
	int error = request(fd, DRM_IOCTL_EDU_BO_CREATE, &args);

	*handle = args.handle;
	return error;
}

static int map(int fd, uint32_t handle, uint64_t *address)
{
	struct drm_edu_bo_map args = { .handle = handle };
	int error = request(fd, DRM_IOCTL_EDU_BO_MAP, &args);

	if (address)
		*address = args.address;
	return error;
}

static void *map_for_us(int fd, uint32_t handle, size_t size)
{
	struct drm_edu_bo_mmap args = { .handle = handle };
	void *memory;

	if (request(fd, DRM_IOCTL_EDU_BO_MMAP, &args))
		return NULL;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		      args.offset);
	return memory == MAP_FAILED ? NULL : memory;
}

static int copy(int fd, uint32_t handle, uint32_t direction, uint64_t offset,
		uint32_t len)
{
	struct drm_edu_copy args = {
		.handle = handle,
		.direction = direction,
		.offset = offset,
		.len = len,
	};

	return request(fd, DRM_IOCTL_EDU_COPY, &args);
}

static void fill(uint8_t *memory, size_t size, unsigned int seed)
{
	for (size_t i = 0; i < size; i++)
		memory[i] = seed = seed * 1103515245u + 12345u;
}

/* Whether a line of a file has this text in it. */
static int file_has(const char *path, const char *text)
{
	char line[256];
	FILE *file = fopen(path, "r");
	int found = 0;

	while (file && !found && fgets(line, sizeof(line), file))
		found = strstr(line, text) != NULL;
	if (file)
		fclose(file);
	return found;
}

/* How often the IOMMU has refused the device a write. */
static int faults(void)
{
	static char log[1 << 20];
	int len = klogctl(3 /* SYSLOG_ACTION_READ_ALL */, log, sizeof(log) - 1);
	int count = 0;

	log[len > 0 ? len : 0] = 0;
	for (char *at = log; (at = strstr(at, "[DMA Write")); at++)
		count++;
	return count;
}

/* Has the device write to this address, past the driver. */
static int write_past_driver(uint64_t address, uint32_t len)
{
	char path[128];
	volatile uint32_t *registers;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource0", slot);
	fd = open(path, O_RDWR);
	if (fd < 0)
		return errno;
	registers = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (registers == MAP_FAILED)
		return errno;

	registers[EDU_DMA_SOURCE] = EDU_MEMORY;
	registers[EDU_DMA_DESTINATION] = address;
	registers[EDU_DMA_COUNT] = len;
	registers[EDU_DMA_COMMAND] = EDU_DMA_START | EDU_DMA_TO_RAM;
	while (registers[EDU_DMA_COMMAND] & EDU_DMA_START)
		pause_ms(10);
	munmap((void *)registers, PAGE);
	return 0;
}

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

		/* Waits for what is counted, not for a time. */
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

static void stale_dma(void)
{
	uint8_t expected[PAGE];
	uint8_t *memory;
	uint64_t address;
	uint32_t handle;
	int before, error, fd = open_node();

	ENSURE(fd >= 0, "there is no device node");
	ENSURE(!create(fd, PAGE, &handle), "create");
	memory = map_for_us(fd, handle, PAGE);
	ENSURE(memory, "mmap: %s", strerror(errno));
	fill(memory, PAGE, 3);
	ENSURE(!copy(fd, handle, EDU_COPY_TO_DEVICE, 0, HALF), "copy");
	ENSURE(!map(fd, handle, &address), "map");

	/* While it is mapped, what goes past the driver arrives. */
	before = faults();
	memset(memory, 0, PAGE);
	error = write_past_driver(address, HALF);
	ENSURE(!error, "resource0: %s", strerror(error));
	fill(expected, PAGE, 3);
	ENSURE(!memcmp(memory, expected, HALF), "while mapped, nothing arrives");
	ENSURE(faults() == before, "while mapped, the IOMMU refuses it");

	ENSURE(!unbind_driver(), "unbind");
	memset(memory, 0, PAGE);
	memset(expected, 0, PAGE);
	error = write_past_driver(address, HALF);
	ENSURE(!error, "resource0 after unbind: %s", strerror(error));
	ENSURE(!memcmp(memory, expected, PAGE), "memory has changed after unbind");
	ENSURE(faults() > before, "the IOMMU has let it through");

	ENSURE(!bind_driver(), "bind");
	munmap(memory, PAGE);
	close(fd);
}

static double unbinding;

static void many_buffers(void)
{
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
	ENSURE(!bind_driver(), "bind");
	close(fd);
}

static const struct {
	const char *name, *expected;
	void (*run)(void);
} scenarios[] = {
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
};

/* Finds the device by its ids, and keeps where it is. */
static int find_device(void)
{
	DIR *dir = opendir("/sys/bus/pci/devices");
	struct dirent *entry;

	while (dir && !slot[0] && (entry = readdir(dir))) {
		char path[PATH_MAX];

		snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/device",
			 entry->d_name);
		if (file_has(path, "0x11e8"))
			snprintf(slot, sizeof(slot), "%.63s", entry->d_name);
	}
	if (dir)
		closedir(dir);
	return slot[0] ? 0 : ENODEV;
}

int main(void)
{
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mkdir("/dev", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	kmsg = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);

	if (find_device()) {
		say("edu: there is no device\n");
		off = 1;
	}
	for (size_t i = 0; !off && i < sizeof(scenarios) / sizeof(*scenarios); i++) {
		double begin = now();

		fault[0] = 0;
		scenarios[i].run();
		say("edu: %s: %s: %s: %s: %.0f ms\n",
		       fault[0] ? "off" : "ok", scenarios[i].name,
		       scenarios[i].expected, fault[0] ? fault : "so it is",
		       (now() - begin) * 1000);
		/* What follows would not start from where it should. */
		if (fault[0])
			off++;
	}
	say("edu: unbind with %d mapped buffers: %.1f ms\n", MANY,
	       unbinding * 1000);
	say("edu: %d off\n", off);
	sync();
	reboot(RB_POWER_OFF);
	return 0;
}
