/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A token bucket: a rate with bursts. Whoever finds it not empty may take as much as it wants and
 * leave it in debt, so that one large request neither waits for ever nor counts for less.
 */
#ifndef VOLT_BASE_BUCKET_H
#define VOLT_BASE_BUCKET_H

#include <stdint.h>

/* Zero-initialised: no limit. No lock: the owner has one. */
struct bucket {
	uint64_t rate;  /* tokens a second; 0: no limit */
	uint64_t burst; /* the most that it holds */
	uint64_t once;  /* on top, and not given again */
	int64_t level;
	uint64_t filled_ns;
};

/* Full, at `now_ns` of CLOCK_MONOTONIC. A `burst` of 0 is one second's worth. */
void bucket_init(struct bucket *b, uint64_t rate, uint64_t burst, uint64_t now_ns);

/* Tokens on top: they are taken first, and until they are gone it is not filled. */
void bucket_give_once(struct bucket *b, uint64_t tokens);

/* Nanoseconds until it is not empty; 0: bucket_take() may be called. */
uint64_t bucket_wait_ns(struct bucket *b, uint64_t now_ns);

void bucket_take(struct bucket *b, uint64_t tokens);

#endif
