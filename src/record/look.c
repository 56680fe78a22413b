#include "record/look.h"

#include <errno.h>
#include <stdlib.h>

#include "record/events.h"
#include "record/first.h"
#include "record/layers.h"

/* At one interface. */
struct look {
	struct capture_look hook; /* in front: the capture knows no more of it */
	struct looks *looks;
	struct layers_link link;
	struct events events;
	uint32_t interface;
	uint32_t tick; /* ns that a packet's fraction counts in */
	bool layers;   /* somebody wants them */
};

int look_silence(const struct options *options)
{
	int shortest = -1;

	for (unsigned i = 0; i < options->until_count; i++) {
		if (options->until[i].kind == UNTIL_SILENCE &&
		    (shortest < 0 || options->until[i].duration < options->until[shortest].duration))
			shortest = (int)i;
	}
	return shortest;
}

/* The first decides, the others are counted. */
bool look_note(struct capture_event *event, const struct options *options, unsigned until, uint64_t time)
{
	if (event->count++ > 0)
		return false;
	event->until = until;
	event->what = options->until[until].text;
	event->time = time;
	return true;
}

/* By the packets' clock nobody waits for the end: it is a limit of the series. The packets of its last moment are in.
 */
static void end_by_packets(struct looks *looks)
{
	struct segments *segments = looks->segments;
	struct capture_event *event = &looks->captures->event;
	uint64_t before = segments->packets && event->time > segments->start ? event->time - segments->start : 0;
	uint64_t duration = before + looks->options->after + 1;

	if (!looks->options->read_file || (segments->limits.duration && segments->limits.duration <= duration))
		return;
	segments->limits.duration = duration;
	event->sets_end = true;
}

/* Was there silence before a packet of a file? */
static void look_back(struct looks *looks, uint64_t time)
{
	uint64_t last = looks->last, silence = looks->silence < 0 ? 0 : looks->options->until[looks->silence].duration;

	looks->last = time > last ? time : last;
	if (!silence || !last || time < last || time - last < silence)
		return;
	if (look_note(&looks->captures->event, looks->options, (unsigned)looks->silence, last + silence))
		end_by_packets(looks);
}

static bool is_event(struct look *look, const struct layers *layers, const struct packet_header *header,
		     const unsigned char *data)
{
	int match = events_match(&look->events, layers, data, header->caplen, header->length);

	if (match < 0)
		return false;
	look->hook.tell = look_note(&look->looks->captures->event, look->looks->options, (unsigned)match,
				    packet_time(header, look->tick));
	return look->hook.tell;
}

/* For --first alone, which is on for as long as the capture is. */
static uint32_t look_for_first(struct capture_look *hook, const struct packet_header *header, const unsigned char *data)
{
	struct look *look = (struct look *)hook;
	struct layers layers;

	if (!layers_find(&layers, &look->link, data, header->caplen, header->length))
		return header->caplen;
	return first_keep(look->looks->first, &layers, data, header->caplen, look->interface,
			  packet_time(header, look->tick));
}

static uint32_t look_at(struct capture_look *hook, const struct packet_header *header, const unsigned char *data)
{
	struct look *look = (struct look *)hook;
	const struct looks *looks = look->looks;
	struct layers found;
	const struct layers *layers = NULL;
	uint32_t keep = header->caplen;

	if (look->layers && layers_find(&found, &look->link, data, header->caplen, header->length))
		layers = &found;
	if (looks->first && layers)
		keep = first_keep(looks->first, layers, data, header->caplen, look->interface,
				  packet_time(header, look->tick));
	if (looks->options->read_file)
		look_back(look->looks, packet_time(header, look->tick));
	return is_event(look, layers, header, data) ? header->caplen : keep;
}

static void event_taken(struct capture_look *hook, const struct series *series, bool taken)
{
	struct looks *looks = ((struct look *)hook)->looks;
	struct capture_event *event = &looks->captures->event;

	event->series = series;
	if (taken && series->format.front_size) { /* not in one stream, which has no members */
		event->number = series->open->number;
		event->packet = series->open->packets;
	}
	end_by_packets(looks);
}

static int open_look(struct looks *looks, unsigned place, struct err *err)
{
	struct capture *capture = &looks->captures->list[place].capture;
	struct look *look = &looks->list[place];

	*look = (struct look){
		.hook = {.packet = looks->options->until_count ? look_at : look_for_first, .taken = event_taken},
		.looks = looks,
		.link = layers_link(capture->link_type_number),
		.interface = place,
		.tick = capture->tick,
	};
	if (events_open(&look->events, looks->options, capture->pcap, err) < 0)
		return -1;
	look->layers = looks->first || event_names_used(looks->options);
	capture->look = &look->hook;
	return 0;
}

static int open_first(struct looks *looks, struct err *err)
{
	struct siphash_key key;

	if (siphash_key_make(&key, err) < 0)
		return -1;
	looks->first = first_open(looks->options->first, &key, err);
	return looks->first ? 0 : -1;
}

int looks_open(struct looks *looks, struct capture_set *captures, struct segments *segments,
	       const struct options *options, struct err *err)
{
	*looks = (struct looks){.options = options, .captures = captures, .segments = segments};
	looks->silence = look_silence(options);
	captures->until = options->until_count > 0;
	captures->first = options->first > 0;
	if (!captures->until && !captures->first)
		return 0;
	looks->list = calloc(captures->count, sizeof(*looks->list));
	if (!looks->list)
		return err_sys(err, ENOMEM, "memory for --until and --first");
	if (options->first && open_first(looks, err) < 0)
		return -1;
	for (unsigned i = 0; i < captures->count; i++) {
		if (open_look(looks, i, err) < 0)
			return -1;
	}
	return 0;
}

void looks_close(struct looks *looks)
{
	for (unsigned i = 0; looks->list && i < looks->captures->count; i++)
		events_close(&looks->list[i].events);
	free(looks->list);
	first_close(looks->first);
	*looks = (struct looks){0};
}
