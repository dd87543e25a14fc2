/* SPDX-License-Identifier: MIT
 *
 * background.h - to go on behind the back of whoever started us, who learns how the start went.
 */
#ifndef MOONWATCH_OS_BACKGROUND_H
#define MOONWATCH_OS_BACKGROUND_H

/* Goes on in a child, in a session of its own; the parent stays until that says that it is ready, or ends, and takes its
 * status. To be called before anything is opened or started. Returns 0 in the child, or a negative errno. */
int background_enter(void);

/* The parent goes away with 0, and of the standard descriptors those that are a terminal become /dev/null: a log that
 * was redirected goes on. Nothing where background_enter was not called. */
void background_ready(void);

#endif
