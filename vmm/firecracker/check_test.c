/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "vmm/firecracker/priv.h"

static int check(const struct body *body, const char *text, json_t **out, struct verr *e)
{
	*out = json_loads(text, JSON_DECODE_ANY, NULL);
	assert_non_null(*out);
	*e = (struct verr)VERR_INIT;
	return body_check(body, *out, e);
}

/* It is taken, and looks like this then. */
static void assert_taken(const struct body *body, const char *text, const char *then)
{
	auto_json *object = NULL, *wanted = json_loads(then, 0, NULL);
	struct verr e;

	assert_ok(check(body, text, &object, &e), &e);
	if (!json_equal(object, wanted))
		fail_msg("%s became %s, not %s", text, json_dumps(object, 0), then);
}

static void assert_refused(const struct body *body, const char *text, enum verr_kind kind,
			   const char *why)
{
	auto_json *object = NULL;
	struct verr e;

	assert_fault(check(body, text, &object, &e), &e, kind, why);
}

static void test_defaults(void **state)
{
	(void)state;
	assert_taken(&body_machine_config, "{\"vcpu_count\":2,\"mem_size_mib\":64}",
		     "{\"vcpu_count\":2,\"mem_size_mib\":64,\"smt\":false,"
		     "\"track_dirty_pages\":false,\"huge_pages\":\"None\"}");
	/* But what a change leaves out stays. */
	assert_taken(&body_machine_update, "{\"vcpu_count\":2,\"smt\":null}", "{\"vcpu_count\":2}");
	/* A null is nothing. */
	assert_taken(&body_serial, "{\"serial_out_path\":null}", "{}");
	assert_taken(&body_logger, "{\"level\":\"wArNiNg\"}",
		     "{\"level\":\"wArNiNg\",\"show_level\":false,\"show_log_origin\":false}");
}

static void test_types(void **state)
{
	(void)state;
	assert_refused(&body_vm, "[]", VERR_INVALID, "expected an object");
	assert_refused(&body_vm, "{}", VERR_INVALID, "missing field `state`");
	assert_refused(&body_vm, "{\"state\":null}", VERR_INVALID, "expected Paused|Resumed");
	assert_refused(&body_vm, "{\"state\":\"Paused|Resumed\"}", VERR_INVALID,
		       "state: expected Paused|Resumed");
	assert_refused(&body_vm, "{\"state\":\"\"}", VERR_INVALID, "expected Paused|Resumed");
	assert_refused(&body_vm, "{\"state\":\"paused\"}", VERR_INVALID, "expected Paused|Resumed");
	assert_refused(&body_vm, "{\"state\":\"Paused\",\"now\":1}", VERR_INVALID,
		       "unknown field `now`");
	assert_refused(&body_vsock, "{\"guest_cid\":2,\"uds_path\":\"v\"}", VERR_INVALID,
		       "guest_cid: expected a whole number, 3 to 4294967295");
	assert_refused(&body_vsock, "{\"guest_cid\":3.0,\"uds_path\":\"v\"}", VERR_INVALID,
		       "guest_cid: expected a whole number");
	assert_refused(&body_vsock, "{\"guest_cid\":3,\"uds_path\":\"\"}", VERR_INVALID,
		       "uds_path: expected a path");
	assert_refused(&body_mmds_config, "{\"network_interfaces\":[\"a\",1]}", VERR_INVALID,
		       "network_interfaces: expected an array of strings");
	assert_refused(&body_metrics, "{\"metrics_path\":\"m\",\"properties\":{\"a\":1}}",
		       VERR_INVALID, "properties: a: expected a string");
}

static void test_objects_in_objects(void **state)
{
	(void)state;
	assert_taken(
		&body_drive_update,
		"{\"drive_id\":\"a\",\"rate_limiter\":{\"ops\":{\"size\":1,\"refill_time\":2},"
		"\"bandwidth\":null}}",
		"{\"drive_id\":\"a\",\"rate_limiter\":{\"ops\":{\"size\":1,\"refill_time\":2}}}");
	assert_refused(
		&body_drive_update,
		"{\"drive_id\":\"a\",\"rate_limiter\":{\"ops\":{\"size\":-1,\"refill_time\":2}}}",
		VERR_INVALID, "rate_limiter: ops: size: expected a whole number, 0 to");
	assert_refused(&body_snapshot_load,
		       "{\"snapshot_path\":\"s\",\"network_overrides\":[{\"iface_id\":\"a\","
		       "\"host_dev_name\":\"t\"},{\"iface_id\":\"b\"}]}",
		       VERR_INVALID, "network_overrides: number 2: missing field `host_dev_name`");
}

static void test_what_volt_lacks(void **state)
{
	(void)state;
	assert_refused(&body_machine_update, "{\"cpu_template\":\"T2\"}", VERR_STATE,
		       "cpu_template: Volt does not have CPU templates");
	assert_refused(&body_machine_update, "{\"cpu_template\":\"T3\"}", VERR_INVALID,
		       "cpu_template: expected C3|");
	assert_refused(&body_entropy, "{\"rate_limiter\":{}}", VERR_STATE,
		       "rate_limiter: Volt does not have limits");
	assert_refused(&body_entropy, "{\"rate_limiter\":1}", VERR_INVALID, "expected an object");
	assert_taken(&body_entropy, "{\"rate_limiter\":null}", "{}");
}

/* The tables themselves: choices have words, defaults are what their rows take. */
static void test_tables(void **state)
{
	(void)state;
	for (size_t i = 0; bodies[i] != NULL; i++) {
		auto_json *defaults = body_defaults(bodies[i]);

		for (size_t k = 0; k < bodies[i]->count; k++) {
			const struct field *f = &bodies[i]->fields[k];
			bool nested = f->type == FIELD_OBJECT || f->type == FIELD_LIST;

			assert_int_equal(f->type == FIELD_CHOICE, f->choices != NULL);
			assert_int_equal(nested, f->body != NULL);
			assert_int_equal(f->takes != NULL, f->lacks != NULL);
			if (f->type == FIELD_INT)
				assert_true(f->min < f->max);
			if (f->initial != NULL)
				assert_non_null(json_object_get(defaults, f->key));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_objects_in_objects),
		cmocka_unit_test(test_what_volt_lacks),
		cmocka_unit_test(test_tables),
	};

	return cmocka_run_group_tests_name("vmm/firecracker/check", tests, NULL, NULL);
}
