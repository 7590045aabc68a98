/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/pool/request.h"

#include <stdio.h>
#include <string.h>

#include "base/test.h"

static void refuse(const char *line, const char *part)
{
	struct request r = REQUEST_INIT;
	struct verr e = VERR_INIT;

	assert_fault(pool_request_parse(&r, line, strlen(line), &e), &e, VERR_INVALID, part);
	request_deinit(&r);
}

static void accept(const char *line, enum request_kind kind)
{
	struct request r = REQUEST_INIT;
	struct verr e = VERR_INIT;

	assert_ok(pool_request_parse(&r, line, strlen(line), &e), &e);
	assert_int_equal(r.kind, kind);
	request_deinit(&r);
}

static void test_requests(void **state)
{
	(void)state;
	accept("{\"status\": true}", REQUEST_STATUS);
	accept("{\"stop\":true}", REQUEST_STOP);
	accept(" {\"keep\":true} \r", REQUEST_KEEP);
	accept("{\"claim\":{}}", REQUEST_CLAIM);
}

static void test_what_is_no_request(void **state)
{
	(void)state;
	refuse("", "no JSON");
	refuse("{\"status\":true", "no JSON");
	refuse("[]", "one key");
	refuse("{}", "one key");
	refuse("{\"status\":true,\"stop\":true}", "one key");
	refuse("{\"status\":true,\"status\":true}", "no JSON");
	refuse("{\"end\":true}", "end: unknown request");
	refuse("{\"stop\":false}", "stop: expected true");
	refuse("{\"claim\":true}", "claim: expected an object");
}

static void test_a_claim(void **state)
{
	const char *line = "{\"claim\":{\"id\":\"web-1\",\"wait_ms\":250,"
			   "\"nets\":[{\"id\":\"net_0\",\"link\":true}]}}";
	struct request r = REQUEST_INIT;
	struct verr e = VERR_INIT;

	(void)state;
	assert_ok(pool_request_parse(&r, line, strlen(line), &e), &e);
	assert_int_equal(r.kind, REQUEST_CLAIM);
	assert_int_equal(r.wait_ms, 250);
	assert_string_equal(json_string_value(json_object_get(r.claim, "id")), "web-1");
	assert_int_equal(json_array_size(json_object_get(r.claim, "nets")), 1);
	request_deinit(&r);
	assert_null(r.claim);
}

static void test_descriptors(void **state)
{
	const char *line = "{\"claim\":{\"nets\":[{\"id\":\"a\",\"fds\":2},{\"id\":\"b\"},"
			   "{\"id\":\"c\",\"fds\":16}]}}";
	struct request r = REQUEST_INIT;
	struct verr e = VERR_INIT;
	const json_t *nets;

	(void)state;
	assert_ok(pool_request_parse(&r, line, strlen(line), &e), &e);
	nets = json_object_get(r.claim, "nets");
	assert_int_equal(r.fds, 18);
	assert_int_equal(request_fds(json_array_get(nets, 0)), 2);
	assert_int_equal(request_fds(json_array_get(nets, 1)), 0);
	request_deinit(&r);
	for (size_t i = 0; i < 4; i++) {
		static const char *const bad[] = {"0", "17", "-1", "\"1\""};
		char text[80];

		(void)snprintf(text, sizeof(text),
			       "{\"claim\":{\"nets\":[{\"id\":\"a\",\"fds\":%s}]}}", bad[i]);
		refuse(text, "claim: nets: fds: expected a number, 1 to 16");
	}
}

/* Ids become part of a path, so they are no more than ids. */
static void test_what_no_claim_may_have(void **state)
{
	(void)state;
	refuse("{\"claim\":{\"name\":1}}", "claim: name: unknown key");
	refuse("{\"claim\":{\"id\":1}}", "claim: id: id: expected a string");
	refuse("{\"claim\":{\"id\":\"\"}}", "expected a string of 1 to 64");
	refuse("{\"claim\":{\"id\":\"a b\"}}", "expected a string of 1 to 64");
	refuse("{\"claim\":{\"id\":\"a\\u0000\"}}", "no JSON");
	refuse("{\"claim\":{\"id\":\"a\\\"}\"}}", "expected a string of 1 to 64");
	refuse("{\"claim\":{\"nets\":{}}}", "claim: nets: expected an array");
	refuse("{\"claim\":{\"nets\":[1]}}", "claim: nets: expected objects");
	refuse("{\"claim\":{\"nets\":[{\"link\":true}]}}", "claim: nets: id: expected a string");
	refuse("{\"claim\":{\"nets\":[{\"id\":\"../drives/a\"}]}}", "claim: nets: id: expected");
	refuse("{\"claim\":{\"wait_ms\":-1}}", "claim: wait_ms: expected milliseconds");
	refuse("{\"claim\":{\"wait_ms\":3600001}}", "claim: wait_ms: expected milliseconds");
	refuse("{\"claim\":{\"wait_ms\":1.5}}", "claim: wait_ms: expected milliseconds");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_what_is_no_request),
		cmocka_unit_test(test_a_claim),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_what_no_claim_may_have),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
