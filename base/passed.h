/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes over a socket, and over a Unix socket descriptors beside them (SCM_RIGHTS): by one call
 * each, so that a filter needs no other.
 */
#ifndef VOLT_BASE_PASSED_H
#define VOLT_BASE_PASSED_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PASSED_MAX 16

/* Descriptors that have come; owned. */
struct passed {
	int fds[PASSED_MAX];
	size_t count;
	bool cut; /* others have, too, for which there was no room: the kernel has closed them */
};

/*
 * As recv(). At most `most` descriptors (close-on-exec) come into `p`, none where it has some
 * already, and no others exist in this process at any time.
 */
ssize_t passed_receive(struct passed *p, size_t most, int socket, void *bytes, size_t len,
		       int flags);

/* As send(); `fds` (borrowed), at most PASSED_MAX, go with the first byte. */
ssize_t passed_send(int socket, const void *bytes, size_t len, int flags, const int *fds,
		    size_t count);

/* Close them all, and forget what was cut; errno survives. */
void passed_close(struct passed *p);

#endif
