/* SPDX-License-Identifier: Apache-2.0 */
#include "stellarium/store/seal.h"

#include "stellarium/chunk/hash.h"

static uint64_t checksum(const uint8_t *head, struct bytes body)
{
	uint8_t all[SEAL_MAX];

	memcpy(all, head, 32);
	memcpy(all + 32, body.at, body.len);
	return chunk_checksum(all, 32 + body.len);
}

void seal_put(uint8_t *out, const char magic[8], const struct seal_store *store, struct bytes body)
{
	memcpy(out, magic, 8);
	put_le32(out + 8, SEAL_VERSION);
	put_le32(out + 12, (uint32_t)body.len);
	memcpy(out + 16, store->bytes, sizeof(store->bytes));
	memcpy(out + SEAL_HEAD, body.at, body.len);
	put_le64(out + 32, checksum(out, bytes_of(out + SEAL_HEAD, body.len)));
}

struct seal_store seal_whose(struct bytes file)
{
	struct seal_store store;

	memcpy(store.bytes, file.at + 16, sizeof(store.bytes));
	return store;
}

int seal_get(struct bytes file, const char magic[8], const struct seal_store *store,
	     struct bytes *body, struct verr *e)
{
	uint32_t version, len;

	if (file.len < SEAL_HEAD)
		return verr_corrupt(e, "it is cut short");
	if (memcmp(file.at, magic, 8) != 0)
		return verr_corrupt(e, "it does not begin with \"%.8s\"", magic);
	version = le32(file.at + 8);
	len = le32(file.at + 12);
	if (len > SEAL_MAX - SEAL_HEAD || len > file.len - SEAL_HEAD)
		return verr_corrupt(e, "its first bytes are damaged");
	*body = bytes_of(file.at + SEAL_HEAD, len);
	if (le64(file.at + 32) != checksum(file.at, *body))
		return verr_corrupt(e, "its first bytes are damaged");
	if (version != SEAL_VERSION)
		return verr_corrupt(e, "it has format %u, known is %u", version, SEAL_VERSION);
	if (store != NULL && memcmp(file.at + 16, store->bytes, sizeof(store->bytes)) != 0)
		return verr_corrupt(e, "it belongs to another store");
	return 0;
}
