/* SPDX-License-Identifier: MIT
 *
 * filesystem.c - what inotify and file times are worth on the file system that a descriptor is on.
 */
#include "os/filesystem.h"

#include <sys/vfs.h>

FilesystemKind filesystem_kind(int fd)
{
	struct statfs system;
	if (fstatfs(fd, &system) < 0)
		return FILESYSTEM_LOCAL;
	switch ((unsigned long)system.f_type & 0xFFFFFFFFu) {
	case 0x6969:     /* NFS */
	case 0x517B:     /* SMB */
	case 0xFF534D42: /* CIFS */
	case 0xFE534D42: /* SMB2 */
	case 0x65735546: /* FUSE, virtiofs */
	case 0x01021997: /* 9P */
	case 0x5346414F: /* AFS */
	case 0x6B414653: /* AFS of the kernel */
	case 0x00C36400: /* Ceph */
	case 0x73757245: /* Coda */
	case 0x01161970: /* GFS2 */
	case 0x7461636F: /* OCFS2 */
	case 0x0BD00BD0: /* Lustre */
	case 0x47504653: /* GPFS */
	case 0x786F4256: /* shared folders of VirtualBox */
	case 0xBACBACBC: /* of VMware */
		return FILESYSTEM_REMOTE;
	case 0x9FA0:     /* proc */
	case 0x62656572: /* sysfs */
		return FILESYSTEM_KERNEL;
	default:
		return FILESYSTEM_LOCAL;
	}
}
