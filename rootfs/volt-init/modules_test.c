/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/modules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static void parameters_are_those_of_the_module(void **state)
{
	static const struct {
		const char *file;
		const char *line;
		const char *params;
	} cases[] = {
		{"/modules/virtio_mmio.ko",
		 "quiet virtio_mmio.device=512@0xd0000000:5 virtio-mmio.device=512@0xd0000200:6 "
		 "rw\n",
		 "device=512@0xd0000000:5 device=512@0xd0000200:6"},
		{"/modules/virtio-mmio.ko", "virtio_mmio.a", "a"},
		{"virtio_blk.ko.x", "virtio_blk.poll_queues=1", "poll_queues=1"},
		{"/a/b.ko", "b.x=\"1 2\" \"b.y=3 4\" b.z", "x=\"1 2\" \"y=3 4\" z"},
		{"/a/b.ko", "-- b.x=1", ""},
		{"/a/b.ko", "b.x=1 -- b.y=2", "x=1"},
		{"/a/b.ko", "bb.x=1 b b. c.b.x=1 b=1", ""},
		{"/a/b.ko", "", ""},
		{"/a/b.ko", "\"", ""},
	};
	char params[MODULES_PARAMS];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		modules_params(cases[i].file, cases[i].line, params, sizeof(params));
		assert_string_equal(params, cases[i].params);
	}
}

static void what_does_not_fit_is_left_out(void **state)
{
	char params[8];

	(void)state;
	modules_params("b.ko", "b.x=1 b.y=2 b.z=3", params, sizeof(params));
	assert_string_equal(params, "x=1 y=2");
	modules_params("b.ko", "b.x=1 b.y=22 b.z=3", params, sizeof(params));
	assert_string_equal(params, "x=1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parameters_are_those_of_the_module),
		cmocka_unit_test(what_does_not_fit_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
