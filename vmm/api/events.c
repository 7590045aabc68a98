/* SPDX-License-Identifier: Apache-2.0 */
/* The stream of events: a line of JSON each, to every subscriber, who reads it or is cut off. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/sys.h"
#include "vmm/api/conn.h"

/* One event is far shorter: names are the configuration's, and texts are ours. */
#define EVENT_LEN 512

static void put_event(struct conn *c, const char *line, size_t len)
{
	if (c->out_len - c->out_at + len > EVENTS_UNREAD_MAX) {
		log_warn(LOG_API, "a reader of events is too slow, and cut off");
		conn_close(c);
		return;
	}
	if (conn_put(c, line, len))
		conn_flush(c);
}

/* What a new subscriber would otherwise have to ask for, and could miss a change of. */
void events_subscribe(struct conn *c)
{
	char line[EVENT_LEN];
	int len = snprintf(line, sizeof(line),
			   "{\"event\":\"state\",\"time_ns\":%llu,\"state\":\"%s\"}\n",
			   (unsigned long long)sys_now_ns(),
			   machine_state_name(machine_state(c->api->machine)));

	c->subscribed = true;
	put_event(c, line, (size_t)len);
}

static int write_event(const struct api *api, enum machine_event event, const char *device,
		       char *out, size_t size)
{
	int len = snprintf(out, size, "{\"event\":\"%s\",\"time_ns\":%llu",
			   machine_event_name(event), (unsigned long long)sys_now_ns());

	if (device != NULL)
		len += snprintf(out + len, size - (size_t)len, ",\"device\":\"%s\"", device);
	if (event == MACHINE_EVENT_ENDED)
		len += snprintf(out + len, size - (size_t)len,
				",\"reason\":\"%s\",\"exit_status\":%d",
				machine_end_text(machine_end(api->machine)),
				machine_exit_status(api->machine));
	return len + snprintf(out + len, size - (size_t)len, "}\n");
}

void events_tell(void *arg, enum machine_event event, const char *device)
{
	struct api *api = arg;
	char line[EVENT_LEN];
	int len = write_event(api, event, device, line, sizeof(line));

	if (event == MACHINE_EVENT_STARTED)
		conns_answer_start(api, NULL);
	for (size_t i = 0; i < API_CONNECTIONS; i++)
		if (api->conns[i].subscribed)
			put_event(&api->conns[i], line, (size_t)len);
}
