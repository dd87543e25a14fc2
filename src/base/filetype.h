/* SPDX-License-Identifier: MIT
 *
 * filetype.h - the types of directory entries, in one nibble.
 */
#ifndef MOONWATCH_BASE_FILETYPE_H
#define MOONWATCH_BASE_FILETYPE_H

#include <dirent.h>
#include <sys/stat.h>

typedef enum FileType {
	TYPE_UNKNOWN,
	TYPE_FILE,
	TYPE_DIRECTORY,
	TYPE_LINK,
	TYPE_FIFO,
	TYPE_SOCKET,
	TYPE_CHAR,
	TYPE_BLOCK,
} FileType;

/* As scripts write it; NULL where the type is not known. */
static inline const char *filetype_name(FileType type)
{
	static const char *const names[] = {
		[TYPE_FILE] = "file",
		[TYPE_DIRECTORY] = "directory",
		[TYPE_LINK] = "link",
		[TYPE_FIFO] = "fifo",
		[TYPE_SOCKET] = "socket",
		[TYPE_CHAR] = "char",
		[TYPE_BLOCK] = "block",
	};
	return names[type];
}

static inline FileType filetype_of_dirent(unsigned char d_type)
{
	switch (d_type) {
	case DT_REG:
		return TYPE_FILE;
	case DT_DIR:
		return TYPE_DIRECTORY;
	case DT_LNK:
		return TYPE_LINK;
	case DT_FIFO:
		return TYPE_FIFO;
	case DT_SOCK:
		return TYPE_SOCKET;
	case DT_CHR:
		return TYPE_CHAR;
	case DT_BLK:
		return TYPE_BLOCK;
	default:
		return TYPE_UNKNOWN;
	}
}

static inline FileType filetype_of_mode(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return TYPE_FILE;
	case S_IFDIR:
		return TYPE_DIRECTORY;
	case S_IFLNK:
		return TYPE_LINK;
	case S_IFIFO:
		return TYPE_FIFO;
	case S_IFSOCK:
		return TYPE_SOCKET;
	case S_IFCHR:
		return TYPE_CHAR;
	case S_IFBLK:
		return TYPE_BLOCK;
	default:
		return TYPE_UNKNOWN;
	}
}

#endif
