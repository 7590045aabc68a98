/* SPDX-License-Identifier: Apache-2.0 */
/* volt doctor: what this host can do, a line a check. */
#include "volt/doctor.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "version.h"
#include "volt/check.h"

/* In the order of the report. Those a guest cannot do without come first and decide the status. */
static const struct {
	const char *name;
	check_fn *run;
	bool needed;
} checks[] = {
	{"kvm", check_kvm, true},
	{"kvm_extensions", check_kvm_extensions, true},
	{"linux", check_linux, true},
	{"tsc_deadline", check_tsc_deadline, false},
	{"landlock", check_landlock, false},
	{"seccomp", check_seccomp, false},
	{"user_namespaces", check_user_namespaces, false},
	{"sandbox", check_sandbox, false},
	{"cgroup", check_cgroup, false},
	{"hugetlb", check_hugetlb, false},
	{"thp", check_thp, false},
	{"userfaultfd", check_userfaultfd, false},
	{"tun", check_tun, false},
	{"vhost_net", check_vhost_net, false},
	{"passt", check_passt, false},
	{"io_uring", check_io_uring, false},
	{"pty", check_pty, false},
};

static const char *const status_names[] = {
	[CHECK_OK] = "ok",
	[CHECK_LIMITED] = "limited",
	[CHECK_MISSING] = "missing",
};

struct report {
	struct finding findings[ARRAY_LEN(checks)];
	bool can_run_linux;
};

static void run_checks(struct report *r, bool all)
{
	struct check_context c = {.kvm = KVM_INIT, .vm = {.fd = -1}};

	r->can_run_linux = true;
	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		if (!all && !checks[i].needed)
			continue;
		checks[i].run(&c, &r->findings[i]);
		if (checks[i].needed && r->findings[i].status == CHECK_MISSING)
			r->can_run_linux = false;
	}
	kvm_vm_close(&c.vm);
	kvm_close(&c.kvm);
}

static void print_text(const struct report *r)
{
	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		const struct finding *f = &r->findings[i];

		printf("%-8s %-16s %s%s%s\n", status_names[f->status], checks[i].name, f->what,
		       f->remedy[0] != '\0' ? "; remedy: " : "", f->remedy);
	}
	printf("\n%s\n", r->can_run_linux ? "This host can run Linux guests."
					  : "This host cannot run Linux guests.");
}

static json_t *to_json(const struct report *r)
{
	json_t *all = json_object();

	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		const struct finding *f = &r->findings[i];

		(void)json_object_set_new(
			all, checks[i].name,
			json_pack("{s:s, s:s, s:s?}", "status", status_names[f->status], "what",
				  f->what, "remedy", f->remedy[0] != '\0' ? f->remedy : NULL));
	}
	return json_pack("{s:s, s:b, s:o}", "version", VOLT_VERSION, "can_run_linux",
			 (int)r->can_run_linux, "checks", all);
}

static int print_json(const struct report *r, struct verr *e)
{
	json_t *root = to_json(r);
	auto_free char *text = root != NULL ? json_dumps(root, JSON_INDENT(2)) : NULL;

	json_decref(root);
	if (text == NULL)
		return verr_host(e, "out of memory");
	puts(text);
	return 0;
}

enum { JSON, QUIET, CAN_RUN_LINUX };

static const struct verb_option options[] = {
	[JSON] = {.name = "json", .help = "one JSON object instead of lines"},
	[QUIET] = {.name = "quiet", .letter = 'q', .help = "the exit status only"},
	[CAN_RUN_LINUX] = {.name = "can-run-linux",
			   .help = "the exit status only, by the checks that decide it"},
};

static int run(const struct verb_args *args, struct verr *e)
{
	bool quiet = args->options[QUIET] != NULL || args->options[CAN_RUN_LINUX] != NULL;
	struct report r = {0};

	if (quiet && args->options[JSON] != NULL)
		return verr_invalid(e, "--json: prints nothing beside --quiet or --can-run-linux");
	run_checks(&r, !quiet);
	if (args->options[JSON] != NULL) {
		if (print_json(&r, e) < 0)
			return -1;
	} else if (!quiet) {
		print_text(&r);
	}
	return r.can_run_linux ? STATUS_OK : STATUS_FAILED;
}

const struct verb doctor_verb = {
	.name = "doctor",
	.summary = "say what this host can do, and what would help",
	.about = "Tries each thing that Volt uses of a host. A line says ok, limited (Volt works, "
		 "with\n"
		 "less) or missing, what that means, and the remedy. Whether KVM can run Linux is "
		 "found\n"
		 "out by a tiny guest of its own.\n\n"
		 "Exit status: 0 when this host can run Linux guests, 1 when it cannot, whatever "
		 "else is\n"
		 "missing; 2 for wrong arguments.\n",
	.run = run,
	.options = options,
	.options_count = ARRAY_LEN(options),
};
