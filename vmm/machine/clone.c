/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests: run a machine for a while, take its state and its memory, and run another one from
 * there, in the same process and without any file but the state. The second one writes its console
 * behind the first one's.
 *
 *	clone MILLISECONDS GENERATIONS STATE SETTING...
 *
 * STATE gets the last state that was taken. The settings are volt-vmm's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "vmm/machine/internal.h"
#include "vmm/state/file.h"

struct clone {
	struct config config;
	const char *path;
	struct loop *loop;
	struct machine *machine;
	struct loop_source timer;
	struct state_writer *state; /* of the machine before; NULL: it is the first */
	struct bytes file;
	uint8_t *memory;
	bool taken;
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

/* Give the machine what was taken of the one before. */
static int restore(struct clone *c, struct verr *e)
{
	struct state_reader *reader = NULL;
	int r;

	if (c->state == NULL)
		return 0;
	r = state_reader_new(c->file, &reader, e) < 0 ||
			    copy_memory(c->machine, c->memory, true, e) < 0 ||
			    machine_apply(c->machine, reader, MACHINE_CLOCK_ADVANCE, false, e) < 0
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
		if (r == 0 && i < generations && !c->taken)
			r = verr_state(e, "nothing was taken of machine %u: %s", i,
				       machine_end_text(machine_end(c->machine)));
		if (r == 0 && i == generations)
			(void)printf("%s\n", machine_end_text(machine_end(c->machine)));
		end_one(c);
	}
	return r;
}

int main(int argc, char *argv[])
{
	struct clone c = {.path = argc > 3 ? argv[3] : NULL};
	struct verr e = VERR_INIT;
	int r;

	if (argc < 5) {
		(void)fprintf(stderr, "clone MILLISECONDS GENERATIONS STATE SETTING...\n");
		return 2;
	}
	config_init(&c.config);
	r = config_parse_args(&c.config, argc - 3, argv + 3, &e) < 0 ||
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
