#include <string.h>

#include "base/json.h"
#include "summary/ends.h"
#include "summary/page.h"
#include "summary/page_json.h"
#include "summary/page_kernel.h"
#include "summary/page_recorder.h"

/* What an archive says may be anything. */
static json_t *json_clean(const char *text)
{
	char copy[FINDING_SENTENCE_SIZE];
	size_t length = strlen(text);

	if (length >= sizeof(copy))
		length = sizeof(copy) - 1;
	for (size_t i = 0; i < length; i++)
		copy[i] = page_clean(text[i]);
	copy[length] = '\0';
	return json_text(copy);
}

static json_t *json_told(const char *text)
{
	return text[0] ? json_clean(text) : json_null();
}

static const struct json_field amounts[] = {
	{"packets", offsetof(struct protocols_count, packets)},
	{"bytes", offsetof(struct protocols_count, bytes)},
	{0},
};

static json_t *json_protocols(const struct summary *summary)
{
	static struct protocols_row rows[PROTOCOLS_MAX];
	size_t count = protocols_rows(&summary->protocols, rows);
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++) {
		json_t *row = json_object();

		json_put_text(&row, "name", rows[i].name);
		json_put_numbers(&row, amounts, &rows[i].count);
		json_append(&list, row);
	}
	return list;
}

static json_t *json_of_these(const struct protocols *protocols)
{
	json_t *object = json_object();

	json_put(&object, "ipv4", json_numbers(amounts, &protocols->version4));
	json_put(&object, "ipv6", json_numbers(amounts, &protocols->version6));
	json_put(&object, "vlan", json_numbers(amounts, &protocols->tagged));
	json_put(&object, "fragments", json_numbers(amounts, &protocols->fragments));
	return object;
}

static json_t *json_interfaces(const struct summary *summary)
{
	json_t *list = json_array();

	for (size_t i = 0; i < summary->interface_count; i++) {
		const struct summary_interface *interface = &summary->interfaces[i];
		json_t *row = json_object();

		json_put(&row, "name", json_clean(interface->name));
		json_put_number(&row, "link_type_number", interface->link_type);
		json_put_number(&row, "packets", interface->packets);
		json_put_number(&row, "bytes", interface->bytes);
		json_append(&list, row);
	}
	return list;
}

static json_t *json_losses(const struct verify_loss *losses, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++) {
		json_t *row = json_object();

		json_put(&row, "name", json_clean(losses[i].name));
		json_put_number(&row, "packets", losses[i].packets);
		json_append(&list, row);
	}
	return list;
}

/* What the counters of a file of packets say. */
static json_t *json_counted(const struct pcapng_read_loss *loss)
{
	json_t *object = json_object();

	json_put_number(&object, "by_counters", loss->packets);
	json_put_number(&object, "interfaces_with_counters", loss->counted);
	return object;
}

/* What a manifest says. */
static json_t *json_accounted(const struct verify_told *told)
{
	size_t files = told->lossy_files < VERIFY_LOSSES ? (size_t)told->lossy_files : VERIFY_LOSSES;
	json_t *object = json_object();

	json_put_number(&object, "dropped_by_kernel", told->dropped_by_kernel);
	json_put_number(&object, "dropped_at_stop", told->dropped_at_stop);
	json_put_number(&object, "dropped_output_failed", told->dropped_output_failed);
	json_put(&object, "interfaces", json_losses(told->interfaces, told->interface_count));
	json_put_number(&object, "files", told->lossy_files);
	json_put_number(&object, "before_files", told->lost_before_files);
	json_put(&object, "most_before", json_losses(told->losses, files));
	return object;
}

/* null where nothing says what was lost. */
static json_t *json_loss(const struct summary *summary)
{
	if (summary->loss.counted)
		return json_counted(&summary->loss);
	return summary->told->cause[0] ? json_accounted(summary->told) : json_null();
}

/* All that there are, at most HISTOGRAM_BUCKETS; those in which nothing is are left out. */
static json_t *json_buckets(const struct histogram *histogram, const struct histogram_view *view)
{
	json_t *list = json_array();

	for (size_t i = 0; i < view->rows; i++) {
		struct histogram_bucket bucket = histogram_row(histogram, view, i);
		json_t *row;

		if (!bucket.packets)
			continue;
		row = json_object();
		json_put_number(&row, "seconds", view->start + i * view->width);
		json_put_number(&row, "packets", bucket.packets);
		json_put_number(&row, "bytes", bucket.bytes);
		json_append(&list, row);
	}
	return list;
}

static json_t *json_histogram(const struct histogram *histogram)
{
	struct histogram_view view = histogram_view(histogram, HISTOGRAM_BUCKETS);
	json_t *object = json_object();

	json_put_number(&object, "width_seconds", view.width);
	json_put(&object, "buckets", json_buckets(histogram, &view));
	return object;
}

static json_t *json_side(const struct conversation *conversation, int side)
{
	const struct dissect_end *end = &conversation->ends[side];
	const struct conversation_flags *flags = &conversation->flags[side];
	char address[ENDS_TEXT_SIZE];
	json_t *object = json_object();

	json_put_text(&object, "address", ends_address(conversation->version, end, address));
	json_put(&object, "port", conversation->ports ? json_integer(end->port) : json_null());
	json_put_number(&object, "packets", conversation->sent[side].packets);
	json_put_number(&object, "bytes", conversation->sent[side].bytes);
	json_put_number(&object, "syn", flags->syn);
	json_put_number(&object, "syn_ack", flags->syn_ack);
	json_put_number(&object, "fin", flags->fin);
	json_put_number(&object, "rst", flags->rst);
	return object;
}

static json_t *json_conversation(const struct conversation *conversation)
{
	char protocol[PROTOCOLS_NAME_SIZE];
	json_t *object = json_object();

	json_put_text(&object, "protocol", protocols_name(conversation->protocol, protocol));
	json_put(&object, "a", json_side(conversation, 0));
	json_put(&object, "b", json_side(conversation, 1));
	json_put(&object, "first", json_time(conversation->first));
	json_put(&object, "last", json_time(conversation->last));
	return object;
}

static json_t *json_ranked(const struct summary *summary, enum conversations_order order, size_t max)
{
	static const struct conversation *ranked[PAGE_LISTED];
	size_t total, count = conversations_rank(summary->conversations, order, ranked, max, &total);
	json_t *object = json_object(), *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_append(&list, json_conversation(ranked[i]));
	json_put_number(&object, "total", total);
	json_put(&object, "list", list);
	return object;
}

static json_t *json_connections(const struct finding *finding)
{
	json_t *list = json_array();

	for (size_t i = 0; i < finding->connection_count; i++) {
		const struct finding_connection *connection = &finding->connections[i];
		char protocol[PROTOCOLS_NAME_SIZE] = "ARP", a[ENDS_TEXT_SIZE], b[ENDS_TEXT_SIZE];
		uint8_t version = connection->version;
		json_t *row = json_object();

		if (version)
			protocols_name(connection->protocol, protocol);
		json_put_text(&row, "a", ends_text(version, connection->ports, &connection->a, a));
		json_put_text(&row, "b", ends_text(version, connection->ports, &connection->b, b));
		json_put_text(&row, "protocol", protocol);
		json_append(&list, row);
	}
	return list;
}

static json_t *json_known(uint64_t number)
{
	return number ? json_integer((json_int_t)number) : json_null();
}

static json_t *json_place(const struct summary *summary, const struct place *place)
{
	const char *member = places_name(summary->places, place->member);
	json_t *object;

	if (!place->time && !place->packet)
		return json_null();
	object = json_object();
	json_put(&object, "member", member ? json_clean(member) : json_null());
	json_put(&object, "packet", json_known(place->packet));
	json_put(&object, "joined_packet", json_known(summary_joined(summary, place)));
	json_put(&object, "time", json_time(place->time));
	return object;
}

json_t *page_json_finding(const struct summary *summary, const struct finding *finding)
{
	json_t *row = json_object();

	json_put_text(&row, "kind", finding_kind_name(finding->kind));
	json_put_text(&row, "severity", finding_severity_name(finding->severity));
	json_put(&row, "sentence", json_clean(finding->sentence));
	json_put_number(&row, "count", finding->count);
	json_put(&row, "connections", json_connections(finding));
	json_put(&row, "first", json_place(summary, &finding->first));
	json_put(&row, "display_filter", json_told(finding->display_filter));
	json_put(&row, "next", json_told(finding->next));
	return row;
}

static json_t *json_findings(const struct summary *summary)
{
	json_t *list = json_array();

	for (size_t i = 0; i < summary->findings->count; i++)
		json_append(&list, page_json_finding(summary, &summary->findings->list[i]));
	return list;
}

json_t *page_json_durations(const struct durations *durations)
{
	json_t *object;

	if (durations->count == 0)
		return json_null();
	object = json_object();
	json_put_number(&object, "count", durations->count);
	json_put(&object, "p50_seconds", json_seconds(durations_percentile(durations, 50)));
	json_put(&object, "p99_seconds", json_seconds(durations_percentile(durations, 99)));
	return object;
}

/* Of TCP: to it or from it. */
static json_t *json_direction(const struct server *server, int from)
{
	json_t *object = json_object();

	json_put_number(&object, "segments", server->segments[from]);
	json_put_number(&object, "retransmitted", server->retransmitted[from]);
	json_put_number(&object, "not_seen_before", server->lost_before[from]);
	json_put_number(&object, "out_of_order", server->out_of_order[from]);
	json_put_number(&object, "duplicate_acks", server->repeats[from]);
	json_put_number(&object, "zero_windows", server->zeros[from]);
	return object;
}

static void put_connections(json_t **row, const struct server *server)
{
	json_put_number(row, "connections", server->connections);
	json_put_number(row, "opened", server->opened);
	json_put_number(row, "refused", server->refused);
	json_put_number(row, "reset", server->reset);
	json_put_number(row, "unanswered", server->unanswered);
	json_put(row, "handshake", page_json_durations(&server->handshakes));
	json_put(row, "first_byte", page_json_durations(&server->answers));
	json_put(row, "to", json_direction(server, 0));
	json_put(row, "from", json_direction(server, 1));
}

static json_t *json_server(const struct server *server)
{
	char address[ENDS_TEXT_SIZE], protocol[PROTOCOLS_NAME_SIZE];
	json_t *row = json_object();

	json_put(&row, "address",
		 server->version ? json_text(ends_address(server->version, &server->end, address)) : json_null());
	json_put(&row, "port", server->ports ? json_integer(server->end.port) : json_null());
	json_put(&row, "protocol",
		 server->version ? json_text(protocols_name(server->protocol, protocol)) : json_null());
	json_put_number(&row, "conversations", server->conversations);
	json_put_number(&row, "packets", server->packets);
	json_put_number(&row, "bytes", server->bytes);
	if (server->protocol == PROTOCOL_TCP || !server->version)
		put_connections(&row, server);
	return row;
}

/* All of them, in the order in which they came; the last may stand for others. */
static json_t *json_servers(const struct servers *servers)
{
	const struct server *server;
	json_t *list = json_array();

	for (size_t i = 0; (server = servers_at(servers, i)); i++)
		json_append(&list, json_server(server));
	return list;
}

static json_t *json_defects(const struct summary *summary)
{
	char sentence[1000];

	if (!defects_any(summary->defects))
		return json_null();
	return json_clean(defects_sentence(summary->defects, sentence, sizeof(sentence)));
}

static json_t *json_span(const struct summary *summary)
{
	json_t *span;

	if (summary->packets == summary->untimed)
		return json_null();
	span = json_object();
	json_put(&span, "first", json_time(summary->first));
	json_put(&span, "last", json_time(summary->last));
	json_put(&span, "seconds", json_seconds(summary->last - summary->first));
	return span;
}

/* Where it comes from, whether it is whole, and what was asked for. */
static void put_source(json_t **root, const struct summary *summary, const char *name)
{
	const struct verify_told *told = summary->told;

	json_put_number(root, "tarcap_summary", 1);
	json_put(root, "source", json_clean(name));
	json_put_text(root, "content", summary->archive ? "archive" : "packets");
	json_put_text(root, "format", summary->format);
	json_put_number(root, "file_bytes", summary->file_bytes);
	json_put(root, "not_whole", json_defects(summary));
	json_put_number(root, "files_in_another_order", told->reordered);
	json_put(root, "ended_by", json_told(told->cause));
	json_put(root, "detail", json_told(told->detail));
	json_put(root, "name", json_told(told->name));
	json_put(root, "filter", json_told(told->filter));
	json_put(root, "reason", json_told(told->reason));
	json_put_number(root, "junk_bytes", summary->junk);
	json_put_number(root, "trailing_bytes", summary->trailing);
	json_put_number(root, "whole_files", summary->files);
}

json_t *page_json_summary(const struct summary *summary, const char *name)
{
	json_t *root = json_object();

	put_source(&root, summary, name);
	json_put(&root, "findings", json_findings(summary));
	json_put_number(&root, "findings_left_out", summary->findings->left_out);
	json_put(&root, "span", json_span(summary));
	json_put_number(&root, "packets", summary->packets);
	json_put_number(&root, "bytes", summary->bytes);
	json_put_number(&root, "kept_bytes", summary->kept);
	json_put(&root, "lost", json_loss(summary));
	json_put(&root, "kernel", page_kernel_json(summary->kernel));
	page_recorder_json(&root, &summary->told->recorder, json_clean);
	json_put(&root, "interfaces", json_interfaces(summary));
	json_put_number(&root, "packets_of_other_interfaces", summary->interfaces[SUMMARY_INTERFACES].packets);
	json_put(&root, "protocols", json_protocols(summary));
	json_put(&root, "of_these", json_of_these(&summary->protocols));
	json_put(&root, "histogram", json_histogram(&summary->histogram));
	page_json_names(&root, summary);
	json_put(&root, "servers", json_servers(summary->servers));
	json_put(&root, "conversations", json_ranked(summary, CONVERSATIONS_BY_BYTES, PAGE_TOP));
	json_put(&root, "syn_never_answered", json_ranked(summary, CONVERSATIONS_BY_UNANSWERED, PAGE_LISTED));
	json_put_number(&root, "packets_not_attributed", conversations_left_out(summary->conversations));
	json_put_number(&root, "packets_without_addresses", summary->without_addresses);
	json_put_number(&root, "packets_without_time", summary->untimed);
	return root;
}

struct sink {
	struct output *output;
	struct err *err;
};

static int to_output(const char *data, size_t size, void *context)
{
	struct sink *sink = context;

	return output_put(sink->output, data, size, sink->err);
}

int page_json_put(json_t *root, struct output *output, struct err *err)
{
	struct sink sink = {output, err};

	if (!root || json_dump_callback(root, to_output, &sink, JSON_INDENT(2) | JSON_ENSURE_ASCII) < 0)
		err_set(err, STATUS_FAILED, "memory for JSON");
	else
		output_put(output, "\n", 1, err);
	json_decref(root);
	return err->status ? -1 : 0;
}

int page_write_json(const struct summary *summary, const char *name, struct output *output, struct err *err)
{
	return page_json_put(page_json_summary(summary, name), output, err);
}
