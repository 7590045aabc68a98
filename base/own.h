/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ownership by declaration: an `auto_*` variable releases what it holds when it goes out of scope;
 * fd_take() and ptr_take() move it out.
 */
#ifndef VOLT_BASE_OWN_H
#define VOLT_BASE_OWN_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Close a descriptor if there is one and leave -1; errno survives. */
static inline void fd_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
	errno = saved;
}

/* Move a descriptor out of an owner. */
static inline int fd_take(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

static inline void own_free(void *p)
{
	free(*(void **)p);
}

static inline void own_fclose(FILE **f)
{
	if (*f != NULL)
		(void)fclose(*f);
}

#define auto_fd __attribute__((cleanup(fd_close))) int
#define auto_free __attribute__((cleanup(own_free)))
#define auto_fclose __attribute__((cleanup(own_fclose))) FILE

/* Move a pointer out of an owner. */
#define ptr_take(p)                         \
	({                                  \
		__typeof__(p) taken_ = (p); \
		(p) = NULL;                 \
		taken_;                     \
	})

#endif
