/* SPDX-License-Identifier: Apache-2.0 */
/* The personality's insides, for the files of this room only. */
#ifndef VOLT_VMM_FIRECRACKER_PRIV_H
#define VOLT_VMM_FIRECRACKER_PRIV_H

#include "vmm/firecracker/firecracker.h"
#include "vmm/firecracker/tables.h"

static inline void own_json(json_t **json)
{
	json_decref(*json);
}

#define auto_json __attribute__((cleanup(own_json))) json_t

/* Keys of `resources`, which are a configuration file's. */
#define BOOT_SOURCE "boot-source"
#define MACHINE_CONFIG "machine-config"
#define CPU_CONFIG "cpu-config"
#define DRIVES "drives"
#define NETS "network-interfaces"
#define ENTROPY "entropy"
#define SERIAL "serial"
#define LOGGER "logger"
#define METRICS "metrics"

struct firecracker {
	struct firecracker_process process;
	char *id;
	struct api_personality personality;
	json_t *resources; /* what requests have put there, by the keys above */
	json_t *load;      /* the snapshot that is to be loaded; NULL: none */
};

/* One request, which may be made: its body is checked, it comes in its phase. */
struct request {
	struct firecracker *f;
	struct api *api; /* NULL: it comes from a configuration file */
	const char *id;  /* NULL: its path has none */
	json_t *body;    /* with its defaults; NULL: it has none */
	struct reply *reply;
};

/* Does it, or says in `e` why not, which is a 400. Without a reply's status set it is 204. */
typedef int handler_fn(const struct request *r, struct verr *e);

/* before.c */
handler_fn fc_put_machine, fc_patch_machine, fc_put_cpu, fc_put_boot_source, fc_put_drive,
	fc_put_net, fc_put_entropy, fc_put_serial, fc_put_logger, fc_put_metrics;

/* after.c */
handler_fn fc_get_info, fc_get_version, fc_get_config, fc_get_machine, fc_put_action,
	fc_patch_drive, fc_patch_net, fc_patch_vm;

/* snapshot.c */
handler_fn fc_put_snapshot, fc_load_snapshot;

/* check.c */

/* Is it such an object? The fault names the field. Defaults are filled in, nulls taken out. */
V_MUST_CHECK int body_check(const struct body *body, json_t *object, struct verr *e);

/* All defaults, those of required fields, too. NULL: out of memory. */
json_t *body_defaults(const struct body *body);

/* The fields of an object that is checked; NULL, `otherwise`: it is left out. */
const char *body_text(const json_t *object, const char *key);
bool body_true(const json_t *object, const char *key);
int64_t body_int(const json_t *object, const char *key, int64_t otherwise);

/* configure.c */

/* Where a disk's or NIC's configuration has a limiter, in our own words. */
struct limit {
	uint64_t *rate, *burst, *burst_once;
	uint32_t *ops, *ops_burst, *ops_burst_once;
};

static inline struct limit drive_limit(struct drive_config *d)
{
	return (struct limit){&d->rate, &d->burst,     &d->burst_once,
			      &d->ops,  &d->ops_burst, &d->ops_burst_once};
}

static inline struct limit net_rx_limit(struct net_config *n)
{
	return (struct limit){&n->rx_rate,    &n->rx_burst,         &n->rx_burst_once,
			      &n->rx_packets, &n->rx_packets_burst, &n->rx_packets_burst_once};
}

static inline struct limit net_tx_limit(struct net_config *n)
{
	return (struct limit){&n->tx_rate,    &n->tx_burst,         &n->tx_burst_once,
			      &n->tx_packets, &n->tx_packets_burst, &n->tx_packets_burst_once};
}

/* A part of the limiter that is left out stays as it is; NULL: all of it. */
void limit_set(struct limit limit, const json_t *limiter);

/* cpu.c: the changes of CPUID in a checked CpuConfig (or NULL) as --cpuid has them; NULL: none. */
V_MUST_CHECK int cpu_changes(const json_t *cpu, char **text, struct verr *e);

/*
 * Folders that the sandbox keeps a way to, in the list of --live-dir or --snapshot-dir: that of a
 * file. One of the host's own, or one too many, is left out.
 */
V_MUST_CHECK int folders_add(char **list, const char *file, struct verr *e);
size_t folders_count(const char *list);
bool folder_is_hosts(const char *folder);
bool same_folder(const char *one, const char *other);

#define FOLDERS_MAX 16 /* the sandbox takes so many, of both lists */

/* snapshot.c: what is to be loaded; the folders for snapshots, where none are named. */
V_MUST_CHECK int configure_load(const struct firecracker *f, struct config *c, struct verr *e);
V_MUST_CHECK int configure_snapshots(const struct firecracker *f, struct config *c, struct verr *e);

/* The object of a list with this id, borrowed; NULL: there is none. */
json_t *find_object(const json_t *list, const char *key, const char *id);

#endif
