/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/firecracker/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "base/sys.h"
#include "vmm/machine/machine.h"

#define PERIOD_US 60000000

/* Of one group of a machine's counters. */
#define ROWS_MAX 16

static const struct count_row {
	const char *section, *field, *kind, *counts;
} count_rows[] = {
#define COUNT(section, field, kind, counter) {section, field, kind, counter},
#define REQUEST(...)
#include "vmm/firecracker/metrics.def"
#undef COUNT
#undef REQUEST
};

static const struct request_row {
	const char *method, *path, *name;
} request_rows[] = {
#define COUNT(...)
#define REQUEST(method, path, name) {#method, path, name},
#include "vmm/firecracker/metrics.def"
#undef COUNT
#undef REQUEST
};

/* All that is counted, at one moment. */
struct counts {
	uint64_t groups[MACHINE_COUNTER_GROUPS_MAX][ROWS_MAX];
	uint64_t requests[ARRAY_LEN(request_rows)], fails[ARRAY_LEN(request_rows)];
	uint64_t deprecated, missed_lines, missed_log_count, interrupts;
	struct machine_exits exits;
};

struct fc_metrics {
	const char *id;
	bool emit_id;
	char *properties; /* JSON; NULL: none */
	int fd;
	const struct machine *machine;
	struct loop_source timer;
	char *rest; /* rest_at to rest_len of a line that was not taken yet; NULL: none */
	size_t rest_at, rest_len;
	uint64_t values[FC_VALUES];
	struct counts now,
		written; /* `now`: what others have counted, and room for the machine's */
	struct machine_counters groups;
};

int fc_metrics_new(const char *id, struct fc_metrics **out, struct verr *e)
{
	struct fc_metrics *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return verr_host(e, "out of memory");
	m->id = id;
	m->fd = -1;
	m->timer = (struct loop_source)LOOP_SOURCE_INIT;
	*out = m;
	return 0;
}

struct fc_metrics *fc_metrics_free(struct fc_metrics *m)
{
	if (m == NULL)
		return NULL;
	fc_metrics_stop(m);
	fd_close(&m->fd);
	free(m->properties);
	free(m->rest);
	free(m);
	return NULL;
}

int fc_metrics_open(struct fc_metrics *m, const struct firecracker_metrics *want, struct verr *e)
{
	auto_free char *properties = NULL;
	auto_fd fd = -1;

	if (m->fd >= 0)
		return verr_state(e, "metrics go to a file already, and cannot go to another");
	if (want->properties != NULL) {
		properties = json_dumps(want->properties, JSON_COMPACT);
		if (properties == NULL)
			return verr_host(e, "out of memory");
	}
	fd = sys_open_output(want->path, e);
	if (fd < 0)
		return -1;
	m->fd = fd_take(&fd);
	m->emit_id = want->emit_id;
	m->properties = ptr_take(properties);
	return 0;
}

/* --- counting --- */

void fc_metrics_count_request(struct fc_metrics *m, const char *method, const char *path,
			      bool failed)
{
	for (size_t i = 0; i < ARRAY_LEN(request_rows); i++)
		if (strcmp(request_rows[i].method, method) == 0 &&
		    strcmp(request_rows[i].path, path) == 0) {
			m->now.requests[i]++;
			m->now.fails[i] += failed;
		}
}

void fc_metrics_count_deprecated(struct fc_metrics *m)
{
	m->now.deprecated++;
}

void fc_metrics_store(struct fc_metrics *m, enum fc_value value, uint64_t number)
{
	m->values[value] = number;
}

/* Into `now`. */
static void gather(struct fc_metrics *m)
{
	machine_gather_counters(m->machine, &m->groups);
	m->now.exits = machine_exits(m->machine);
	m->now.missed_log_count = log_dropped_lines();
	m->now.interrupts = 0;
	for (size_t i = 0; i < m->groups.count; i++) {
		const struct metric_group *g = &m->groups.all[i].group;

		for (size_t row = 0; row < MIN(g->count, ROWS_MAX); row++) {
			m->now.groups[i][row] = metric_value(g, row);
			if (strcmp(g->rows[row].name, "interrupts") == 0)
				m->now.interrupts += m->now.groups[i][row];
		}
	}
}

/* --- a line --- */

typedef unsigned long long number;

/* "disk/virtio": what a virtio device counts follows what the disk itself does. */
static bool is_of_kind(const struct fc_metrics *m, size_t group, const char *kind)
{
	const char *name = m->groups.all[group].kind;
	size_t len = strcspn(kind, "/");

	if (kind[len] == '\0')
		return strcmp(name, kind) == 0;
	return strcmp(name, kind + len + 1) == 0 && group > 0 &&
	       strlen(m->groups.all[group - 1].kind) == len &&
	       strncmp(m->groups.all[group - 1].kind, kind, len) == 0;
}

/* What group `i` has counted of this since the last line. */
static number change(const struct fc_metrics *m, size_t i, const char *name)
{
	const struct metric_group *g = &m->groups.all[i].group;

	for (size_t row = 0; row < MIN(g->count, ROWS_MAX); row++)
		if (strcmp(g->rows[row].name, name) == 0)
			return m->now.groups[i][row] - m->written.groups[i][row];
	return 0;
}

/* The fields of a section, of the object at `group` or, with SIZE_MAX, of all in sum. */
static void write_fields(FILE *out, const struct fc_metrics *m, const char *section, size_t group)
{
	const char *comma = "";

	for (size_t r = 0; r < ARRAY_LEN(count_rows); r++) {
		const struct count_row *row = &count_rows[r];
		number sum = 0;

		if (strcmp(row->section, section) != 0)
			continue;
		/* The object's own group, and the one of its virtio device behind it. */
		for (size_t i = 0; i < m->groups.count; i++)
			if (is_of_kind(m, i, row->kind) &&
			    (group == SIZE_MAX || i == group || i == group + 1))
				sum += change(m, i, row->counts);
		fprintf(out, "%s\"%s\":%llu", comma, row->field, sum);
		comma = ",";
	}
}

static void write_section(FILE *out, const struct fc_metrics *m, const char *section)
{
	fprintf(out, ",\"%s\":{", section);
	write_fields(out, m, section, SIZE_MAX);
	fputc('}', out);
}

static void write_objects(FILE *out, const struct fc_metrics *m, const char *section,
			  const char *kind)
{
	for (size_t i = 0; i < m->groups.count; i++) {
		if (!is_of_kind(m, i, kind))
			continue;
		fprintf(out, ",\"%s_%s\":{", section, m->groups.all[i].id);
		write_fields(out, m, section, i);
		fputc('}', out);
	}
	write_section(out, m, section);
}

static void write_requests(FILE *out, const struct fc_metrics *m, const char *method,
			   const char *section)
{
	const char *comma = "";

	fprintf(out, ",\"%s\":{", section);
	for (size_t i = 0; i < ARRAY_LEN(request_rows); i++) {
		const struct request_row *r = &request_rows[i];

		if (strcmp(r->method, method) != 0)
			continue;
		fprintf(out, "%s\"%s_count\":%llu", comma, r->name,
			(number)(m->now.requests[i] - m->written.requests[i]));
		if (strcmp(method, "GET") != 0)
			fprintf(out, ",\"%s_fails\":%llu", r->name,
				(number)(m->now.fails[i] - m->written.fails[i]));
		comma = ",";
	}
	fputc('}', out);
}

static void write_vcpu(FILE *out, const struct machine_exits *now, const struct machine_exits *last)
{
	fprintf(out,
		",\"vcpu\":{\"exit_io_in\":%llu,\"exit_io_out\":%llu,\"exit_mmio_read\":%llu,"
		"\"exit_mmio_write\":%llu}",
		(number)(now->port_reads - last->port_reads),
		(number)(now->port_writes - last->port_writes),
		(number)(now->memory_reads - last->memory_reads),
		(number)(now->memory_writes - last->memory_writes));
}

static void write_head(FILE *out, const struct fc_metrics *m)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	fprintf(out, "{\"utc_timestamp_ms\":%llu",
		(number)now.tv_sec * 1000 + (number)now.tv_nsec / 1000000);
	if (m->emit_id)
		fprintf(out, ",\"id\":\"%s\"", m->id);
	if (m->properties != NULL)
		fprintf(out, ",\"properties\":%s", m->properties);
	fprintf(out,
		",\"api_server\":{\"process_startup_time_us\":%llu,"
		"\"process_startup_time_cpu_us\":%llu}",
		(number)m->values[FC_STARTUP_TIME_US], (number)m->values[FC_STARTUP_CPU_TIME_US]);
}

static void write_line(FILE *out, const struct fc_metrics *m)
{
	const struct counts *now = &m->now, *last = &m->written;
	number pause = m->values[FC_PAUSE_US], resume = m->values[FC_RESUME_US];

	write_head(out, m);
	write_objects(out, m, "block", "disk");
	fprintf(out, ",\"deprecated_api\":{\"deprecated_http_api_calls\":%llu}",
		(number)(now->deprecated - last->deprecated));
	write_requests(out, m, "GET", "get_api_requests");
	write_section(out, m, "i8042");
	fprintf(out,
		",\"latencies_us\":{\"pause_vm\":%llu,\"resume_vm\":%llu,\"vmm_pause_vm\":%llu,"
		"\"vmm_resume_vm\":%llu}",
		pause, resume, pause, resume);
	fprintf(out, ",\"logger\":{\"missed_metrics_count\":%llu,\"missed_log_count\":%llu}",
		(number)(now->missed_lines - last->missed_lines),
		(number)(now->missed_log_count - last->missed_log_count));
	write_objects(out, m, "net", "net");
	write_requests(out, m, "PATCH", "patch_api_requests");
	write_requests(out, m, "PUT", "put_api_requests");
	/* Neither can be: a process that has had one writes no more lines. */
	fputs(",\"seccomp\":{\"num_faults\":0},\"vmm\":{\"panic_count\":0}", out);
	write_vcpu(out, &now->exits, &last->exits);
	write_section(out, m, "uart");
	fprintf(out, ",\"signals\":{\"sighup\":%llu}", (number)m->values[FC_SIGHUP]);
	write_section(out, m, "entropy");
	fprintf(out, ",\"interrupts\":{\"triggers\":%llu}}\n",
		(number)(now->interrupts - last->interrupts));
}

/* --- to the file --- */

/* Bytes that were taken. */
static size_t put(int fd, const char *bytes, size_t len)
{
	ssize_t n;

	do
		n = write(fd, bytes, len);
	while (n < 0 && errno == EINTR);
	return n < 0 ? 0 : (size_t)n;
}

/* What is left of the line before; false: there is still some. */
static bool put_rest(struct fc_metrics *m)
{
	m->rest_at += put(m->fd, m->rest + m->rest_at, m->rest_len - m->rest_at);
	if (m->rest_at < m->rest_len)
		return false;
	free(ptr_take(m->rest));
	return true;
}

void fc_metrics_write(struct fc_metrics *m)
{
	auto_free char *text = NULL;
	size_t len = 0, n;
	FILE *out;

	if (m->fd < 0 || m->machine == NULL)
		return;
	if (m->rest != NULL && !put_rest(m)) {
		m->now.missed_lines++;
		return;
	}
	out = open_memstream(&text, &len);
	if (out == NULL)
		return;
	gather(m);
	write_line(out, m);
	(void)fclose(out);
	n = text != NULL ? put(m->fd, text, len) : 0;
	if (n == 0) {
		m->now.missed_lines++;
		return;
	}
	m->written = m->now;
	if (n == len)
		return;
	m->rest = ptr_take(text);
	m->rest_at = n;
	m->rest_len = len;
}

static void on_timer(void *arg)
{
	struct fc_metrics *m = arg;

	fc_metrics_write(m);
	loop_timer_arm(&m->timer, PERIOD_US);
}

int fc_metrics_start(struct fc_metrics *m, struct loop *loop, const struct machine *machine,
		     struct verr *e)
{
	if (loop_timer_init(&m->timer, loop, on_timer, m, e) < 0)
		return -1;
	m->machine = machine;
	loop_timer_arm(&m->timer, PERIOD_US);
	return 0;
}

void fc_metrics_stop(struct fc_metrics *m)
{
	loop_source_deinit(&m->timer);
	m->machine = NULL;
}
