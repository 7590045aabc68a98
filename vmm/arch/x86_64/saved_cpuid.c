/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest must find the processor that it knows: it gets the CPUID that it had. Of what the leaves
 * say, the bits that offer something must be offered here, too; topology and caches are what the
 * machine was told of, and the model's number is only a name.
 */
#include <string.h>

#include "vmm/arch/x86_64/saved.h"

enum reg { EAX, EBX, ECX, EDX };
#define ANY UINT32_MAX

/* Registers of which each bit offers something. */
static const struct offer {
	uint32_t leaf, subleaf;
	enum reg reg;
} offers[] = {
	{0x1, ANY, ECX},        {0x1, ANY, EDX},        {0x6, ANY, EAX},
	{0x7, 0, EBX},          {0x7, 0, ECX},          {0x7, 0, EDX},
	{0x7, 1, EAX},          {0x7, 1, EBX},          {0x7, 1, ECX},
	{0x7, 1, EDX},          {0x7, 2, EDX},          {0xD, 0, EAX},
	{0xD, 0, EDX},          {0xD, 1, EAX},          {0xD, 1, ECX},
	{0x14, 0, EBX},         {0x14, 0, ECX},         {0x19, ANY, EBX},
	{0x40000001, ANY, EAX}, {0x80000001, ANY, ECX}, {0x80000001, ANY, EDX},
	{0x80000007, ANY, EDX}, {0x80000008, ANY, EBX}, {0x80000021, ANY, EAX},
};

/* A guest that has seen fewer bits of addresses is as well off with more. */
#define LEAF_ADDRESSES 0x80000008
#define PHYSICAL_BITS 0xFF

void cpuid_capture(const struct kvm_cpuid_table *table, struct cpuid_state *out)
{
	_Static_assert(ARRAY_LEN(out->entries) == KVM_CPUID_MAX, "all of it has room");
	out->entries_count = table->count;
	for (uint32_t i = 0; i < table->count; i++) {
		const struct kvm_cpuid_entry2 *e = &table->entries[i];

		out->entries[i] =
			(struct cpuid_entry_state){.function = e->function,
						   .index = e->index,
						   .flags = e->flags,
						   .registers = {e->eax, e->ebx, e->ecx, e->edx}};
	}
}

static const struct kvm_cpuid_entry2 *find(const struct kvm_cpuid_table *t, uint32_t leaf,
					   uint32_t subleaf)
{
	for (uint32_t i = 0; i < t->count; i++)
		if (t->entries[i].function == leaf && t->entries[i].index == subleaf)
			return &t->entries[i];
	return NULL;
}

static uint32_t value_of(const struct kvm_cpuid_entry2 *e, enum reg reg)
{
	const uint32_t values[] = {e->eax, e->ebx, e->ecx, e->edx};

	return values[reg];
}

static bool is_offer(const struct kvm_cpuid_entry2 *e, enum reg reg)
{
	for (size_t i = 0; i < ARRAY_LEN(offers); i++)
		if (offers[i].leaf == e->function && offers[i].reg == reg &&
		    (offers[i].subleaf == ANY || offers[i].subleaf == e->index))
			return true;
	return false;
}

static int check_entry(const struct kvm_cpuid_entry2 *e, const struct kvm_cpuid_table *host,
		       cpuid_lack_fn *lack, void *arg)
{
	static const char names[][4] = {"EAX", "EBX", "ECX", "EDX"};
	const struct kvm_cpuid_entry2 none = {0}, *here = find(host, e->function, e->index);
	int lacks = 0;

	here = here != NULL ? here : &none;
	for (int reg = EAX; reg <= EDX; reg++) {
		uint32_t gone = value_of(e, (enum reg)reg) & ~value_of(here, (enum reg)reg);

		if (gone == 0 || !is_offer(e, (enum reg)reg))
			continue;
		lack(arg, e->function, e->index, names[reg], gone);
		lacks++;
	}
	if (e->function == LEAF_ADDRESSES &&
	    (e->eax & PHYSICAL_BITS) > (here->eax & PHYSICAL_BITS)) {
		lack(arg, e->function, e->index, "EAX", e->eax & PHYSICAL_BITS);
		lacks++;
	}
	return lacks;
}

/* AMD's and Intel's processors are no substitute for each other. */
static bool same_vendor(const struct kvm_cpuid_table *a, const struct kvm_cpuid_table *b)
{
	const struct kvm_cpuid_entry2 *x = find(a, 0, 0), *y = find(b, 0, 0);

	return x != NULL && y != NULL && x->ebx == y->ebx && x->ecx == y->ecx && x->edx == y->edx;
}

int cpuid_compare(const struct kvm_cpuid_table *saved, const struct kvm_cpuid_table *host,
		  cpuid_lack_fn *lack, void *arg)
{
	int lacks = 0;

	if (!same_vendor(saved, host)) {
		lack(arg, 0, 0, "EBX", UINT32_MAX);
		lacks++;
	}
	for (uint32_t i = 0; i < saved->count; i++)
		lacks += check_entry(&saved->entries[i], host, lack, arg);
	return lacks;
}

void cpuid_of_state(const struct cpuid_state *in, struct kvm_cpuid_table *out)
{
	*out = (struct kvm_cpuid_table){.count = in->entries_count};
	for (uint32_t i = 0; i < in->entries_count; i++) {
		const struct cpuid_entry_state *s = &in->entries[i];

		out->entries[i] = (struct kvm_cpuid_entry2){.function = s->function,
							    .index = s->index,
							    .flags = s->flags,
							    .eax = s->registers[EAX],
							    .ebx = s->registers[EBX],
							    .ecx = s->registers[ECX],
							    .edx = s->registers[EDX]};
	}
}

static void note_lack(void *arg, uint32_t leaf, uint32_t subleaf, const char *reg, uint32_t bits)
{
	struct verr *e = arg;

	/* The first of them is the fault. */
	if (leaf == 0)
		(void)verr_host(e, "the guest has another vendor's processor than this host's");
	(void)verr_host(e,
			"this host's processor or KVM lacks what the guest has: CPUID leaf %#x.%u "
			"%s bits %#x",
			leaf, subleaf, reg, bits);
}

int cpuid_apply(const struct cpuid_state *in, const struct kvm_cpuid_table *host,
		struct kvm_cpuid_table *out, struct verr *e)
{
	cpuid_of_state(in, out);
	return cpuid_compare(out, host, note_lack, e) > 0 ? -1 : 0;
}
