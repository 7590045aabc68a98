/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/probe.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>

#include "base/bytes.h"
#include "base/sys.h"
#include "volt/probe_guest.h"

extern const uint8_t probe_guest[], probe_guest_kernel[], probe_guest_end[];

#define LIMIT_NS 1000000000ULL
#define KICK_US 10000
#define EXITS_MAX 64

/* Where KVM on Intel keeps three pages of its own; far above the guest's memory. */
#define KVM_TSS 0xFFFBD000ULL

#define CR0_PE 0x1ULL
#define CR0_ET 0x10ULL
#define CR0_PG 0x80000000ULL
#define CR4_PAE 0x20ULL
#define EFER_SCE 0x1ULL
#define EFER_LME 0x100ULL
#define EFER_LMA 0x400ULL
#define RFLAGS_FIXED 0x2ULL

#define PTE_PRESENT 0x1ULL
#define PTE_WRITE 0x2ULL
#define PTE_USER 0x4ULL
#define PTE_LARGE 0x80ULL
#define TABLE (PTE_PRESENT | PTE_WRITE | PTE_USER)

#define GATE 16
#define GATE_INTERRUPT 0x8E00ULL /* present, for ring 0 */
#define TSS_SIZE 104
#define TSS_RSP0 4
#define TSS_IO_MAP 102

struct probe {
	struct kvm_vcpu vcpu;
	uint8_t *memory;
	unsigned reached; /* the last step that the guest reported */
};

/* --- what is in the guest's memory --- */

static void write_paging(uint8_t *memory)
{
	put_le64(memory + PROBE_PML4, PROBE_PDPT | TABLE);
	put_le64(memory + PROBE_PDPT, PROBE_PD | TABLE);
	put_le64(memory + PROBE_PD, TABLE | PTE_LARGE);
}

/* Intel SDM volume 3, 3.4.5 and 8.2.3. */
static void write_segments(uint8_t *memory)
{
	static const uint64_t gdt[] = {
		[PROBE_KERNEL_CS / 8] = 0x00AF9B000000FFFF,
		[PROBE_KERNEL_SS / 8] = 0x00CF93000000FFFF,
		[PROBE_SYSRET_BASE / 8] = 0x00CFFB000000FFFF,
		[PROBE_USER_SS / 8] = 0x00CFF3000000FFFF,
		[PROBE_USER_CS / 8] = 0x00AFFB000000FFFF,
		[PROBE_TR / 8] = 0x00008B0000000000 | (uint64_t)PROBE_TSS << 16 | (TSS_SIZE - 1),
		[PROBE_TR / 8 + 1] = 0,
	};

	for (size_t i = 0; i < ARRAY_LEN(gdt); i++)
		put_le64(memory + PROBE_GDT + i * 8, gdt[i]);
	put_le64(memory + PROBE_TSS + TSS_RSP0, PROBE_KERNEL_STACK);
	put_le16(memory + PROBE_TSS + TSS_IO_MAP, TSS_SIZE);
}

/* Intel SDM volume 3, 6.14.1; all addresses are below 64 KiB. */
static void write_gates(uint8_t *memory)
{
	for (uint64_t i = 0; i < PROBE_VECTORS; i++) {
		uint64_t stub = PROBE_CODE + i * PROBE_STUB;

		put_le64(memory + PROBE_IDT + i * GATE,
			 stub | (uint64_t)PROBE_KERNEL_CS << 16 | GATE_INTERRUPT << 32);
	}
}

static int create_memory(struct probe *p, struct kvm_vm *vm, struct verr *e)
{
	void *at = mmap(NULL, PROBE_MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			0);

	if (at == MAP_FAILED)
		return verr_os(e, "map %d KiB", PROBE_MEMORY / 1024);
	p->memory = at;
	write_paging(p->memory);
	write_segments(p->memory);
	write_gates(p->memory);
	memcpy(p->memory + PROBE_CODE, probe_guest, (size_t)(probe_guest_end - probe_guest));
	return kvm_vm_set_memory(vm, 0, 0, PROBE_MEMORY, p->memory, false, e);
}

/* --- the registers it starts with --- */

static struct kvm_segment segment(uint16_t selector, uint8_t type, bool code)
{
	return (struct kvm_segment){.limit = 0xFFFFFFFF,
				    .selector = selector,
				    .type = type,
				    .present = 1,
				    .s = 1,
				    .g = 1,
				    .l = code,
				    .db = !code};
}

static int set_sregs(struct kvm_vcpu *vcpu, struct verr *e)
{
	struct kvm_sregs s;

	if (kvm_vcpu_get_sregs(vcpu, &s, e) < 0)
		return -1;
	s.cs = segment(PROBE_KERNEL_CS, 0xB, true);
	s.ds = s.es = s.fs = s.gs = s.ss = segment(PROBE_KERNEL_SS, 0x3, false);
	s.tr = (struct kvm_segment){.base = PROBE_TSS,
				    .limit = TSS_SIZE - 1,
				    .selector = PROBE_TR,
				    .type = 0xB,
				    .present = 1};
	s.gdt = (struct kvm_dtable){.base = PROBE_GDT, .limit = PROBE_TR + 15};
	s.idt = (struct kvm_dtable){.base = PROBE_IDT, .limit = PROBE_VECTORS * GATE - 1};
	s.cr0 = CR0_PE | CR0_ET | CR0_PG;
	s.cr3 = PROBE_PML4;
	s.cr4 = CR4_PAE;
	s.efer = EFER_SCE | EFER_LME | EFER_LMA;
	return kvm_vcpu_set_sregs(vcpu, &s, e);
}

static int create_vcpu(struct probe *p, struct kvm_vm *vm, struct verr *e)
{
	struct kvm_regs regs = {
		.rip = PROBE_ENTRY, .rsp = PROBE_KERNEL_STACK, .rflags = RFLAGS_FIXED};
	struct kvm_cpuid_table cpuid;

	if (kvm_vcpu_create(vm, 0, &p->vcpu, e) < 0 ||
	    kvm_supported_cpuid(vm->kvm, &cpuid, e) < 0 ||
	    kvm_vcpu_set_cpuid(&p->vcpu, &cpuid, e) < 0 || set_sregs(&p->vcpu, e) < 0)
		return -1;
	return kvm_vcpu_set_regs(&p->vcpu, &regs, e);
}

/* --- the answer --- */

/* What the guest was about to do when it had come that far. */
static const char *attempt(unsigned reached)
{
	switch (reached) {
	case 0:
		return "64-bit code with paging does not run";
	case PROBE_STARTED:
		return "a breakpoint (int3) is not delivered";
	case PROBE_INT3:
		return "the way back from a breakpoint (iretq) fails";
	case PROBE_RETURNED:
		return "the MSRs of SYSCALL cannot be written";
	case PROBE_MSRS:
		return "user mode or a SYSCALL from it fails";
	default:
		return "the way back to user mode (sysretq) fails";
	}
}

/* Always returns true: the run is over. */
static bool fail(const struct probe *p, struct probe_answer *a, const char *how)
{
	(void)snprintf(a->why, sizeof(a->why), "%s (%s)", attempt(p->reached), how);
	return true;
}

/* The instruction that KVM could not emulate, from the guest's memory. */
static bool explain_internal(struct probe *p, struct probe_answer *a)
{
	char how[96];
	struct kvm_regs r;
	struct verr ignored = VERR_INIT;
	int used;

	if (p->vcpu.run->internal.suberror != KVM_INTERNAL_ERROR_EMULATION ||
	    kvm_vcpu_get_regs(&p->vcpu, &r, &ignored) < 0)
		return fail(p, a, "KVM reports an internal error");
	used = snprintf(how, sizeof(how),
			"KVM cannot emulate the code at %#llx:", (unsigned long long)r.rip);
	for (uint64_t i = r.rip; i < r.rip + 8 && i < PROBE_MEMORY; i++)
		used += snprintf(how + used, sizeof(how) - (size_t)used, " %02x", p->memory[i]);
	return fail(p, a, how);
}

/* Vectors whose frame begins with an error code (Intel SDM volume 3, table 6-1). */
#define WITH_ERROR_CODE (1U << 8 | 0x1FU << 10 | 1U << 17 | 1U << 21)

/* Always returns true: the run is over. */
static bool fail_syscall(struct probe_answer *a, uint64_t from, uint64_t to)
{
	(void)snprintf(a->why, sizeof(a->why),
		       "a SYSCALL from privilege level %u arrives at level %u instead of 0",
		       (unsigned)from & 3, (unsigned)to & 3);
	return true;
}

/* Where an exception came from is on top of the stack: the stubs push nothing. */
static bool find_origin(struct probe *p, unsigned vector, uint64_t *rip, uint64_t *cs)
{
	struct bytes memory = bytes_of(p->memory, PROBE_MEMORY);
	struct verr ignored = VERR_INIT;
	struct kvm_regs r;
	uint64_t frame;

	if (kvm_vcpu_get_regs(&p->vcpu, &r, &ignored) < 0 || r.rsp >= PROBE_MEMORY)
		return false;
	frame = (WITH_ERROR_CODE >> vector & 1) != 0 ? r.rsp + 8 : r.rsp;
	return bytes_u64(memory, frame, rip) && bytes_u64(memory, frame + 8, cs);
}

static bool explain_exception(struct probe *p, struct probe_answer *a, unsigned vector)
{
	const uint64_t kernel = PROBE_CODE + (uint64_t)(probe_guest_kernel - probe_guest);
	uint64_t rip, cs;
	char how[96];

	if (!find_origin(p, vector, &rip, &cs)) {
		(void)snprintf(how, sizeof(how), "exception %u", vector);
		return fail(p, a, how);
	}
	/* It had no right to report by itself. */
	if (p->reached == PROBE_MSRS && rip >= kernel && (cs & 3) != 0)
		return fail_syscall(a, 3, cs);
	(void)snprintf(how, sizeof(how), "exception %u at %#llx, privilege level %u", vector,
		       (unsigned long long)rip, (unsigned)cs & 3);
	return fail(p, a, how);
}

/* Returns true when the run is over. */
static bool take_step(struct probe *p, unsigned value, struct probe_answer *a)
{
	if (value == PROBE_DONE) {
		a->passed = true;
		return true;
	}
	if ((value & PROBE_EXCEPTION) != 0)
		return explain_exception(p, a, value % PROBE_VECTORS);
	if ((value & PROBE_SYSCALL) != 0 && value != (PROBE_SYSCALL | 3 << 2))
		return fail_syscall(a, value >> 2, value);
	p->reached = value;
	return false;
}

/* A guest that stopped in the kernel's code without its rights says more by its registers. */
static bool explain_shutdown(struct probe *p, struct probe_answer *a)
{
	struct kvm_sregs s;
	struct verr ignored = VERR_INIT;
	char how[64];

	if (kvm_vcpu_get_sregs(&p->vcpu, &s, &ignored) < 0)
		return fail(p, a, "triple fault");
	(void)snprintf(how, sizeof(how), "triple fault at privilege level %u", s.cs.selector & 3U);
	return fail(p, a, how);
}

static bool take_exit(struct probe *p, struct probe_answer *a)
{
	const struct kvm_run *run = p->vcpu.run;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		if (run->io.port != PROBE_PORT || run->io.direction != KVM_EXIT_IO_OUT)
			return fail(p, a, "another port is touched");
		return take_step(p, ((const uint8_t *)run)[run->io.data_offset], a);
	case KVM_EXIT_INTERNAL_ERROR:
		return explain_internal(p, a);
	case KVM_EXIT_SHUTDOWN:
		return explain_shutdown(p, a);
	default:
		return fail(p, a, kvm_exit_name(run->exit_reason));
	}
}

static void run_guest(struct probe *p, struct probe_answer *a)
{
	uint64_t end = sys_now_ns() + LIMIT_NS;

	for (int exits = 0; exits < EXITS_MAX && sys_now_ns() < end;) {
		switch (kvm_vcpu_run(&p->vcpu)) {
		case KVM_RUN_EXIT:
			if (take_exit(p, a))
				return;
			exits++;
			break;
		case KVM_RUN_INTERRUPTED:
			break;
		case KVM_RUN_FAILED:
			(void)fail(p, a, strerror(errno));
			return;
		}
	}
	(void)fail(p, a, "it does not come to an end");
}

static void on_alarm(int number)
{
	(void)number;
}

/* A signal ends KVM_RUN. It comes again and again, so one just before KVM_RUN does no harm. */
static void run_with_kicks(struct probe *p, struct probe_answer *a)
{
	const struct itimerval kicks = {.it_interval.tv_usec = KICK_US,
					.it_value.tv_usec = KICK_US};
	const struct itimerval none = {0};
	const struct sigaction action = {.sa_handler = on_alarm};
	struct sigaction before;
	sigset_t alarm, mask;

	(void)sigemptyset(&alarm);
	(void)sigaddset(&alarm, SIGALRM);
	(void)sigaction(SIGALRM, &action, &before);
	(void)sigprocmask(SIG_UNBLOCK, &alarm, &mask); /* whoever started us may have blocked it */
	(void)setitimer(ITIMER_REAL, &kicks, NULL);
	run_guest(p, a);
	(void)setitimer(ITIMER_REAL, &none, NULL);
	(void)sigprocmask(SIG_SETMASK, &mask, NULL);
	(void)sigaction(SIGALRM, &before, NULL);
}

int probe_run(struct kvm_vm *vm, struct probe_answer *answer, struct verr *e)
{
	struct probe p = {.vcpu = {.fd = -1}};
	int r;

	*answer = (struct probe_answer){0};
	r = create_memory(&p, vm, e) < 0 || kvm_vm_set_tss(vm, KVM_TSS, e) < 0 ||
			    create_vcpu(&p, vm, e) < 0
		    ? -1
		    : 0;
	if (r == 0)
		run_with_kicks(&p, answer);
	kvm_vcpu_close(&p.vcpu);
	/* The VM may outlive its memory: nothing runs in it any more. */
	if (p.memory != NULL)
		(void)munmap(p.memory, PROBE_MEMORY);
	return r;
}
