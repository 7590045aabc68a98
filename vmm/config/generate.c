/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program of the build: whatever lists the settings outside the code, from their rows.
 *
 *	generate TEMPLATE > OUTPUT
 *
 * Copies the template. A line that is only one of the marks below becomes a text made from the rows
 * of machine.def; @VERSION@ may stand anywhere.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "version.h"
#include "vmm/config/config.h"

#define VERSION_MARK "@VERSION@"
#define TEXT_SIZE 64

/* A number of the setting's as its user writes it; "" for what has none. */
static void number_text(const struct setting *s, uint64_t number, char text[static TEXT_SIZE])
{
	text[0] = '\0';
	switch (s->type) {
	case SETTING_SIZE:
		setting_format_size(number, text, TEXT_SIZE);
		break;
	case SETTING_U32:
		(void)snprintf(text, TEXT_SIZE, "%llu", (unsigned long long)number);
		break;
	case SETTING_BOOL:
		(void)snprintf(text, TEXT_SIZE, "%s", number != 0 ? "on" : "off");
		break;
	case SETTING_ENUM:
		if (!setting_choice(s, number, text, TEXT_SIZE))
			abort();
		break;
	case SETTING_FLAG:
	case SETTING_PATH:
	case SETTING_TEXT:
	case SETTING_TEXTS:
	case SETTING_LIST:
		break;
	}
}

/* A setting's default and range; "" where it has none. */
struct facts {
	char value[TEXT_SIZE], least[TEXT_SIZE], most[TEXT_SIZE];
};

static struct facts facts_of(const struct setting *s)
{
	struct facts f = {0};

	number_text(s, s->number_default, f.value);
	if (s->text_default != NULL)
		(void)snprintf(f.value, sizeof(f.value), "%s", s->text_default);
	if (s->type == SETTING_SIZE || s->type == SETTING_U32) {
		number_text(s, s->min, f.least);
		number_text(s, s->max, f.most);
	}
	return f;
}

/* Help begins in lower case, for the table of --help; here it is a sentence. */
static char first_letter(const char *help)
{
	return (char)(islower((unsigned char)help[1]) || help[1] == ' '
			      ? toupper((unsigned char)help[0])
			      : help[0]);
}

static const char *json_type(const struct setting *s)
{
	switch (s->type) {
	case SETTING_SIZE:
		return "string as on the command line, or number of bytes";
	case SETTING_U32:
		return "number";
	case SETTING_BOOL:
	case SETTING_FLAG:
		return "true or false";
	case SETTING_LIST:
		return "array of objects";
	case SETTING_PATH:
	case SETTING_TEXT:
	case SETTING_TEXTS:
	case SETTING_ENUM:
		break;
	}
	return "string";
}

static void man_char(char c)
{
	if (c == '\\')
		fputs("\\e", stdout);
	else if (c == '-')
		fputs("\\-", stdout);
	else
		putchar(c);
}

static void man_text(const char *text)
{
	for (; *text != '\0'; text++)
		man_char(*text);
}

/* What is typed as it stands is bold, what stands for something else is in italics. */
static void man_values(const struct setting *s)
{
	char font = 'R';

	for (const char *p = s->values; *p != '\0'; p++) {
		char wanted = *p == '|' ? 'R' : 'B';

		if (s->type != SETTING_ENUM && isupper((unsigned char)*p))
			wanted = 'I';
		if (wanted != font)
			printf("\\f%c", wanted);
		font = wanted;
		man_char(*p);
	}
	fputs("\\fR", stdout);
}

/* `before` and `between` are how the setting is written: "--" and " ", or "" and "=". */
static void man_option(const struct setting *s, const char *before, const char *between)
{
	struct facts f = facts_of(s);

	fputs(".TP\n\\fB", stdout);
	man_text(before);
	man_text(s->flag);
	fputs("\\fR", stdout);
	if (s->values != NULL) {
		fputs(between, stdout);
		man_values(s);
	}
	putchar('\n');
	man_char(first_letter(s->help));
	man_text(s->help + 1);
	fputs(".\n", stdout);
	if (f.value[0] != '\0')
		printf("Default: \\fB%s\\fR", f.value);
	if (f.least[0] != '\0')
		printf("; from \\fB%s\\fR to \\fB%s\\fR", f.least, f.most);
	if (f.value[0] != '\0')
		fputs(".\n", stdout);
	if (s->list == NULL)
		return;
	fputs(".RS\n", stdout);
	for (size_t i = 0; i < s->list->count; i++)
		man_option(&s->list->rows[i], "", "=");
	fputs(".RE\n", stdout);
}

static void man_options(void)
{
	for (size_t i = 0; i < settings_count; i++)
		man_option(&settings[i], "--", " ");
}

static void man_key(const struct setting *s)
{
	printf(".TP\n.B %s\n%s\n", s->key, json_type(s));
	if (s->list == NULL)
		return;
	fputs(".RS\n", stdout);
	for (size_t i = 0; i < s->list->count; i++)
		man_key(&s->list->rows[i]);
	fputs(".RE\n", stdout);
}

static void man_keys(void)
{
	for (size_t i = 0; i < settings_count; i++)
		if (settings[i].phase != SETTING_NONE)
			man_key(&settings[i]);
}

static void bash_flags(void)
{
	fputs("\tlocal flags='", stdout);
	for (size_t i = 0; i < settings_count; i++)
		printf("%s--%s", i > 0 ? " " : "", settings[i].flag);
	fputs("'\n\tlocal valued=' ", stdout);
	for (size_t i = 0; i < settings_count; i++)
		if (settings[i].values != NULL)
			printf("--%s ", settings[i].flag);
	fputs("'\n", stdout);
}

/* The choices among a setting's values; "file=PATH" is one that goes on with a path. */
static void bash_choices(const struct setting *s)
{
	for (const char *p = s->values; *p != '\0'; p++)
		if (*p == '|')
			putchar(' ');
		else if (s->type == SETTING_ENUM || !isupper((unsigned char)*p))
			putchar(*p);
}

static void bash_values(void)
{
	for (size_t i = 0; i < settings_count; i++) {
		const struct setting *s = &settings[i];
		const char *path = s->values != NULL ? strstr(s->values, "=PATH") : NULL;
		const char *word = path;

		if (s->type == SETTING_LIST) {
			/* path= comes first, where there is one; what follows it is typed. */
			if (s->list->bare)
				printf("\t--%s) files=yes ;;\n", s->flag);
			if (s->list->rows[0].type == SETTING_PATH)
				printf("\t'--%s path=') files=yes ;;\n", s->flag);
		} else if (s->type == SETTING_PATH) {
			printf("\t--%s) files=yes ;;\n", s->flag);
		} else if (s->values != NULL && strchr(s->values, '|') != NULL) {
			printf("\t--%s) choices='", s->flag);
			bash_choices(s);
			fputs("' ;;\n", stdout);
		}
		while (word != NULL && word > s->values && word[-1] != '|')
			word--;
		if (path != NULL)
			printf("\t'--%s %.*s=') files=yes ;;\n", s->flag, (int)(path - word), word);
	}
}

/* In a table "|" ends a cell, even in code. */
static void markdown_code(const char *text)
{
	putchar('`');
	for (; *text != '\0'; text++)
		printf(*text == '|' ? "\\%c" : "%c", *text);
	putchar('`');
}

static void markdown_row(const struct setting *s, const char *before, const char *between)
{
	struct facts f = facts_of(s);
	char flag[128];

	(void)snprintf(flag, sizeof(flag), "%s%s%s%s", before, s->flag, s->values ? between : "",
		       s->values ? s->values : "");
	fputs("| ", stdout);
	markdown_code(flag);
	fputs(" | ", stdout);
	if (s->phase != SETTING_NONE)
		printf("`%s`: %s", s->key, json_type(s));
	fputs(" | ", stdout);
	if (f.value[0] != '\0')
		markdown_code(f.value);
	fputs(" | ", stdout);
	if (f.least[0] != '\0')
		printf("`%s` to `%s`", f.least, f.most);
	printf(" | %s |\n", s->help);
	for (size_t i = 0; s->list != NULL && i < s->list->count; i++)
		markdown_row(&s->list->rows[i], "", "=");
}

static void markdown_rows(void)
{
	for (size_t i = 0; i < settings_count; i++)
		markdown_row(&settings[i], "--", " ");
}

static const struct mark {
	const char *name;
	void (*write)(void);
} marks[] = {
	{"@MAN_OPTIONS@", man_options},     {"@MAN_KEYS@", man_keys},
	{"@BASH_FLAGS@", bash_flags},       {"@BASH_VALUES@", bash_values},
	{"@MARKDOWN_ROWS@", markdown_rows},
};

static void copy_line(const char *line)
{
	const char *version = strstr(line, VERSION_MARK);

	for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
		size_t len = strlen(marks[i].name);

		if (strncmp(line, marks[i].name, len) == 0 && strcmp(line + len, "\n") == 0) {
			marks[i].write();
			return;
		}
	}
	if (version != NULL)
		printf("%.*s%s%s", (int)(version - line), line, VOLT_VERSION,
		       version + strlen(VERSION_MARK));
	else
		fputs(line, stdout);
}

int main(int argc, char *argv[])
{
	char line[1024];
	FILE *template;

	if (argc != 2) {
		fprintf(stderr, "usage: generate TEMPLATE\n");
		return 2;
	}
	template = fopen(argv[1], "re");
	if (template == NULL) {
		perror(argv[1]);
		return 1;
	}
	while (fgets(line, sizeof(line), template) != NULL)
		copy_line(line);
	if (ferror(template) || fclose(template) != 0 || fflush(stdout) != 0) {
		perror(argv[1]);
		return 1;
	}
	return 0;
}
