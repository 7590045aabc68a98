/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/kvm/kvm.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "base/own.h"
#include "vmm/kvm/kvm_priv.h"

/* The kernel's, which KVM_COALESCED_MMIO_MAX is made from. */
#define PAGE_SIZE 4096

static int open_fault(struct verr *e)
{
	switch (errno) {
	case ENOENT:
	case ENXIO:
	case ENODEV:
		return verr_host(e,
				 "/dev/kvm is missing: enable virtualization in the firmware and "
				 "load kvm_intel or kvm_amd");
	case EACCES:
	case EPERM:
		return verr_host(e, "no permission to open /dev/kvm: join the group kvm "
				    "(usermod -aG kvm USER) and log in again");
	default:
		return verr_os(e, "open /dev/kvm");
	}
}

int kvm_open(struct kvm *kvm, struct verr *e)
{
	int version, size;

	*kvm = (struct kvm)KVM_INIT;
	kvm->fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm->fd < 0)
		return open_fault(e);
	version = kvm_ioctl(kvm, kvm->fd, KVM_GET_API_VERSION, 0);
	if (version != KVM_API_VERSION)
		return verr_host(e, "/dev/kvm speaks API version %d, not %d", version,
				 KVM_API_VERSION);
	size = kvm_ioctl(kvm, kvm->fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (size < (int)sizeof(struct kvm_run))
		return verr_os(e, "KVM_GET_VCPU_MMAP_SIZE");
	kvm->run_size = (size_t)size;
	return 0;
}

void kvm_close(struct kvm *kvm)
{
	fd_close(&kvm->fd);
}

int kvm_supported_cpuid(struct kvm *kvm, struct kvm_cpuid_table *table, struct verr *e)
{
	table->count = KVM_CPUID_MAX;
	table->padding = 0;
	if (call_ptr(kvm, kvm->fd, KVM_GET_SUPPORTED_CPUID, table) < 0)
		return verr_os(e, "KVM_GET_SUPPORTED_CPUID");
	return 0;
}

int kvm_vm_create(struct kvm *kvm, struct kvm_vm *vm, struct verr *e)
{
	vm->kvm = kvm;
	vm->fd = kvm_ioctl(kvm, kvm->fd, KVM_CREATE_VM, 0);
	if (vm->fd < 0)
		return verr_os(e, "KVM_CREATE_VM");
	return 0;
}

void kvm_vm_close(struct kvm_vm *vm)
{
	fd_close(&vm->fd);
}

int kvm_vm_check(struct kvm_vm *vm, int capability)
{
	int value = kvm_ioctl(vm->kvm, vm->fd, KVM_CHECK_EXTENSION, (uintptr_t)capability);

	return MAX(value, 0);
}

int kvm_vm_set_memory(struct kvm_vm *vm, uint32_t slot, uint64_t gpa, uint64_t size, void *host,
		      bool log, struct verr *e)
{
	struct kvm_userspace_memory_region region = {.slot = slot,
						     .flags = log ? KVM_MEM_LOG_DIRTY_PAGES : 0,
						     .guest_phys_addr = gpa,
						     .memory_size = size,
						     .userspace_addr = (uintptr_t)host};

	if (call_ptr(vm->kvm, vm->fd, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		return verr_os(e, "KVM_SET_USER_MEMORY_REGION %#llx+%#llx", (unsigned long long)gpa,
			       (unsigned long long)size);
	return 0;
}

int kvm_vm_dirty_log(struct kvm_vm *vm, uint32_t slot, uint64_t *bits, struct verr *e)
{
	struct kvm_dirty_log log = {.slot = slot, .dirty_bitmap = bits};

	if (call_ptr(vm->kvm, vm->fd, KVM_GET_DIRTY_LOG, &log) < 0)
		return verr_os(e, "KVM_GET_DIRTY_LOG of slot %u", slot);
	return 0;
}

int kvm_vm_set_tss(struct kvm_vm *vm, uint64_t gpa, struct verr *e)
{
	if (kvm_ioctl(vm->kvm, vm->fd, KVM_SET_TSS_ADDR, (uintptr_t)gpa) < 0)
		return verr_os(e, "KVM_SET_TSS_ADDR");
	return 0;
}

int kvm_vm_create_irqchip(struct kvm_vm *vm, struct verr *e)
{
	if (kvm_ioctl(vm->kvm, vm->fd, KVM_CREATE_IRQCHIP, 0) < 0)
		return verr_os(e, "KVM_CREATE_IRQCHIP");
	return 0;
}

int kvm_vm_get_ioapic(struct kvm_vm *vm, struct kvm_ioapic_state *ioapic, struct verr *e)
{
	struct kvm_irqchip chip = {.chip_id = KVM_IRQCHIP_IOAPIC};

	if (call_ptr(vm->kvm, vm->fd, KVM_GET_IRQCHIP, &chip) < 0)
		return verr_os(e, "KVM_GET_IRQCHIP");
	*ioapic = chip.chip.ioapic;
	return 0;
}

int kvm_vm_create_pit(struct kvm_vm *vm, struct verr *e)
{
	struct kvm_pit_config config = {.flags = KVM_PIT_SPEAKER_DUMMY};

	if (call_ptr(vm->kvm, vm->fd, KVM_CREATE_PIT2, &config) < 0)
		return verr_os(e, "KVM_CREATE_PIT2");
	return 0;
}

int kvm_vm_pulse(struct kvm_vm *vm, uint32_t gsi, struct verr *e)
{
	struct kvm_irq_level line = {.irq = gsi, .level = 1};

	if (call_ptr(vm->kvm, vm->fd, KVM_IRQ_LINE, &line) < 0)
		return verr_os(e, "KVM_IRQ_LINE for GSI %u", gsi);
	line.level = 0;
	if (call_ptr(vm->kvm, vm->fd, KVM_IRQ_LINE, &line) < 0)
		return verr_os(e, "KVM_IRQ_LINE for GSI %u", gsi);
	return 0;
}

int kvm_vm_irqfd(struct kvm_vm *vm, int eventfd, uint32_t gsi, struct verr *e)
{
	struct kvm_irqfd irqfd = {.fd = (uint32_t)eventfd, .gsi = gsi};

	if (call_ptr(vm->kvm, vm->fd, KVM_IRQFD, &irqfd) < 0)
		return verr_os(e, "KVM_IRQFD for GSI %u", gsi);
	return 0;
}

int kvm_vm_ioeventfd(struct kvm_vm *vm, int eventfd, uint64_t gpa, uint32_t value, struct verr *e)
{
	struct kvm_ioeventfd io = {.datamatch = value,
				   .addr = gpa,
				   .len = sizeof(value),
				   .fd = eventfd,
				   .flags = KVM_IOEVENTFD_FLAG_DATAMATCH};

	if (call_ptr(vm->kvm, vm->fd, KVM_IOEVENTFD, &io) < 0)
		return verr_os(e, "KVM_IOEVENTFD at %#llx", (unsigned long long)gpa);
	return 0;
}

int kvm_vm_coalesce(struct kvm_vm *vm, uint64_t gpa, uint32_t len, struct verr *e)
{
	struct kvm_coalesced_mmio_zone zone = {.addr = gpa, .size = len};

	if (call_ptr(vm->kvm, vm->fd, KVM_REGISTER_COALESCED_MMIO, &zone) < 0)
		return verr_os(e, "KVM_REGISTER_COALESCED_MMIO at %#llx", (unsigned long long)gpa);
	return 0;
}

int kvm_vcpu_create(struct kvm_vm *vm, uint32_t id, struct kvm_vcpu *vcpu, struct verr *e)
{
	void *run;

	*vcpu = (struct kvm_vcpu){.fd = -1, .kvm = vm->kvm};
	vcpu->fd = kvm_ioctl(vm->kvm, vm->fd, KVM_CREATE_VCPU, id);
	if (vcpu->fd < 0)
		return verr_os(e, "KVM_CREATE_VCPU %u", id);
	run = mmap(NULL, vm->kvm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (run == MAP_FAILED)
		return verr_os(e, "map vCPU %u", id);
	vcpu->run = run;
	return 0;
}

void kvm_vcpu_close(struct kvm_vcpu *vcpu)
{
	if (vcpu->run != NULL)
		(void)munmap(vcpu->run, vcpu->kvm->run_size);
	vcpu->run = NULL;
	fd_close(&vcpu->fd);
}

int kvm_vcpu_set_cpuid(struct kvm_vcpu *vcpu, const struct kvm_cpuid_table *table, struct verr *e)
{
	if (call_ptr(vcpu->kvm, vcpu->fd, KVM_SET_CPUID2, table) < 0)
		return verr_os(e, "KVM_SET_CPUID2");
	return 0;
}

int kvm_vcpu_get_regs(struct kvm_vcpu *vcpu, struct kvm_regs *regs, struct verr *e)
{
	if (call_ptr(vcpu->kvm, vcpu->fd, KVM_GET_REGS, regs) < 0)
		return verr_os(e, "KVM_GET_REGS");
	return 0;
}

int kvm_vcpu_set_regs(struct kvm_vcpu *vcpu, const struct kvm_regs *regs, struct verr *e)
{
	if (call_ptr(vcpu->kvm, vcpu->fd, KVM_SET_REGS, regs) < 0)
		return verr_os(e, "KVM_SET_REGS");
	return 0;
}

int kvm_vcpu_get_sregs(struct kvm_vcpu *vcpu, struct kvm_sregs *sregs, struct verr *e)
{
	if (call_ptr(vcpu->kvm, vcpu->fd, KVM_GET_SREGS, sregs) < 0)
		return verr_os(e, "KVM_GET_SREGS");
	return 0;
}

int kvm_vcpu_set_sregs(struct kvm_vcpu *vcpu, const struct kvm_sregs *sregs, struct verr *e)
{
	if (call_ptr(vcpu->kvm, vcpu->fd, KVM_SET_SREGS, sregs) < 0)
		return verr_os(e, "KVM_SET_SREGS");
	return 0;
}

void kvm_vcpu_enter_with(struct kvm_vcpu *vcpu, const struct kvm_regs *regs,
			 const struct kvm_sregs *sregs)
{
	vcpu->run->s.regs.regs = *regs;
	vcpu->run->s.regs.sregs = *sregs;
	vcpu->run->kvm_dirty_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS;
}

struct kvm_coalesced_mmio_ring *kvm_coalesced_ring(struct kvm_vcpu *vcpu)
{
	size_t offset = (size_t)KVM_COALESCED_MMIO_PAGE_OFFSET * PAGE_SIZE;

	/* A KVM without the ring has no page for it. */
	if (offset + PAGE_SIZE > vcpu->kvm->run_size)
		return NULL;
	return (void *)((char *)vcpu->run + offset);
}

bool kvm_coalesced_empty(const struct kvm_coalesced_mmio_ring *ring)
{
	return __atomic_load_n(&ring->first, __ATOMIC_RELAXED) ==
	       __atomic_load_n(&ring->last, __ATOMIC_RELAXED);
}

bool kvm_coalesced_next(struct kvm_coalesced_mmio_ring *ring, struct kvm_coalesced_mmio *out)
{
	uint32_t first = __atomic_load_n(&ring->first, __ATOMIC_RELAXED);

	if (first == __atomic_load_n(&ring->last, __ATOMIC_ACQUIRE))
		return false;
	*out = ring->coalesced_mmio[first % KVM_COALESCED_MMIO_MAX];
	__atomic_store_n(&ring->first, (first + 1) % KVM_COALESCED_MMIO_MAX, __ATOMIC_RELEASE);
	return true;
}

bool kvm_vcpu_translate(struct kvm_vcpu *vcpu, uint64_t linear, uint64_t *gpa)
{
	struct kvm_translation t = {.linear_address = linear};

	if (call_ptr(vcpu->kvm, vcpu->fd, KVM_TRANSLATE, &t) < 0 || !t.valid)
		return false;
	*gpa = t.physical_address;
	return true;
}

int kvm_vcpu_set_msrs(struct kvm_vcpu *vcpu, const struct kvm_msr_entry *entries, size_t count,
		      struct verr *e)
{
	struct { /* struct kvm_msrs with its entries */
		uint32_t count, padding;
		struct kvm_msr_entry entries[KVM_MSRS_MAX];
	} msrs = {.count = (uint32_t)count};
	int n;

	if (count > KVM_MSRS_MAX)
		return verr_host(e, "KVM_SET_MSRS: %zu entries, at most %d", count, KVM_MSRS_MAX);
	memcpy(msrs.entries, entries, count * sizeof(entries[0]));
	n = call_ptr(vcpu->kvm, vcpu->fd, KVM_SET_MSRS, &msrs);
	if (n < 0)
		return verr_os(e, "KVM_SET_MSRS");
	return n;
}

bool kvm_vcpu_was_stopped(struct kvm_vcpu *vcpu)
{
	return kvm_ioctl(vcpu->kvm, vcpu->fd, KVM_KVMCLOCK_CTRL, 0) == 0;
}

enum kvm_run_result kvm_vcpu_run(struct kvm_vcpu *vcpu)
{
	/* Not counted: KVM_RUN is an entry to the guest, and exits have counters of their own. */
	if (ioctl(vcpu->fd, KVM_RUN, 0) == 0)
		return KVM_RUN_EXIT;
	return errno == EINTR || errno == EAGAIN ? KVM_RUN_INTERRUPTED : KVM_RUN_FAILED;
}

const char *kvm_exit_name(uint32_t reason)
{
	static const char *const names[KVM_EXIT_REASONS] = {
		[KVM_EXIT_UNKNOWN] = "KVM_EXIT_UNKNOWN",
		[KVM_EXIT_EXCEPTION] = "KVM_EXIT_EXCEPTION",
		[KVM_EXIT_IO] = "KVM_EXIT_IO",
		[KVM_EXIT_HYPERCALL] = "KVM_EXIT_HYPERCALL",
		[KVM_EXIT_DEBUG] = "KVM_EXIT_DEBUG",
		[KVM_EXIT_HLT] = "KVM_EXIT_HLT",
		[KVM_EXIT_MMIO] = "KVM_EXIT_MMIO",
		[KVM_EXIT_IRQ_WINDOW_OPEN] = "KVM_EXIT_IRQ_WINDOW_OPEN",
		[KVM_EXIT_SHUTDOWN] = "KVM_EXIT_SHUTDOWN",
		[KVM_EXIT_FAIL_ENTRY] = "KVM_EXIT_FAIL_ENTRY",
		[KVM_EXIT_INTR] = "KVM_EXIT_INTR",
		[KVM_EXIT_NMI] = "KVM_EXIT_NMI",
		[KVM_EXIT_INTERNAL_ERROR] = "KVM_EXIT_INTERNAL_ERROR",
		[KVM_EXIT_SYSTEM_EVENT] = "KVM_EXIT_SYSTEM_EVENT",
		[KVM_EXIT_IOAPIC_EOI] = "KVM_EXIT_IOAPIC_EOI",
		[KVM_EXIT_X86_RDMSR] = "KVM_EXIT_X86_RDMSR",
		[KVM_EXIT_X86_WRMSR] = "KVM_EXIT_X86_WRMSR",
		[KVM_EXIT_X86_BUS_LOCK] = "KVM_EXIT_X86_BUS_LOCK",
	};

	if (reason >= KVM_EXIT_REASONS || names[reason] == NULL)
		return "another KVM exit";
	return names[reason];
}
