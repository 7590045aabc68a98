/* SPDX-License-Identifier: Apache-2.0 */
/* Is there a KVM, has it what volt-vmm calls, and can it run Linux? */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "volt/check.h"
#include "volt/probe.h"

enum cpu_virtualization { CPU_NONE, CPU_INTEL, CPU_AMD };

/* What the processor says; `*guest` when this machine is a virtual one itself. */
static enum cpu_virtualization cpu_virtualization(bool *guest)
{
	char text[8192]; /* the first processor's entry takes less than half of it */
	const char *flags;
	char *end;

	*guest = false;
	if (!check_read_file("/proc/cpuinfo", text, sizeof(text)))
		return CPU_NONE;
	flags = strstr(text, "\nflags");
	if (flags == NULL)
		return CPU_NONE;
	end = strchr(flags + 1, '\n');
	if (end != NULL)
		*end = '\0';
	*guest = strstr(flags, " hypervisor") != NULL;
	return strstr(flags, " vmx") != NULL   ? CPU_INTEL
	       : strstr(flags, " svm") != NULL ? CPU_AMD
					       : CPU_NONE;
}

static const char *missing_remedy(void)
{
	bool guest;

	switch (cpu_virtualization(&guest)) {
	case CPU_INTEL:
		return "modprobe kvm_intel";
	case CPU_AMD:
		return "modprobe kvm_amd";
	case CPU_NONE:
		break;
	}
	return guest ? "this is a virtual machine: have nested virtualization switched on for it"
		     : "switch virtualization (VT-x or AMD-V) on in the firmware";
}

static bool can_open(struct finding *f)
{
	auto_fd fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return true;
	switch (errno) {
	case ENOENT:
	case ENXIO:
	case ENODEV:
		check_missing(f, missing_remedy(), "/dev/kvm is not there");
		break;
	case EACCES:
	case EPERM:
		check_missing(f, "join the group kvm (usermod -aG kvm USER) and log in again",
			      "no permission to open /dev/kvm");
		break;
	default:
		check_missing(f, "", "/dev/kvm cannot be opened: %s", strerror(errno));
		break;
	}
	return false;
}

void check_kvm(struct check_context *c, struct finding *f)
{
	struct verr e = VERR_INIT;

	if (!can_open(f))
		return;
	if (kvm_open(&c->kvm, &e) < 0 || kvm_vm_create(&c->kvm, &c->vm, &e) < 0)
		check_missing(f, "", "%s", e.text);
	else
		check_ok(f, "/dev/kvm opens, speaks API version %d and makes a machine",
			 KVM_API_VERSION);
}

static bool have_vm(const struct check_context *c, struct finding *f)
{
	if (c->vm.fd < 0)
		check_missing(f, "see kvm", "not tried: there is no KVM");
	return c->vm.fd >= 0;
}

/* Without these volt-vmm does not start a machine. */
static const struct {
	int capability;
	const char *name;
} extensions[] = {
	{KVM_CAP_USER_MEMORY, "USER_MEMORY"},   {KVM_CAP_EXT_CPUID, "EXT_CPUID"},
	{KVM_CAP_SET_TSS_ADDR, "SET_TSS_ADDR"}, {KVM_CAP_IRQCHIP, "IRQCHIP"},
	{KVM_CAP_IRQ_ROUTING, "IRQ_ROUTING"},   {KVM_CAP_IRQFD, "IRQFD"},
	{KVM_CAP_IOEVENTFD, "IOEVENTFD"},       {KVM_CAP_IMMEDIATE_EXIT, "IMMEDIATE_EXIT"},
	{KVM_CAP_SYNC_REGS, "SYNC_REGS"},
};

void check_kvm_extensions(struct check_context *c, struct finding *f)
{
	char missing[CHECK_TEXT / 2] = "";
	size_t used = 0;

	if (!have_vm(c, f))
		return;
	for (size_t i = 0; i < ARRAY_LEN(extensions) && used < sizeof(missing); i++)
		if (kvm_vm_check(&c->vm, extensions[i].capability) == 0)
			used += (size_t)snprintf(missing + used, sizeof(missing) - used, " %s",
						 extensions[i].name);
	if (*missing != '\0')
		check_missing(f, "a newer host kernel", "this KVM lacks%s", missing);
	else
		check_ok(f, "all that are needed; up to %d virtual CPUs a machine",
			 MAX(kvm_vm_check(&c->vm, KVM_CAP_MAX_VCPUS), 1));
}

void check_tsc_deadline(struct check_context *c, struct finding *f)
{
	if (!have_vm(c, f))
		return;
	if (kvm_vm_check(&c->vm, KVM_CAP_TSC_DEADLINE_TIMER) > 0)
		check_ok(f, "guests get the TSC deadline timer");
	else
		check_limited(
			f, "",
			"no TSC deadline timer: guests set the local APIC's one at some cost");
}

void check_linux(struct check_context *c, struct finding *f)
{
	struct probe_answer answer;
	struct verr e = VERR_INIT;

	if (!have_vm(c, f))
		return;
	if (probe_run(&c->vm, &answer, &e) < 0)
		check_missing(f, "", "cannot run Linux: the probe guest cannot be set up: %s",
			      e.text);
	else if (!answer.passed)
		check_missing(f, "use the testbed (tests/testbed) or a host with hardware KVM",
			      "cannot run Linux: %s", answer.why);
	else
		check_ok(f, "can run Linux: the probe guest took an exception and made system "
			    "calls");
}
