/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volt snapshot check: what this host lacks for a snapshot, before anybody restores it. A machine
 * with empty memory is made, and each vCPU gets its state as it would when the snapshot is
 * restored.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/own.h"
#include "vmm/arch/x86_64/arch.h"
#include "vmm/arch/x86_64/saved.h"
#include "volt/snapshot.h"
#include "volt/snapshot_file.h"

static void on_lack(void *arg, const char *what)
{
	unsigned *lacks = arg;

	(void)printf("lacks: %s\n", what);
	(*lacks)++;
}

static void on_cpuid(void *arg, uint32_t leaf, uint32_t subleaf, const char *reg, uint32_t bits)
{
	unsigned *lacks = arg;

	if (leaf == 0)
		(void)printf("lacks: a processor of the same vendor\n");
	else
		(void)printf("lacks: CPUID leaf %#x.%u %s bits %#x\n", leaf, subleaf, reg, bits);
	(*lacks)++;
}

/* --- files --- */

static void check_file(int folder, const char *path, uint64_t size, unsigned *lacks)
{
	struct stat st;

	if (fstatat(folder, path, &st, 0) < 0) {
		(void)printf("lacks: %s: %s\n", path, strerror(errno));
		(*lacks)++;
	} else if (S_ISREG(st.st_mode) && (uint64_t)st.st_size != size) {
		(void)printf("lacks: %s with %llu bytes; it has %llu\n", path,
			     (unsigned long long)size, (unsigned long long)st.st_size);
		(*lacks)++;
	}
}

static int check_files(const struct state_reader *r, int folder, unsigned *lacks, struct verr *e)
{
	struct memory_state memory;
	struct disk_state disk;

	if (state_count(r, STATE_KIND_MEMORY) > 0) {
		if (state_get(r, STATE_KIND_MEMORY, 0, &memory, e) < 0)
			return -1;
		check_file(folder, memory.path, memory.size, lacks);
	}
	for (uint32_t i = 0; i < state_count(r, STATE_KIND_DISK); i++) {
		if (state_get(r, STATE_KIND_DISK, i, &disk, e) < 0)
			return -1;
		check_file(folder, disk.path, disk.size, lacks);
	}
	return 0;
}

/* --- the processor --- */

/* A VM as a machine has it, and one vCPU. */
struct scratch {
	struct mem *mem;
	struct kvm kvm;
	struct kvm_vm vm;
	struct kvm_vcpu vcpu;
	struct kvm_cpuid_table host; /* what a guest of as many vCPUs would get here */
	struct saved_host saved;
};

/* Some MSRs hold addresses, which KVM takes only where there is memory. */
static int give_memory(struct scratch *s, uint64_t size, const struct state_reader *r,
		       struct verr *e)
{
	const struct mem_region *regions;
	size_t count;

	if (mem_new(&(struct mem_options){.size = size}, &s->mem, e) < 0 ||
	    saved_memory_fits(s->mem, r, e) < 0)
		return -1;
	count = mem_regions(s->mem, &regions);
	for (size_t i = 0; i < count; i++)
		if (kvm_vm_set_memory(&s->vm, (uint32_t)i, regions[i].gpa, regions[i].len,
				      regions[i].host, false, e) < 0)
			return -1;
	return 0;
}

static int open_scratch(struct scratch *s, const struct vm_state *vm, const struct state_reader *r,
			struct verr *e)
{
	struct cpuid_facts facts = {.cpus = vm->cpus};

	if (kvm_open(&s->kvm, e) < 0 || kvm_vm_create(&s->kvm, &s->vm, e) < 0 ||
	    give_memory(s, vm->memory, r, e) < 0 || kvm_vm_create_irqchip(&s->vm, e) < 0 ||
	    kvm_vcpu_create(&s->vm, 0, &s->vcpu, e) < 0 ||
	    kvm_supported_cpuid(&s->kvm, &s->host, e) < 0)
		return -1;
	facts.tsc_deadline = kvm_vm_check(&s->vm, KVM_CAP_TSC_DEADLINE_TIMER) > 0;
	return cpuid_filter(&s->host, &facts, e) < 0 ||
			       saved_host_init(&s->saved, &s->vm, &s->vcpu, &s->host, false, e) < 0
		       ? -1
		       : 0;
}

static void close_scratch(struct scratch *s)
{
	kvm_vcpu_close(&s->vcpu);
	kvm_vm_close(&s->vm);
	kvm_close(&s->kvm);
	s->mem = mem_free(s->mem);
}

/* Each vCPU in turn is vCPU 0 here. */
static int check_vcpu(struct scratch *s, const struct state_reader *r, uint32_t index,
		      struct saved_cpu *cpu, unsigned *lacks, struct verr *e)
{
	struct verr why = VERR_INIT;
	struct clock_state clock;
	unsigned before = *lacks;

	cpu->vcpu = &s->vcpu;
	if (state_get(r, STATE_KIND_VCPU, index, &cpu->state, e) < 0 ||
	    state_get(r, STATE_KIND_CLOCK, 0, &clock, e) < 0)
		return -1;
	if (index == 0)
		vcpu_check(&s->vcpu, &s->saved, &cpu->state, on_lack, lacks);
	if (*lacks == before && (clock_apply(&s->vm, &s->saved, cpu, 1, &clock, 0, &why) < 0 ||
				 vcpu_apply(cpu, &s->saved, &why) < 0)) {
		(void)printf("lacks: vCPU %u: %s\n", index, why.text);
		(*lacks)++;
	}
	return 0;
}

static int check_cpus(struct scratch *s, const struct state_reader *r, unsigned *lacks,
		      struct verr *e)
{
	struct saved_cpu cpu;
	uint32_t cpus = state_count(r, STATE_KIND_VCPU);
	struct kvm_cpuid_table table;
	struct cpuid_state cpuid;
	struct vm_state vm;

	if (state_get(r, STATE_KIND_VM, 0, &vm, e) < 0 || open_scratch(s, &vm, r, e) < 0 ||
	    state_get(r, STATE_KIND_CPUID, 0, &cpuid, e) < 0)
		return -1;
	cpuid_of_state(&cpuid, &table);
	if (cpuid_compare(&table, &s->host, on_cpuid, lacks) > 0)
		return 0; /* what follows from that says nothing */
	if (kvm_vcpu_set_cpuid(&s->vcpu, &table, e) < 0)
		return -1;
	for (uint32_t i = 0; i < cpus; i++)
		if (check_vcpu(s, r, i, &cpu, lacks, e) < 0)
			return -1;
	return 0;
}

/* --- the file --- */

/* A snapshot's state says what belongs to it; one by itself does not. */
static int check_belongings(const struct state_reader *r, struct verr *e)
{
	static const enum state_kind kinds[] = {STATE_KIND_SNAPSHOT, STATE_KIND_CONFIG,
						STATE_KIND_MEMORY};
	struct bytes body;
	uint32_t any = 0;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		any += state_count(r, kinds[i]);
	for (size_t i = 0; any > 0 && i < ARRAY_LEN(kinds); i++)
		if (state_get_bytes(r, kinds[i], 0, &body, e) < 0)
			return -1;
	return 0;
}

/* All of it is understood, and none of what each machine has is missing. */
static int check_whole(const struct state_reader *r, struct verr *e)
{
	static const enum state_kind one[] = {
		STATE_KIND_CPUID, STATE_KIND_IRQCHIP, STATE_KIND_CLOCK, STATE_KIND_SERIAL,
		STATE_KIND_I8042, STATE_KIND_POWER,   STATE_KIND_REPORT};
	FILE *nowhere = fopen("/dev/null", "we");
	struct bytes body;
	struct vm_state vm;
	int result;

	if (nowhere == NULL)
		return verr_os(e, "open /dev/null");
	result = state_print_json(r, nowhere, e);
	(void)fclose(nowhere);
	if (result < 0 || state_get(r, STATE_KIND_VM, 0, &vm, e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(one); i++)
		if (state_get_bytes(r, one[i], 0, &body, e) < 0)
			return -1;
	if (vm.cpus == 0 || vm.cpus != state_count(r, STATE_KIND_VCPU) ||
	    vm.virtio != state_count(r, STATE_KIND_VIRTIO))
		return verr_corrupt(e, "it has %u vCPUs and %u virtio devices of %u and %u",
				    state_count(r, STATE_KIND_VCPU),
				    state_count(r, STATE_KIND_VIRTIO), vm.cpus, vm.virtio);
	return check_belongings(r, e);
}

static int check(const char *path, unsigned *lacks, struct verr *e)
{
	struct scratch s = {.kvm = KVM_INIT, .vm = {.fd = -1}, .vcpu = {.fd = -1}};
	struct state_reader *r = NULL;
	auto_fd folder = -1;
	int result;

	if (snapshot_file_open(path, &r, &folder, e) < 0)
		return -1;
	if (check_whole(r, e) < 0)
		result = verr_note(e, "%s", path);
	else
		result = check_files(r, folder, lacks, e) < 0 || check_cpus(&s, r, lacks, e) < 0
				 ? -1
				 : 0;
	close_scratch(&s);
	(void)state_reader_free(r);
	return result;
}

static int run(const struct verb_args *args, struct verr *e)
{
	unsigned lacks = 0;

	if (check(args->operands[0], &lacks, e) < 0)
		return -1;
	if (lacks == 0)
		(void)printf("this host can restore it\n");
	return lacks == 0 ? STATUS_OK : STATUS_FAILED;
}

const struct verb snapshot_check_verb = {
	.name = "check",
	.summary = "say what this host lacks to restore a snapshot",
	.about =
		"One line for each thing: bits of CPUID, MSRs and other registers that this host's "
		"processor or KVM\n"
		"does not have, files that are missing or of another size. The content of files is "
		"not read.\n"
		"\nExit status: 0 nothing; 1 something, or the check failed.\n",
	.run = run,
	.operands = "SNAPSHOT",
	.operands_min = 1,
	.operands_max = 1,
};
