/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The API: HTTP on a Unix socket. Theory of operation:
 *
 * All of it runs on the machine's loop. A connection has one request at a time and a fixed buffer;
 * while its reply is not taken nothing more is read from it, so a client costs a bounded amount of
 * memory and no time, however slow it is. A request that is not complete and its reply not taken
 * within API_TIMEOUT_MS of its first byte ends the connection; between requests it may rest. What a
 * request does is the machine's, and takes as long as that does (a pause waits for the disks).
 *
 *	http.c    a request from bytes            routes.c  paths, methods, bodies, replies
 *	conn.c    bytes in and out                events.c  the stream of events
 *	server.c  the socket                      objects.c disks and NICs
 *
 * Another personality (personality.h) has routes and answers of its own.
 */
#ifndef VOLT_VMM_API_API_H
#define VOLT_VMM_API_API_H

#include "base/loop.h"
#include "vmm/config/config.h"
#include "vmm/machine/machine.h"

struct api;
struct api_personality;
struct sandbox;

/* Connections at a time; the next one is told so and closed. */
#define API_CONNECTIONS 10

#define API_TIMEOUT_MS 10000

/*
 * Make the socket at `path`, mode 0600, and listen. A path that exists is refused: it may be
 * another machine's. Everything is borrowed. The machine answers from api_serve() on.
 */
V_MUST_CHECK int api_new(struct loop *loop, const char *path,
			 const struct api_personality *personality, struct api **out,
			 struct verr *e);

/*
 * Serve a connection that whoever started this process holds: until the action "release" its end
 * is the machine's, however either comes. `fd` becomes the API's.
 */
V_MUST_CHECK int api_hold(struct api *api, int fd, struct verr *e);

/*
 * Before there is a machine: requests change `config`, until one asks for more than that and the
 * loop is stopped for it; api_wish() says for what.
 */
void api_configure(struct api *api, struct config *config);

enum api_wish { API_WISH_NOTHING, API_WISH_START, API_WISH_QUIT };
enum api_wish api_wish(const struct api *api);

/* What the API needs in the sandbox: connections, and to remove its socket at the end. */
void api_confine(const struct api *api, const struct config *config, struct sandbox *sandbox);

/* The start did not succeed: whoever asked for it hears why, and may go on configuring. */
void api_refuse_start(struct api *api, const struct verr *fault);

/*
 * There is a machine, which `config` is of: from here on requests are about it, whoever asked for
 * the start has his answer, and the machine's events are sent. `snapshots`: NULL: none are made.
 */
struct snapshots;
void api_serve(struct api *api, struct config *config, struct machine *machine,
	       struct snapshots *snapshots);

/* Close all and remove the socket, if it is still ours. Accepts NULL, returns NULL. */
struct api *api_free(struct api *api);

#endif
