/* SPDX-License-Identifier: MIT
 *
 * hash.h - hashes of names, with keys of this process: whoever chooses the names cannot know which of them collide.
 */
#ifndef MOONWATCH_BASE_HASH_H
#define MOONWATCH_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* Of these bytes, behind what `hash` stands for: the directory of a name, or 0. All bits are equally good. */
uint64_t hash_bytes(uint64_t hash, const char *bytes, size_t length);

#endif
