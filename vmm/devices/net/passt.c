/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/devices/net/passt.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/log.h"
#include "base/own.h"
#include "base/sys.h"
#include "vmm/config/publish.h"
#include "vmm/devices/net/resolver.h"

/* What starts in 15 ms may take long on a host that has no time. */
#define READY_MS 30000
/* It ends as soon as it sees that the other end is closed. */
#define END_MS 2000

#define PROGRAM "passt"
#define CHILD_FD "3" /* its end, in its numbers */
#define WORDS 2048   /* of its last ones */

/* "-t" and a port each, name servers, and the rest. */
#define ARGS_MAX (2 * (PUBLISH_MAX + RESOLVERS_MAX) + 16)

struct passt {
	int pidfd;    /* -1: it has ended, and is reaped */
	int words_fd; /* what it writes to stderr */
	bool mute;    /* the guest has no name server */
	struct loop_source words, end;
	const char *name;
	loop_fn *ended;
	void *arg;
	struct log_limit limit;
};

/* --- its command line --- */

struct command {
	char *args[ARGS_MAX + 1];
	size_t count;
	char ports[PUBLISH_MAX][96];
	char mtu[16];
	char resolvers[RESOLVERS_MAX][INET6_ADDRSTRLEN];
};

static void add(struct command *c, const char *arg)
{
	if (c->count < ARGS_MAX)
		c->args[c->count++] = (char *)(uintptr_t)arg;
}

static void add_port(struct command *c, const struct publish *p, char text[static 96])
{
	(void)snprintf(text, sizeof(c->ports[0]), "%s%s%u-%u:%u-%u", p->address,
		       p->family != AF_UNSPEC ? "/" : "", p->host, p->host + p->count - 1, p->guest,
		       p->guest + p->count - 1);
	add(c, p->udp ? "-u" : "-t");
	add(c, text);
}

static void write_command(struct command *c, const struct passt_options *o,
			  const struct publish *ports, int nports, bool *mute)
{
	size_t resolvers = 0;

	*mute = false;
	add(c, PROGRAM);
	add(c, "-f"); /* our child: its end is seen */
	add(c, "-q");
	add(c, "--fd");
	add(c, CHILD_FD);
	(void)snprintf(c->mtu, sizeof(c->mtu), "%u", o->mtu);
	add(c, "-m");
	add(c, c->mtu);
	if (!o->loopback) {
		add(c, "--no-map-gw");
		*mute = resolver_upstream(c->resolvers, &resolvers) == RESOLVER_LOOPBACK;
	}
	for (size_t i = 0; i < resolvers; i++) {
		add(c, "-D");
		add(c, c->resolvers[i]);
	}
	for (int i = 0; i < nports; i++)
		add_port(c, &ports[i], c->ports[i]);
}

/* --- its ports --- */

static int port_refused(const struct publish *p, uint16_t port, struct verr *e)
{
	const char *kind = p->udp ? "UDP" : "TCP";

	switch (errno) {
	case EADDRINUSE:
		return verr_invalid(e,
				    "%s port %u%s%s is in use by another process; publish "
				    "another one",
				    kind, port, p->address[0] ? " of " : "", p->address);
	case EACCES:
		return verr_invalid(e,
				    "%s port %u: ports below 1024 are root's; publish a higher "
				    "one, or run as root: sysctl "
				    "net.ipv4.ip_unprivileged_port_start=%u",
				    kind, port, port);
	case EADDRNOTAVAIL:
		return verr_invalid(e, "%s is no address of this host", p->address);
	default:
		return verr_invalid_os(e, "cannot publish %s port %u", kind, port);
	}
}

static int bind_port(const struct publish *p, uint16_t port, int family)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	bool is6 = family == AF_INET6;
	auto_fd fd = socket(family, (p->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
	int on = 1, off = 0;

	if (fd < 0)
		return -1;
	if (p->family != AF_UNSPEC)
		(void)inet_pton(family, p->address,
				is6 ? (void *)&in6.sin6_addr : (void *)&in.sin_addr);
	if (is6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	/* What has ended a moment ago does not count. */
	if (!p->udp)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	return bind(fd, is6 ? (void *)&in6 : (void *)&in, is6 ? sizeof(in6) : sizeof(in));
}

static int check_port(const struct publish *p, uint16_t port, struct verr *e)
{
	int r = bind_port(p, port, p->family == AF_UNSPEC ? AF_INET6 : p->family);

	if (r < 0 && p->family == AF_UNSPEC && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL))
		r = bind_port(p, port, AF_INET);
	return r < 0 ? port_refused(p, port, e) : 0;
}

/* passt is content when it gets some of them on some address: who publishes them wants all. */
static int check_ports(const struct publish *p, struct verr *e)
{
	for (uint16_t i = 0; i < p->count; i++)
		if (check_port(p, (uint16_t)(p->host + i), e) < 0)
			return -1;
	return 0;
}

/* --- starting it --- */

static int spawn(struct command *c, int socket_fd, int words_fd, pid_t *pid)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t all, none;
	int r;

	(void)sigfillset(&all);
	(void)sigemptyset(&none);
	(void)posix_spawn_file_actions_init(&files);
	(void)posix_spawnattr_init(&attributes);
	(void)posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	(void)posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	(void)posix_spawn_file_actions_adddup2(&files, words_fd, STDERR_FILENO);
	(void)posix_spawn_file_actions_adddup2(&files, socket_fd, STDERR_FILENO + 1);
	(void)posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 2);
	/* Signals of the terminal's are for us alone. */
	(void)posix_spawnattr_setpgroup(&attributes, 0);
	(void)posix_spawnattr_setsigdefault(&attributes, &all);
	(void)posix_spawnattr_setsigmask(&attributes, &none);
	(void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF |
							    POSIX_SPAWN_SETSIGMASK);
	r = posix_spawnp(pid, PROGRAM, &files, &attributes, c->args, environ);
	(void)posix_spawnattr_destroy(&attributes);
	(void)posix_spawn_file_actions_destroy(&files);
	errno = r;
	return r == 0 ? 0 : -1;
}

/* Both ends of what it writes never block: it may not wait for us, nor we for it. */
static int run(struct passt *p, struct command *c, int *fd, struct verr *e)
{
	int both[2], words[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both) < 0)
		return verr_os(e, "create sockets");
	*fd = both[0];
	auto_fd child_fd = both[1];
	if (pipe2(words, O_CLOEXEC | O_NONBLOCK) < 0)
		return verr_os(e, "create a pipe");
	p->words_fd = words[0];
	auto_fd child_words_fd = words[1];
	if (spawn(c, child_fd, child_words_fd, &pid) < 0) {
		if (errno == ENOENT)
			return verr_invalid(e, "passt is not installed; run: apt install passt");
		return verr_os(e, "start passt");
	}
	p->pidfd = pidfd_open(pid, 0);
	return p->pidfd < 0 ? verr_os(e, "watch passt") : 0;
}

int passt_start(const struct passt_options *o, struct passt **out, int *fd, struct verr *e)
{
	struct publish ports[PUBLISH_MAX];
	struct passt *p = calloc(1, sizeof(*p));
	struct command c = {0};
	int nports;

	*fd = -1;
	*out = p;
	if (p == NULL)
		return verr_host(e, "out of memory");
	p->pidfd = p->words_fd = -1;
	p->words = p->end = (struct loop_source)LOOP_SOURCE_INIT;
	nports = publish_parse(o->publish, ports, e);
	if (nports < 0)
		return -1;
	for (int i = 0; i < nports; i++)
		if (check_ports(&ports[i], e) < 0)
			return -1;
	write_command(&c, o, ports, nports, &p->mute);
	return run(p, &c, fd, e);
}

/* --- is it there? --- */

/* What its system logger would have been told, and what is no mistake. */
static bool is_noise(const char *line)
{
	return *line == '\0' || strncmp(line, "Failed to send ", 15) == 0 ||
	       strncmp(line, "Don't run as root.", 18) == 0;
}

/* Its last line that says something, from what it has written. */
static void last_words(const struct passt *p, char out[static 256])
{
	char text[WORDS + 1];
	ssize_t n = read(p->words_fd, text, WORDS);
	char *rest = text;
	const char *line;

	(void)snprintf(out, 256, "it gives no reason");
	text[n > 0 ? n : 0] = '\0';
	while ((line = strsep(&rest, "\n")) != NULL)
		if (!is_noise(line))
			(void)snprintf(out, 256, "%s", line);
}

/* How it ended; "" where that cannot be told. Reaps it. */
static void describe_end(struct passt *p, char out[static 64])
{
	siginfo_t info = {0};

	out[0] = '\0';
	if (waitid(P_PIDFD, (id_t)p->pidfd, &info, WEXITED | WNOHANG) == 0 && info.si_pid != 0)
		(void)snprintf(out, 64,
			       info.si_code == CLD_EXITED ? " with status %d" : " by signal %d",
			       info.si_status);
	fd_close(&p->pidfd);
}

static int did_not_start(struct passt *p, struct verr *e)
{
	struct pollfd dead = {.fd = p->pidfd, .events = POLLIN};
	char words[256], how[64];

	(void)poll(&dead, 1, END_MS);
	last_words(p, words);
	describe_end(p, how);
	/* Its words for it are others in each version. */
	if (strstr(words, "nterface") != NULL)
		return verr_invalid(e,
				    "passt ended%s: %s; passt needs a default route on this host",
				    how, words);
	return verr_invalid(e, "passt ended%s: %s", how, words);
}

/* An ARP request for an address that is nobody's, which passt answers like every other. */
struct V_PACKED probe {
	uint8_t header[NET_HEADER_LEN];
	struct ethhdr ethernet;
	struct arphdr arp;
	uint8_t source[ETH_ALEN], source_ip[4], target[ETH_ALEN], target_ip[4];
};

static struct probe make_probe(const uint8_t mac[6])
{
	struct probe q = {.ethernet = {.h_proto = htons(ETH_P_ARP)},
			  .arp = {.ar_hrd = htons(ARPHRD_ETHER),
				  .ar_pro = htons(ETH_P_IP),
				  .ar_hln = ETH_ALEN,
				  .ar_pln = 4,
				  .ar_op = htons(ARPOP_REQUEST)},
			  .target_ip = {0, 0, 0, 1}};

	memset(q.ethernet.h_dest, 0xFF, ETH_ALEN);
	memcpy(q.ethernet.h_source, mac, ETH_ALEN);
	memcpy(q.source, mac, ETH_ALEN);
	return q;
}

/* Take what there is; 1: the answer is among it, 0: not yet. Others' frames are lost, as some are.
 */
static int take_answer(struct net_backend *b)
{
	static const uint8_t asked[4] = {0, 0, 0, 1};
	struct probe answer;
	struct iovec iov = {.iov_base = &answer, .iov_len = sizeof(answer)};
	ssize_t n;

	while ((n = b->class->receive(b, 0, &iov, 1)) >= 0)
		if (n == sizeof(answer) && answer.ethernet.h_proto == htons(ETH_P_ARP) &&
		    answer.arp.ar_op == htons(ARPOP_REPLY) &&
		    memcmp(answer.source_ip, asked, sizeof(asked)) == 0)
			return 1;
	return errno == EAGAIN || errno == EINTR ? 0 : -1;
}

int passt_ready(struct passt *p, struct net_backend *b, const uint8_t mac[6], struct verr *e)
{
	struct probe question = make_probe(mac);
	struct iovec iov = {.iov_base = &question, .iov_len = sizeof(question)};
	struct pollfd ready[] = {{.fd = b->fds[0], .events = POLLIN},
				 {.fd = p->pidfd, .events = POLLIN}};
	uint64_t end_ns = sys_now_ns() + READY_MS * 1000000ULL, now_ns;
	int r;

	if (b->class->send(b, 0, &iov, 1) < 0)
		return did_not_start(p, e);
	while ((r = take_answer(b)) == 0) {
		now_ns = sys_now_ns();
		if (now_ns >= end_ns)
			return verr_host(e, "passt does not answer");
		if (poll(ready, ARRAY_LEN(ready), (int)((end_ns - now_ns) / 1000000) + 1) < 0 &&
		    errno != EINTR)
			return verr_os(e, "wait for passt");
		if (ready[1].revents != 0)
			return did_not_start(p, e);
	}
	return r < 0 ? did_not_start(p, e) : 0;
}

/* --- while it runs --- */

static void on_words(void *arg)
{
	struct passt *p = arg;
	char text[WORDS + 1], *rest = text;
	ssize_t n = read(p->words_fd, text, WORDS);
	const char *line;

	if (n <= 0) {
		if (n == 0)
			loop_disable(&p->words);
		return;
	}
	text[n] = '\0';
	while ((line = strsep(&rest, "\n")) != NULL)
		if (!is_noise(line))
			log_limited(LOG_WARN, LOG_NET, &p->limit, "%s: passt: %s", p->name, line);
}

static void on_end(void *arg)
{
	struct passt *p = arg;
	char how[64];

	loop_source_deinit(&p->end);
	describe_end(p, how);
	log_warn(LOG_NET, "%s: passt has ended%s", p->name, how);
	p->ended(p->arg);
}

int passt_watch(struct passt *p, struct loop *loop, const char *name, loop_fn *ended, void *arg,
		struct verr *e)
{
	p->name = name;
	p->ended = ended;
	p->arg = arg;
	if (p->mute)
		log_warn(LOG_NET,
			 "%s: this host's name server has a loopback address, which the guest "
			 "does not reach; loopback=on lets it",
			 name);
	if (loop_fd_init(&p->words, loop, p->words_fd, LOOP_READ, on_words, p, e) < 0 ||
	    loop_fd_init(&p->end, loop, p->pidfd, LOOP_READ, on_end, p, e) < 0)
		return -1;
	loop_enable(&p->words);
	loop_enable(&p->end);
	return 0;
}

struct passt *passt_free(struct passt *p)
{
	struct pollfd end;

	if (p == NULL)
		return NULL;
	loop_source_deinit(&p->words);
	loop_source_deinit(&p->end);
	end = (struct pollfd){.fd = p->pidfd, .events = POLLIN};
	if (p->pidfd >= 0 && poll(&end, 1, END_MS) == 0) {
		(void)pidfd_send_signal(p->pidfd, SIGKILL, NULL, 0);
		(void)poll(&end, 1, END_MS);
	}
	if (p->pidfd >= 0)
		(void)waitid(P_PIDFD, (id_t)p->pidfd, &(siginfo_t){0}, WEXITED | WNOHANG);
	fd_close(&p->pidfd);
	fd_close(&p->words_fd);
	free(p);
	return NULL;
}

int passt_connect(const char *path, struct verr *e)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	auto_fd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return verr_os(e, "create a socket");
	if (strlen(path) >= sizeof(address.sun_path))
		return verr_invalid(e, "the path of a socket has at most %zu bytes",
				    sizeof(address.sun_path) - 1);
	memcpy(address.sun_path, path, strlen(path));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return verr_invalid_os(e, "cannot reach a passt there; run: passt --socket %s",
				       path);
	return fd_take(&fd);
}
