/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every counter of the machine in Prometheus's text format. All samples of one metric stand
 * together, so instances are gathered first. Names and ids are ours or checked: nothing is escaped.
 */
#include "base/sys.h"
#include "contract/ports.h"
#include "vmm/machine/internal.h"

static void add(struct machine_counters *s, const char *kind, const char *label, const char *id,
		struct metric_group group)
{
	s->all[s->count++] = (struct machine_counter_group){kind, label, id, group};
}

static void add_vdev(struct machine_counters *s, const char *kind, const char *id,
		     const struct vdev *dev, struct metric_group own)
{
	add(s, kind, "id", id, own);
	add(s, "virtio", "device", id,
	    (struct metric_group){
		    .rows = vdev_metric_rows, .count = vdev_metric_count, .base = &dev->counters});
}

void machine_gather_counters(const struct machine *m, struct machine_counters *s)
{
	_Static_assert(MACHINE_COUNTER_GROUPS_MAX >= 2 * LAYOUT_VIRTIO_MAX + 3, "all fit");

	s->count = 0;
	add(s, "serial", NULL, NULL, serial_metrics(m->serial));
	add(s, "i8042", NULL, NULL, i8042_metrics(m->i8042));
	add(s, "console", NULL, NULL, console_metrics(m->console));
	for (size_t i = 0; i < m->ndisks; i++)
		if (m->disks[i].block != NULL)
			add_vdev(s, "disk", m->disks[i].config->id, block_vdev(m->disks[i].block),
				 block_metrics(m->disks[i].block));
	for (size_t i = 0; i < m->nnics; i++)
		if (m->nics[i].net != NULL)
			add_vdev(s, "net", m->nics[i].config->id, net_vdev(m->nics[i].net),
				 net_metrics(m->nics[i].net));
	if (m->rng != NULL)
		add_vdev(s, "rng", "rng", rng_vdev(m->rng), rng_metrics(m->rng));
}

static void head(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP volt_%s %s\n# TYPE volt_%s %s\n", name, help, name, type);
}

static bool same_kind(const struct machine_counter_group *a, const struct machine_counter_group *b)
{
	return a->kind == b->kind && a->group.rows == b->group.rows;
}

static void write_row(FILE *out, const struct machine_counters *s, size_t first, size_t row)
{
	const struct machine_counter_group *of = &s->all[first];
	const struct metric_row *r = &of->group.rows[row];
	char name[80];

	(void)snprintf(name, sizeof(name), "%s_%s_total", of->kind, r->name);
	head(out, name, "counter", r->help);
	for (size_t i = first; i < s->count; i++) {
		const struct machine_counter_group *one = &s->all[i];

		if (!same_kind(one, of))
			continue;
		fprintf(out, "volt_%s", name);
		if (one->label != NULL)
			fprintf(out, "{%s=\"%s\"}", one->label, one->id);
		fprintf(out, " %llu\n", (unsigned long long)metric_value(&one->group, row));
	}
}

static void write_groups(FILE *out, const struct machine *m)
{
	struct machine_counters s;

	machine_gather_counters(m, &s);
	for (size_t i = 0; i < s.count; i++) {
		bool told = false;

		for (size_t k = 0; k < i; k++)
			told = told || same_kind(&s.all[k], &s.all[i]);
		for (size_t row = 0; !told && row < s.all[i].group.count; row++)
			write_row(out, &s, i, row);
	}
}

static void write_exits(FILE *out, const struct machine *m)
{
	head(out, "vcpu_exits_total", "counter", "exits of the guest, by reason");
	for (uint32_t reason = 0; reason < KVM_EXIT_REASONS; reason++) {
		uint64_t n = 0;

		for (uint32_t id = 0; id < m->ncpus; id++)
			n += counter_get(&m->vcpus[id].exits[reason]);
		if (n > 0)
			fprintf(out, "volt_vcpu_exits_total{reason=\"%s\"} %llu\n",
				kvm_exit_name(reason), (unsigned long long)n);
	}
}

/* Seconds since building began, for every point that has been passed. */
static void write_timeline(FILE *out, const struct machine *m)
{
	static const char *const points[] = {
		[TIMELINE_BUILD] = NULL,      [TIMELINE_OPENED] = "opened", [TIMELINE_VM] = "vm",
		[TIMELINE_LOADED] = "loaded", [TIMELINE_READY] = "ready",   [TIMELINE_RUN] = "run",
	};
	_Static_assert(ARRAY_LEN(points) == TIMELINE_POINTS, "every point has a name");

	head(out, "start_phase_seconds", "gauge",
	     "when the start passed this point, since it began");
	for (size_t i = 0; i < ARRAY_LEN(points); i++)
		if (points[i] != NULL && m->timeline.ns[i] != 0)
			fprintf(out, "volt_start_phase_seconds{phase=\"%s\"} %.9f\n", points[i],
				(double)(m->timeline.ns[i] - m->timeline.ns[TIMELINE_BUILD]) / 1e9);
}

static void write_number(FILE *out, const char *name, const char *type, const char *help,
			 uint64_t value)
{
	head(out, name, type, help);
	fprintf(out, "volt_%s %llu\n", name, (unsigned long long)value);
}

static void write_state(FILE *out, const struct machine *m)
{
	head(out, "machine_state", "gauge", "1 for the state that the machine is in");
	for (int s = MACHINE_NOT_STARTED; s <= MACHINE_ENDED; s++)
		fprintf(out, "volt_machine_state{state=\"%s\"} %d\n",
			machine_state_name((enum machine_state)s),
			machine_state(m) == (enum machine_state)s);
}

static void write_sandbox(FILE *out, const struct machine *m)
{
	const char *name;
	bool in_force;

	if (m->sandbox == NULL)
		return;
	head(out, "sandbox_in_force", "gauge",
	     "1 for what the kernel says of the sandbox is in force");
	for (size_t i = 0; (name = sandbox_part(m->sandbox, i, &in_force)) != NULL; i++)
		fprintf(out, "volt_sandbox_in_force{part=\"%s\"} %d\n", name, in_force);
}

void machine_write_prometheus(const struct machine *m, FILE *out)
{
	write_state(out, m);
	if (m == NULL)
		return;
	write_number(out, "vcpus", "gauge", "virtual CPUs", m->ncpus);
	write_number(out, "memory_bytes", "gauge", "memory of the guest", mem_size(m->mem));
	write_number(out, "boot_copied_bytes_total", "counter",
		     "bytes copied into guest memory to boot it", mem_bytes_copied(m->mem));
	write_number(out, "kvm_ioctls_total", "counter", "KVM ioctls, but for KVM_RUN",
		     counter_get(&m->kvm.ioctls));
	write_number(out, "log_dropped_bytes_total", "counter", "bytes of the log that nobody took",
		     log_dropped());
	write_exits(out, m);
	write_timeline(out, m);
	write_sandbox(out, m);
	write_groups(out, m);
}
