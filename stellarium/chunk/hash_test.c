/* SPDX-License-Identifier: Apache-2.0 */
#include "stellarium/chunk/hash.h"

#include "base/test.h"

/* BLAKE3's published test vectors: their input is 0, 1, ... 250, 0, ... */
static void test_blake3_vectors(void **state)
{
	static const struct {
		size_t len;
		const char *hash;
	} vectors[] = {
		{0, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"},
		{1, "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213"},
		{1024, "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7"},
		{102400, "bc3e3d41a1146b069abffad3c0d44860cf664390afce4d9661f7902e7943e085"},
	};
	static uint8_t input[102400];
	char text[STEL_ID_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(input); i++)
		input[i] = (uint8_t)(i % 251);
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct stel_id id = chunk_hash(input, vectors[i].len);

		stel_id_text(&id, text);
		assert_string_equal(text, vectors[i].hash);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_blake3_vectors)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
