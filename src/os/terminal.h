/* SPDX-License-Identifier: MIT
 *
 * terminal.h - the terminal in front of us: its width, and keys without waiting for Enter.
 */
#ifndef MOONWATCH_OS_TERMINAL_H
#define MOONWATCH_OS_TERMINAL_H

#include <stdbool.h>

bool terminal_is(int fd);
int terminal_columns(int fd);  /* 0 where that is not known */
bool terminal_is_ours(int fd); /* a terminal whose foreground group we are in */

/* Keys come one by one and without echo, until terminal_keys_off. A read never blocks. One terminal at a time.
 * 0 or a negative errno. */
int terminal_keys_on(int fd);
void terminal_keys_off(void); /* as it was before; nothing to do is fine */

#endif
