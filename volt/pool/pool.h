/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volt pool: machines that are restored, sandboxed and paused, for whoever claims one. Theory of
 * operation; docs/pool.md has the protocol, and what it promises.
 *
 * A daemon (volt pool start) starts volt-vmm once for each machine and gives it one end of a socket
 * pair (--hold-fd): the machine's API is served there, and as long as it is not released it ends
 *with the other end, however that comes to be closed. So nothing is left of a pool that is killed,
 *and to hand out a machine is one request on a connection that is there.
 *
 *	start.c   the verb, and becoming a daemon	claim.c status.c stop.c  the other verbs
 *	daemon.c  how many machines there are		client.c  their end of the socket
 *	slot.c    one machine, from start to end	conn.c    the daemon's end
 *	link.c    the connection to its API		serve.c   what is asked for and answered
 *	spawn.c   volt-vmm's command line		request.c a request from a line
 */
#ifndef VOLT_VOLT_POOL_POOL_H
#define VOLT_VOLT_POOL_POOL_H

#include "cli/verb.h"

extern const struct verb pool_verb;
extern const struct verb pool_start_verb, pool_claim_verb, pool_status_verb, pool_stop_verb;

#define POOL_SOCKET_OPTION                                                           \
	{                                                                            \
		.name = "socket", .value = "SOCKET", .help = "the pool's (required)" \
	}

/* Lines longer than that are refused. */
#define POOL_LINE_MAX KIB(8)

#endif
