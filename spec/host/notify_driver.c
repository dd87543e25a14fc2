/* SPDX-License-Identifier: MIT
 *
 * notify_driver.c - a service manager's mailbox: prints each datagram that comes to a path as one line.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char text[4096];
	ssize_t length;
	if (argc != 2 || strlen(argv[1]) >= sizeof(address.sun_path))
		return 2;
	memcpy(address.sun_path, argv[1], strlen(argv[1]));
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return 1;
	puts("listening");
	fflush(stdout);
	while ((length = recv(fd, text, sizeof(text), 0)) >= 0) {
		for (ssize_t i = 0; i < length; i++)
			text[i] = text[i] == '\n' ? '|' : text[i];
		printf("%.*s\n", (int)length, text);
		fflush(stdout);
	}
	return 1;
}
