/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's clock and the vCPUs' TSCs, which it is made from, as they were at one instant, and as
 * they are to be at another. The guest's clock is KVM's (KVM_GET_CLOCK): kvmclock shows it, and
 * TSCs are put beside it, so that guests that go by either find the same time passed.
 */
#include <time.h>

#include "base/checked.h"
#include "vmm/arch/x86_64/saved.h"

#define MSR_TSC 0x10

#define NS_PER_MS 1000000ULL
#define NS_PER_S 1000000000ULL

/* TSCs that were read one after the other are one if they differ by no more than this. */
#define SAME_TSC_NS NS_PER_MS

/* KVM takes frequencies that differ by so much for the same (its tsc_tolerance_ppm). */
#define TOLERANCE_PPM 250

/* A host that is busy looks at the one clock much later than at the other: it looks again. */
#define TRIES 5
#define CLOSE_ENOUGH_NS 50000

static uint64_t ticks(uint64_t ns, uint32_t khz)
{
	return (uint64_t)((__uint128_t)ns * khz / NS_PER_MS);
}

static int now(struct kvm_vm *vm, struct kvm_clock_data *clock, struct verr *e)
{
	*clock = (struct kvm_clock_data){0};
	return kvm_vm_get_clock(vm, clock, e);
}

static int get_tsc(struct kvm_vcpu *vcpu, uint64_t *tsc, struct verr *e)
{
	struct kvm_msr_entry entry = {.index = MSR_TSC};
	int n = kvm_vcpu_get_msrs(vcpu, &entry, 1, e);

	if (n == 0)
		return verr_host(e, "KVM does not tell the TSC");
	*tsc = entry.data;
	return n < 0 ? -1 : 0;
}

static int set_tsc(struct kvm_vcpu *vcpu, uint64_t tsc, struct verr *e)
{
	const struct kvm_msr_entry entry = {.index = MSR_TSC, .data = tsc};
	int n = kvm_vcpu_set_msrs(vcpu, &entry, 1, e);

	return n == 0 ? verr_host(e, "KVM does not let the TSC be set") : MIN(n, 0);
}

/* --- capturing --- */

/* What the TSC was when the guest's clock was `at`. */
static int tsc_at(struct kvm_vm *vm, struct kvm_vcpu *vcpu, uint64_t at, uint64_t *tsc,
		  struct verr *e)
{
	uint64_t best = UINT64_MAX, value = 0;
	struct kvm_clock_data before, after;
	uint32_t khz = kvm_vcpu_tsc_khz(vcpu);

	for (int i = 0; i < TRIES && best > CLOSE_ENOUGH_NS; i++) {
		if (now(vm, &before, e) < 0 || get_tsc(vcpu, &value, e) < 0 ||
		    now(vm, &after, e) < 0)
			return -1;
		if (after.clock - before.clock >= best)
			continue;
		best = after.clock - before.clock;
		*tsc = value - ticks(before.clock - MIN(at, before.clock), khz);
	}
	return 0;
}

int clock_capture(struct kvm_vm *vm, const struct saved_host *host, struct saved_cpu *cpus,
		  uint32_t count, struct clock_state *out, struct verr *e)
{
	struct kvm_clock_data clock;
	struct timespec wall;
	uint64_t first = 0, offset = 0;

	if (now(vm, &clock, e) < 0)
		return -1;
	(void)clock_gettime(CLOCK_REALTIME, &wall);
	out->guest_ns = clock.clock;
	out->wall_ns = (uint64_t)wall.tv_sec * NS_PER_S + (uint64_t)wall.tv_nsec;
	if (clock.flags & KVM_CLOCK_REALTIME)
		out->wall_ns = clock.realtime;
	for (uint32_t i = 0; i < count; i++) {
		bool exact = host->tsc_offset && kvm_vcpu_tsc_offset(cpus[i].vcpu, &offset);

		if (exact && i > 0)
			cpus[i].state.tsc = cpus[0].state.tsc + (offset - first);
		else if (tsc_at(vm, cpus[i].vcpu, out->guest_ns, &cpus[i].state.tsc, e) < 0)
			return verr_note(e, "vCPU %u", i);
		if (i == 0)
			first = offset;
	}
	return 0;
}

/* --- applying --- */

static bool about(uint32_t a, uint32_t b)
{
	uint64_t difference = a > b ? a - b : b - a;

	return difference * 1000000 <= (uint64_t)b * TOLERANCE_PPM;
}

static int apply_khz(struct kvm_vcpu *vcpu, uint32_t khz, struct verr *e)
{
	uint32_t here = kvm_vcpu_tsc_khz(vcpu);

	if (khz == 0 || here == 0 || khz == here || about(khz, here))
		return 0;
	if (kvm_vcpu_set_tsc_khz(vcpu, khz))
		return 0;
	return verr_host(e,
			 "the TSC ran at %u kHz; this host's runs at %u kHz and cannot be made to",
			 khz, here);
}

/* All that were one TSC are one again, to the tick where KVM lets that be said. */
static int apply_tsc(struct kvm_vm *vm, const struct saved_host *host, const struct saved_cpu *cpus,
		     uint32_t i, uint64_t saved_ns, struct verr *e)
{
	uint64_t tsc = cpus[i].state.tsc, first = cpus[0].state.tsc, offset;
	uint32_t khz = kvm_vcpu_tsc_khz(cpus[i].vcpu);
	struct kvm_clock_data clock;

	if ((tsc > first ? tsc - first : first - tsc) <= ticks(SAME_TSC_NS, khz))
		tsc = first;
	if (i > 0 && tsc == first && host->tsc_offset &&
	    kvm_vcpu_tsc_offset(cpus[0].vcpu, &offset) &&
	    kvm_vcpu_set_tsc_offset(cpus[i].vcpu, offset))
		return 0;
	if (now(vm, &clock, e) < 0)
		return -1;
	return set_tsc(cpus[i].vcpu, tsc + ticks(clock.clock - MIN(saved_ns, clock.clock), khz), e);
}

int clock_apply(struct kvm_vm *vm, const struct saved_host *host, const struct saved_cpu *cpus,
		uint32_t count, const struct clock_state *in, uint64_t elapsed_ns, struct verr *e)
{
	struct kvm_clock_data clock = {0};
	uint64_t guest_ns;

	if (!add_u64(in->guest_ns, elapsed_ns, &guest_ns))
		return verr_corrupt(e, "the guest's clock makes no sense");
	clock.clock = guest_ns;
	for (uint32_t i = 0; i < count; i++)
		if (apply_khz(cpus[i].vcpu, cpus[i].state.tsc_khz, e) < 0)
			return -1;
	if (kvm_vm_set_clock(vm, &clock, e) < 0)
		return -1;
	for (uint32_t i = 0; i < count; i++)
		if (apply_tsc(vm, host, cpus, i, in->guest_ns, e) < 0)
			return verr_note(e, "vCPU %u", i);
	return 0;
}

uint64_t clock_elapsed(const struct clock_state *in)
{
	struct timespec wall;
	uint64_t wall_ns;

	(void)clock_gettime(CLOCK_REALTIME, &wall);
	wall_ns = (uint64_t)wall.tv_sec * NS_PER_S + (uint64_t)wall.tv_nsec;
	return wall_ns > in->wall_ns ? wall_ns - in->wall_ns : 0;
}
