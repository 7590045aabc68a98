/* SPDX-License-Identifier: Apache-2.0 */
/* The vCPUs and their threads: made, parked, released, stopped. */
#include <signal.h>
#include <stdlib.h>

#include "base/thread.h"
#include "vmm/arch/x86_64/arch.h"
#include "vmm/config/cpuid.h"
#include "vmm/machine/internal.h"

/* Interrupts KVM_RUN; the handler does nothing, immediate_exit closes the race before it. */
#define KICK_SIGNAL SIGRTMIN

/* A vCPU's thread calls nothing deep: this leaves ample room. */
#define STACK_BYTES KIB(256)

static void on_kick(int signal)
{
	(void)signal;
}

/* More vCPUs than KVM has for one VM is the user's mistake. */
static int explain_create(struct machine *m, uint32_t id, struct verr *e)
{
	int most = kvm_vm_check(&m->vm, KVM_CAP_MAX_VCPUS);

	if (most > 0 && id >= (uint32_t)most) {
		*e = (struct verr)VERR_INIT;
		return verr_invalid(e, "--cpus %u: this host's KVM has at most %d a VM", m->ncpus,
				    most);
	}
	return -1;
}

static int create_one(struct machine *m, uint32_t id, struct kvm_cpuid_table *cpuid, struct verr *e)
{
	struct vcpu *v = &m->vcpus[id];

	if (kvm_vcpu_create(&m->vm, id, &v->kvm, e) < 0)
		return explain_create(m, id, e);
	cpuid_for_vcpu(cpuid, id);
	if (kvm_vcpu_set_cpuid(&v->kvm, cpuid, e) < 0 || msr_setup(&v->kvm, e) < 0)
		return verr_note(e, "vCPU %u", id);
	return 0;
}

int vcpus_create(struct machine *m, struct verr *e)
{
	struct cpuid_change changes[CPUID_CHANGES_MAX];
	int nchanges = cpuid_parse(m->config->cpuid, changes, e);
	struct cpuid_facts facts = {.cpus = m->config->cpus,
				    .tsc_deadline =
					    kvm_vm_check(&m->vm, KVM_CAP_TSC_DEADLINE_TIMER) > 0,
				    .changes = changes,
				    .nchanges = (size_t)nchanges};

	if (nchanges < 0)
		return -1;
	m->vcpus = calloc(facts.cpus, sizeof(*m->vcpus));
	m->cpuid = malloc(sizeof(*m->cpuid));
	if (m->vcpus == NULL || m->cpuid == NULL)
		return verr_host(e, "out of memory");
	for (uint32_t id = 0; id < facts.cpus; id++)
		m->vcpus[id] = (struct vcpu){.machine = m, .id = id, .kvm = {.fd = -1}};
	m->ncpus = facts.cpus;
	if (kvm_supported_cpuid(&m->kvm, m->cpuid, e) < 0 || cpuid_filter(m->cpuid, &facts, e) < 0)
		return -1;
	for (uint32_t id = 0; id < m->ncpus; id++)
		if (create_one(m, id, m->cpuid, e) < 0)
			return -1;
	cpuid_for_vcpu(m->cpuid, 0);
	return 0;
}

int vcpus_start(struct machine *m, struct verr *e)
{
	struct sigaction action = {.sa_handler = on_kick};

	(void)sigaction(KICK_SIGNAL, &action, NULL);
	for (uint32_t id = 0; id < m->ncpus; id++) {
		struct vcpu *v = &m->vcpus[id];
		const struct thread_options options = {
			.main = vcpu_main, .arg = v, .stack = STACK_BYTES, .signal = KICK_SIGNAL};

		if (thread_start(&v->thread, &options, e) < 0)
			return verr_note(e, "vCPU %u", id);
		v->started = true;
	}
	return 0;
}

void vcpus_release(struct machine *m)
{
	(void)pthread_mutex_lock(&m->park_lock);
	m->released = true;
	(void)pthread_cond_broadcast(&m->park_cond);
	(void)pthread_mutex_unlock(&m->park_lock);
}

/* Out of the guest, and not into it again until immediate_exit is cleared. */
static void kick_all(struct machine *m)
{
	for (uint32_t id = 0; id < m->ncpus; id++) {
		struct vcpu *v = &m->vcpus[id];

		if (!v->started)
			continue;
		__atomic_store_n(&v->kvm.run->immediate_exit, 1, __ATOMIC_RELEASE);
		(void)pthread_kill(v->thread, KICK_SIGNAL);
	}
}

void vcpus_pause(struct machine *m)
{
	(void)pthread_mutex_lock(&m->park_lock);
	atomic_store(&m->paused, true);
	(void)pthread_mutex_unlock(&m->park_lock);
	kick_all(m);
	(void)pthread_mutex_lock(&m->park_lock);
	while (m->stopped < m->ncpus)
		(void)pthread_cond_wait(&m->stopped_cond, &m->park_lock);
	(void)pthread_mutex_unlock(&m->park_lock);
}

void vcpus_resume(struct machine *m)
{
	for (uint32_t id = 0; id < m->ncpus; id++)
		(void)kvm_vcpu_was_stopped(&m->vcpus[id].kvm);
	(void)pthread_mutex_lock(&m->park_lock);
	atomic_store(&m->paused, false);
	(void)pthread_cond_broadcast(&m->park_cond);
	(void)pthread_mutex_unlock(&m->park_lock);
}

void vcpus_stop(struct machine *m)
{
	atomic_store(&m->quit, true);
	vcpus_release(m);
	kick_all(m);
	for (uint32_t id = 0; id < m->ncpus; id++)
		if (m->vcpus[id].started) {
			(void)pthread_join(m->vcpus[id].thread, NULL);
			m->vcpus[id].started = false;
		}
}

void vcpus_free(struct machine *m)
{
	for (uint32_t id = 0; id < m->ncpus; id++)
		kvm_vcpu_close(&m->vcpus[id].kvm);
	free(m->vcpus);
	free(m->cpuid);
	m->vcpus = NULL;
	m->cpuid = NULL;
	m->ncpus = 0;
}
