/* SPDX-License-Identifier: Apache-2.0 */
/* What can be changed of a machine that runs or is paused. */
#include <fcntl.h>
#include <string.h>

#include "base/own.h"
#include "vmm/devices/block/file.h"
#include "vmm/machine/internal.h"

/* What is private ends with another file, which is written then: so who asks says both. */
static int check_private(const struct drive_config *old, const struct drive_config *changed,
			 bool file, struct verr *e)
{
	if (!old->private && changed->private)
		return verr_state(e, "a disk that runs does not become private");
	if (old->private && file && changed->private)
		return verr_state(e,
				  "what is written to it is private, and %s would be written; "
				  "expected private: false, too",
				  changed->path);
	if (old->private && !file && !changed->private)
		return verr_state(e, "what is private ends with another file only: expected "
				     "path, too");
	return 0;
}

/*
 * The file of a disk: -1 where it is the one that is open. A path that is named again may have
 * another size by now, or be another file's; of that the sandbox can know only with --live-dir.
 */
static int open_file(struct machine *m, const struct drive_config *old,
		     const struct drive_config *changed, int *fd, struct verr *e)
{
	*fd = -1;
	if (old->path == NULL) /* of a store: the disk refuses it */
		return 0;
	if (!old->private && strcmp(old->path, changed->path) == 0 &&
	    !sandbox_can_open(m->sandbox, changed->path))
		return 0;
	*fd = sandbox_open(m->sandbox, changed->path, DISK_FILE_FLAGS(changed->readonly), e);
	return *fd < 0 ? -1 : 0;
}

int machine_change_drive(struct machine *m, const struct drive_config *old,
			 const struct drive_config *changed, bool file, struct verr *e)
{
	const struct block_rate old_bytes = disk_bytes(old), bytes = disk_bytes(changed);
	const struct block_rate old_ops = disk_ops(old), ops = disk_ops(changed);
	struct disk *disk = NULL;
	int fd;

	for (size_t i = 0; i < m->ndisks; i++)
		if (m->disks[i].config == old)
			disk = &m->disks[i];
	if (disk == NULL)
		return verr_not_found(e, "there is no such disk");
	if (m->saving) /* its thread reads the configuration */
		return verr_state(e, "a snapshot of the machine is being made");
	if (check_private(old, changed, file, e) < 0)
		return -1;
	if (file && (open_file(m, old, changed, &fd, e) < 0 ||
		     block_change_file(disk->block, fd, changed->path, e) < 0))
		return -1;
	/* New limits begin with a full burst: not for a request about something else. */
	if (memcmp(&bytes, &old_bytes, sizeof(bytes)) != 0 ||
	    memcmp(&ops, &old_ops, sizeof(ops)) != 0)
		block_change_limits(disk->block, bytes, ops);
	if (file)
		log_info(LOG_BLOCK, "disk %s is %s now", changed->id, changed->path);
	return 0;
}

/* What says how the old host's side came to be is taken out: a restore would follow it. */
static int exchange(struct nic *nic, struct net_config *changed, const int *fds, size_t nfds,
		    struct verr *e)
{
	if (net_exchange(nic->net, changed->tap, fds, nfds, e) < 0)
		return -1;
	(void)snprintf(nic->tap, sizeof(nic->tap), "%s", changed->tap);
	free(ptr_take(changed->fd));
	free(ptr_take(changed->bridge));
	free(ptr_take(changed->parent));
	log_info(LOG_NET, "%s is on the host's %s now", changed->id, nic->tap);
	return 0;
}

int machine_change_net(struct machine *m, const struct net_config *old, struct net_config *changed,
		       const int *fds, size_t nfds, struct verr *e)
{
	const struct net_limit rx = nic_rx_limit(changed), tx = nic_tx_limit(changed);
	const struct net_limit old_rx = nic_rx_limit(old), old_tx = nic_tx_limit(old);
	bool limits =
		memcmp(&rx, &old_rx, sizeof(rx)) != 0 || memcmp(&tx, &old_tx, sizeof(tx)) != 0;
	struct nic *nic = NULL;

	for (size_t i = 0; i < m->nnics; i++)
		if (m->nics[i].config == old)
			nic = &m->nics[i];
	if (nic == NULL)
		return verr_not_found(e, "there is no such NIC");
	if (m->saving)
		return verr_state(e, "a snapshot of the machine is being made");
	if (limits && net_check_limits(nic->net, &rx, &tx, e) < 0)
		return -1;
	/* First what forbids: nothing of it passes on the new host's side. */
	if (limits)
		net_change_limits(nic->net, &rx, &tx);
	if (!changed->link)
		net_change_link(nic->net, false);
	if (nfds > 0 && exchange(nic, changed, fds, nfds, e) < 0) {
		if (limits)
			net_change_limits(nic->net, &old_rx, &old_tx);
		net_change_link(nic->net, old->link);
		return -1;
	}
	net_change_link(nic->net, changed->link);
	return 0;
}
