/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/sys.h"
#include "cli/interrupt.h"
#include "cli/size.h"

#define DRAW_EVERY_NS 100000000

void progress_begin(struct progress *p, const char *what)
{
	uint64_t now = sys_now_ns();

	*p = (struct progress){.what = what, .started_ns = now, .drawn_ns = now};
}

static void draw(struct progress *p, uint64_t done, uint64_t total, uint64_t now)
{
	static const char full[] = "########################################";
	char size[SIZE_TEXT], rate[SIZE_TEXT];
	double seconds = (double)(now - p->started_ns + 1) / 1e9;
	int parts = total > 0 ? (int)(40.0 * (double)done / (double)total) : 0;

	(void)size_text(done, size);
	(void)size_text((uint64_t)((double)done / seconds), rate);
	if (total > 0)
		fprintf(stderr, "\r%s [%.*s%*s] %3d%%  %s, %s/s \x1b[K", p->what, parts, full,
			40 - parts, "", (int)(100.0 * (double)done / (double)total), size, rate);
	else
		fprintf(stderr, "\r%s %s, %s/s \x1b[K", p->what, size, rate);
	p->drawn = true;
	p->drawn_ns = now;
}

bool progress_go_on(void *ctx, uint64_t done, uint64_t total)
{
	struct progress *p = ctx;
	uint64_t now = sys_now_ns();

	if (now - p->drawn_ns >= DRAW_EVERY_NS && isatty(STDERR_FILENO))
		draw(p, MIN(done, total > 0 ? total : done), total, now);
	return interrupt_pending() == 0;
}

void progress_end(struct progress *p)
{
	if (p->drawn)
		fprintf(stderr, "\r\x1b[K");
	p->drawn = false;
}
