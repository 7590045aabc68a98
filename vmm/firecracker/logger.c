/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/firecracker/logger.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "base/own.h"
#include "base/sys.h"

struct fc_logger {
	struct log_options options;
	char *module; /* the options' */
	int fd;       /* likewise */
};

int fc_logger_new(const char *id, struct fc_logger **out, struct verr *e)
{
	struct fc_logger *l = calloc(1, sizeof(*l));
	struct verr none = VERR_INIT;

	if (l == NULL)
		return verr_host(e, "out of memory");
	/* A closed stdout is no reason not to run: such lines are counted as dropped. */
	l->fd = sys_nonblocking(STDOUT_FILENO, O_WRONLY, &none);
	l->options = (struct log_options){
		.level = LOG_INFO, .format = LOG_FIRECRACKER, .fd = l->fd, .id = id};
	*out = l;
	return 0;
}

void fc_logger_begin(const struct fc_logger *l)
{
	log_setup(&l->options);
}

struct fc_logger *fc_logger_free(struct fc_logger *l)
{
	fd_close(&l->fd);
	free(l);
	return NULL;
}

static int set_level(struct log_options *o, const char *text, struct verr *e)
{
	static const struct {
		const char *name;
		enum log_level level;
		bool off;
	} levels[] = {
		{"Error", LOG_ERROR, false},  {"Warn", LOG_WARN, false},
		{"Warning", LOG_WARN, false}, {"Info", LOG_INFO, false},
		{"Debug", LOG_DEBUG, false},  {"Trace", LOG_DEBUG, false},
		{"Off", LOG_ERROR, true},
	};

	for (size_t i = 0; i < ARRAY_LEN(levels); i++)
		if (strcasecmp(text, levels[i].name) == 0) {
			o->level = levels[i].level;
			o->off = levels[i].off;
			return 0;
		}
	return verr_invalid(e, "level %s: expected Error, Warning, Info, Debug, Trace or Off",
			    text);
}

int fc_logger_check_level(const char *text, struct verr *e)
{
	struct log_options none;

	return set_level(&none, text, e);
}

/* What is given replaces what there is; the old one is let go of once nobody uses it. */
static void adopt(struct fc_logger *l, const struct log_options *changed, char *module, int fd)
{
	l->options = *changed;
	if (module != NULL)
		l->options.module = module;
	if (fd >= 0)
		l->options.fd = fd;
	log_setup(&l->options);
	if (module != NULL) {
		free(l->module);
		l->module = module;
	}
	if (fd >= 0) {
		fd_close(&l->fd);
		l->fd = fd;
	}
}

int fc_logger_set(struct fc_logger *l, const struct firecracker_logger *want, struct verr *e)
{
	struct log_options changed = l->options;
	char *module = NULL;
	int fd = -1;

	if (set_level(&changed, want->level != NULL ? want->level : "Info", e) < 0)
		return -1;
	if (want->path != NULL) {
		fd = sys_open_output(want->path, e);
		if (fd < 0)
			return -1;
	}
	if (want->module != NULL) {
		module = strdup(want->module);
		if (module == NULL) {
			fd_close(&fd);
			return verr_host(e, "out of memory");
		}
	}
	changed.show_level = want->show_level;
	changed.show_origin = want->show_origin;
	adopt(l, &changed, module, fd);
	return 0;
}
