/* SPDX-License-Identifier: Apache-2.0 */
/* The filters as the build has made them, interpreted as the kernel does. */
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/test.h"
#include "vmm/kvm/kvm.h"
#include "vmm/sandbox/filter.h"

#define CALLS 512
#define X32 0x40000000

static uint32_t load(const struct seccomp_data *d, uint32_t at)
{
	uint32_t word;

	assert_true(at % 4 == 0 && at + 4 <= sizeof(*d));
	memcpy(&word, (const char *)d + at, sizeof(word));
	return word;
}

static bool jumps(const struct sock_filter *i, uint32_t a)
{
	switch (BPF_OP(i->code)) {
	case BPF_JEQ:
		return a == i->k;
	case BPF_JGT:
		return a > i->k;
	case BPF_JGE:
		return a >= i->k;
	case BPF_JSET:
		return (a & i->k) != 0;
	default:
		fail_msg("jump %x", i->code);
	}
	return false;
}

/* What a filter says of a call; only forward jumps, so it ends. */
static uint32_t ask(const struct sandbox_filter *f, const struct seccomp_data *d)
{
	uint32_t a = 0;

	for (size_t pc = 0; pc < f->len; pc++) {
		const struct sock_filter *i = &f->code[pc];

		if (i->code == (BPF_LD | BPF_W | BPF_ABS))
			a = load(d, i->k);
		else if (i->code == (BPF_ALU | BPF_AND | BPF_K))
			a &= i->k;
		else if (i->code == (BPF_JMP | BPF_JA))
			pc += i->k;
		else if (BPF_CLASS(i->code) == BPF_JMP)
			pc += jumps(i, a) ? i->jt : i->jf;
		else if (i->code == (BPF_RET | BPF_K))
			return i->k;
		else
			fail_msg("instruction %x", i->code);
	}
	fail_msg("no end");
	return 0;
}

static bool allows(enum sandbox_thread thread, int number, uint64_t a0, uint64_t a1, uint64_t a2,
		   uint64_t a3, uint64_t a4)
{
	struct seccomp_data d = {
		.nr = number, .arch = AUDIT_ARCH_X86_64, .args = {a0, a1, a2, a3, a4}};

	return ask(&filters_kill[thread], &d) == SECCOMP_RET_ALLOW;
}

static bool allows_some(enum sandbox_thread thread, int number)
{
	return allows(thread, number, 0, 0, 0, 0, 0);
}

/* Whatever is in the arguments. */
static void test_what_no_thread_has(void **state)
{
	static const int never[] = {
		SYS_execve,    SYS_execveat,       SYS_clone,
		SYS_clone3,    SYS_fork,           SYS_vfork,
		SYS_open,      SYS_openat,         SYS_creat,
		SYS_socket,    SYS_io_uring_setup, SYS_ptrace,
		SYS_bpf,       SYS_userfaultfd,    SYS_keyctl,
		SYS_mount,     SYS_unshare,        SYS_setns,
		SYS_prctl,     SYS_seccomp,        SYS_rt_sigaction,
		SYS_mprotect,  SYS_mremap,         SYS_memfd_create,
		SYS_dup,       SYS_kill,           SYS_process_vm_readv,
		SYS_prlimit64, SYS_setrlimit,      FILTER_DIE,
	};

	(void)state;
	for (unsigned t = 0; t < SANDBOX_WAITING; t++)
		for (size_t i = 0; i < ARRAY_LEN(never); i++)
			for (uint64_t bits = 0; bits < 64; bits++)
				assert_false(allows((enum sandbox_thread)t, never[i], bits & 7,
						    bits, bits, bits, bits));
}

static void test_counts(void **state)
{
	unsigned vcpu = 0, all = 0, snapshot = 0;

	(void)state;
	for (int number = 0; number < CALLS; number++) {
		bool any = false;

		/* With conditions it is no call without arguments: so few of them are missed. */
		for (unsigned t = 0; t < SANDBOX_SNAPSHOT; t++)
			any |= allows_some((enum sandbox_thread)t, number);
		snapshot += allows_some(SANDBOX_SNAPSHOT, number);
		vcpu += allows_some(SANDBOX_VCPU, number);
		all += any;
	}
	assert_in_range(vcpu, 5, 20);
	assert_in_range(all, 20, 45);
	assert_in_range(snapshot, 20, 40);
}

static void test_only_kvm_run_and_its_like(void **state)
{
	(void)state;
	assert_true(allows(SANDBOX_VCPU, SYS_ioctl, 9, KVM_RUN, 0, 0, 0));
	assert_false(allows(SANDBOX_MAIN, SYS_ioctl, 9, KVM_RUN, 0, 0, 0));
	assert_false(allows(SANDBOX_VCPU, SYS_ioctl, 9, KVM_SET_USER_MEMORY_REGION, 0, 0, 0));
	assert_false(allows(SANDBOX_VCPU, SYS_ioctl, 9, TIOCSTI, 0, 0, 0));
}

static void test_no_memory_is_executable(void **state)
{
	const uint64_t flags = MAP_PRIVATE | MAP_ANONYMOUS;

	(void)state;
	assert_true(allows(SANDBOX_MAIN, SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE, flags,
			   (uint64_t)-1));
	assert_false(allows(SANDBOX_MAIN, SYS_mmap, 0, 4096, PROT_READ | PROT_EXEC, flags,
			    (uint64_t)-1));
	assert_false(allows(SANDBOX_MAIN, SYS_mmap, 0, 4096, PROT_READ, MAP_SHARED, 5));
	assert_false(allows(SANDBOX_MAIN, SYS_mmap, 0, 4096, PROT_READ, flags, 5));
}

/* The process's own id is put in when it is installed. */
static void test_signals_only_to_itself(void **state)
{
	(void)state;
	assert_true(allows(SANDBOX_MAIN, SYS_tgkill, FILTER_OWN_PID, 1, 34, 0, 0));
	assert_false(allows(SANDBOX_MAIN, SYS_tgkill, 1, 1, 34, 0, 0));
}

static void test_other_tables_kill(void **state)
{
	struct seccomp_data i386 = {.nr = 4, .arch = AUDIT_ARCH_I386},
			    x32 = {.nr = X32 | SYS_write, .arch = AUDIT_ARCH_X86_64};

	(void)state;
	for (unsigned t = 0; t < SANDBOX_THREADS; t++) {
		assert_int_equal(ask(&filters_kill[t], &i386), SECCOMP_RET_KILL_PROCESS);
		assert_int_not_equal(ask(&filters_kill[t], &x32), SECCOMP_RET_ALLOW);
	}
}

static void test_what_kills_without_a_handler(void **state)
{
	struct seccomp_data d = {.nr = FILTER_DIE, .arch = AUDIT_ARCH_X86_64},
			    refused = {.nr = SYS_ptrace, .arch = AUDIT_ARCH_X86_64};

	(void)state;
	for (unsigned t = 0; t < SANDBOX_THREADS; t++) {
		assert_int_equal(ask(&filters_kill[t], &d), SECCOMP_RET_KILL_PROCESS);
		assert_int_equal(ask(&filters_kill[t], &refused) & SECCOMP_RET_ACTION_FULL,
				 SECCOMP_RET_TRAP);
	}
}

static void test_names(void **state)
{
	(void)state;
	assert_true(filter_call_count > SYS_openat2);
	assert_string_equal(filter_call_names[SYS_execve], "execve");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_no_thread_has),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_only_kvm_run_and_its_like),
		cmocka_unit_test(test_no_memory_is_executable),
		cmocka_unit_test(test_signals_only_to_itself),
		cmocka_unit_test(test_other_tables_kill),
		cmocka_unit_test(test_what_kills_without_a_handler),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
