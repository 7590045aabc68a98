/* SPDX-License-Identifier: Apache-2.0 */
/* A machine is held, and what was written is told. */
#include "vmm/machine/saving.h"

#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "vmm/machine/internal.h"

int machine_hold(struct machine *m, struct verr *e)
{
	enum machine_state state = machine_state(m);

	if (m->held)
		return verr_state(e, "a snapshot is being made");
	if (state != MACHINE_RUNNING && state != MACHINE_PAUSED)
		return verr_state(e, "the machine is %s", machine_state_name(state));
	m->held_paused = state == MACHINE_PAUSED;
	if (!m->held_paused) {
		vcpus_pause(m);
		for (size_t i = 0; i < m->nvirtio; i++)
			vdev_pause(m->virtio[i].dev);
	}
	m->held = true;
	return 0;
}

void machine_let_go(struct machine *m, bool pause)
{
	m->held = false;
	if (m->held_paused)
		return;
	if (pause) {
		log_info(LOG_MACHINE, "paused");
		tell(m, MACHINE_EVENT_PAUSED, NULL);
		return;
	}
	for (size_t i = 0; i < m->nvirtio; i++)
		vdev_resume(m->virtio[i].dev);
	vcpus_resume(m);
}

void machine_saving(struct machine *m, bool saving)
{
	m->saving = saving;
}

struct mem *machine_memory(struct machine *m)
{
	return m->mem;
}

int machine_track(struct machine *m, bool on, struct verr *e)
{
	if (mem_track(m->mem, on, e) < 0)
		return -1;
	if (m->logged == on)
		return 0;
	m->logged = on;
	return register_memory(m, on, e);
}

int machine_written(struct machine *m, bool held, uint64_t *bits, struct verr *e)
{
	const struct mem_region *regions;
	size_t count = mem_regions(m->mem, &regions), at = 0;
	uint64_t *log = calloc(mem_words(m->mem), sizeof(*log));
	int r = log == NULL ? verr_host(e, "out of memory") : 0;

	/* A region begins with a word of its own: all but the last are whole GiB. */
	for (size_t i = 0; i < count && r == 0; i++) {
		r = kvm_vm_dirty_log(&m->vm, (uint32_t)i, log + at, e);
		at += regions[i].len / MEM_PAGE / 64;
	}
	/* KVM's first: what it has given is gone there. */
	for (size_t i = 0; log != NULL && i < mem_words(m->mem); i++)
		bits[i] |= log[i];
	mem_collect(m->mem, held, bits);
	free(log);
	return r;
}

bool machine_writes_unseen(const struct machine *m)
{
	for (size_t i = 0; i < m->nnics; i++)
		if (m->nics[i].config->backend == NET_BACKEND_VHOST && m->nics[i].no_vhost == 0)
			return true;
	return false;
}

bool machine_disk(const struct machine *m, size_t index, const struct drive_config **config,
		  struct block **block)
{
	if (index >= m->ndisks)
		return false;
	*config = m->disks[index].config;
	*block = m->disks[index].block;
	return true;
}

/* An address that was drawn by lot is the guest's for good. */
static int name_macs(const struct machine *m, struct config *c, struct verr *e)
{
	for (size_t i = 0; i < m->nnics && i < c->nets.count; i++) {
		struct net_config *n = &config_nets(c)[i];
		const uint8_t *mac = m->nics[i].mac;

		free(ptr_take(n->mac));
		if (asprintf(&n->mac, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
			     mac[3], mac[4], mac[5]) < 0) {
			n->mac = NULL;
			return verr_host(e, "out of memory");
		}
	}
	return 0;
}

/* One that is relative to `cwd` is no longer. */
static int absolute(char **path, const char *cwd, struct verr *e)
{
	char *whole;

	if (*path == NULL || **path == '/')
		return 0;
	if (asprintf(&whole, "%s/%s", cwd, *path) < 0)
		return verr_host(e, "out of memory");
	free(*path);
	*path = whole;
	return 0;
}

/* The image of a volume, which may have been found by its folder's name. */
static int name_disk(struct drive_config *d, const struct block *block, const char *cwd,
		     struct verr *e)
{
	d->private = false; /* that is how a clone has it */
	if (drive_is_volume(d)) {
		free(d->image);
		d->image = strdup(block_image(block));
		if (d->image == NULL)
			return verr_host(e, "out of memory");
	}
	if (drive_is_volume(d) && !d->readonly) { /* its overlay is the snapshot's */
		free(ptr_take(d->volume));
		free(d->overlay);
		d->overlay = strdup("discard");
		if (d->overlay == NULL)
			return verr_host(e, "out of memory");
	}
	return absolute(&d->path, cwd, e) < 0 || absolute(&d->store, cwd, e) < 0 ||
			       absolute(&d->volume, cwd, e) < 0
		       ? -1
		       : 0;
}

/* What memory is in is kept: only reserved pages are worth a copy at the restore. */
static void name_pages(const struct machine *m, struct config *c)
{
	static const enum mem_huge choices[] = {[MEM_BACKING_4K] = MEM_HUGE_OFF,
						[MEM_BACKING_THP] = MEM_HUGE_THP,
						[MEM_BACKING_HUGETLB] = MEM_HUGE_2M};

	c->huge_pages = choices[mem_backing(m->mem)];
}

static int name_disks(const struct machine *m, struct config *c, const char *cwd, struct verr *e)
{
	for (size_t i = 0; i < m->ndisks && i < c->drives.count; i++)
		if (name_disk(&config_drives(c)[i], m->disks[i].block, cwd, e) < 0)
			return -1;
	return absolute(&c->cas_store, cwd, e);
}

char *machine_config_json(const struct machine *m, const char *cwd)
{
	struct verr none = VERR_INIT;
	struct config copy;
	char *json = NULL;

	config_init(&copy);
	if (config_copy(&copy, m->config, &none) == 0 && name_macs(m, &copy, &none) == 0 &&
	    name_disks(m, &copy, cwd, &none) == 0) {
		name_pages(m, &copy);
		json = config_to_json(&copy);
	}
	config_deinit(&copy);
	return json;
}
