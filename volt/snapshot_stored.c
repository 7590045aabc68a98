/* SPDX-License-Identifier: Apache-2.0 */
/* volt snapshot create --cas-store: a folder for the time being, and from there into the store. */
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "cli/interrupt.h"
#include "vmm/snapshot/files.h"
#include "volt/api.h"
#include "volt/snapshot.h"

/* In the folder for the time being. */
#define PLACE "snapshot"

/* The first of the machine's --snapshot-dir; the caller frees it. NULL is a fault. */
static char *ask_dir(const char *api, struct verr *e)
{
	auto_free char *body = NULL;
	const char *dirs;
	json_t *config;
	char *dir = NULL;

	if (api_fetch(api, "GET", "/v1/vm/config", NULL, &body, e) < 0)
		return NULL;
	config = json_loads(body, 0, NULL);
	dirs = json_string_value(json_object_get(config, "snapshot_dir"));
	if (dirs == NULL)
		(void)verr_invalid(e, "no snapshot can be made: the machine has no --snapshot-dir");
	else if (*dirs != '/')
		(void)verr_invalid(
			e,
			"the machine's --snapshot-dir %s is relative to a folder that is "
			"not known here; expected --dir DIR, where it is",
			dirs);
	else if ((dir = strndup(dirs, strcspn(dirs, ":"))) == NULL)
		(void)verr_host(e, "out of memory");
	json_decref(config);
	return dir;
}

/* A machine of another user's writes into it, when root asks. */
static int give_away(const struct snapshot_files *files, struct verr *e)
{
	struct stat st;

	if (geteuid() != 0)
		return 0;
	if (fstat(files->parent, &st) < 0 || fchown(files->work, st.st_uid, st.st_gid) < 0)
		return verr_os(e, "make a folder that the machine may write to");
	return 0;
}

static int make(const struct snapshot_create *how, const char *place, char **answer, struct verr *e)
{
	auto_free char *body = snapshot_wish(place, NULL, how->pause, e);

	if (body == NULL)
		return -1;
	verb_progress("writing memory and disks to a folder; the machine goes on");
	return api_fetch(how->api, "PUT", "/v1/snapshot", body, answer, e);
}

/* What the machine said, and what the store did. */
static int print(const char *answer, const struct snapshot_create *how,
		 const struct stored_made *made, struct verr *e)
{
	json_t *said = json_loads(answer, 0, NULL);
	json_t *stored =
		json_pack("{s:s, s:I, s:I, s:I}", "name", how->name, "size", (json_int_t)made->size,
			  "raw_new", (json_int_t)made->raw, "stored_new", (json_int_t)made->stored);
	auto_free char *text = NULL;

	if (said != NULL && stored != NULL && json_object_update(said, stored) == 0)
		text = json_dumps(said, JSON_COMPACT);
	json_decref(stored);
	json_decref(said);
	if (text == NULL)
		return verr_host(e, "the machine's answer is no JSON, or out of memory");
	(void)puts(text);
	return STATUS_OK;
}

/* `dir` is absolute. */
static int create_in(struct stel *s, const struct snapshot_create *how, const char *dir,
		     struct snapshot_files *files, struct verr *e)
{
	auto_free char *answer = NULL;
	struct stored_made made;
	char place[PATH_MAX];

	if ((size_t)snprintf(place, sizeof(place), "%s/%s.%d", dir, how->name, (int)getpid()) >=
	    sizeof(place))
		return verr_invalid(e, "a path is longer than %d", PATH_MAX);
	if (files_begin(files, NULL, place, e) < 0 || give_away(files, e) < 0)
		return -1;
	if ((size_t)snprintf(place, sizeof(place), "%s/%s/" PLACE, dir, files->temporary) >=
	    sizeof(place))
		return verr_invalid(e, "a path is longer than %d", PATH_MAX);
	if (make(how, place, &answer, e) < 0 || snapshot_put(s, how->name, place, &made, e) < 0)
		return -1;
	return print(answer, how, &made, e);
}

static int create(struct stel *s, const struct snapshot_create *how, struct verr *e)
{
	char *dir = how->dir != NULL ? realpath(how->dir, NULL) : ask_dir(how->api, e);
	struct snapshot_files files = SNAPSHOT_FILES_INIT;
	int r;

	if (dir == NULL)
		return how->dir != NULL ? verr_invalid_os(e, "--dir %s", how->dir) : -1;
	r = create_in(s, how, dir, &files, e);
	files_end(&files);
	free(dir);
	return r;
}

int snapshot_create_stored(const struct snapshot_create *how, struct verr *e)
{
	struct stel *s = NULL;
	int r;

	interrupt_watch();
	if (stel_open(&s, how->store, e) < 0)
		return -1;
	r = stored_check_free(s, how->name, e) < 0 ? -1 : create(s, how, e);
	(void)stel_close(s);
	interrupt_obey();
	return r;
}
