/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests: run a machine for a while, take its state and its memory, and run another one from
 * there, and so on, in one process and without any file but the state. Each writes its console
 * behind the one's before.
 *
 *	clone MILLISECONDS GENERATIONS STATE SETTING...
 *	clone 0 0 STATE --restore SETTING...
 *
 * The second way gives a new machine the state that is in STATE, and memory that is empty. In the
 * first STATE gets the last state that was taken. The settings are volt-vmm's. At the end it says
 *on stderr after how many generations, at most those asked for, and how the guest ended.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "vmm/machine/internal.h"
#include "vmm/state/file.h"

/*
 * Registers of the local APIC: a priority that follows from others, and that KVM works out when it
 * is asked; what waits to be taken; what is left of the timer's period.
 */
#define APIC_PPR 0xA0
#define APIC_IRR 0x200
#define APIC_IRR_END 0x280
#define APIC_TIMER_NOW 0x390

#define MSR_SYSENTER_ESP 0x175
#define MSR_SYSENTER_EIP 0x176

struct clone {
	struct config config;
	const char *path;
	struct loop *loop;
	struct machine *machine;
	struct loop_source timer;
	struct state_writer *state; /* of the machine before; NULL: it is the first */
	struct bytes file;
	uint8_t *memory;
	bool taken, from_file;
};

/* All of guest memory, to or from one run of bytes. */
static int copy_memory(struct machine *m, uint8_t *bytes, bool to_guest, struct verr *e)
{
	const struct mem_region *regions;
	size_t count = mem_regions(m->mem, &regions);

	for (size_t i = 0; i < count; i++) {
		int r = to_guest ? mem_write(m->mem, regions[i].gpa, bytes, regions[i].len, e)
				 : mem_read(m->mem, regions[i].gpa, bytes, regions[i].len, e);

		if (r < 0)
			return -1;
		bytes += regions[i].len;
	}
	return 0;
}

static int keep(struct clone *c, struct verr *e)
{
	FILE *out = fopen(c->path, "we");

	if (out == NULL)
		return verr_os(e, "%s", c->path);
	(void)fwrite(c->file.at, 1, c->file.len, out);
	return fclose(out) == 0 ? 0 : verr_os(e, "%s", c->path);
}

static int take(struct clone *c, struct verr *e)
{
	if (machine_pause(c->machine, e) < 0 || state_writer_new(&c->state, e) < 0 ||
	    machine_capture(c->machine, c->state, e) < 0 ||
	    state_writer_finish(c->state, &c->file, e) < 0 || keep(c, e) < 0)
		return -1;
	c->memory = malloc(c->config.memory);
	if (c->memory == NULL)
		return verr_host(e, "out of memory");
	return copy_memory(c->machine, c->memory, false, e);
}

static void on_timer(void *arg)
{
	struct clone *c = arg;
	struct verr e = VERR_INIT;

	if (take(c, &e) < 0)
		(void)fprintf(stderr, "clone: %s\n", e.text);
	else
		c->taken = true;
	machine_kill(c->machine);
}

/* Say what of a vCPU is not as it was, by byte of its state; false: nothing. */
static bool differs(const struct vcpu_state *a, const struct vcpu_state *b)
{
	const uint8_t *x = (const uint8_t *)a, *y = (const uint8_t *)b;
	bool found = false;

	for (uint32_t i = 0; i < vcpu_table.count; i++) {
		const struct state_field *f = &vcpu_table.fields[i];
		size_t end =
			i + 1 < vcpu_table.count ? vcpu_table.fields[i + 1].offset : sizeof(*a);

		for (size_t at = f->offset; at < end; at++)
			if (x[at] != y[at]) {
				(void)fprintf(stderr, "clone: %s, byte %#zx: %#x, was %#x\n",
					      f->name, at - f->offset, y[at], x[at]);
				found = true;
			}
	}
	return found;
}

/*
 * Timers go on, and may have fired. Of SYSENTER's stack and entry AMD's processors have, and KVM
 * there takes, 32 bits: there is no SYSENTER in their long mode.
 */
static void forgive(const struct vcpu_state *a, struct vcpu_state *b)
{
	for (uint32_t i = 0; i < a->msr_indices_count; i++)
		if ((a->msr_indices[i] == MSR_SYSENTER_ESP ||
		     a->msr_indices[i] == MSR_SYSENTER_EIP) &&
		    b->msr_values[i] == (uint32_t)a->msr_values[i])
			b->msr_values[i] = a->msr_values[i];
	b->lapic[APIC_PPR] = a->lapic[APIC_PPR];
	memcpy(b->lapic + APIC_TIMER_NOW, a->lapic + APIC_TIMER_NOW, sizeof(uint32_t));
	for (size_t i = APIC_IRR; i < APIC_IRR_END; i++)
		if ((a->lapic[i] & ~b->lapic[i]) == 0)
			b->lapic[i] = a->lapic[i];
}

/* What the machine has now is what it was given, but for the clocks, which go on. */
static int check_same(struct clone *c, const struct state_reader *given, struct verr *e)
{
	struct state_writer *w = NULL;
	struct state_reader *now = NULL;
	struct vcpu_state a, b;
	struct bytes file;
	bool same = true;
	int r = -1;

	c->machine->started = true;
	if (state_writer_new(&w, e) == 0 && machine_capture(c->machine, w, e) == 0 &&
	    state_writer_finish(w, &file, e) == 0 && state_reader_new(file, &now, e) == 0)
		r = 0;
	c->machine->started = false;
	for (uint32_t i = 0; r == 0 && i < c->machine->ncpus; i++) {
		r = state_get(given, STATE_KIND_VCPU, i, &a, e) < 0 ||
				    state_get(now, STATE_KIND_VCPU, i, &b, e) < 0
			    ? -1
			    : 0;
		b.tsc = a.tsc;
		forgive(&a, &b);
		same = !differs(&a, &b) && same;
	}
	(void)state_reader_free(now);
	(void)state_writer_free(w);
	return r < 0 || same ? r : verr_state(e, "a vCPU is not as it was saved");
}

/* Of the machine before, or of the file. */
static int open_state(struct clone *c, struct state_reader **out, struct verr *e)
{
	auto_fd fd = -1;

	if (c->state != NULL)
		return state_reader_new(c->file, out, e);
	fd = open(c->path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? verr_os(e, "%s", c->path) : state_reader_load(fd, out, e);
}

/* Give the machine what was taken of the one before. */
static int restore(struct clone *c, struct verr *e)
{
	struct state_reader *reader = NULL;
	int r;

	if (c->state == NULL && !c->from_file)
		return 0;
	r = open_state(c, &reader, e) < 0 ||
			    (c->memory != NULL &&
			     copy_memory(c->machine, c->memory, true, e) < 0) ||
			    machine_apply(c->machine, reader, MACHINE_CLOCK_ADVANCE, false, e) <
				    0 ||
			    check_same(c, reader, e) < 0
		    ? -1
		    : 0;
	(void)state_reader_free(reader);
	c->state = state_writer_free(c->state);
	free(ptr_take(c->memory));
	return r;
}

static int run_one(struct clone *c, uint64_t milliseconds, struct verr *e)
{
	c->taken = false;
	if (loop_new(&c->loop, e) < 0 ||
	    machine_new(&c->config, c->loop, NULL, &c->machine, e) < 0 ||
	    machine_build(c->machine, e) < 0 || restore(c, e) < 0)
		return -1;
	if (milliseconds > 0) {
		if (loop_timer_init(&c->timer, c->loop, on_timer, c, e) < 0)
			return -1;
		loop_timer_arm(&c->timer, milliseconds * 1000);
	}
	return machine_run(c->machine, e);
}

static void end_one(struct clone *c)
{
	loop_source_deinit(&c->timer);
	c->machine = machine_free(c->machine);
	c->loop = loop_free(c->loop);
}

static int run_all(struct clone *c, uint64_t milliseconds, unsigned generations, struct verr *e)
{
	int r = 0;

	for (unsigned i = 0; i <= generations && r == 0; i++) {
		c->timer = (struct loop_source)LOOP_SOURCE_INIT;
		r = run_one(c, i < generations ? milliseconds : 0, e);
		if (r == 0 && !c->taken) {
			(void)fprintf(stderr, "generations=%u\n%s\n", i,
				      machine_end_text(machine_end(c->machine)));
			generations = 0;
		}
		end_one(c);
	}
	return r;
}

int main(int argc, char *argv[])
{
	struct clone c = {.path = argc > 3 ? argv[3] : NULL};
	struct verr e = VERR_INIT;
	int r, first = 3;

	if (argc < 5) {
		(void)fprintf(stderr, "clone MILLISECONDS GENERATIONS STATE SETTING...\n");
		return 2;
	}
	if (strcmp(argv[4], "--restore") == 0) {
		c.from_file = true;
		first++;
	}
	config_init(&c.config);
	r = config_parse_args(&c.config, argc - first, argv + first, &e) < 0 ||
			    config_check(&c.config, &e) < 0
		    ? -1
		    : run_all(&c, strtoull(argv[1], NULL, 10), (unsigned)strtoul(argv[2], NULL, 10),
			      &e);
	if (r < 0)
		(void)fprintf(stderr, "clone: %s\n", e.text);
	free(c.memory);
	(void)state_writer_free(c.state);
	config_deinit(&c.config);
	return r < 0 ? 1 : 0;
}
