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
typedef uint64_t config_SIZE;
typedef uint32_t config_U32;
typedef bool config_BOOL;
typedef bool config_FLAG;
typedef uint32_t config_ENUM;

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
	SETTING_SIZE,
	SETTING_U32,
	SETTING_BOOL,
	SETTING_FLAG, /* a BOOL that takes no value on the command line */
	SETTING_ENUM,
};

enum setting_phase { SETTING_BOOT, SETTING_LIVE, SETTING_NONE };

/* One row of machine.def. */
struct setting {
	const char *key;  /* JSON */
	const char *flag; /* without "--" */
	const char *values;
	const char *help;
	const char *text_default;
	uint64_t number_default, min, max;
	enum setting_type type;
	enum setting_phase phase;
	size_t offset; /* of the field in struct config */
};

extern const struct setting settings[];
extern const size_t settings_count;

/* All defaults. */
void config_init(struct config *config);
void config_deinit(struct config *config);

/*
 * The command line, with the file that --config-file names beneath it. Faults name the setting,
 * the value and what was expected. On --help and --version nothing further is checked.
 */
V_MUST_CHECK int config_parse_args(struct config *config, int argc, char *const argv[],
				   struct verr *e);

/* A JSON object of `len` bytes; `origin` names it in faults. */
V_MUST_CHECK int config_parse_json(struct config *config, const char *text, size_t len,
				   const char *origin, struct verr *e);

/* The rules between settings, and those that a row cannot say. */
V_MUST_CHECK int config_check(const struct config *config, struct verr *e);

/* The configuration as JSON, newline-terminated, as --config-file would take it; caller frees. */
char *config_to_json(const struct config *config);

/* The text of --help, to stdout. */
void config_print_help(void);

/* Set one setting from text; the fault says what was expected. */
V_MUST_CHECK int setting_set_text(struct config *config, const struct setting *s, const char *text,
				  struct verr *e);

/* Set one setting's number after a check of its range. SIZE, U32, BOOL, FLAG, ENUM. */
V_MUST_CHECK int setting_set_number(struct config *config, const struct setting *s, uint64_t number,
				    struct verr *e);

/* The number of a SIZE, U32, BOOL, FLAG or ENUM setting; the text of a PATH or TEXT one, or NULL.
 */
uint64_t setting_number(const struct config *config, const struct setting *s);
const char *setting_text(const struct config *config, const struct setting *s);

/* Choice `index` of an ENUM into `out`; false when there are not so many. */
bool setting_choice(const struct setting *s, uint64_t index, char *out, size_t len);

/* Bytes as "128M", "1G" or plain. */
void setting_format_size(uint64_t bytes, char *out, size_t len);

/* The reverse; false when it is no size. */
bool setting_parse_size(const char *text, uint64_t *bytes);

#endif
