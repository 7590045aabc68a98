/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The boot story, from a checked configuration to the guest's first instruction.
 *
 *	1  the configuration has been checked; nothing exists yet
 *	2  open every file the machine will ever need: a mistake ends here, with nothing created
 *	3  the VM: memory first, for registering memory behind anything on KVM's I/O bus waits out
 *	   a grace period; then irqchip and vCPUs; eventfds last
 *	4  load kernel, initrd and command line; write the tables from the one device map. Of a
 *	   snapshot all that is in its memory, which step 3 maps; its state is applied instead
 *	5  the sandbox, while there is one thread; then all threads, each of which confines itself
 *	   further (vmm/sandbox/sandbox.h), parked
 *	6  machine_run() does so for the main thread, releases them and serves the loop
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "base/sys.h"
#include "vmm/arch/x86_64/arch.h"
#include "vmm/arch/x86_64/layout.h"
#include "vmm/machine/internal.h"

/*
 * The initrd: the user's, or with a root disk the one that "volt kernel import" has put beside a
 * kernel whose drivers are modules.
 */
static int open_initrd(struct machine *m, struct verr *e)
{
	const struct config *c = m->config;
	auto_free char *beside = NULL;

	if (c->initrd != NULL) {
		m->initrd_fd = sys_open_input(c->initrd, &m->initrd_size, e);
		return m->initrd_fd < 0 ? verr_note(e, "--initrd") : 0;
	}
	if (root_drive(c) == NULL)
		return 0;
	if (asprintf(&beside, "%s.initrd", c->kernel) < 0)
		return verr_host(e, "out of memory");
	if (access(beside, F_OK) < 0)
		return 0;
	m->initrd_fd = sys_open_input(beside, &m->initrd_size, e);
	if (m->initrd_fd < 0)
		return verr_note(e, "the initrd beside --kernel");
	m->initrd_path = ptr_take(beside);
	return 0;
}

static int open_inputs(struct machine *m, struct verr *e)
{
	const struct config *c = m->config;
	const struct drive_config *root = root_drive(c);
	const char *ips[LAYOUT_VIRTIO_MAX];
	struct cmdline_parts parts = {.base = c->cmdline,
				      .console = strcmp(c->console, "none") != 0,
				      .acpi = c->acpi,
				      .root = root != NULL,
				      .root_readonly = root != NULL && root->readonly,
				      .init = strcmp(c->init, "none") == 0 ? NULL : c->init,
				      .ips = ips,
				      .nips = c->nets.count,
				      .platform = &m->platform,
				      .workload = c->workload,
				      .unattended = strcmp(c->console, "stdio") != 0 ||
						    !sys_is_terminal(STDIN_FILENO)};

	if (virtio_plan(m, e) < 0)
		return -1;
	if (c->kernel == NULL)
		return virtio_open(m, e);
	for (size_t i = 0; i < c->nets.count; i++)
		ips[i] = config_nets(c)[i].ip;
	if (cmdline_build(&parts, &m->cmdline, e) < 0)
		return -1;
	m->kernel_fd = sys_open_input(c->kernel, &m->kernel_size, e);
	if (m->kernel_fd < 0)
		return verr_note(e, "--kernel");
	return open_initrd(m, e) < 0 ? -1 : virtio_open(m, e);
}

int register_memory(struct machine *m, bool log, struct verr *e)
{
	const struct mem_region *regions;
	size_t count = mem_regions(m->mem, &regions);

	for (size_t i = 0; i < count; i++)
		if (kvm_vm_set_memory(&m->vm, (uint32_t)i, regions[i].gpa, regions[i].len,
				      regions[i].host, log, e) < 0)
			return -1;
	return 0;
}

/* The PIT is the last resort of a guest that has neither ACPI's rules nor a deadline timer. */
static bool wants_pit(const struct config *c)
{
	return c->pit == CONFIG_PIT_ON || (c->pit == CONFIG_PIT_AUTO && !c->acpi);
}

static int reserve_memory(struct machine *m, bool prefault, struct verr *e)
{
	struct mem_options options = {.size = m->config->memory,
				      .huge = (enum mem_huge)m->config->huge_pages,
				      .prefault = prefault,
				      .looked_at = m->config->snapshot_dir != NULL};

	if (m->restore != NULL) {
		options.layers = m->restore->layers;
		options.nlayers = m->restore->nlayers;
	}
	return mem_new(&options, &m->mem, e) < 0 ? verr_note(e, "--memory") : 0;
}

static int start_tracking(struct machine *m, struct verr *e)
{
	m->logged = m->config->track_dirty;
	return m->logged ? mem_track(m->mem, true, e) : 0;
}

static int create_vm(struct machine *m, struct verr *e)
{
	const struct config *c = m->config;

	if (kvm_open(&m->kvm, e) < 0 || reserve_memory(m, c->prefault, e) < 0 ||
	    kvm_vm_create(&m->kvm, &m->vm, e) < 0 || start_tracking(m, e) < 0 ||
	    register_memory(m, m->logged, e) < 0 || kvm_vm_set_tss(&m->vm, LAYOUT_KVM_TSS, e) < 0 ||
	    kvm_vm_create_irqchip(&m->vm, e) < 0)
		return -1;
	m->has_pit = wants_pit(c);
	if (m->has_pit && kvm_vm_create_pit(&m->vm, e) < 0)
		return -1;
	return vcpus_create(m, e);
}

static int load_initrd(struct machine *m, const struct boot_kernel *kernel, struct arch_boot *boot,
		       struct verr *e)
{
	struct boot_initrd initrd = {0};

	if (m->initrd_fd < 0)
		return 0;
	if (initrd_load(m->mem, kernel, m->initrd_fd, m->initrd_size, &initrd, e) < 0)
		return verr_note(e, "--initrd %s",
				 m->initrd_path != NULL ? m->initrd_path : m->config->initrd);
	if (m->initrd_path != NULL)
		log_info(LOG_BOOT, "%s is the initrd, for there is a root disk", m->initrd_path);
	boot->initrd_gpa = initrd.gpa;
	boot->initrd_len = initrd.len;
	fd_close(&m->initrd_fd);
	return 0;
}

static int write_platform(struct machine *m, struct verr *e)
{
	if (m->config->acpi &&
	    (acpi_write(m->mem, &m->platform, e) < 0 || vmgenid_write(m->mem, e) < 0))
		return -1;
	return mptable_write(m->mem, &m->platform, e);
}

static int load_guest(struct machine *m, struct arch_boot *boot, struct boot_kernel *kernel,
		      struct verr *e)
{
	const struct config *c = m->config;

	if (boot_load_kernel(m->mem, m->kernel_fd, m->kernel_size, (enum boot_entry)c->entry,
			     kernel, e) < 0)
		return verr_note(e, "--kernel %s", c->kernel);
	fd_close(&m->kernel_fd);
	*boot = (struct arch_boot){
		.entry = kernel->entry,
		.entry_gpa = kernel->entry_gpa,
		.setup_header = bytes_of(kernel->setup_header, kernel->setup_header_len),
		.cmdline_len = m->cmdline.len,
		.acpi = c->acpi,
	};
	if (load_initrd(m, kernel, boot, e) < 0 ||
	    cmdline_load(m->mem, &m->cmdline, kernel->cmdline_max, e) < 0 ||
	    write_platform(m, e) < 0)
		return -1;
	return arch_write_boot(m->mem, boot, e);
}

/* What the guest is: a kernel about to start, or what it was when its state was taken. */
static int put_guest(struct machine *m, struct verr *e)
{
	struct boot_kernel kernel = {0};
	struct arch_boot boot = {0};

	if (m->restore != NULL)
		return 0;
	if (load_guest(m, &boot, &kernel, e) < 0)
		return -1;
	regs_setup(&m->vcpus[0].kvm, &boot);
	return 0;
}

static int put_state(struct machine *m, struct verr *e)
{
	const struct machine_restore *r = m->restore;

	m->restore = NULL;
	return r == NULL ? 0 : machine_apply(m, r->state, r->clock, r->paused, e);
}

void machine_restore_from(struct machine *m, const struct machine_restore *restore)
{
	m->restore = restore;
}

int machine_build(struct machine *m, struct verr *e)
{
	if (devices_open(m, e) < 0)
		return -1;
	timeline_mark(m, TIMELINE_OPENED);
	if (create_vm(m, e) < 0 || devices_create(m, e) < 0)
		return -1;
	timeline_mark(m, TIMELINE_VM);
	if (put_guest(m, e) < 0)
		return -1;
	timeline_mark(m, TIMELINE_LOADED);
	if (devices_connect(m, e) < 0 || machine_arm(m, e) < 0 || put_state(m, e) < 0)
		return -1;
	timeline_mark(m, TIMELINE_CONNECTED);
	if (m->sandbox != NULL && sandbox_enter(m->sandbox, e) < 0)
		return -1;
	if (virtio_start(m, e) < 0 || vcpus_start(m, e) < 0)
		return -1;
	timeline_mark(m, TIMELINE_READY);
	return 0;
}

static struct machine *machine_alloc(const struct config *config, struct loop *loop)
{
	struct machine *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return NULL;
	m->config = config;
	m->loop = loop;
	m->platform = (struct platform){
		.cpus = config->cpus, .devices = m->platform_devices, .generation = true};
	m->kvm.fd = m->vm.fd = -1;
	m->kernel_fd = m->initrd_fd = m->serial_irq = m->i8042_irq = -1;
	m->ended = m->panic = m->alarm = (struct loop_source)LOOP_SOURCE_INIT;
	m->stop_timer = m->panic_timer = m->trouble_timer = (struct loop_source)LOOP_SOURCE_INIT;
	(void)pthread_mutex_init(&m->park_lock, NULL);
	(void)pthread_mutex_init(&m->acks_lock, NULL);
	(void)pthread_cond_init(&m->park_cond, NULL);
	(void)pthread_cond_init(&m->stopped_cond, NULL);
	return m;
}

int machine_dry_run(const struct config *config, struct loop *loop, struct verr *e)
{
	struct machine *m = machine_alloc(config, loop);
	struct boot_kernel kernel = {0};
	struct arch_boot boot = {0};
	int r;

	if (m == NULL)
		return verr_host(e, "out of memory");
	if (config->kernel == NULL) {
		r = open_inputs(m, e);
		(void)machine_free(m);
		return r;
	}
	r = open_inputs(m, e) < 0 || reserve_memory(m, false, e) < 0 ||
			    load_guest(m, &boot, &kernel, e) < 0 || nets_ready(m, e) < 0
		    ? -1
		    : 0;
	(void)machine_free(m);
	return r;
}

int machine_new(const struct config *config, struct loop *loop, struct sandbox *sandbox,
		struct machine **out, struct verr *e)
{
	struct machine *m = machine_alloc(config, loop);

	if (m == NULL)
		return verr_host(e, "out of memory");
	m->sandbox = sandbox;
	timeline_mark(m, TIMELINE_BUILD);
	if (open_inputs(m, e) < 0) {
		(void)machine_free(m);
		return -1;
	}
	*out = m;
	return 0;
}

struct machine *machine_free(struct machine *m)
{
	if (m == NULL)
		return NULL;
	vcpus_stop(m);
	devices_free(m);
	loop_source_deinit(&m->ended);
	loop_source_deinit(&m->panic);
	loop_source_deinit(&m->alarm);
	loop_source_deinit(&m->stop_timer);
	loop_source_deinit(&m->panic_timer);
	loop_source_deinit(&m->trouble_timer);
	vcpus_free(m);
	kvm_vm_close(&m->vm);
	kvm_close(&m->kvm);
	m->mem = mem_free(m->mem);
	fd_close(&m->kernel_fd);
	fd_close(&m->initrd_fd);
	free(m->initrd_path);
	(void)pthread_cond_destroy(&m->park_cond);
	(void)pthread_cond_destroy(&m->stopped_cond);
	(void)pthread_mutex_destroy(&m->park_lock);
	(void)pthread_mutex_destroy(&m->acks_lock);
	free(m);
	return NULL;
}
