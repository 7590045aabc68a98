/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine's configuration: struct config and the table of settings, both from machine.def, with
 * readers for the command line and for JSON.
 */
#ifndef VOLT_VMM_CONFIG_CONFIG_H
#define VOLT_VMM_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/verr.h"
#include "vmm/config/choices.h"

/* C types of machine.def's types. An ENUM holds the index of its choice. */
typedef char *config_PATH;
typedef char *config_TEXT;
typedef char *config_TEXTS;
typedef uint64_t config_SIZE;
typedef uint32_t config_U32;
typedef bool config_BOOL;
typedef bool config_FLAG;
typedef uint32_t config_ENUM;
typedef struct config_list config_LIST;

/* Objects of one kind; `items` is an array of the kind's struct. */
struct config_list {
	void *items;
	size_t count;
	size_t beneath; /* the first of them are the configuration file's, which flags win over */
};

/* One disk, from drive.def. Texts are owned. */
struct drive_config {
#define SETTING(field, type, ...) config_##type field;
#include "vmm/config/drive.def"
#undef SETTING
	bool placed;         /* a path was said beside --restore; no setting */
	const char *content; /* borrowed: a snapshot's copy of it, which is opened in place of path;
				no setting, and never copied */
};

/* One volume, from volume.def; config_check() makes a disk of it. Texts are owned. */
struct volume_config {
#define SETTING(field, type, ...) config_##type field;
#include "vmm/config/volume.def"
#undef SETTING
};

/* One NIC, from net.def. Texts are owned. */
struct net_config {
#define SETTING(field, type, ...) config_##type field;
#include "vmm/config/net.def"
#undef SETTING
};

/* Texts are owned. */
struct config {
#define SETTING(field, type, ...) config_##type field;
#include "vmm/config/machine.def"
#undef SETTING
	char **workload; /* the command after "--", NULL-terminated; NULL: none */
};

enum setting_type {
	SETTING_PATH,
	SETTING_TEXT,
	SETTING_TEXTS, /* may be given again: all of them, with '+' between */
	SETTING_SIZE,
	SETTING_U32,
	SETTING_BOOL,
	SETTING_FLAG, /* a BOOL that takes no value on the command line */
	SETTING_ENUM,
	SETTING_LIST, /* may be given more than once */
};

enum setting_phase { SETTING_BOOT, SETTING_LIVE, SETTING_NONE };

struct list_class;

/* One row of machine.def, or of the file of an object in a list. */
struct setting {
	const char *key;  /* JSON */
	const char *flag; /* without "--" */
	const char *values;
	const char *help;
	const char *text_default;
	const struct list_class *list; /* of a LIST */
	uint64_t number_default, min, max;
	enum setting_type type;
	enum setting_phase phase;
	size_t offset; /* of the field in its struct */
};

extern const struct setting settings[];
extern const size_t settings_count;

/* A kind of object in lists. */
struct list_class {
	const char *name; /* "drive" */
	const struct setting *rows;
	size_t count;
	size_t size; /* of its struct */
	size_t most; /* objects in a list */
	bool bare;   /* the value of the first row may stand first, without its key */
};

extern const struct list_class drive_class, volume_class, net_class;

static inline struct drive_config *config_drives(const struct config *config)
{
	return config->drives.items;
}

static inline struct volume_config *config_volumes(const struct config *config)
{
	return config->volumes.items;
}

static inline struct net_config *config_nets(const struct config *config)
{
	return config->nets.items;
}

/* Is this disk an image of a store? */
static inline bool drive_is_volume(const struct drive_config *drive)
{
	return drive->path == NULL;
}

/* A list of layers as bits; false: one is unknown, `*bad` and `*len` are it. NULL is none. */
bool config_layers(const char *text, unsigned *layers, const char **bad, int *len);

/* A layer's name, as in such a list. */
const char *config_layer_name(enum sandbox_layer layer);

/* What --rootfs calls its disk. */
#define CONFIG_ROOTFS_ID "rootfs"

/* The disk that is the guest's root, which comes first; NULL: none. After config_check(). */
static inline const struct drive_config *root_drive(const struct config *config)
{
	const struct drive_config *first = config_drives(config);

	return config->drives.count > 0 && first->root ? first : NULL;
}

/* All defaults. */
void config_init(struct config *config);
void config_deinit(struct config *config);
void config_drop_workload(struct config *config);

/*
 * The command line, with the file that --config-file names beneath it. Faults name the setting,
 * the value and what was expected. On --help and --version nothing further is checked.
 */
V_MUST_CHECK int config_parse_args(struct config *config, int argc, char *const argv[],
				   struct verr *e);

/*
 * A JSON object of `len` bytes; `origin` names it in faults. What it does not name stays; a list
 * takes the place of the old one.
 */
V_MUST_CHECK int config_parse_json(struct config *config, const char *text, size_t len,
				   const char *origin, struct verr *e);

/* The same, for a machine that has started: only what can still change. */
V_MUST_CHECK int config_parse_live(struct config *config, const char *text, size_t len,
				   const char *origin, struct verr *e);

/*
 * Put in what follows from other settings (disks of --rootfs and --volume, the NIC of --tap, names
 * of disks and NICs, acpi=off on the command line), then check the rules between settings, and
 * those that a row cannot say.
 */
V_MUST_CHECK int config_check(struct config *config, struct verr *e);

/* Is the id one that a machine may have? NULL is. */
V_MUST_CHECK int config_check_id(const char *id, struct verr *e);

/* The configuration as JSON, newline-terminated, as --config-file would take it; caller frees. */
char *config_to_json(const struct config *config);

/* Into an initialised one, all that is of the machine and not of the process. */
V_MUST_CHECK int config_copy(struct config *to, const struct config *from, struct verr *e);

/*
 * Make `config`, which was given with --restore, that of the snapshot's machine, which is `saved`:
 * what the guest knows of is the snapshot's, but for what disks and NICs named by their id are
 * given; what is the process's own stays.
 */
V_MUST_CHECK int config_restored(struct config *config, const struct config *saved, struct verr *e);

/* The text of --help, to stdout. */
void config_print_help(void);

/* In what follows `object` is a struct config, or the struct of a list's object. */

/* Set one setting from text; the fault says what was expected. */
V_MUST_CHECK int setting_set_text(void *object, const struct setting *s, const char *text,
				  struct verr *e);

/* Set one setting's number after a check of its range. SIZE, U32, BOOL, FLAG, ENUM. */
V_MUST_CHECK int setting_set_number(void *object, const struct setting *s, uint64_t number,
				    struct verr *e);

/* The number of a SIZE, U32, BOOL, FLAG or ENUM setting; the text of a PATH, TEXT or TEXTS one, or
 * NULL.
 */
uint64_t setting_number(const void *object, const struct setting *s);
const char *setting_text(const void *object, const struct setting *s);

/* Every row's default into a zeroed object; and the way back. */
void object_init(void *object, const struct setting *rows, size_t count);
void object_deinit(void *object, const struct setting *rows, size_t count);

/* The list of a LIST setting. */
struct config_list *setting_list(void *object, const struct setting *s);

/*
 * Add an object, with all defaults, to the end of a list; borrowed until the next one is added.
 * NULL: there are too many, or there is no memory.
 */
V_MUST_CHECK void *list_add(struct config_list *list, const struct list_class *class,
			    struct verr *e);

/*
 * The last object takes the place of one of the configuration file's that has the same id, where
 * there is one.
 */
void list_merge_last(struct config_list *list, const struct list_class *class);

/* Take away the last. */
void list_drop_last(struct config_list *list, const struct list_class *class);

/* The row of a key; NULL when there is none. `by_flag`: as on the command line, else as in JSON. */
const struct setting *list_find(const struct list_class *class, const char *key, size_t len,
				bool by_flag);

/* Add an object from "KEY=VALUE,KEY=VALUE"; the fault names the key. */
V_MUST_CHECK int list_add_text(struct config_list *list, const struct list_class *class,
			       const char *text, struct verr *e);

/*
 * Set keys of an object from a JSON object of `len` bytes. With `live` only those that a running
 * machine can change. After a fault some may be set.
 */
V_MUST_CHECK int object_parse_json(void *object, const struct list_class *class, const char *text,
				   size_t len, bool live, struct verr *e);

/* Is the text a JSON object with this key? */
bool json_has_key(const char *text, size_t len, const char *key);

/* An object, or a whole list, as JSON; caller frees; NULL: out of memory. */
char *object_to_json(const void *object, const struct list_class *class);
char *list_to_json(const struct config_list *list, const struct list_class *class);

/* Into a zeroed object. */
V_MUST_CHECK int object_copy(void *to, const void *from, const struct list_class *class,
			     struct verr *e);

/* The object with this id, borrowed; NULL: there is none. */
void *list_by_id(const struct config_list *list, const struct list_class *class, const char *id);

/* Put `with`, which is given away, in the place of an object of a list. */
void list_replace(const struct list_class *class, void *object, void *with);

/* Take away an object of the list. */
void list_remove(struct config_list *list, const struct list_class *class, void *object);

/* Choice `index` of an ENUM into `out`; false when there are not so many. */
bool setting_choice(const struct setting *s, uint64_t index, char *out, size_t len);

/* Bytes as "128M", "1G" or plain. */
void setting_format_size(uint64_t bytes, char *out, size_t len);

/* The reverse; false when it is no size. */
bool setting_parse_size(const char *text, uint64_t *bytes);

#endif
