/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "vmm/arch/x86_64/arch.h"
#include "vmm/config/cpuid.h"

static struct kvm_cpuid_entry2 *find(struct kvm_cpuid_table *t, uint32_t leaf, uint32_t index)
{
	for (uint32_t i = 0; i < t->count; i++)
		if (t->entries[i].function == leaf && t->entries[i].index == index)
			return &t->entries[i];
	return NULL;
}

static void add(struct kvm_cpuid_table *t, uint32_t leaf, uint32_t index, uint32_t all)
{
	t->entries[t->count++] = (struct kvm_cpuid_entry2){
		.function = leaf, .index = index, .eax = all, .ebx = all, .ecx = all, .edx = all};
}

/* A KVM that offers every bit of the leaves that have rules. */
static void fill(struct kvm_cpuid_table *t, uint32_t max_leaf)
{
	static const uint32_t leaves[] = {0x1,        0x6,        0x7,        0xA,
					  0xB,        0x40000000, 0x80000001, 0x80000007,
					  0x80000008, 0x8000001E};

	memset(t, 0, sizeof(*t));
	add(t, 0, 0, max_leaf);
	for (size_t i = 0; i < ARRAY_LEN(leaves); i++)
		add(t, leaves[i], 0, UINT32_MAX);
	add(t, 0x4, 0, 0x00000121); /* level 1 data cache */
	add(t, 0x4, 3, 0x00000163); /* level 3 */
	add(t, 0x4, 4, 0);          /* none */
}

static void test_cleared_bits(void **state)
{
	struct kvm_cpuid_table t;
	struct cpuid_facts facts = {.cpus = 2};
	struct verr e = VERR_INIT;

	(void)state;
	fill(&t, 0x16);
	assert_ok(cpuid_filter(&t, &facts, &e), &e);
	/* DTES64, MONITOR, DS_CPL, VMX, SMX, EST, TM2, PDCM gone; x2APIC (21) and the rest kept. */
	assert_int_equal(find(&t, 0x1, 0)->ecx, 0xFFFF7E03);
	assert_int_equal(find(&t, 0x6, 0)->eax, 1 << 2);
	assert_int_equal(find(&t, 0x6, 0)->ecx, 0);
	/* HLE 4, RTM 11, RDT-M 12, MPX 14, RDT-A 15. */
	assert_int_equal(find(&t, 0x7, 0)->ebx,
			 ~(1u << 4 | 1u << 11 | 1u << 12 | 1u << 14 | 1u << 15));
	assert_int_equal(find(&t, 0xA, 0)->eax | find(&t, 0xA, 0)->edx, 0);
	assert_int_equal(find(&t, 0x40000000, 0)->ebx, UINT32_MAX);
	assert_int_equal(find(&t, 0x80000001, 0)->ecx, ~(1u << 2));
	assert_int_equal(find(&t, 0x80000001, 0)->edx, UINT32_MAX);
	assert_int_equal(find(&t, 0x80000007, 0)->edx, 1u << 8);
	assert_int_equal(find(&t, 0x80000007, 0)->ebx, 0);
}

static void test_changes(void **state)
{
	const struct cpuid_change changes[] = {
		{.leaf = 0x7, .reg = 1, .clear = 1 << 5, .set = 1 << 4}, /* AVX2; HLE, a rule's */
		{.leaf = 0x1, .reg = 2, .clear = 1u << 31},              /* HYPERVISOR */
	};
	struct kvm_cpuid_table t;
	struct cpuid_facts facts = {.cpus = 1, .changes = changes, .nchanges = ARRAY_LEN(changes)};
	struct cpuid_change wrong = {.leaf = 0x7, .subleaf = 1};
	struct verr e = VERR_INIT;

	(void)state;
	fill(&t, 0x16);
	assert_ok(cpuid_filter(&t, &facts, &e), &e);
	assert_int_equal(find(&t, 0x7, 0)->ebx,
			 ~(1u << 5 | 1u << 11 | 1u << 12 | 1u << 14 | 1u << 15));
	assert_int_equal(find(&t, 0x1, 0)->ecx >> 31, 0);
	/* What KVM does not have nobody gets. */
	facts = (struct cpuid_facts){.cpus = 1, .changes = &wrong, .nchanges = 1};
	fill(&t, 0x16);
	assert_fault(cpuid_filter(&t, &facts, &e), &e, VERR_INVALID,
		     "0x7:0x1: this host's KVM has no");
	wrong = (struct cpuid_change){.leaf = 0x4, .subleaf = 4, .set = 1};
	e = (struct verr)VERR_INIT;
	fill(&t, 0x16);
	assert_fault(cpuid_filter(&t, &facts, &e), &e, VERR_INVALID,
		     "0x4:0x4: this host's KVM does");
	/* The topology is the VM's. */
	wrong = (struct cpuid_change){.leaf = 0xB, .clear = 1};
	e = (struct verr)VERR_INIT;
	fill(&t, 0x16);
	assert_fault(cpuid_filter(&t, &facts, &e), &e, VERR_INVALID,
		     "0xb:0x0: this host's KVM has no");
}

/* Nothing that KVM lacks appears, but for the two bits that older kernels leave out. */
static void test_nothing_added(void **state)
{
	struct kvm_cpuid_table t = {.count = 0};
	struct cpuid_facts facts = {.cpus = 1};
	struct verr e = VERR_INIT;

	(void)state;
	add(&t, 0, 0, 0x7);
	add(&t, 0x1, 0, 0);
	add(&t, 0x6, 0, 0);
	add(&t, 0x80000007, 0, 0);
	assert_ok(cpuid_filter(&t, &facts, &e), &e);
	assert_int_equal(t.count, 4); /* no leaf 0xB above the highest leaf */
	assert_int_equal(find(&t, 0x1, 0)->ecx, 1u << 31);
	assert_int_equal(find(&t, 0x1, 0)->edx, 0);
	assert_int_equal(find(&t, 0x6, 0)->eax, 0);
	assert_int_equal(find(&t, 0x80000007, 0)->edx, 0);
	facts.tsc_deadline = true;
	assert_ok(cpuid_filter(&t, &facts, &e), &e);
	assert_int_equal(find(&t, 0x1, 0)->ecx, 1u << 31 | 1u << 24);
}

static void test_topology(void **state)
{
	struct kvm_cpuid_table t;
	struct cpuid_facts facts = {.cpus = 6};
	struct verr e = VERR_INIT;

	(void)state;
	fill(&t, 0x1F);
	assert_ok(cpuid_filter(&t, &facts, &e), &e);
	cpuid_for_vcpu(&t, 5);
	assert_int_equal(find(&t, 0x1, 0)->ebx, 5u << 24 | 6 << 16 | 8 << 8 | 0xFF);
	assert_int_equal(find(&t, 0xB, 0)->ebx, 1);
	assert_int_equal(find(&t, 0xB, 0)->ecx, 1 << 8);
	assert_int_equal(find(&t, 0xB, 1)->eax, 3); /* 6 cores need 3 bits */
	assert_int_equal(find(&t, 0xB, 1)->ebx, 6);
	assert_int_equal(find(&t, 0xB, 1)->edx, 5);
	assert_int_equal(find(&t, 0x1F, 1)->edx, 5);
	assert_int_equal(find(&t, 0x80000008, 0)->ecx & 0xFF, 5);
	assert_int_equal(find(&t, 0x8000001E, 0)->eax, 5);
	/* Level 1 is a core's own; level 3 is shared by all; eight APIC ids are set aside. */
	assert_int_equal(find(&t, 0x4, 0)->eax >> 14 & 0xFFF, 0);
	assert_int_equal(find(&t, 0x4, 3)->eax >> 14 & 0xFFF, 7);
	assert_int_equal(find(&t, 0x4, 3)->eax >> 26, 7);
	assert_int_equal(find(&t, 0x4, 4)->eax, 0);
	cpuid_for_vcpu(&t, 0);
	assert_int_equal(find(&t, 0xB, 1)->edx, 0);
	assert_int_equal(find(&t, 0x1, 0)->ebx >> 24, 0);
}

static void test_table_full(void **state)
{
	struct kvm_cpuid_table t = {.count = 0};
	struct cpuid_facts facts = {.cpus = 1};
	struct verr e = VERR_INIT;

	(void)state;
	for (uint32_t i = 0; i < KVM_CPUID_MAX; i++)
		add(&t, i == 0 ? 0 : 0x40000000 + i, 0, 0x1F);
	assert_fault(cpuid_filter(&t, &facts, &e), &e, VERR_HOST, "more than 256 entries");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cleared_bits),  cmocka_unit_test(test_changes),
		cmocka_unit_test(test_nothing_added), cmocka_unit_test(test_topology),
		cmocka_unit_test(test_table_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
