/* SPDX-License-Identifier: Apache-2.0 */
/* The socket, and who is let in. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "vmm/api/conn.h"
#include "vmm/sandbox/sandbox.h"

#define BACKLOG 16

static struct conn *free_conn(struct api *api)
{
	for (size_t i = 0; i < API_CONNECTIONS; i++)
		if (api->conns[i].fd < 0)
			return &api->conns[i];
	return NULL;
}

/* As many as may be: it hears why, as far as one write goes. */
static void turn_away(const struct api_personality *p, int fd)
{
	char text[256];
	int len = snprintf(text, sizeof(text),
			   "HTTP/1.1 503 %s\r\nServer: %s\r\nConnection: close\r\n"
			   "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
			   p->no_reasons ? "" : http_reason(503), p->server, strlen(p->crowded),
			   p->crowded);

	(void)!passed_send(fd, text, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT, NULL, 0);
}

static void on_connection(void *arg)
{
	struct api *api = arg;
	struct verr e = VERR_INIT;
	auto_fd fd = accept4(api->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct conn *c;

	if (fd < 0)
		return;
	c = free_conn(api);
	if (c == NULL)
		turn_away(api->personality, fd);
	else if (conn_open(c, fd_take(&fd), &e) < 0)
		log_warn(LOG_API, "a connection is refused: %s", e.text);
}

/* --- the socket --- */

static const char *socket_name(const struct api *api)
{
	const char *slash = strrchr(api->path, '/');

	return slash != NULL ? slash + 1 : api->path;
}

static int open_folder(struct api *api, const char *path, struct verr *e)
{
	char folder[sizeof(api->path)];

	if (strlen(path) >= sizeof(api->path))
		return verr_invalid(e,
				    "%s is longer than %zu characters, which a socket's path "
				    "cannot be",
				    path, sizeof(api->path) - 1);
	(void)snprintf(api->path, sizeof(api->path), "%s", path);
	(void)snprintf(folder, sizeof(folder), "%s", path);
	api->folder = open(dirname(folder), O_PATH | O_DIRECTORY | O_CLOEXEC);
	return api->folder < 0 ? verr_invalid_os(e, "cannot make %s", path) : 0;
}

/* In its folder. False: it is not there. */
static bool stat_socket(const struct api *api, struct stat *st)
{
	return fstatat(api->folder, socket_name(api), st, AT_SYMLINK_NOFOLLOW) == 0;
}

static int listen_at(struct api *api, struct verr *e)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat st;

	memcpy(address.sun_path, api->path, sizeof(address.sun_path));
	api->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (api->fd < 0)
		return verr_os(e, "create a socket");
	/* The file takes the mode that the socket has now, so it never has another. */
	(void)fchmod(api->fd, 0600);
	if (bind(api->fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		if (errno == EADDRINUSE)
			return verr_invalid(e, "%s exists: remove it if no machine uses it",
					    api->path);
		return verr_invalid_os(e, "cannot make %s", api->path);
	}
	if (stat_socket(api, &st)) {
		api->device = st.st_dev;
		api->inode = st.st_ino;
	}
	if (listen(api->fd, BACKLOG) < 0)
		return verr_os(e, "listen at %s", api->path);
	return 0;
}

int api_new(struct loop *loop, const char *path, const struct api_personality *personality,
	    struct api **out, struct verr *e)
{
	struct api *api = calloc(1, sizeof(*api));

	if (api == NULL)
		return verr_host(e, "out of memory");
	api->personality = personality;
	api->loop = loop;
	api->fd = api->folder = -1;
	api->accepts = (struct loop_source)LOOP_SOURCE_INIT;
	for (size_t i = 0; i < API_CONNECTIONS; i++)
		conn_init(&api->conns[i], api);
	if (open_folder(api, path, e) < 0 || listen_at(api, e) < 0 ||
	    loop_fd_init(&api->accepts, loop, api->fd, LOOP_READ, on_connection, api, e) < 0) {
		(void)api_free(api);
		return -1;
	}
	*out = api;
	return 0;
}

int api_hold(struct api *api, int fd, struct verr *e)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	int flags = fcntl(fd, F_GETFD);

	/* What this process has opened itself by now does not count. */
	if (flags < 0 || flags & FD_CLOEXEC || getpeername(fd, (struct sockaddr *)&peer, &len) < 0)
		return verr_invalid(e, "descriptor %d is not a connected socket", fd);
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return verr_os(e, "keep descriptor %d", fd);
	if (conn_open(&api->conns[0], fd, e) < 0)
		return -1;
	api->conns[0].holds = true;
	return 0;
}

void api_configure(struct api *api, struct config *config)
{
	api->config = config;
	loop_enable(&api->accepts);
}

enum api_wish api_wish(const struct api *api)
{
	return api->wish;
}

bool api_ask(struct api *api, enum api_wish wish)
{
	if (api->machine != NULL || api->wish != API_WISH_NOTHING)
		return false;
	api->wish = wish;
	loop_stop(api->loop);
	return true;
}

struct config *api_config(const struct api *api)
{
	return api->config;
}

struct machine *api_machine(const struct api *api)
{
	return api->machine;
}

void *api_arg(const struct api *api)
{
	return api->personality->arg;
}

/* One for each pair of queues of the NIC with most, of those that can have others. */
size_t most_descriptors(const struct api_personality *p, const struct config *config)
{
	size_t most = 0;

	for (size_t i = 0; p->takes_descriptors && i < config->nets.count; i++)
		if (config_nets(config)[i].backend != NET_BACKEND_PASST)
			most = MAX(most, config_nets(config)[i].queues);
	return most;
}

/* One more to turn away with, and one for a file that takes another's place. */
void api_confine(const struct api *api, const struct config *config, struct sandbox *sandbox)
{
	/* What the first JSON object would read from /dev/urandom. */
	json_object_seed(0);
	sandbox_keep_folder(sandbox, api->folder);
	sandbox_reserve(sandbox, API_CONNECTIONS + 2);
	sandbox_reserve(sandbox, (unsigned)most_descriptors(api->personality, config));
}

void api_refuse_start(struct api *api, const struct verr *fault)
{
	conns_answer_start(api, fault);
}

void api_serve(struct api *api, struct config *config, struct machine *machine,
	       struct snapshots *snapshots)
{
	const struct machine_listener listener = {.fn = events_tell, .arg = api};

	api->config = config;
	api->machine = machine;
	api->snapshots = snapshots;
	machine_listen(machine, &listener);
	loop_enable(&api->accepts);
}

/* Only what was made here: the path may be another's by now. */
static void remove_socket(const struct api *api)
{
	struct stat st;

	if (api->inode != 0 && !api->personality->leaves_socket && stat_socket(api, &st) &&
	    st.st_dev == api->device && st.st_ino == api->inode &&
	    unlinkat(api->folder, socket_name(api), 0) < 0)
		log_warn(LOG_API, "%s stays, and is in the way of the next start: %s", api->path,
			 strerror(errno));
}

struct api *api_free(struct api *api)
{
	if (api == NULL)
		return NULL;
	loop_source_deinit(&api->accepts);
	for (size_t i = 0; i < API_CONNECTIONS; i++)
		conn_close(&api->conns[i]);
	remove_socket(api);
	fd_close(&api->fd);
	fd_close(&api->folder);
	free(api);
	return NULL;
}
