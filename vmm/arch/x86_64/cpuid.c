/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CPUID as a guest sees it.
 *
 * The start is what KVM supports, never what the host's CPUID instruction says, and bits are only
 * taken away, by the table below; two are added that older kernels have but do not list. Then the
 * leaves that describe topology are written for this VM: one package, one thread a core. In the end
 * comes what the user wants otherwise, who may bring back what KVM has.
 *
 * Leaves and bits: Intel SDM volume 2A, CPUID; AMD APM volume 3, appendix E.
 */
#include <string.h>

#include "vmm/arch/x86_64/arch.h"
#include "vmm/config/cpuid.h"

enum reg { EAX, EBX, ECX, EDX };

#define BIT(n) (1U << (n))
#define ALL 0xFFFFFFFFU
#define ANY UINT32_MAX

/* Clear these bits of a register. */
static const struct rule {
	uint32_t leaf, subleaf;
	enum reg reg;
	uint32_t clear;
	const char *why;
} rules[] = {
	{0x1, ANY, ECX, BIT(2) | BIT(4), "DTES64, DS_CPL: no debug store"},
	{0x1, ANY, ECX, BIT(3), "MONITOR: an idle guest must exit"},
	{0x1, ANY, ECX, BIT(5) | BIT(6), "VMX, SMX: no nesting"},
	{0x1, ANY, ECX, BIT(7) | BIT(8), "EST, TM2: power is the host's"},
	{0x1, ANY, ECX, BIT(15), "PDCM: no performance capabilities MSR"},
	{0x6, ANY, EAX, ~BIT(2), "thermal and power, but for ARAT"},
	{0x6, ANY, EBX, ALL, "thermal interrupt thresholds"},
	{0x6, ANY, ECX, ALL, "effective frequency interface"},
	{0x6, ANY, EDX, ALL, "hardware feedback"},
	{0x7, 0, EBX, BIT(4) | BIT(11), "HLE, RTM: known holes, removed by microcode"},
	{0x7, 0, EBX, BIT(14), "MPX: withdrawn"},
	{0x7, 0, EBX, BIT(12) | BIT(15), "RDT-M, RDT-A: resources are the host's"},
	{0xA, ANY, EAX, ALL, "no performance monitoring unit"},
	{0xA, ANY, EBX, ALL, "no performance monitoring unit"},
	{0xA, ANY, ECX, ALL, "no performance monitoring unit"},
	{0xA, ANY, EDX, ALL, "no performance monitoring unit"},
	{0x80000001, ANY, ECX, BIT(2), "SVM: no nesting"},
	{0x80000007, ANY, EAX, ALL, "power management"},
	{0x80000007, ANY, EBX, ALL, "RAS capabilities"},
	{0x80000007, ANY, ECX, ALL, "power management"},
	{0x80000007, ANY, EDX, ~BIT(8), "power management, but for the invariant TSC"},
};

#define LEAF1_TSC_DEADLINE BIT(24)
#define LEAF1_HYPERVISOR BIT(31)
#define LEAF1_HTT BIT(28)
#define CLFLUSH_QWORDS 8

static uint32_t *reg_of(struct kvm_cpuid_entry2 *entry, enum reg reg)
{
	switch (reg) {
	case EAX:
		return &entry->eax;
	case EBX:
		return &entry->ebx;
	case ECX:
		return &entry->ecx;
	case EDX:
		break;
	}
	return &entry->edx;
}

static void apply_rules(struct kvm_cpuid_entry2 *entry)
{
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (rules[i].leaf == entry->function &&
		    (rules[i].subleaf == ANY || rules[i].subleaf == entry->index))
			*reg_of(entry, rules[i].reg) &= ~rules[i].clear;
}

static void set_bits(uint32_t *value, unsigned shift, unsigned width, uint32_t bits)
{
	uint32_t mask = ((1U << width) - 1) << shift;

	*value = (*value & ~mask) | ((bits << shift) & mask);
}

/* How many bits of an APIC id number the cores. */
static uint32_t core_bits(uint32_t cpus)
{
	uint32_t bits = 0;

	while ((1U << bits) < cpus)
		bits++;
	return bits;
}

/* Deterministic cache parameters: who shares a cache, and how many cores there are. */
static void set_caches(struct kvm_cpuid_entry2 *entry, uint32_t cpus)
{
	uint32_t level = (entry->eax >> 5) & 7;
	uint32_t sharing = level >= 3 ? (1U << core_bits(cpus)) - 1 : 0;

	if ((entry->eax & 0x1F) == 0) /* no more caches */
		return;
	set_bits(&entry->eax, 14, 12, sharing);
	if (entry->function == 0x4)
		set_bits(&entry->eax, 26, 6, MIN((1U << core_bits(cpus)) - 1, 63));
}

static void set_vm_facts(struct kvm_cpuid_entry2 *entry, const struct cpuid_facts *facts)
{
	switch (entry->function) {
	case 0x1:
		entry->ecx |= LEAF1_HYPERVISOR;
		if (facts->tsc_deadline)
			entry->ecx |= LEAF1_TSC_DEADLINE;
		if (facts->cpus > 1)
			entry->edx |= LEAF1_HTT;
		set_bits(&entry->ebx, 8, 8, CLFLUSH_QWORDS);
		set_bits(&entry->ebx, 16, 8, facts->cpus);
		break;
	case 0x4:
	case 0x8000001D:
		set_caches(entry, facts->cpus);
		break;
	case 0x80000008:
		set_bits(&entry->ecx, 0, 8, facts->cpus - 1);
		set_bits(&entry->ecx, 12, 4, core_bits(facts->cpus));
		break;
	case 0x8000001E: /* one thread a core, one node */
		entry->ebx = 0;
		entry->ecx = 0;
		break;
	default:
		break;
	}
}

static bool is_topology(uint32_t leaf)
{
	return leaf == 0xB || leaf == 0x1F;
}

/* Extended topology: level 0 threads, level 1 cores, level 2 ends the list. */
static int add_topology(struct kvm_cpuid_table *t, uint32_t leaf, uint32_t cpus, struct verr *e)
{
	const struct kvm_cpuid_entry2 levels[] = {
		{.eax = 0, .ebx = 1, .ecx = 0 | 1 << 8},
		{.eax = core_bits(cpus), .ebx = cpus, .ecx = 1 | 2 << 8},
		{.ecx = 2},
	};

	for (uint32_t i = 0; i < ARRAY_LEN(levels); i++) {
		if (t->count == KVM_CPUID_MAX)
			return verr_host(e, "CPUID: more than %d entries", KVM_CPUID_MAX);
		t->entries[t->count] = levels[i];
		t->entries[t->count].function = leaf;
		t->entries[t->count].index = i;
		t->entries[t->count++].flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
	}
	return 0;
}

/* What the user wants otherwise. `offered` is the entry as KVM has it. */
static int apply_changes(struct kvm_cpuid_entry2 *entry, struct kvm_cpuid_entry2 offered,
			 const struct cpuid_facts *facts, struct verr *e)
{
	for (size_t i = 0; i < facts->nchanges; i++) {
		const struct cpuid_change *c = &facts->changes[i];
		uint32_t *reg = reg_of(entry, (enum reg)c->reg);

		if (c->leaf != entry->function || c->subleaf != entry->index)
			continue;
		if ((c->set & ~(*reg_of(&offered, (enum reg)c->reg) | *reg)) != 0)
			return verr_invalid(
				e,
				"--cpuid 0x%x:0x%x: this host's KVM does not have all bits of it",
				c->leaf, c->subleaf);
		*reg = (*reg & ~c->clear) | c->set;
	}
	return 0;
}

/* A leaf that is there as KVM has it, and not written for this VM as a whole. */
static bool has_leaf(const struct kvm_cpuid_table *t, uint32_t leaf, uint32_t subleaf)
{
	for (uint32_t i = 0; i < t->count; i++)
		if (t->entries[i].function == leaf && t->entries[i].index == subleaf)
			return true;
	return false;
}

static int check_changes(const struct kvm_cpuid_table *t, const struct cpuid_facts *facts,
			 struct verr *e)
{
	for (size_t i = 0; i < facts->nchanges; i++)
		if (!has_leaf(t, facts->changes[i].leaf, facts->changes[i].subleaf))
			return verr_invalid(
				e,
				"--cpuid 0x%x:0x%x: this host's KVM has no such leaf, or "
				"it is the VM's own",
				facts->changes[i].leaf, facts->changes[i].subleaf);
	return 0;
}

int cpuid_filter(struct kvm_cpuid_table *t, const struct cpuid_facts *facts, struct verr *e)
{
	uint32_t kept = 0, max_leaf = 0;

	for (uint32_t i = 0; i < t->count; i++) {
		struct kvm_cpuid_entry2 *entry = &t->entries[i];
		const struct kvm_cpuid_entry2 offered = *entry;

		if (entry->function == 0)
			max_leaf = entry->eax;
		if (is_topology(entry->function))
			continue;
		apply_rules(entry);
		set_vm_facts(entry, facts);
		if (apply_changes(entry, offered, facts, e) < 0)
			return -1;
		t->entries[kept++] = *entry;
	}
	t->count = kept;
	if (check_changes(t, facts, e) < 0)
		return -1;
	if (max_leaf >= 0xB && add_topology(t, 0xB, facts->cpus, e) < 0)
		return -1;
	if (max_leaf >= 0x1F && add_topology(t, 0x1F, facts->cpus, e) < 0)
		return -1;
	return 0;
}

void cpuid_for_vcpu(struct kvm_cpuid_table *t, uint32_t id)
{
	for (uint32_t i = 0; i < t->count; i++) {
		struct kvm_cpuid_entry2 *entry = &t->entries[i];

		if (entry->function == 0x1)
			set_bits(&entry->ebx, 24, 8, id);
		else if (is_topology(entry->function))
			entry->edx = id;
		else if (entry->function == 0x8000001E) {
			entry->eax = id;
			set_bits(&entry->ebx, 0, 8, id);
		}
	}
}
