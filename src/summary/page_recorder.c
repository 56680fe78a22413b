#include "summary/page_recorder.h"

#include "format/manifest_layout.h"
#include "read/recorder_text.h"

void page_recorder(struct page *page)
{
	const struct recorder_told *told = &page->summary->told->recorder;
	char text[RECORDER_TEXT_SIZE];

	if (recorder_text_window(told, text))
		page_fact(page, "window", "%s", text);
	if (recorder_text_event(told, text))
		page_fact(page, "event", "%s", text);
	if (recorder_text_cut(told, text))
		page_fact(page, "cut", "%s", text);
}

static json_t *json_window(const struct recorder_told *told, json_t *text(const char *))
{
	json_t *object;

	if (!told->from[0])
		return json_null();
	object = json_object();
	json_put(&object, "from", text(told->from));
	json_put(&object, "to", text(told->to));
	return object;
}

static json_t *json_known(uint64_t number)
{
	return number ? json_integer((json_int_t)number) : json_null();
}

static json_t *json_event(const struct recorder_told *told, json_t *text(const char *))
{
	json_t *object;

	if (!told->what[0])
		return json_null();
	object = json_object();
	json_put(&object, "what", text(told->what));
	json_put(&object, "time", text(told->time));
	json_put(&object, "interface", told->interface[0] ? text(told->interface) : json_null());
	json_put(&object, "member", told->member[0] ? text(told->member) : json_null());
	json_put(&object, "packet", json_known(told->packet));
	json_put(&object, "joined_packet", json_known(told->joined_packet));
	return object;
}

void page_recorder_json(json_t **root, const struct recorder_told *told, json_t *text(const char *))
{
	const struct manifest_read_recorder *account = &told->account;

	if (told->window_told)
		json_put(root, "window", json_window(told, text));
	if (account->overwritten_told)
		json_put(root, "overwritten", json_numbers(manifest_layout_overwritten, &account->overwritten));
	if (account->not_yet_stored_told)
		json_put_number(root, "not_yet_stored", account->not_yet_stored);
	if (told->event_told) {
		json_put(root, "event", json_event(told, text));
		json_put_number(root, "events", told->events);
	}
	if (account->cut_told)
		json_put(root, "cut_by_first", json_numbers(manifest_layout_cut, &account->cut));
}
