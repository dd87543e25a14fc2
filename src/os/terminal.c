/* SPDX-License-Identifier: MIT
 *
 * terminal.c - the terminal in front of us.
 *
 * The mode belongs to the terminal and not to us: it is put back at exit too, however the program comes to its end by
 * itself. O_NONBLOCK would be shared with everyone on that terminal, so reads are made not to wait by VMIN = 0.
 */
#include "os/terminal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static struct termios
	before;              /* as the terminal was found: a trait of the process, as the terminal is */
static int changed = -1; /* the descriptor whose mode we have changed */

bool terminal_is(int fd)
{
	return isatty(fd) == 1;
}

int terminal_columns(int fd)
{
	struct winsize size;
	return ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

bool terminal_is_ours(int fd)
{
	return tcgetpgrp(fd) == getpgrp();
}

int terminal_keys_on(int fd)
{
	static bool registered;
	struct termios mode;
	if (changed >= 0)
		return -EBUSY;
	if (tcgetattr(fd, &before) < 0)
		return -errno;
	mode = before;
	mode.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
	mode.c_cc[VMIN] = 0;
	mode.c_cc[VTIME] = 0;
	if (tcsetattr(fd, TCSADRAIN, &mode) < 0)
		return -errno;
	changed = fd;
	if (!registered)
		registered = atexit(terminal_keys_off) == 0;
	return 0;
}

void terminal_keys_off(void)
{
	if (changed < 0)
		return;
	if (terminal_is_ours(changed))
		tcsetattr(changed, TCSADRAIN, &before);
	changed = -1;
}
