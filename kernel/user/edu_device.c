// SPDX-License-Identifier: GPL-2.0
/*
 * QEMU's device edu, with the sample driver rust_drm_edu and without it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <unistd.h>
#include "edu_device.h"
#include "pci_driver.h"
#include "scenario.h"

/* The DMA registers of edu, as indices of 32-bit words. */
#define EDU_DMA_SOURCE		(0x80 / 4)
#define EDU_DMA_DESTINATION	(0x88 / 4)
#define EDU_DMA_COUNT		(0x90 / 4)
#define EDU_DMA_COMMAND		(0x98 / 4)
#define EDU_DMA_START		1u
#define EDU_DMA_TO_RAM		2u
#define EDU_MEMORY		0x40000u

#define EDU_IDS			"v00001234d000011E8"

/* The device under test, and another one, which exports buffers. */
static struct pci_driver edu = { .name = DRIVER, .ids = EDU_IDS };
static struct pci_driver second = { .name = DRIVER, .ids = EDU_IDS, .nth = 1 };

int find_device(void)
{
	pci_find(&second);
	return pci_find(&edu);
}

int bind_driver(void)
{
	return pci_bind(&edu);
}

int unbind_driver(void)
{
	return pci_unbind(&edu);
}

int bind_second(void)
{
	return pci_bind(&second);
}

int unbind_second(void)
{
	return pci_unbind(&second);
}

int open_node(void)
{
	return pci_open_node(&edu, RENDER);
}

int open_primary_node(void)
{
	return pci_open_node(&edu, PRIMARY);
}

int open_second_node(void)
{
	return pci_open_node(&second, RENDER);
}

int create(int fd, size_t size, uint32_t *handle)
{
	struct drm_edu_bo_create args = { .size = size };
	int error = request(fd, DRM_IOCTL_EDU_BO_CREATE, &args);

	*handle = args.handle;
	return error;
}

int map(int fd, uint32_t handle, uint64_t *address)
{
	struct drm_edu_bo_map args = { .handle = handle };
	int error = request(fd, DRM_IOCTL_EDU_BO_MAP, &args);

	if (address)
		*address = args.address;
	return error;
}

void *map_for_us(int fd, uint32_t handle, size_t size)
{
	struct drm_edu_bo_mmap args = { .handle = handle };
	void *memory;

	if (request(fd, DRM_IOCTL_EDU_BO_MMAP, &args))
		return NULL;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		      args.offset);
	return memory == MAP_FAILED ? NULL : memory;
}

int copy(int fd, uint32_t handle, uint32_t direction, uint64_t offset,
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

/* Returns how often the IOMMU has refused a write of the device. */
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

/* Makes the device write to this address. Returns the error number. */
static int write_to(uint64_t address, uint32_t len)
{
	char path[128];
	volatile uint32_t *registers;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource0",
		 edu.slot);
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

void writes_end_at_unbind(uint8_t *memory, size_t size,
			  const uint8_t *expected, uint64_t address)
{
	int error, before = faults();

	memset(memory, 0, size);
	error = write_to(address, HALF);
	ENSURE(!error, "resource0: %s", strerror(error));
	ENSURE(!memcmp(memory, expected, HALF), "while mapped, nothing arrives");
	ENSURE(faults() == before, "while mapped, the IOMMU refuses it");

	ENSURE(!unbind_driver(), "unbind");
	memset(memory, 0, size);
	error = write_to(address, HALF);
	ENSURE(!error, "resource0 after unbind: %s", strerror(error));
	for (size_t i = 0; i < size; i++)
		ENSURE(!memory[i], "memory has changed after unbind");
	ENSURE(faults() > before, "the IOMMU has let it through");
}
