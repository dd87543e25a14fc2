/* SPDX-License-Identifier: MIT
 *
 * filesystem.h - what inotify and file times are worth on the file system that a descriptor is on.
 */
#ifndef MOONWATCH_OS_FILESYSTEM_H
#define MOONWATCH_OS_FILESYSTEM_H

typedef enum FilesystemKind {
	FILESYSTEM_LOCAL,
	FILESYSTEM_REMOTE, /* others may change it unseen by this kernel: network file systems and FUSE */
	FILESYSTEM_KERNEL, /* its files are made up when they are read: proc and sysfs */
} FilesystemKind;

/* Of an open file, O_PATH too; LOCAL where it cannot be told. */
FilesystemKind filesystem_kind(int fd);

#endif
