/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Functions for all scenarios: a verdict, the kernel's log, files, processes.
 */
#ifndef SCENARIO_H
#define SCENARIO_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define PAGE		4096u

/*
 * A scenario, for which a row is printed. @run returns early if it fails, with
 * the reason in fault.
 */
struct scenario {
	const char *name, *expected;
	void (*run)(void);
};

/* The scenarios of a file; the last one has no name. */
extern const struct scenario edu_scenarios[];
extern const struct scenario import_scenarios[];
extern const struct scenario made_scenarios[];
extern const struct scenario vram_scenarios[];

/* The reason why a scenario has failed, in words. Empty if it has not. */
extern char fault[256];

#define FAIL(...) do {							\
	if (!fault[0])							\
		snprintf(fault, sizeof(fault), __VA_ARGS__);		\
	return;								\
} while (0)

#define ENSURE(condition, ...) do {					\
	if (!(condition))						\
		FAIL(__VA_ARGS__);					\
} while (0)

/* Returns if a function that was called has failed. */
#define ENSURE_NO_FAULT() do {						\
	if (fault[0])							\
		return;							\
} while (0)

/* Prints a line into the kernel's log, where it is not mixed with others. */
__attribute__((format(printf, 1, 2))) void say(const char *format, ...);

/* The time, in seconds. */
double now(void);
void pause_ms(int ms);

/* As ioctl(), but returns the error number. */
int request(int fd, unsigned long command, void *data);

/* Writes a text. Returns the error number. */
int write_file(const char *path, const char *text);

/* Returns whether a line of a file contains this text. */
int file_has(const char *path, const char *text);

/* Fills memory with bytes that depend on the seed. */
void fill(uint8_t *memory, size_t size, unsigned int seed);

#endif
