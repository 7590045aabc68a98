/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which names lead to which images: one file, a log that is appended to.
 *
 *	names    := page(seal "STELNAME") record*       with a mark at bytes 512 and 1024 of the
 *page mark     := u64 number, u64 end, 8 bytes, u64 XXH3 of those record   := "STNR"  u32 length
 *u64 number  u64 XXH3 of length, number and changes  changes change   := u8 what  u8 length of name
 *name  and, for SET, u64 time  u64 size  id[32]
 *
 * A record is one transaction: its changes happen together. Records are numbered from 1. The marks
 * say how far the log is known to be durable: a record is appended and made durable, then the older
 * of the two marks is written over. So up to the newest mark a record that cannot be read is
 *damage, and after it, something that a process did not finish. Whole records after the mark count.
 *
 * Readers need no lock: they see the log up to some record. Who changes it holds a lock, and writes
 * the log anew, beside it, when most of it is of no use any more.
 */
#ifndef STELLARIUM_IMAGE_NAMES_H
#define STELLARIUM_IMAGE_NAMES_H

#include "base/bytes.h"
#include "stellarium/include/stellarium.h"
#include "stellarium/store/seal.h"

struct names_entry {
	char *name;
	uint64_t size;
	int64_t time;
	struct stel_id id;
	bool gone;    /* while the log is read: the name was removed */
	size_t order; /* the same: which of two changes is the later one */
};

struct names {
	struct names_entry *entries; /* by name */
	size_t count, room;
	uint64_t number, end; /* of the last record; of the log */
	bool page_bad; /* the first page is damaged: nothing is lost, and the next change heals it
			*/
};

#define NAMES_INIT \
	{          \
		0  \
	}

V_MUST_CHECK int names_create(int dir, const struct seal_store *store, struct verr *e);

/* All names as they are now. */
V_MUST_CHECK int names_read(struct names *n, int dir, const struct seal_store *store,
			    struct verr *e);
void names_deinit(struct names *n);
const struct names_entry *names_find(const struct names *n, const char *name); /* or NULL */

/* What the bytes of the file say; names_read() without the file. */
V_MUST_CHECK int names_parse(struct names *n, struct bytes file, const struct seal_store *store,
			     struct verr *e);

/*
 * Change names: begin, which waits for others and gives the names as they are; any number of set
 * and remove; commit. deinit ends it in any case.
 */
struct names_change {
	struct names now; /* with the changes */
	int dir, fd;      /* borrowed; the log, locked */
	struct seal_store store;
	uint8_t *record;
	size_t len, room;
};

#define NAMES_CHANGE_INIT \
	{                 \
		.fd = -1  \
	}

V_MUST_CHECK int names_begin(struct names_change *c, int dir, const struct seal_store *store,
			     struct verr *e);
V_MUST_CHECK int names_set(struct names_change *c, const char *name, const struct stel_id *id,
			   uint64_t size, struct verr *e);
V_MUST_CHECK int names_unset(struct names_change *c, const char *name, struct verr *e);
V_MUST_CHECK int names_commit(struct names_change *c, struct verr *e);
void names_change_deinit(struct names_change *c);

/* A new image's name: may it be called so? Before the work, for nothing is sadder than to be told
 * afterwards; and the name itself. */
V_MUST_CHECK int names_check_new(int dir, const struct seal_store *store, const char *name,
				 bool replace, struct verr *e);
V_MUST_CHECK int names_give(int dir, const struct seal_store *store, const char *name, bool replace,
			    const struct stel_id *id, uint64_t size, struct verr *e);

#endif
