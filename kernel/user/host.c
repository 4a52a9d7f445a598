// SPDX-License-Identifier: GPL-2.0
/*
 * Requests to the host, which sees the machine from outside.
 *
 * A request is a line on the console. The answer arrives at the second serial
 * port, and the machine stays as it is until then.
 */
#include <fcntl.h>
#include <termios.h>
#include <unistd.h>
#include "host.h"
#include "scenario.h"

/* Opens the port for answers, which are lines. The port echoes nothing. */
static int open_port(void)
{
	int port = open("/dev/ttyS1", O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios mode;

	if (port < 0)
		return -1;
	if (tcgetattr(port, &mode))
		goto failed;
	mode.c_lflag = ICANON;
	if (tcsetattr(port, TCSANOW, &mode))
		goto failed;
	return port;

failed:
	close(port);
	return -1;
}

int host_compare(unsigned int seed, char *answer, size_t size)
{
	static int port = -1;
	ssize_t len;

	if (port < 0)
		port = open_port();
	if (port < 0)
		return errno;
	/* Drops an answer to a line that the host has read twice. */
	tcflush(port, TCIFLUSH);
	say("# screen %u.\n", seed);
	len = read(port, answer, size - 1);
	if (len < 0)
		return errno;
	answer[len] = 0;
	answer[strcspn(answer, "\n")] = 0;
	return 0;
}
