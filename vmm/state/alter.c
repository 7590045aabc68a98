/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests: a state file that says something else in one place, and is whole.
 *
 *	alter FROM TO cpuid LEAF SUBLEAF REGISTER VALUE   REGISTER: 0 EAX, 1 EBX, 2 ECX, 3 EDX
 *	alter FROM TO msr INDEX VALUE                     one more, of vCPU 0
 *	alter FROM TO region GPA LENGTH                   the first of memory
 *	alter FROM TO without KIND                        none of the sections of this number
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "vmm/state/file.h"

struct alter {
	struct state_reader *from;
	struct state_writer *to;
	uint64_t numbers[4];
};

static int alter_cpuid(struct alter *a, struct verr *e)
{
	struct cpuid_state s;

	if (state_get(a->from, STATE_KIND_CPUID, 0, &s, e) < 0)
		return -1;
	for (uint32_t i = 0; i < s.entries_count; i++)
		if (s.entries[i].function == a->numbers[0] && s.entries[i].index == a->numbers[1])
			s.entries[i].registers[a->numbers[2] & 3] = (uint32_t)a->numbers[3];
	state_put(a->to, STATE_KIND_CPUID, 0, &s);
	return 0;
}

static int alter_vcpu(struct alter *a, struct verr *e)
{
	struct vcpu_state s;

	for (uint32_t i = 0; i < state_count(a->from, STATE_KIND_VCPU); i++) {
		if (state_get(a->from, STATE_KIND_VCPU, i, &s, e) < 0)
			return -1;
		if (i == 0 && s.msr_indices_count < STATE_MSRS_MAX) {
			s.msr_indices[s.msr_indices_count++] = (uint32_t)a->numbers[0];
			s.msr_values[s.msr_values_count++] = a->numbers[1];
		}
		state_put(a->to, STATE_KIND_VCPU, i, &s);
	}
	return 0;
}

static int alter_memory(struct alter *a, struct verr *e)
{
	struct memory_state s;

	if (state_get(a->from, STATE_KIND_MEMORY, 0, &s, e) < 0)
		return -1;
	s.regions[0].gpa = a->numbers[0];
	s.regions[0].len = a->numbers[1];
	state_put(a->to, STATE_KIND_MEMORY, 0, &s);
	return 0;
}

static int leave_out(struct alter *a, struct verr *e)
{
	(void)a;
	(void)e;
	return 0;
}

static const struct way {
	const char *name;
	int (*fn)(struct alter *a, struct verr *e);
	enum state_kind kind; /* 0: as the number says */
	int numbers;
} ways[] = {
	{"cpuid", alter_cpuid, STATE_KIND_CPUID, 4},
	{"msr", alter_vcpu, STATE_KIND_VCPU, 2},
	{"region", alter_memory, STATE_KIND_MEMORY, 2},
	{"without", leave_out, 0, 1},
};

static int write_to(const char *path, struct bytes file, struct verr *e)
{
	FILE *out = fopen(path, "we");

	if (out == NULL)
		return verr_os(e, "%s", path);
	(void)fwrite(file.at, 1, file.len, out);
	return fclose(out) == 0 ? 0 : verr_os(e, "%s", path);
}

static int alter(struct alter *a, const struct way *way, char *argv[], struct verr *e)
{
	enum state_kind kind;
	struct bytes file;
	auto_fd fd = open(argv[1], O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return verr_os(e, "%s", argv[1]);
	for (int i = 0; i < way->numbers; i++)
		a->numbers[i] = strtoull(argv[4 + i], NULL, 0);
	kind = way->kind != 0 ? way->kind : (enum state_kind)a->numbers[0];
	if (state_reader_load(fd, &a->from, e) < 0 || state_writer_new(&a->to, e) < 0)
		return -1;
	state_copy_rest(a->to, a->from, &kind, 1);
	return way->fn(a, e) < 0 || state_writer_finish(a->to, &file, e) < 0
		       ? -1
		       : write_to(argv[2], file, e);
}

int main(int argc, char *argv[])
{
	const struct way *way = NULL;
	struct alter a = {.from = NULL};
	struct verr e = VERR_INIT;
	int r;

	for (size_t i = 0; i < ARRAY_LEN(ways) && argc > 4; i++)
		if (strcmp(argv[3], ways[i].name) == 0 && argc == 4 + ways[i].numbers)
			way = &ways[i];
	if (way == NULL) {
		(void)fprintf(stderr, "alter FROM TO cpuid|msr|region|without NUMBER...\n");
		return 2;
	}
	r = alter(&a, way, argv, &e);
	if (r < 0)
		(void)fprintf(stderr, "alter: %s\n", e.text);
	(void)state_reader_free(a.from);
	(void)state_writer_free(a.to);
	return r < 0 ? 1 : 0;
}
