#include "run/watch.h"

#include "base/clock.h"
#include "run/link_watch.h"
#include "run/say.h"

#define DOWN_CHECK (CLOCK_SECOND / 2) /* while an interface is down, to see whether it is gone */
#define LINKS_SAID 8		      /* lines about interfaces that come up later */

void watch_init(struct watch *watch, struct capture_set *captures, int links_fd)
{
	*watch = (struct watch){.captures = captures, .links_fd = links_fd};
}

static bool all_gone(const struct capture_set *captures)
{
	for (unsigned i = 0; i < captures->count; i++) {
		if (!captures->list[i].gone)
			return false;
	}
	return true;
}

static bool interface_gone(const struct watch *watch, struct interface *interface)
{
	bool last;

	interface->gone = true;
	interface->gone_at = clock_real();
	last = all_gone(watch->captures);
	say("%s: the interface is gone%s", interface->capture.interface, last ? "" : "; the others go on");
	return last;
}

bool watch_interface(struct watch *watch, struct interface *interface, uint64_t now)
{
	enum capture_state state = capture_state(&interface->capture);
	bool last = false;

	if (interface->gone)
		return false;
	if (state == CAPTURE_GONE)
		last = interface_gone(watch, interface);
	else if (state == CAPTURE_DOWN && !interface->down)
		say("%s: the interface is down; waiting for it", interface->capture.interface);
	else if (state == CAPTURE_UP && interface->down)
		say("%s: the interface is up again", interface->capture.interface);
	interface->down = state == CAPTURE_DOWN;
	if (interface->down && watch->down_check_at <= now)
		watch->down_check_at = now + DOWN_CHECK;
	return last;
}

bool watch_those_down(struct watch *watch, uint64_t now)
{
	bool last = false;

	watch->down_check_at = 0;
	for (unsigned i = 0; i < watch->captures->count; i++) {
		struct interface *interface = &watch->captures->list[i];

		if (interface->down)
			last |= watch_interface(watch, interface, now);
	}
	return last;
}

static struct interface *captured(const struct capture_set *captures, int ifindex)
{
	for (unsigned i = 0; i < captures->count; i++) {
		struct interface *interface = &captures->list[i];

		if (interface->capture.ifindex == ifindex && !interface->gone)
			return interface;
	}
	return NULL;
}

/* A host on which they come and go must not fill the log. */
static void say_link(struct watch *watch, const char *name)
{
	if (watch->links_said++ < LINKS_SAID)
		say("%s: came up after the start, and is not captured (-i any would)", name);
	else if (watch->links_said == LINKS_SAID + 1)
		say("more interfaces come up, which are not captured: they are counted for the manifest");
}

static bool link_changed(struct watch *watch, const struct link_change *link, uint64_t now)
{
	struct interface *interface = captured(watch->captures, link->ifindex);

	if (interface)
		return link->deleted && watch_interface(watch, interface, now);
	if (!link->deleted &&
	    capture_set_leave_out(watch->captures, link->ifindex, link->name, "came up after the start"))
		say_link(watch, link->name);
	return false;
}

bool watch_links(struct watch *watch, uint64_t now)
{
	static struct link_change links[LINK_WATCH_MAX];
	struct capture_set *captures = watch->captures;
	bool missed;
	int count = link_watch_read(watch->links_fd, links, &missed);
	bool last = false;

	for (int i = 0; i < count; i++)
		last |= link_changed(watch, &links[i], now);
	if (missed && !captures->left_out_at_least)
		say("too many interfaces change: some may have come up, which are not captured (-i any would)");
	captures->left_out_at_least |= missed;
	return last;
}
