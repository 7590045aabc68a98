/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/config/publish.h"

#include <stdio.h>
#include <sys/socket.h>

#include "base/compiler.h"
#include "base/test.h"

static void test_good(void **state)
{
	static const struct {
		const char *text;
		struct publish expected;
	} rows[] = {
		{"8080:80", {AF_UNSPEC, "", 8080, 80, 1, false}},
		{"1:65535/tcp", {AF_UNSPEC, "", 1, 65535, 1, false}},
		{"5353:53/udp", {AF_UNSPEC, "", 5353, 53, 1, true}},
		{"127.0.0.1:8080:80", {AF_INET, "127.0.0.1", 8080, 80, 1, false}},
		{"[::1]:8080:80/udp", {AF_INET6, "::1", 8080, 80, 1, true}},
		{"[fd00:0::1]:8080:80", {AF_INET6, "fd00::1", 8080, 80, 1, false}},
		{"8000-8010:9000-9010", {AF_UNSPEC, "", 8000, 9000, 11, false}},
		{"127.0.0.1:5000-5000:53-53/udp", {AF_INET, "127.0.0.1", 5000, 53, 1, true}},
		{"[::1]:61440-65535:1-4096", {AF_INET6, "::1", 61440, 1, 4096, false}},
	};
	static struct publish out[PUBLISH_MAX];
	struct verr e = VERR_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct publish *x = &rows[i].expected;

		assert_int_equal(publish_parse(rows[i].text, out, &e), 1);
		assert_int_equal(out[0].family, x->family);
		assert_string_equal(out[0].address, x->address);
		assert_int_equal(out[0].host, x->host);
		assert_int_equal(out[0].guest, x->guest);
		assert_int_equal(out[0].count, x->count);
		assert_int_equal(out[0].udp, x->udp);
	}
	assert_int_equal(publish_parse(NULL, out, &e), 0);
	assert_int_equal(publish_parse("", out, &e), 0);
	assert_int_equal(publish_parse("53:53+53:53/udp+127.0.0.1:80:80", out, &e), 3);
	assert_int_equal(out[2].host, 80);
	assert_int_equal(publish_parse("80-89:80-89+90:90+70-79:70-79+80-89:80-89/udp", out, &e),
			 4);
}

static void test_bad(void **state)
{
	static const char *const rows[][2] = {
		{"80", "expected [ADDRESS:]HOSTPORT:GUESTPORT"},
		{":80", "ports from 1 to 65535"},
		{"80:", "ports from 1 to 65535"},
		{"0:80", "ports from 1 to 65535"},
		{"80:0", "ports from 1 to 65535"},
		{"65536:80", "ports from 1 to 65535"},
		{"100000:80", "ports from 1 to 65535"},
		{"18446744073709551696:80", "ports from 1 to 65535"},
		{"-1:80", "ports from 1 to 65535"},
		{"8000-8010:8000", "two ranges of one length"},
		{"8000:8000-8010", "two ranges of one length"},
		{"8000-8010:8000-8009", "two ranges of one length"},
		{"8010-8000:8010-8000", "ports from 1 to 65535"},
		{"8000-:8000-", "ports from 1 to 65535"},
		{"-8000:80", "ports from 1 to 65535"},
		{"8000-8010-8020:1-2-3", "ports from 1 to 65535"},
		{"0-10:1-11", "ports from 1 to 65535"},
		{"65530-65536:1-7", "ports from 1 to 65535"},
		{"1-4097:1-4097", "at most 4096"},
		{"80-90:80-90+85:80", "port 85 is published twice"},
		{"85:80+80-90:80-90", "port 85 is published twice"},
		{"80-90:80-90+90-100:90-100", "port 90 is published twice"},
		{"80 :80", "ports from 1 to 65535"},
		{"80:80/sctp", "expected /tcp or /udp"},
		{"80:80/", "expected /tcp or /udp"},
		{"localhost:80:80", "localhost: expected an address of the host"},
		{"::1:80:80", "expected an address of the host, IPv6 in []"},
		{"[::1]:80", "expected [ADDRESS:]HOSTPORT:GUESTPORT"},
		{"[127.0.0.1]:80:80", "expected an address of the host"},
		{"300.0.0.1:80:80", "expected an address of the host"},
		{":80:80", "expected an address of the host"},
		{"80:80+", "after the last +"},
		{"+80:80", "expected [ADDRESS:]HOSTPORT:GUESTPORT"},
		{"80:80+80:81", "port 80 is published twice"},
		{"1.1.1.1:80:80+2.2.2.2:80:80", "port 80 is published twice"},
		{"[aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]:80:"
		 "80",
		 "expected [ADDRESS:]HOSTPORT:GUESTPORT"},
	};
	static struct publish out[PUBLISH_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct verr e = VERR_INIT;

		assert_fault(publish_parse(rows[i][0], out, &e), &e, VERR_INVALID, rows[i][1]);
	}
}

static void test_too_many(void **state)
{
	static struct publish out[PUBLISH_MAX];
	char text[PUBLISH_MAX * 16 + 32];
	struct verr e = VERR_INIT;
	size_t len = 0;

	(void)state;
	for (int i = 1; i <= PUBLISH_MAX; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%d:80", i > 1 ? "+" : "",
					i);
	assert_int_equal(publish_parse(text, out, &e), PUBLISH_MAX);
	(void)snprintf(text + len, sizeof(text) - len, "+60000:80");
	assert_fault(publish_parse(text, out, &e), &e, VERR_INVALID, "at most 128 ports");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
