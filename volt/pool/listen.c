/* SPDX-License-Identifier: Apache-2.0 */
/* The pool's socket, and who is let in. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "volt/pool/daemon.h"

/* Claimers may come all at once. */
#define BACKLOG POOL_CONNECTIONS

static void turn_away(int fd)
{
	static const char text[] = "{\"fault_message\":\"too many open connections\"}\n";

	(void)!send(fd, text, sizeof(text) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void on_connection(void *arg)
{
	struct pool *p = arg;
	struct verr e = VERR_INIT;
	auto_fd fd = accept4(p->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE)
			loop_disable(&p->accepts);
		return;
	}
	for (size_t i = 0; i < POOL_CONNECTIONS; i++) {
		if (p->conns[i].fd >= 0)
			continue;
		if (conn_open(&p->conns[i], fd_take(&fd), &e) < 0)
			daemon_say(p, "a connection is refused: %s", e.text);
		return;
	}
	turn_away(fd);
}

int daemon_listen(struct pool *p, struct verr *e)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *path = p->options->socket;
	struct stat st;

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	p->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (p->fd < 0)
		return verr_os(e, "create a socket");
	/* The file takes the mode that the socket has now, so it never has another. */
	(void)fchmod(p->fd, 0600);
	if (bind(p->fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		if (errno == EADDRINUSE)
			return verr_invalid(e, "%s exists: remove it if no pool uses it", path);
		return verr_invalid_os(e, "cannot make %s", path);
	}
	if (lstat(path, &st) == 0) {
		p->device = st.st_dev;
		p->inode = st.st_ino;
	}
	if (listen(p->fd, BACKLOG) < 0 ||
	    loop_fd_init(&p->accepts, p->loop, p->fd, LOOP_READ, on_connection, p, e) < 0)
		return verr_os(e, "listen at %s", path);
	loop_enable(&p->accepts);
	return 0;
}

void daemon_listen_again(struct pool *p)
{
	if (p->fd >= 0)
		loop_enable(&p->accepts);
}

/* Only what was made here: the path may be another's by now. */
void daemon_unlisten(struct pool *p)
{
	const char *path = p->options->socket;
	struct stat st;

	if (p->inode != 0 && lstat(path, &st) == 0 && st.st_dev == p->device &&
	    st.st_ino == p->inode)
		(void)unlink(path);
	p->inode = 0;
	loop_source_deinit(&p->accepts);
	fd_close(&p->fd);
}
