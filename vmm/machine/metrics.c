/* SPDX-License-Identifier: Apache-2.0 */
/* Every counter of the machine as one line of JSON. Names are ours, so nothing needs escaping. */
#include "base/sys.h"
#include "contract/ports.h"
#include "vmm/config/config.h"
#include "vmm/machine/internal.h"

static void write_rows(FILE *out, const struct metric_group *g, const char *comma)
{
	for (size_t i = 0; i < g->count; i++) {
		fprintf(out, "%s\"%s\":%llu", comma, g->rows[i].name,
			(unsigned long long)metric_value(g, i));
		comma = ",";
	}
}

static void write_group(FILE *out, const struct metric_group *g)
{
	fprintf(out, ",\"%s\":{", g->name);
	write_rows(out, g, "");
	fputc('}', out);
}

/* A virtio device: what its class counts, then what every one does. */
static void write_vdev(FILE *out, const struct vdev *dev, const struct metric_group *own)
{
	const struct metric_group common = {
		.rows = vdev_metric_rows, .count = vdev_metric_count, .base = &dev->counters};

	write_rows(out, own, "");
	write_rows(out, &common, ",");
}

static void write_virtio(FILE *out, const struct machine *m)
{
	struct metric_group g;

	fputs(",\"disks\":{", out);
	for (size_t i = 0; i < m->ndisks; i++) {
		const struct disk *d = &m->disks[i];

		if (d->block == NULL)
			continue;
		g = block_metrics(d->block);
		fprintf(out, "%s\"%s\":{\"engine\":\"%s\",", i > 0 ? "," : "", d->config->id,
			block_engine_name(d->block));
		write_vdev(out, block_vdev(d->block), &g);
		fputc('}', out);
	}
	fputs("},\"nets\":{", out);
	for (size_t i = 0; i < m->nnics; i++) {
		const struct nic *n = &m->nics[i];

		if (n->net == NULL)
			continue;
		g = net_metrics(n->net);
		fprintf(out, "%s\"%s\":{\"backend\":\"%s\",\"tap\":\"%s\",", i > 0 ? "," : "",
			n->config->id, net_backend_name(n->net), n->tap);
		write_vdev(out, net_vdev(n->net), &g);
		fputc('}', out);
	}
	fputc('}', out);
	if (m->rng == NULL)
		return;
	g = rng_metrics(m->rng);
	fputs(",\"rng\":{", out);
	write_vdev(out, rng_vdev(m->rng), &g);
	fputc('}', out);
}

static void write_exits(FILE *out, const struct machine *m)
{
	uint64_t total = 0;
	const char *comma = "";

	fputs(",\"exits\":{", out);
	for (uint32_t reason = 0; reason < KVM_EXIT_REASONS; reason++) {
		uint64_t n = 0;

		for (uint32_t id = 0; id < m->ncpus; id++)
			n += counter_get(&m->vcpus[id].exits[reason]);
		if (n > 0) {
			fprintf(out, "%s\"%s\":%llu", comma, kvm_exit_name(reason),
				(unsigned long long)n);
			comma = ",";
		}
		total += n;
	}
	fprintf(out, "%s\"total\":%llu}", comma, (unsigned long long)total);
}

/* Absolute CLOCK_MONOTONIC, so that whoever started the process can subtract its own start. */
static void write_timeline(FILE *out, const struct machine *m)
{
	static const char *const points[] = {
		[TIMELINE_BUILD] = "build",
		[TIMELINE_OPENED] = "opened",
		[TIMELINE_VM] = "vm",
		[TIMELINE_LOADED] = "loaded",
		[TIMELINE_CONNECTED] = "connected",
		[TIMELINE_READY] = "ready",
		[TIMELINE_RUN] = "run",
	};
	static const char *const marks[] = {
		[VOLT_MARK_INIT] = "init",
		[VOLT_MARK_WORKLOAD] = "workload",
		[VOLT_MARK_DONE] = "done",
	};
	_Static_assert(ARRAY_LEN(points) == TIMELINE_POINTS, "every point has a name");
	_Static_assert(ARRAY_LEN(marks) == VOLT_MARK_COUNT, "every mark has a name");

	fputs(",\"timeline_ns\":{", out);
	for (size_t i = 0; i < ARRAY_LEN(points); i++)
		fprintf(out, "\"%s\":%llu,", points[i], (unsigned long long)m->timeline.ns[i]);
	for (size_t i = VOLT_MARK_INIT; i < ARRAY_LEN(marks); i++)
		fprintf(out, "\"%s\":%llu,", marks[i],
			(unsigned long long)report_mark_ns(m->report, (enum volt_mark)i));
	fprintf(out, "\"now\":%llu}", (unsigned long long)sys_now_ns());
}

static void write_memory(FILE *out, const struct machine *m)
{
	static const char *const backings[] = {
		[MEM_BACKING_4K] = "4k", [MEM_BACKING_THP] = "thp", [MEM_BACKING_HUGETLB] = "2m"};

	fprintf(out, ",\"memory\":{\"bytes\":%llu,\"pages\":\"%s\",\"boot_bytes_copied\":%llu}",
		(unsigned long long)mem_size(m->mem), backings[mem_backing(m->mem)],
		(unsigned long long)mem_bytes_copied(m->mem));
}

struct machine_exits machine_exits(const struct machine *m)
{
	struct machine_exits e = {0};

	for (uint32_t id = 0; id < m->ncpus; id++) {
		const struct vcpu *v = &m->vcpus[id];
		uint64_t ports = counter_get(&v->exits[KVM_EXIT_IO]);
		uint64_t memory = counter_get(&v->exits[KVM_EXIT_MMIO]);
		/* Counted after the exit that it is of, so never more of them. */
		uint64_t port_reads = MIN(counter_get(&v->port_reads), ports);
		uint64_t memory_reads = MIN(counter_get(&v->memory_reads), memory);

		e.port_reads += port_reads;
		e.port_writes += ports - port_reads;
		e.memory_reads += memory_reads;
		e.memory_writes += memory - memory_reads;
	}
	return e;
}

void machine_write_metrics(const struct machine *m, FILE *out)
{
	struct metric_group groups[] = {serial_metrics(m->serial), i8042_metrics(m->i8042),
					console_metrics(m->console)};

	fprintf(out, "{\"id\":\"%s\",\"end\":\"%s\",\"exit_status\":%d,\"vcpus\":%u",
		m->config->id != NULL ? m->config->id : "", machine_end_text(machine_end(m)),
		machine_exit_status(m), m->ncpus);
	write_memory(out, m);
	fprintf(out, ",\"kvm\":{\"ioctls\":%llu}", (unsigned long long)counter_get(&m->kvm.ioctls));
	write_exits(out, m);
	for (size_t i = 0; i < ARRAY_LEN(groups); i++)
		write_group(out, &groups[i]);
	write_virtio(out, m);
	if (m->sandbox != NULL) {
		fputs(",\"sandbox\":", out);
		sandbox_write_metrics(m->sandbox, out);
	}
	fprintf(out, ",\"log\":{\"dropped_bytes\":%llu}", (unsigned long long)log_dropped());
	write_timeline(out, m);
	fputs("}\n", out);
}
