// SPDX-License-Identifier: GPL-2.0
/*
 * Buffers of other drivers, which edu imports: memory of user space (udmabuf),
 * of a GPU without a device (vgem), and of a second edu.
 *
 * An import is attached to its buffer at once, and mapped on first use.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "edu_device.h"
#include "pci_driver.h"
#include "scenario.h"

#define SIZE		(2 * PAGE)
#define VGEM		"/sys/devices/faux/vgem"

/* A buffer of another driver, and the file and the memory of its exporter. */
struct exported {
	int dmabuf;
	int file;
	uint8_t *memory;
};

/* Exports the buffer of a handle. Returns the error number. */
static int export_handle(int fd, uint32_t handle, int *dmabuf)
{
	struct drm_prime_handle args = {
		.handle = handle, .flags = DRM_CLOEXEC | DRM_RDWR,
	};
	int error = request(fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &args);

	*dmabuf = args.fd;
	return error;
}

/* Imports a buffer. Returns the error number. */
static int import(int fd, int dmabuf, uint32_t *handle)
{
	struct drm_prime_handle args = { .fd = dmabuf };
	int error = request(fd, DRM_IOCTL_PRIME_FD_TO_HANDLE, &args);

	*handle = args.handle;
	return error;
}

/* Closes a handle. Returns the error number. */
static int forget(int fd, uint32_t handle)
{
	struct drm_gem_close args = { .handle = handle };

	return request(fd, DRM_IOCTL_GEM_CLOSE, &args);
}

/* Makes DRM create a buffer of this many pages. Returns the error number. */
static int create_dumb(int fd, uint32_t pages, uint32_t *handle)
{
	struct drm_mode_create_dumb args = {
		.width = PAGE / 4, .height = pages, .bpp = 32,
	};
	int error = request(fd, DRM_IOCTL_MODE_CREATE_DUMB, &args);

	*handle = args.handle;
	return error;
}

/* Maps a dumb buffer for this process. Returns NULL if that fails. */
static void *map_dumb_for_us(int fd, uint32_t handle, size_t size)
{
	struct drm_mode_map_dumb args = { .handle = handle };
	void *memory;

	if (request(fd, DRM_IOCTL_MODE_MAP_DUMB, &args))
		return NULL;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		      args.offset);
	return memory == MAP_FAILED ? NULL : memory;
}

static int export_udmabuf(struct exported *it)
{
	struct udmabuf_create args = { .size = SIZE };
	int fd = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);

	it->file = memfd_create("exported", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	if (fd < 0 || it->file < 0 || ftruncate(it->file, SIZE) ||
	    fcntl(it->file, F_ADD_SEALS, F_SEAL_SHRINK))
		return errno;
	it->memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			  it->file, 0);
	if (it->memory == MAP_FAILED)
		return errno;

	args.memfd = it->file;
	it->dmabuf = ioctl(fd, UDMABUF_CREATE, &args);
	if (it->dmabuf < 0)
		return errno;
	close(fd);
	return 0;
}

static int export_vgem(struct exported *it)
{
	uint32_t handle;
	int error;

	it->file = open_node_of(VGEM, PRIMARY);
	if (it->file < 0)
		return ENODEV;
	error = create_dumb(it->file, SIZE / PAGE, &handle);
	if (error)
		return error;
	it->memory = map_dumb_for_us(it->file, handle, SIZE);
	if (!it->memory)
		return errno;
	return export_handle(it->file, handle, &it->dmabuf);
}

static int export_edu(struct exported *it)
{
	uint32_t handle;
	int error;

	it->file = open_second_node();
	if (it->file < 0)
		return ENODEV;
	error = create(it->file, SIZE, &handle);
	if (error)
		return error;
	it->memory = map_for_us(it->file, handle, SIZE);
	if (!it->memory)
		return errno;
	return export_handle(it->file, handle, &it->dmabuf);
}

static void end_export(struct exported *it)
{
	close(it->dmabuf);
	munmap(it->memory, SIZE);
	close(it->file);
}

/* Copies by way of the device. Returns the error number. */
static int copy_over(int fd, uint32_t from, uint32_t to)
{
	for (size_t at = 0; at < SIZE; at += HALF) {
		int error = copy(fd, from, EDU_COPY_TO_DEVICE, at, HALF);

		if (!error)
			error = copy(fd, to, EDU_COPY_FROM_DEVICE, at, HALF);
		if (error)
			return error;
	}
	return 0;
}

/*
 * Checks that a buffer that DRM has made for the driver can be mapped as
 * others, or that DRM has refused with this error.
 */
static void is_whole(int fd, uint32_t handle, int error, int refused)
{
	uint64_t address = 0;

	if (error) {
		ENSURE(error == refused, "%s", strerror(error));
		return;
	}
	error = map(fd, handle, &address);
	ENSURE(!error, "map: %s", strerror(error));
	ENSURE(address, "map: no address");
}

static void dumb_buffer(void)
{
	int error, fd = open_primary_node();
	uint32_t handle;

	ENSURE(fd >= 0, "there is no device node");
	error = create_dumb(fd, 1, &handle);
	is_whole(fd, handle, error, ENOSYS);
	close(fd);
}

static void prime_buffer(void)
{
	struct exported theirs;
	int error, fd = open_node();
	uint32_t handle;

	ENSURE(fd >= 0, "there is no device node");
	error = export_udmabuf(&theirs);
	ENSURE(!error, "export: %s", strerror(error));
	error = import(fd, theirs.dmabuf, &handle);
	is_whole(fd, handle, error, EINVAL);
	close(fd);
	end_export(&theirs);
}

/* A buffer that a file has imported. */
struct imported {
	struct exported theirs;
	int fd;
	uint32_t handle;
};

/* Exports a buffer, and imports it into a new file. */
static void begin_import(struct imported *it, int (*export)(struct exported *))
{
	int error;

	it->fd = open_node();
	ENSURE(it->fd >= 0, "there is no device node");
	error = export(&it->theirs);
	ENSURE(!error, "export: %s", strerror(error));
	error = import(it->fd, it->theirs.dmabuf, &it->handle);
	ENSURE(!error, "import: %s", strerror(error));
}

/* Makes a buffer of the file's own. Returns its memory for this process. */
static uint8_t *create_own(int fd, uint32_t *handle)
{
	if (create(fd, SIZE, handle))
		return NULL;
	return map_for_us(fd, *handle, SIZE);
}

static void copies(int (*export)(struct exported *))
{
	struct imported it;
	uint8_t *memory;
	uint32_t own;
	int error;

	begin_import(&it, export);
	ENSURE_NO_FAULT();
	memory = create_own(it.fd, &own);
	ENSURE(memory, "a buffer of our own: %s", strerror(errno));

	fill(it.theirs.memory, SIZE, 5);
	error = copy_over(it.fd, it.handle, own);
	ENSURE(!error, "from the import: %s", strerror(error));
	ENSURE(!memcmp(memory, it.theirs.memory, SIZE),
	       "other bytes have come out of the import");

	fill(memory, SIZE, 6);
	error = copy_over(it.fd, own, it.handle);
	ENSURE(!error, "to the import: %s", strerror(error));
	ENSURE(!memcmp(memory, it.theirs.memory, SIZE),
	       "other bytes have come into the import");

	end_export(&it.theirs);
	munmap(memory, SIZE);
	close(it.fd);
}

/*
 * The exporter drops everything before the first use of the import. Only the
 * import's own references are left.
 */
static void exporter_goes_first(int (*export)(struct exported *),
				int (*unbind)(void), int (*bind)(void))
{
	struct drm_edu_cpu cpu = { .op = EDU_CPU_SUM };
	uint8_t expected[SIZE];
	struct imported it;
	uint64_t sum = 0;
	uint8_t *memory;
	uint32_t own;
	int error;

	begin_import(&it, export);
	ENSURE_NO_FAULT();
	memory = create_own(it.fd, &own);
	ENSURE(memory, "a buffer of our own: %s", strerror(errno));

	fill(it.theirs.memory, SIZE, 7);
	fill(expected, SIZE, 7);
	if (unbind)
		ENSURE(!unbind(), "unbind");
	end_export(&it.theirs);

	error = copy_over(it.fd, it.handle, own);
	ENSURE(!error, "from the import: %s", strerror(error));
	ENSURE(!memcmp(memory, expected, SIZE),
	       "other bytes have come out of the import");
	cpu.handle = it.handle;
	error = request(it.fd, DRM_IOCTL_EDU_CPU, &cpu);
	ENSURE(!error, "sum: %s", strerror(error));
	for (size_t i = 0; i < SIZE / 4; i++)
		sum += ((uint32_t *)memory)[i];
	ENSURE(cpu.sum == sum, "the CPU sees other bytes");

	error = forget(it.fd, it.handle);
	ENSURE(!error, "close: %s", strerror(error));
	if (bind)
		ENSURE(!bind(), "bind");
	munmap(memory, SIZE);
	close(it.fd);
}

/*
 * The importer is unbound while its file is open and the import is mapped. From
 * then on, its device cannot write to the buffer. The exporter and the buffer
 * are not affected, and the buffer can be imported again.
 */
static void importer_goes_first(int (*export)(struct exported *))
{
	uint8_t expected[HALF];
	struct imported it;
	uint64_t address;
	int error, new;

	begin_import(&it, export);
	ENSURE_NO_FAULT();
	fill(it.theirs.memory, SIZE, 8);
	fill(expected, HALF, 8);
	ENSURE(!copy(it.fd, it.handle, EDU_COPY_TO_DEVICE, 0, HALF), "copy");
	ENSURE(!map(it.fd, it.handle, &address), "map");
	writes_end_at_unbind(it.theirs.memory, SIZE, expected, address);
	ENSURE_NO_FAULT();
	error = map(it.fd, it.handle, &address);
	ENSURE(error == ENODEV, "map after unbind: %s", strerror(error));

	/* The file still has its import when another import is made. */
	ENSURE(!bind_driver(), "bind");
	new = open_node();
	ENSURE(new >= 0, "there is no device node after a rebind");
	error = import(new, it.theirs.dmabuf, &it.handle);
	ENSURE(!error, "import after a rebind: %s", strerror(error));
	error = copy(new, it.handle, EDU_COPY_FROM_DEVICE, 0, HALF);
	ENSURE(!error, "copy after a rebind: %s", strerror(error));
	ENSURE(!memcmp(it.theirs.memory, expected, HALF),
	       "after a rebind, nothing arrives");

	close(it.fd);
	fill(it.theirs.memory, SIZE, 9);
	error = copy(new, it.handle, EDU_COPY_FROM_DEVICE, 0, HALF);
	ENSURE(!error, "copy without the old file: %s", strerror(error));
	ENSURE(!memcmp(it.theirs.memory, expected, HALF),
	       "without the old file, nothing arrives");
	close(new);
	end_export(&it.theirs);
}

static void copies_udmabuf(void)
{
	copies(export_udmabuf);
}

static void copies_vgem(void)
{
	copies(export_vgem);
}

static void copies_edu(void)
{
	copies(export_edu);
}

static void exporter_first_udmabuf(void)
{
	exporter_goes_first(export_udmabuf, NULL, NULL);
}

static void exporter_first_vgem(void)
{
	exporter_goes_first(export_vgem, NULL, NULL);
}

static void exporter_first_edu(void)
{
	exporter_goes_first(export_edu, unbind_second, bind_second);
}

static void importer_first_udmabuf(void)
{
	importer_goes_first(export_udmabuf);
}

static void importer_first_vgem(void)
{
	importer_goes_first(export_vgem);
}

/*
 * Another file imports a buffer that DRM has made for the same driver. The
 * buffer works as others do, and both files have the same object.
 */
static void own_buffer(void)
{
	int primary = open_primary_node(), fd = open_node(), dmabuf, error;
	uint32_t dumb, imported, own;
	uint8_t *theirs, *memory;
	uint64_t addresses[2];

	ENSURE(primary >= 0 && fd >= 0, "there is no device node");
	error = create_dumb(primary, SIZE / PAGE, &dumb);
	ENSURE(!error, "create, by DRM: %s", strerror(error));
	theirs = map_dumb_for_us(primary, dumb, SIZE);
	ENSURE(theirs, "mmap: %s", strerror(errno));
	error = export_handle(primary, dumb, &dmabuf);
	ENSURE(!error, "export: %s", strerror(error));
	error = import(fd, dmabuf, &imported);
	ENSURE(!error, "import: %s", strerror(error));
	memory = create_own(fd, &own);
	ENSURE(memory, "a buffer of our own: %s", strerror(errno));

	fill(theirs, SIZE, 10);
	error = copy_over(fd, imported, own);
	ENSURE(!error, "copy: %s", strerror(error));
	ENSURE(!memcmp(memory, theirs, SIZE), "other bytes have come");
	ENSURE(!map(primary, dumb, &addresses[0]) &&
	       !map(fd, imported, &addresses[1]), "map");
	ENSURE(addresses[0] == addresses[1], "it is mapped twice");

	munmap(theirs, SIZE);
	munmap(memory, SIZE);
	close(dmabuf);
	close(primary);
	close(fd);
}

/*
 * A device has a limited range of mmap offsets. A buffer that gets no offset is
 * freed again. When the others are closed, all offsets are available again.
 */
static void no_offsets_left(void)
{
	struct exported theirs;
	uint32_t handle;
	int error, buffers = 0, fd = open_primary_node();

	ENSURE(fd >= 0, "there is no device node");
	error = export_udmabuf(&theirs);
	ENSURE(!error, "export: %s", strerror(error));
	for (uint32_t pages = UINT32_MAX / PAGE; pages; pages /= 2) {
		while (!(error = create_dumb(fd, pages, &handle)))
			buffers++;
		ENSURE(error == ENOSPC, "create %d, by DRM: %s", buffers,
		       strerror(error));
	}
	ENSURE(buffers, "no buffer was made");
	for (int i = 0; i < 3; i++) {
		error = import(fd, theirs.dmabuf, &handle);
		ENSURE(error == ENOSPC, "import: %s", strerror(error));
		error = create(fd, PAGE, &handle);
		ENSURE(error == ENOSPC, "create: %s", strerror(error));
	}

	close(fd);
	fd = open_primary_node();
	ENSURE(!create_dumb(fd, 1, &handle), "then create, by DRM");
	error = import(fd, theirs.dmabuf, &handle);
	ENSURE(!error, "then import: %s", strerror(error));
	ENSURE(!map(fd, handle, NULL), "then map");
	end_export(&theirs);
	close(fd);
}

static void wrong_imports(void)
{
	int error, fd = open_node();
	uint32_t handle;

	ENSURE(fd >= 0, "there is no device node");
	error = import(fd, -1, &handle);
	ENSURE(error == EBADF, "no file: %s", strerror(error));
	error = import(fd, fd, &handle);
	ENSURE(error == EINVAL, "another file: %s", strerror(error));
	close(fd);
}

/* If these fail, the kernel may not work properly any more. */
const struct scenario made_scenarios[] = {
	{ "dumb_buffer", "refused, or a buffer as others", dumb_buffer },
	{ "prime_buffer", "refused, or a buffer as others", prime_buffer },
	{ 0 },
};

const struct scenario import_scenarios[] = {
	{ "import_udmabuf", "the same bytes, both ways", copies_udmabuf },
	{ "import_vgem", "the same bytes, both ways", copies_vgem },
	{ "import_edu", "the same bytes, both ways", copies_edu },
	{ "import_own_buffer", "the object that DRM has made", own_buffer },
	{ "import_wrong_files", "EBADF or EINVAL", wrong_imports },
	{ "import_unbind_udmabuf", "unmapped at unbind; memory stays",
	  importer_first_udmabuf },
	{ "import_unbind_vgem", "unmapped at unbind; memory stays",
	  importer_first_vgem },
	{ "import_keeps_udmabuf", "the bytes stay without the exporter",
	  exporter_first_udmabuf },
	{ "import_keeps_vgem", "the bytes stay without the exporter",
	  exporter_first_vgem },
	{ "import_keeps_edu", "the bytes stay; the exporter is unbound",
	  exporter_first_edu },
	{ "import_without_offsets", "ENOSPC, and nothing is lost",
	  no_offsets_left },
	{ 0 },
};
