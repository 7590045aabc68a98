/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs at build time: the filters that profile.def says, as C. Three sets: for volt-vmm, for
 * volt-debug, and for the tests, whose tracer counts the rows (filter.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/if_tun.h>
#include <linux/io_uring.h>
#include <linux/sockios.h>
#include <linux/vhost.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/compiler.h"
#include "vmm/kvm/kvm.h"
#include "vmm/sandbox/filter.h"

#define MOST_CALLS 45
#define MOST_VCPU_CALLS 20
#define MOST_SNAPSHOT_CALLS 40
#define CONDITIONS_MAX 3
#define NAMES 512

enum {
	MAIN = 1 << SANDBOX_MAIN,
	VCPU = 1 << SANDBOX_VCPU,
	WORKER = 1 << SANDBOX_WORKER,
	SNAPSHOT = 1 << SANDBOX_SNAPSHOT
};
#define ANY (MAIN | VCPU | WORKER)
#define RARE (1 << SANDBOX_THREADS) /* not every host's tests can use it */

struct condition {
	unsigned used, argument;
	scmp_datum_t mask, value;
};

struct row {
	const char *call, *reason;
	unsigned threads;
	int number;
	struct condition conditions[CONDITIONS_MAX];
};

/* An ioctl's request is an int to some, and the kernel looks at 32 bits. */
#define IS(argument, value)                                 \
	{                                                   \
		1, argument, 0xFFFFFFFFU, (uint32_t)(value) \
	}
#define BITS(argument, mask, value)      \
	{                                \
		1, argument, mask, value \
	}
#define OWN_PID(argument) IS(argument, FILTER_OWN_PID)

/* A row without a reason does not compile. */
/* Of preboot.def. */
#define DENY(call, reason, ...) ALLOW(1 << SANDBOX_WAITING, call, reason, ##__VA_ARGS__)

#define ALLOW(threads, call, reason, ...)                                                  \
	{#call,                                                                            \
	 reason,                                                                           \
	 (threads) + 0 * sizeof(struct {                                                   \
			     _Static_assert(sizeof(reason) > 8, "every row has a reason"); \
			     int unused;                                                   \
		     }),                                                                   \
	 SCMP_SYS(call),                                                                   \
	 {__VA_ARGS__}},

static const struct row rows[] = {
#include "vmm/sandbox/profile.def"
};

static const struct row denied[] = {
#include "vmm/sandbox/preboot.def"
};

enum set { SET_KILL, SET_LOG, SET_TRACE, SETS };

static const char *const set_names[] = {"filters_kill", "filters_log", "filters_trace"};

static void fail(const char *what, const char *call, int error)
{
	fprintf(stderr, "profile.def: %s%s%s: %s\n", call, *call != '\0' ? ": " : "", what,
		strerror(error));
	exit(1);
}

static void add_row(scmp_filter_ctx ctx, const struct row *r, uint32_t action)
{
	struct scmp_arg_cmp compare[CONDITIONS_MAX];
	unsigned n = 0;
	int error;

	for (size_t i = 0; i < CONDITIONS_MAX && r->conditions[i].used; i++) {
		const struct condition *c = &r->conditions[i];

		compare[n++] = (struct scmp_arg_cmp){.arg = c->argument,
						     .op = SCMP_CMP_MASKED_EQ,
						     .datum_a = c->mask,
						     .datum_b = c->value};
	}
	error = seccomp_rule_add_exact_array(ctx, action, r->number, n, compare);
	if (error < 0)
		fail("cannot be added", r->call, -error);
}

static scmp_filter_ctx make_waiting(enum set set)
{
	static const uint32_t actions[] = {SCMP_ACT_TRAP, SCMP_ACT_LOG,
					   SCMP_ACT_TRACE(FILTER_NO_ROW)};
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);

	if (ctx == NULL)
		fail("no memory", "", ENOMEM);
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, FILTER_DIE, 0) < 0)
		fail("cannot be added", "the last call", EINVAL);
	for (size_t i = 0; i < ARRAY_LEN(denied); i++)
		add_row(ctx, &denied[i], actions[set]);
	return ctx;
}

static scmp_filter_ctx make(enum sandbox_thread thread, enum set set)
{
	static const uint32_t defaults[] = {SCMP_ACT_TRAP, SCMP_ACT_LOG,
					    SCMP_ACT_TRACE(FILTER_NO_ROW)};
	scmp_filter_ctx ctx = seccomp_init(defaults[set]);
	uint8_t priority = 255;

	if (ctx == NULL)
		fail("no memory", "", ENOMEM);
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 1);
	if (seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, FILTER_DIE, 0) < 0)
		fail("cannot be added", "the last call", EINVAL);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if ((rows[i].threads >> thread & 1) == 0)
			continue;
		(void)seccomp_syscall_priority(ctx, rows[i].number, priority);
		if (priority > 1)
			priority--;
		add_row(ctx, &rows[i],
			set == SET_TRACE ? SCMP_ACT_TRACE((uint16_t)i) : SCMP_ACT_ALLOW);
	}
	return ctx;
}

/* libseccomp writes a program to a descriptor only. */
static size_t export(scmp_filter_ctx ctx, struct sock_filter *code, size_t most)
{
	int fd = memfd_create("filter", 0);
	ssize_t n;

	if (fd < 0 || seccomp_export_bpf(ctx, fd) < 0)
		fail("cannot be compiled", "", errno);
	n = pread(fd, code, most * sizeof(*code), 0);
	(void)close(fd);
	if (n <= 0 || (size_t)n == most * sizeof(*code))
		fail("too long", "", E2BIG);
	return (size_t)n / sizeof(*code);
}

static void write_filter(enum sandbox_thread thread, enum set set)
{
	struct sock_filter code[FILTER_MAX];
	scmp_filter_ctx ctx = thread == SANDBOX_WAITING ? make_waiting(set) : make(thread, set);
	size_t n = export(ctx, code, ARRAY_LEN(code));

	printf("static const struct sock_filter %s_%u[] = {\n", set_names[set], thread);
	for (size_t i = 0; i < n; i++)
		printf("\t{0x%04x, %u, %u, 0x%08x},\n", code[i].code, code[i].jt, code[i].jf,
		       code[i].k);
	printf("};\n\n");
	seccomp_release(ctx);
}

static void write_set(enum set set)
{
	for (unsigned thread = 0; thread < SANDBOX_THREADS; thread++)
		write_filter((enum sandbox_thread)thread, set);
	printf("const struct sandbox_filter %s[SANDBOX_THREADS] = {\n", set_names[set]);
	for (unsigned thread = 0; thread < SANDBOX_THREADS; thread++)
		printf("\t{%s_%u, sizeof(%s_%u) / sizeof(%s_%u[0])},\n", set_names[set], thread,
		       set_names[set], thread, set_names[set], thread);
	printf("};\n\n");
}

static void write_names(void)
{
	printf("const char *const filter_call_names[] = {\n");
	for (int number = 0; number < NAMES; number++) {
		char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, number);

		if (name != NULL)
			printf("\t[%d] = \"%s\",\n", number, name);
		free(name);
	}
	printf("};\nconst size_t filter_call_count = sizeof(filter_call_names) / "
	       "sizeof(filter_call_names[0]);\n\n");
}

/* Different calls that these threads have. */
static unsigned count_calls(unsigned threads)
{
	unsigned n = 0;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool again = false;

		for (size_t k = 0; k < i && !again; k++)
			again = rows[k].number == rows[i].number &&
				(rows[k].threads & threads) != 0;
		n += (rows[i].threads & threads) != 0 && !again;
	}
	return n;
}

static void check_counts(void)
{
	if (count_calls(ANY) <= MOST_CALLS && count_calls(VCPU) <= MOST_VCPU_CALLS &&
	    count_calls(SNAPSHOT) <= MOST_SNAPSHOT_CALLS)
		return;
	fprintf(stderr,
		"profile.def: %u calls, %u on a vCPU, %u where snapshots are made; at most %u, %u "
		"and %u\n",
		count_calls(ANY), count_calls(VCPU), count_calls(SNAPSHOT), MOST_CALLS,
		MOST_VCPU_CALLS, MOST_SNAPSHOT_CALLS);
	exit(1);
}

static void list_rows(void)
{
	printf("calls %u vcpu %u\n", count_calls(ANY), count_calls(VCPU));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		printf("%zu\t%s\t%s\t%s\n", i, rows[i].threads & RARE ? "rare" : "used",
		       rows[i].call, rows[i].reason);
}

int main(int argc, char *argv[])
{
	check_counts();
	if (argc == 2 && strcmp(argv[1], "--list") == 0) {
		list_rows();
		return 0;
	}
	printf("/* Made from vmm/sandbox/profile.def. */\n#include \"vmm/sandbox/filter.h\"\n\n");
	if (argc == 2 && strcmp(argv[1], "--debug") == 0) {
		write_set(SET_LOG);
		write_set(SET_TRACE);
	} else {
		write_set(SET_KILL);
		write_names();
	}
	return fflush(stdout) == 0 ? 0 : 1;
}
