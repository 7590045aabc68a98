/* SPDX-License-Identifier: Apache-2.0 */
/* Filters of system calls (seccomp(2)), which the build has made from profile.def. */
#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "vmm/sandbox/aids.h"
#include "vmm/sandbox/layers.h"

/* si_code of a filter's SIGSYS; glibc 2.36 has no name for it. */
#define CODE_SECCOMP 1

int seccomp_probe(struct sandbox *s)
{
	unsigned action = SECCOMP_RET_KILL_PROCESS;

	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0)
		return 0;
	sandbox_refused(s, PART_SECCOMP);
	return -1;
}

int seccomp_install(const struct sandbox *s, enum sandbox_thread thread)
{
	const struct sandbox_filter *f = &sandbox_aids.filters()[thread];
	struct sock_filter code[FILTER_MAX];
	struct sock_fprog program = {.len = f->len, .filter = code};

	if (f->len > FILTER_MAX) {
		errno = E2BIG;
		return -1;
	}
	memcpy(code, f->code, f->len * sizeof(*code));
	for (size_t i = 0; i < f->len; i++)
		if (BPF_CLASS(code[i].code) == BPF_JMP && code[i].k == FILTER_OWN_PID)
			code[i].k = (uint32_t)s->pid;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

void sandbox_explain(const siginfo_t *info, const ucontext_t *context)
{
	const char *name = NULL;

	if (info->si_code != CODE_SECCOMP)
		return;
	if (info->si_syscall >= 0 && (size_t)info->si_syscall < filter_call_count)
		name = filter_call_names[info->si_syscall];
	log_error(LOG_SANDBOX,
		  "a %s thread made system call %d (%s; second argument %#llx), which its filter "
		  "does not have: killed",
		  sandbox_thread_name(), info->si_syscall, name != NULL ? name : "unknown",
		  (unsigned long long)context->uc_mcontext.gregs[REG_RSI]);
}

void sandbox_die(void)
{
	(void)syscall(FILTER_DIE, NULL);
}
