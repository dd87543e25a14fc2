/* SPDX-License-Identifier: MIT
 *
 * stamp.c - the command of a rule: prints the monotonic time at which it runs, in nanoseconds.
 */
#include <stdio.h>
#include <time.h>

int main(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	printf("%lld\n", t.tv_sec * 1000000000LL + t.tv_nsec);
	return 0;
}
