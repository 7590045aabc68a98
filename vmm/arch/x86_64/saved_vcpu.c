/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/log.h"
#include "vmm/arch/x86_64/saved.h"

/* Intel SDM volume 4; AMD APM volume 2, appendix A. */
#define MSR_TSC_DEADLINE 0x6E0
#define MSR_MTRR_PHYS_FIRST 0x200
#define MSR_MTRR_PHYS_LAST 0x20F

/* The bit of a TSS's type. */
#define SEGMENT_BUSY 0x2U

#define SREGS_MAX MAX(sizeof(struct kvm_sregs), sizeof(struct kvm_sregs2))

/* KVM has these, too, and lists them only on newer kernels. */
static const uint32_t unlisted[] = {
	0x250, 0x258, 0x259, 0x268, 0x269, 0x26A, 0x26B, 0x26C, /* fixed MTRRs */
	0x26D, 0x26E, 0x26F, 0x2FF,                             /* and their default type */
};

/* --- what there is --- */

static bool has_msr(const struct saved_host *h, uint32_t index)
{
	for (size_t i = 0; i < h->nmsrs; i++)
		if (h->msrs[i] == index)
			return true;
	return false;
}

static void add_msr(struct saved_host *h, uint32_t index)
{
	if (!has_msr(h, index) && h->nmsrs < ARRAY_LEN(h->msrs))
		h->msrs[h->nmsrs++] = index;
}

static const struct {
	uint32_t first, last;
	const char *why;
} ignored[] = {
	{0x10, 0x10, "the TSC, which goes its own way"},
	{0x11, 0x12, "kvmclock's older numbers; the newer ones are the same registers"},
	{0x480, 0x491, "what VMX can: the guest has none"},
	{0x6E0, 0x6E0, "the TSC deadline, which goes its own way"},
	{0x40000000, 0x400001FF, "Hyper-V's, which the guest is not offered; some are clocks"},
};

static bool matters(uint32_t index)
{
	for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
		if (index >= ignored[i].first && index <= ignored[i].last)
			return false;
	return true;
}

static int find_msrs(struct saved_host *h, struct kvm_vm *vm, struct verr *e)
{
	uint32_t all[STATE_MSRS_MAX];
	int n = kvm_msr_indices(vm->kvm, all, ARRAY_LEN(all), e);

	for (int i = 0; i < n; i++)
		if (matters(all[i]))
			add_msr(h, all[i]);
	for (size_t i = 0; i < ARRAY_LEN(unlisted); i++)
		add_msr(h, unlisted[i]);
	for (uint32_t i = MSR_MTRR_PHYS_FIRST; i <= MSR_MTRR_PHYS_LAST; i++)
		add_msr(h, i);
	return n < 0 ? -1 : 0;
}

/* The first four letters of the vendors that have it: AuthenticAMD, HygonGenuine. */
static bool has_svm(const struct kvm_cpuid_table *cpuid)
{
	for (uint32_t i = 0; i < cpuid->count; i++)
		if (cpuid->entries[i].function == 0)
			return memcmp(&cpuid->entries[i].ebx, "Auth", 4) == 0 ||
			       memcmp(&cpuid->entries[i].ebx, "Hygo", 4) == 0;
	return false;
}

int saved_host_init(struct saved_host *h, struct kvm_vm *vm, struct kvm_vcpu *vcpu,
		    const struct kvm_cpuid_table *cpuid, bool msrs, struct verr *e)
{
	uint64_t offset;

	h->nmsrs = 0;
	for (int part = 0; part < KVM_PARTS; part++)
		h->parts[part] = kvm_part_size(vm, (enum kvm_part)part);
	/* KVM_GET_FPU is a part of it. */
	if (h->parts[KVM_PART_XSAVE] != 0)
		h->parts[KVM_PART_FPU] = 0;
	h->svm = has_svm(cpuid);
	h->tsc_offset = kvm_vcpu_tsc_offset(vcpu, &offset);
	return msrs ? find_msrs(h, vm, e) : 0;
}

/* --- parts --- */

/* Where a part stands in the state. */
struct place {
	enum kvm_part part;
	size_t at, count, room;
};

#define PLACE(PART, member)                                           \
	{                                                             \
		KVM_PART_##PART, offsetof(struct vcpu_state, member), \
			offsetof(struct vcpu_state, member##_count),  \
			sizeof(((struct vcpu_state *)0)->member)      \
	}

static const struct place places[] = {
	PLACE(REGS, regs),   PLACE(SREGS, sregs),         PLACE(SREGS2, sregs2),
	PLACE(FPU, fpu),     PLACE(XSAVE, xsave),         PLACE(XCRS, xcrs),
	PLACE(LAPIC, lapic), PLACE(DEBUGREGS, debugregs), PLACE(EVENTS, events),
};

static const struct place *place_of(enum kvm_part part)
{
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (places[i].part == part)
			return &places[i];
	return NULL;
}

static int capture_part(struct kvm_vcpu *vcpu, const struct saved_host *h, const struct place *p,
			struct vcpu_state *out, struct verr *e)
{
	uint32_t size = (uint32_t)h->parts[p->part];

	if (size > p->room)
		return verr_host(e, "%s of %u bytes; a state file has room for %zu",
				 kvm_part_name(p->part), size, p->room);
	if (size > 0 && kvm_vcpu_get_part(vcpu, p->part, size, (uint8_t *)out + p->at, e) < 0)
		return -1;
	memcpy((uint8_t *)out + p->count, &size, sizeof(size));
	return 0;
}

/* A guest has no state in what is beyond the host's own size, if all of it is zero. */
static bool fits(const uint8_t *at, uint32_t count, size_t size)
{
	for (size_t i = size; i < count; i++)
		if (at[i] != 0)
			return false;
	return true;
}

/* What the file does not have stays as KVM made it. */
static int apply_part(struct kvm_vcpu *vcpu, const struct saved_host *h, enum kvm_part part,
		      const struct vcpu_state *in, struct verr *e)
{
	const struct place *p = place_of(part);
	const uint8_t *at = (const uint8_t *)in + p->at;
	uint32_t count;

	memcpy(&count, (const uint8_t *)in + p->count, sizeof(count));
	if (count == 0)
		return 0;
	if (h->parts[part] == 0)
		return verr_host(e, "this host's KVM has no %s, which was saved",
				 kvm_part_name(part));
	/* Behind what was saved there are zeros, up to the room that every host's has. */
	if (part == KVM_PART_XSAVE ? h->parts[part] > p->room || !fits(at, count, h->parts[part])
				   : count != h->parts[part])
		return verr_host(e, "%s: %u bytes were saved, and this host's KVM has %zu",
				 kvm_part_name(part), count, h->parts[part]);
	return kvm_vcpu_set_part(vcpu, part, at, e);
}

/* --- MSRs --- */

/* One that this vCPU does not have is passed over. */
static int capture_msrs(struct kvm_vcpu *vcpu, const struct saved_host *h, struct vcpu_state *out,
			struct verr *e)
{
	uint32_t saved = 0;
	size_t at = 0;

	while (at < h->nmsrs) {
		struct kvm_msr_entry chunk[KVM_MSRS_MAX] = {0};
		size_t count = MIN(h->nmsrs - at, ARRAY_LEN(chunk));
		int n;

		for (size_t i = 0; i < count; i++)
			chunk[i].index = h->msrs[at + i];
		n = kvm_vcpu_get_msrs(vcpu, chunk, count, e);
		if (n < 0)
			return -1;
		for (int i = 0; i < n; i++) {
			out->msr_indices[saved] = chunk[i].index;
			out->msr_values[saved++] = chunk[i].data;
		}
		at += (size_t)n + ((size_t)n < count ? 1 : 0);
	}
	out->msr_indices_count = out->msr_values_count = saved;
	return 0;
}

static bool get_msr(struct kvm_vcpu *vcpu, uint32_t index, uint64_t *value)
{
	struct kvm_msr_entry entry = {.index = index};
	struct verr none = VERR_INIT;

	if (kvm_vcpu_get_msrs(vcpu, &entry, 1, &none) != 1)
		return false;
	*value = entry.data;
	return true;
}

/* KVM does not take it. What it has anyway, or does not have and was never used, is no loss. */
static int judge_refused(struct kvm_vcpu *vcpu, uint32_t index, uint64_t value, struct verr *e)
{
	uint64_t now = 0;
	bool there = get_msr(vcpu, index, &now);

	if (now == value)
		return 0;
	if (!there)
		return verr_host(e, "this host's KVM has no MSR %#x, which was saved as %#llx",
				 index, (unsigned long long)value);
	return verr_host(e, "this host's KVM refuses %#llx for MSR %#x", (unsigned long long)value,
			 index);
}

static int apply_msrs(struct kvm_vcpu *vcpu, const struct vcpu_state *in, struct verr *e)
{
	uint32_t at = 0;

	if (in->msr_values_count != in->msr_indices_count)
		return verr_corrupt(e, "%u MSRs have %u values", in->msr_indices_count,
				    in->msr_values_count);
	while (at < in->msr_indices_count) {
		struct kvm_msr_entry chunk[KVM_MSRS_MAX] = {0};
		uint32_t count = MIN(in->msr_indices_count - at, (uint32_t)ARRAY_LEN(chunk));
		int n;

		for (uint32_t i = 0; i < count; i++)
			chunk[i] = (struct kvm_msr_entry){.index = in->msr_indices[at + i],
							  .data = in->msr_values[at + i]};
		n = kvm_vcpu_set_msrs(vcpu, chunk, count, e);
		if (n < 0)
			return -1;
		at += (uint32_t)n;
		if ((uint32_t)n == count)
			continue;
		if (judge_refused(vcpu, in->msr_indices[at], in->msr_values[at], e) < 0)
			return -1;
		at++;
	}
	return 0;
}

/* Zero is no deadline, also where there is none. */
static int apply_deadline(struct kvm_vcpu *vcpu, uint64_t deadline, struct verr *e)
{
	const struct kvm_msr_entry entry = {.index = MSR_TSC_DEADLINE, .data = deadline};
	int n;

	if (deadline == 0)
		return 0;
	n = kvm_vcpu_set_msrs(vcpu, &entry, 1, e);
	if (n < 0)
		return -1;
	return n == 1 ? 0 : judge_refused(vcpu, MSR_TSC_DEADLINE, deadline, e);
}

/* --- the whole --- */

int vcpu_capture(struct saved_cpu *cpu, const struct saved_host *h, struct verr *e)
{
	struct kvm_vcpu *vcpu = cpu->vcpu;
	struct vcpu_state *out = &cpu->state;
	struct kvm_mp_state mp = {0};

	/* First: reading it lets KVM take in what has come for the APIC (INIT, SIPI). */
	if (h->parts[KVM_PART_MP_STATE] != 0 &&
	    kvm_vcpu_get_part(vcpu, KVM_PART_MP_STATE, sizeof(mp), &mp, e) < 0)
		return -1;
	out->mp_state = mp.mp_state;
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (capture_part(vcpu, h, &places[i], out, e) < 0)
			return -1;
	out->tsc_khz = kvm_vcpu_tsc_khz(vcpu);
	if (!get_msr(vcpu, MSR_TSC_DEADLINE, &out->tsc_deadline))
		out->tsc_deadline = 0;
	return capture_msrs(vcpu, h, out, e);
}

/* KVM_SET_SREGS2 where both have it: of a guest with PAE it knows more. */
static enum kvm_part sregs_part(const struct saved_host *h, const struct vcpu_state *in)
{
	return in->sregs2_count > 0 && h->parts[KVM_PART_SREGS2] != 0 ? KVM_PART_SREGS2
								      : KVM_PART_SREGS;
}

/*
 * The type of the task register as the processor has it. AMD's does not say there that the segment
 * is busy, and KVM adds that when it is asked (svm_get_segment()). Processors take it back either
 * way, but one in software may deny the guest its I/O ports then; and Intel's want it.
 */
static int restore_task_type(struct kvm_vcpu *vcpu, enum kvm_part part, const uint8_t *saved,
			     size_t size, struct verr *e)
{
	union {
		struct kvm_sregs sregs; /* begins as the other does */
		uint8_t bytes[SREGS_MAX];
	} now = {.bytes = {0}};

	_Static_assert(offsetof(struct kvm_sregs, tr) == offsetof(struct kvm_sregs2, tr), "tr");
	memcpy(now.bytes, saved, size);
	now.sregs.tr.type &= (uint8_t)~SEGMENT_BUSY;
	if (kvm_vcpu_set_part(vcpu, part, now.bytes, e) < 0 ||
	    kvm_vcpu_get_part(vcpu, part, size, now.bytes, e) < 0)
		return -1;
	return memcmp(now.bytes, saved, size) == 0 ? 0 : kvm_vcpu_set_part(vcpu, part, saved, e);
}

static int apply_sregs(struct kvm_vcpu *vcpu, const struct saved_host *h,
		       const struct vcpu_state *in, struct verr *e)
{
	enum kvm_part part = sregs_part(h, in);

	if (apply_part(vcpu, h, part, in, e) < 0)
		return -1;
	if (!h->svm)
		return 0;
	return restore_task_type(vcpu, part, (const uint8_t *)in + place_of(part)->at,
				 h->parts[part], e);
}

static int apply_mp_state(struct kvm_vcpu *vcpu, const struct saved_host *h,
			  const struct vcpu_state *in, struct verr *e)
{
	const struct kvm_mp_state mp = {.mp_state = in->mp_state};

	return h->parts[KVM_PART_MP_STATE] == 0
		       ? 0
		       : kvm_vcpu_set_part(vcpu, KVM_PART_MP_STATE, &mp, e);
}

int vcpu_apply(const struct saved_cpu *cpu, const struct saved_host *h, struct verr *e)
{
	struct kvm_vcpu *vcpu = cpu->vcpu;
	const struct vcpu_state *in = &cpu->state;

	/* Whatever it was to begin with. */
	vcpu->run->kvm_dirty_regs = 0;
	if (in->regs_count == 0 || in->sregs_count == 0 || in->lapic_count == 0)
		return verr_corrupt(e, "registers are missing");
	if (apply_sregs(vcpu, h, in, e) < 0 || apply_part(vcpu, h, KVM_PART_XCRS, in, e) < 0 ||
	    apply_part(vcpu, h, KVM_PART_XSAVE, in, e) < 0 ||
	    apply_part(vcpu, h, KVM_PART_FPU, in, e) < 0 ||
	    apply_part(vcpu, h, KVM_PART_REGS, in, e) < 0 ||
	    apply_part(vcpu, h, KVM_PART_LAPIC, in, e) < 0 || apply_msrs(vcpu, in, e) < 0 ||
	    apply_deadline(vcpu, in->tsc_deadline, e) < 0 ||
	    apply_part(vcpu, h, KVM_PART_DEBUGREGS, in, e) < 0 ||
	    apply_mp_state(vcpu, h, in, e) < 0)
		return -1;
	return apply_part(vcpu, h, KVM_PART_EVENTS, in, e);
}
