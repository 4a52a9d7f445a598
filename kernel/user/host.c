// SPDX-License-Identifier: GPL-2.0
/*
 * What is asked of the host, which sees the machine from outside.
 *
 * Questions go to the console, in a line. Answers come in by the second serial
 * port, so that the machine is as it was asked about until then.
 */
#include <fcntl.h>
#include <termios.h>
#include <unistd.h>
#include "host.h"
#include "scenario.h"

/* Opens the port that answers come from. Only lines, and nothing goes back. */
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
	/* Not what the host has answered to a line that it has read twice. */
	tcflush(port, TCIFLUSH);
	say("device: screen %u.\n", seed);
	len = read(port, answer, size - 1);
	if (len < 0)
		return errno;
	answer[len] = 0;
	answer[strcspn(answer, "\n")] = 0;
	return 0;
}
