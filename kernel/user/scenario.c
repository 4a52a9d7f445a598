// SPDX-License-Identifier: GPL-2.0
/*
 * Functions for all scenarios.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include "scenario.h"

char fault[256];

static int kmsg = -1;

/* Not with dprintf(), which would seek: the log does not support seeking. */
void say(const char *format, ...)
{
	char line[512];
	va_list arguments;
	int len;

	if (kmsg < 0)
		kmsg = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	va_start(arguments, format);
	len = vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	if (write(kmsg, line, len) < 0)
		abort();
}

double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

void pause_ms(int ms)
{
	struct timespec time = { ms / 1000, ms % 1000 * 1000000L };

	while (nanosleep(&time, &time))
		;
}

int request(int fd, unsigned long command, void *data)
{
	return ioctl(fd, command, data) ? errno : 0;
}

int write_file(const char *path, const char *text)
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

int file_has(const char *path, const char *text)
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

void fill(uint8_t *memory, size_t size, unsigned int seed)
{
	for (size_t i = 0; i < size; i++)
		memory[i] = seed = seed * 1103515245u + 12345u;
}
