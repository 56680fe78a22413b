#include <jansson.h>
#include <string.h>

#include "base/clock.h"
#include "summary/page.h"

/* What an archive says may be no UTF-8. */
static json_t *json_text(const char *text)
{
	char copy[256];
	size_t length = strlen(text);

	if (length >= sizeof(copy))
		length = sizeof(copy) - 1;
	for (size_t i = 0; i < length; i++)
		copy[i] = page_clean(text[i]);
	return json_stringn(copy, length);
}

/* Beyond what JSON has numbers for, the largest of these. */
static json_int_t json_number(uint64_t value)
{
	return value < INT64_MAX ? (json_int_t)value : INT64_MAX;
}

static json_t *json_time(uint64_t time)
{
	char text[CLOCK_TEXT_SIZE];

	return json_string(clock_rfc3339(time, text));
}

/* A length of time, as text: a double has no room for nanoseconds. */
static json_t *json_seconds(uint64_t time)
{
	char text[CLOCK_TEXT_SIZE];

	return json_string(clock_seconds(time, text));
}

/* Append value and let go of it. jansson says by NULL that it had no memory: then there is no list either. */
static json_t *append(json_t *list, json_t *value)
{
	if (json_array_append_new(list, value) == 0) /* takes the value in any case */
		return list;
	json_decref(list);
	return NULL;
}

static json_t *json_count(const char *key, json_t *name, const struct protocols_count *count)
{
	return json_pack("{s:o, s:I, s:I}", key, name, "packets", (json_int_t)count->packets, "bytes",
			 (json_int_t)count->bytes);
}

static json_t *json_amount(const struct protocols_count *count)
{
	return json_pack("{s:I, s:I}", "packets", (json_int_t)count->packets, "bytes", (json_int_t)count->bytes);
}

static json_t *json_protocols(const struct summary *summary)
{
	static struct protocols_row rows[PROTOCOLS_MAX];
	size_t count = protocols_rows(&summary->protocols, rows);
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		list = append(list, json_count("name", json_string(rows[i].name), &rows[i].count));
	return list;
}

static json_t *json_interfaces(const struct summary *summary)
{
	json_t *list = json_array();

	for (size_t i = 0; i < summary->interface_count; i++) {
		const struct summary_interface *interface = &summary->interfaces[i];

		list = append(list, json_pack("{s:o, s:I, s:I, s:I}", "name", json_text(interface->name),
					      "link_type_number", (json_int_t)interface->link_type, "packets",
					      (json_int_t)interface->packets, "bytes", (json_int_t)interface->bytes));
	}
	return list;
}

static json_t *json_losses(const struct verify_loss *losses, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		list = append(list, json_pack("{s:o, s:I}", "name", json_text(losses[i].name), "packets",
					      (json_int_t)losses[i].packets));
	return list;
}

/* null where nothing says what was lost. */
static json_t *json_loss(const struct summary *summary)
{
	const struct verify_told *told = summary->told;
	size_t files = told->lossy_files < VERIFY_LOSSES ? (size_t)told->lossy_files : VERIFY_LOSSES;

	if (summary->loss.counted)
		return json_pack("{s:I, s:I}", "by_counters", json_number(summary->loss.packets),
				 "interfaces_with_counters", json_number(summary->loss.counted));
	if (!told->cause[0])
		return json_null();
	return json_pack("{s:I, s:I, s:I, s:o, s:I, s:I, s:o}", "dropped_by_kernel",
			 (json_int_t)told->dropped_by_kernel, "dropped_at_stop", (json_int_t)told->dropped_at_stop,
			 "dropped_output_failed", (json_int_t)told->dropped_output_failed, "interfaces",
			 json_losses(told->interfaces, told->interface_count), "files", (json_int_t)told->lossy_files,
			 "before_files", (json_int_t)told->lost_before_files, "most_before",
			 json_losses(told->losses, files));
}

/* All that there are, at most HISTOGRAM_BUCKETS; those in which nothing is are left out. */
static json_t *json_histogram(const struct summary *summary)
{
	struct histogram_view view = histogram_view(&summary->histogram, HISTOGRAM_BUCKETS);
	json_t *list = json_array();

	for (size_t i = 0; i < view.rows; i++) {
		struct histogram_bucket row = histogram_row(&summary->histogram, &view, i);
		uint64_t seconds = view.start + i * view.width;

		if (row.packets)
			list = append(list, json_pack("{s:I, s:I, s:I}", "seconds", (json_int_t)seconds, "packets",
						      (json_int_t)row.packets, "bytes", (json_int_t)row.bytes));
	}
	return json_pack("{s:I, s:o}", "width_seconds", (json_int_t)view.width, "buckets", list);
}

static json_t *json_side(const struct conversation *conversation, int side)
{
	const struct conversation_side *from = &conversation->sides[side];
	char address[PAGE_END_SIZE];

	return json_pack(
		"{s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:I}", "address", page_address(conversation, &from->end, address),
		"port", conversation->ports ? json_integer(from->end.port) : json_null(), "packets",
		(json_int_t)from->packets, "bytes", (json_int_t)from->bytes, "syn", (json_int_t)from->syn, "syn_ack",
		(json_int_t)from->syn_ack, "fin", (json_int_t)from->fin, "rst", (json_int_t)from->rst);
}

static json_t *json_conversation(const struct conversation *conversation)
{
	char protocol[PROTOCOLS_NAME_SIZE];

	return json_pack("{s:s, s:o, s:o, s:o, s:o}", "protocol", protocols_name(conversation->protocol, protocol), "a",
			 json_side(conversation, 0), "b", json_side(conversation, 1), "first",
			 json_time(conversation->first), "last", json_time(conversation->last));
}

static json_t *json_ranked(const struct summary *summary, enum conversations_order order, size_t max)
{
	static const struct conversation *ranked[PAGE_LISTED];
	size_t total, count = conversations_rank(summary->conversations, order, ranked, max, &total);
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		list = append(list, json_conversation(ranked[i]));
	return json_pack("{s:I, s:o}", "total", (json_int_t)total, "list", list);
}

static json_t *json_findings(const struct summary *summary)
{
	char sentence[1000];

	if (!defects_any(summary->defects))
		return json_null();
	return json_text(defects_sentence(summary->defects, sentence, sizeof(sentence)));
}

static json_t *json_told(const char *text)
{
	return text[0] ? json_text(text) : json_null();
}

static json_t *json_span(const struct summary *summary)
{
	if (summary->packets == summary->untimed)
		return json_null();
	return json_pack("{s:o, s:o, s:o}", "first", json_time(summary->first), "last", json_time(summary->last),
			 "seconds", json_seconds(summary->last - summary->first));
}

static json_t *json_summary(const struct summary *summary, const char *name)
{
	const struct protocols *protocols = &summary->protocols;
	const struct verify_told *told = summary->told;

	return json_pack(
		"{s:i, s:o, s:s, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:o, s:I, s:I, s:I, s:o, s:o, s:I, "
		"s:o, "
		"s:{s:o, s:o, s:o, s:o}, s:o, s:o, s:o, s:I, s:I, s:I}",
		"tarcap_summary", 1, "source", json_text(name), "content", summary->archive ? "archive" : "packets",
		"not_whole", json_findings(summary), "files_in_another_order", (json_int_t)told->reordered, "ended_by",
		json_told(told->cause), "detail", json_told(told->detail), "name", json_told(told->name), "filter",
		json_told(told->filter), "reason", json_told(told->reason), "junk_bytes", (json_int_t)summary->junk,
		"trailing_bytes", (json_int_t)summary->trailing, "whole_files", (json_int_t)summary->files, "span",
		json_span(summary), "packets", (json_int_t)summary->packets, "bytes", (json_int_t)summary->bytes,
		"kept_bytes", (json_int_t)summary->kept, "lost", json_loss(summary), "interfaces",
		json_interfaces(summary), "packets_of_other_interfaces",
		(json_int_t)summary->interfaces[SUMMARY_INTERFACES].packets, "protocols", json_protocols(summary),
		"of_these", "ipv4", json_amount(&protocols->version4), "ipv6", json_amount(&protocols->version6),
		"vlan", json_amount(&protocols->tagged), "fragments", json_amount(&protocols->fragments), "histogram",
		json_histogram(summary), "conversations", json_ranked(summary, CONVERSATIONS_BY_BYTES, PAGE_TOP),
		"syn_never_answered", json_ranked(summary, CONVERSATIONS_BY_UNANSWERED, PAGE_LISTED),
		"packets_not_attributed", (json_int_t)conversations_left_out(summary->conversations),
		"packets_without_addresses", (json_int_t)summary->without_addresses, "packets_without_time",
		(json_int_t)summary->untimed);
}

struct sink {
	struct output *output;
	struct err *err;
};

static int put(const char *data, size_t size, void *context)
{
	struct sink *sink = context;

	return output_put(sink->output, data, size, sink->err);
}

int page_write_json(const struct summary *summary, const char *name, struct output *output, struct err *err)
{
	json_t *root = json_summary(summary, name);
	struct sink sink = {output, err};

	if (!root || json_dump_callback(root, put, &sink, JSON_INDENT(2) | JSON_ENSURE_ASCII) < 0)
		err_set(err, STATUS_FAILED, "memory for JSON");
	else
		output_put(output, "\n", 1, err);
	json_decref(root);
	return err->status ? -1 : 0;
}
