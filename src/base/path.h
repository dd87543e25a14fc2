/* SPDX-License-Identifier: MIT
 *
 * path.h - paths as text: nothing here looks at the disk.
 */
#ifndef MOONWATCH_BASE_PATH_H
#define MOONWATCH_BASE_PATH_H

#include <stdbool.h>
#include <stddef.h>

/* Takes doubled slashes, "." and slashes at the end away, in place, and ".." with the component before it (which is right
 * only where that is no link). Returns the new length; "/" stays "/", and nothing left is ".". */
size_t path_clean(char *path);
/* Whether one of the components is "..". */
bool path_climbs(const char *path);
/* What of `path` lies below `top`: NULL where it does not, "" for the same. Both clean. */
const char *path_below(const char *path, const char *top);

#endif
