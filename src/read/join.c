#include "read/join.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/naming.h"
#include "format/pcap_read.h"
#include "read/decompress.h"
#include "read/directory.h"
#include "read/joined.h"
#include "read/joined_told.h"
#include "read/manifest_read.h"
#include "read/numbering.h"
#include "read/roll.h"
#include "read/stream.h"
#include "request/number.h"

/* The member that is being read. */
struct member {
	enum naming_kind kind;
	char name[ROLL_NAME_SIZE]; /* without the directory */
	bool compressed;
	bool left_out;	    /* some of its packets have no place in the output */
	uint64_t skip;	    /* packets that an earlier copy has delivered */
	uint32_t id;	    /* numbering_member() of its name */
	uint64_t number;    /* of a manifest */
	uint64_t text_size; /* of what is no file of packets, so far */
	struct match_file file;
};

struct join {
	struct join_setup setup;
	struct join_result *result;
	struct input *input;	 /* the setup's, or our own: */
	struct input *own_input; /* one for its source */
	struct verify *verify;
	struct decompress *expand; /* a member's */
	char *text;		   /* a manifest's and the like, MANIFEST_READ_TEXT_MAX bytes */
	struct directory directory;
	const unsigned char *piece; /* of the member's data, that is still to be looked at, */
	size_t piece_size;
	bool expanding; /* and more of it comes out of what it is expanded from */
	struct member member;
	uint64_t member_number;			/* of those with packets, from 1 */
	int places[PCAPNG_READ_INTERFACES_MAX]; /* in the output, of the member's interfaces */
	bool open_end; /* it is over, but whether zeros at its end are packets is not known yet, */
	uint64_t gaps; /* and these were known then */
	struct joined joined;
	struct order order;
	struct numbering *numbering; /* of an archive that may tell an event, else NULL */
	struct pcap_read records;
	struct members members;
};

/* By time. */
static int put_packets(void *context, const struct packet_run *run, struct err *err)
{
	struct join *join = context;

	if (join->numbering)
		numbering_put(join->numbering, *run);
	return join->setup.output ? joined_put(&join->joined, run, err) : 0;
}

static int open_input(struct join *join, struct err *err)
{
	const struct join_setup *setup = &join->setup;

	join->own_input = setup->input ? NULL : input_open(setup->source, setup->source_context, err);
	join->input = setup->input ? setup->input : join->own_input;
	return join->input ? 0 : -1;
}

struct join *join_open(const struct join_setup *setup, struct err *err)
{
	struct join *join = calloc(1, sizeof(*join));

	if (!join || !(join->text = malloc(MANIFEST_READ_TEXT_MAX))) {
		err_sys(err, ENOMEM, "memory for joining");
	} else {
		join->setup = *setup;
		if (open_input(join, err) == 0 && (join->verify = verify_open(err)) &&
		    (join->expand = decompress_open(err)) &&
		    (!setup->output || order_open(&join->order, setup->memory, put_packets, join, err) == 0)) {
			joined_init(&join->joined, setup->output, setup->output_context);
			return join;
		}
	}
	join_close(join);
	return NULL;
}

void join_close(struct join *join)
{
	if (!join)
		return;
	numbering_close(join->numbering);
	order_close(&join->order);
	input_close(join->own_input);
	decompress_close(join->expand);
	verify_close(join->verify);
	free(join->text);
	free(join);
}

/* --- a member's beginning --- */

static void begin_packets(struct join *join)
{
	struct member *member = &join->member;

	join->member_number++;
	member->skip = verify_begin(join->verify, member->name);
	member->id = numbering_member(member->name);
	member->file =
		(struct match_file){.name = member->name, .stored_bytes = join->members.size, .first = UINT64_MAX};
	pcap_read_begin(&join->records, PCAP_READ_OURS);
	if (member->compressed)
		decompress_begin(join->expand);
}

static void begin_member(struct join *join)
{
	const char *path = join->members.name;
	bool known = join->directory.known;
	const char *below = directory_below(&join->directory, path), *name = below ? below : path;
	struct member *member = &join->member;

	if (!known && join->directory.known)
		members_keep_to(&join->members, path);
	*member = (struct member){.kind = NAMING_OTHER};
	/* Only what stands right below the directory is ours; a name that is too long is nobody's. */
	if (below && strlen(name) < sizeof(member->name))
		member->kind = naming_kind(name, &member->compressed, &member->number);
	snprintf(member->name, sizeof(member->name), "%.*s", ROLL_NAME_SIZE - 1, name);
	if (member->kind == NAMING_PACKETS)
		begin_packets(join);
	else if (member->kind == NAMING_CAPTURE)
		verify_request_begin(join->verify);
}

/* --- packets --- */

static void left_out(struct join *join, int place)
{
	join->member.left_out = true;
	defects_note(verify_defects(join->verify), DEFECT_HEADER, "%s is left out (%s)", join->member.name,
		     joined_why(place));
}

/* An interface of the file: where its packets go. */
static void take_header(struct join *join)
{
	const struct member *member = &join->member;
	char series[ROLL_NAME_SIZE];
	uint64_t number;
	int place;

	snprintf(series, sizeof(series), "%.*s", (int)naming_series(member->name, &number), member->name);
	/* The upper half of a pcap header's number is about FCS (draft-ietf-opsawg-pcap, section 4). */
	verify_header(join->verify, series, join->records.interface.link_type & 0xffff,
		      join->records.interface.snaplen);
	place = join->setup.packet ? join->setup.interface(join->setup.packet_context, series, &join->records)
				   : joined_find(&join->joined, series, &join->records);
	join->places[join->records.interface_number] = place;
	if (place < 0)
		left_out(join, place);
}

static int take_packet(struct join *join, struct packet *packet, struct err *err)
{
	struct match_file *file = &join->member.file;
	uint64_t time = packet_time(&packet->header, packet->origin.tick);
	uint32_t cut = packet_cut(&packet->header);
	int place = join->places[packet->origin.interface];

	match_file_count(file, 1, time, time, &(struct cut_by_first){cut > 0, cut});
	if (place < 0 || file->packets <= join->member.skip)
		return 0;
	packet->origin.interface = (uint32_t)place;
	packet->origin.member = join->member.id;
	packet->origin.number = (uint32_t)file->packets;
	file->delivered = file->packets;
	join->result->packets++;
	if (join->setup.packet)
		join->setup.packet(join->setup.packet_context, (unsigned)place, time, packet,
				   &(struct join_place){join->member.name, join->member_number, file->packets,
							pcap_read_fleeting(&join->records, packet)});
	return join->order.area ? order_add(&join->order, packet, err) : 0;
}

/* Many at once, where nobody has to see each. False: there are none. -1 in *result: the output has failed. */
static bool take_run(struct join *join, int *result, struct err *err)
{
	struct match_file *file = &join->member.file;
	int place = join->places[0];
	struct pcap_read_run run;

	if (join->setup.packet || file->packets < join->member.skip || !pcap_read_run(&join->records, &run))
		return false;
	run.packets.origin.interface = (uint32_t)place;
	run.packets.origin.member = join->member.id;
	run.packets.origin.number = (uint32_t)(file->packets + 1);
	match_file_count(file, run.packets.count, run.first, run.packets.last, &run.cut);
	if (place < 0)
		return true;
	file->delivered = file->packets;
	join->result->packets += run.packets.count;
	*result = join->order.area ? order_add_run(&join->order, &run.packets, err) : 0;
	return true;
}

static int take_records(struct join *join, const unsigned char *data, size_t size, struct err *err)
{
	struct packet packet;
	int result = 0;

	join->member.file.bytes += size;
	pcap_read_feed(&join->records, data, size);
	while (result == 0) {
		if (take_run(join, &result, err))
			continue;
		switch (pcap_read_next(&join->records, &packet)) {
		case PCAP_READ_HEADER:
			take_header(join);
			break;
		case PCAP_READ_PACKET:
			result = take_packet(join, &packet, err);
			break;
		case PCAP_READ_MORE:
		case PCAP_READ_DAMAGED:
			if (join->setup.gone)
				join->setup.gone(join->setup.packet_context);
			return 0;
		}
	}
	return result;
}

/* A piece of what has come. What is damaged already needs no more of it, however much it would expand to. */
static int take_piece(struct join *join, struct err *err)
{
	const unsigned char *piece = join->piece;
	size_t size = join->piece_size, slice = join->setup.slice ? join->setup.slice : size;

	size = size < slice ? size : slice;
	if (size > 0) {
		join->piece += size;
		join->piece_size -= size;
		return take_records(join, piece, size, err);
	}
	join->expanding = !join->records.damaged &&
			  decompress_next(join->expand, &join->piece, &join->piece_size) == DECOMPRESS_SOME;
	join->piece_size = join->expanding ? join->piece_size : 0;
	return 0;
}

static void take_text(struct join *join, const unsigned char *data, size_t size)
{
	struct member *member = &join->member;

	if (member->text_size + size <= MANIFEST_READ_TEXT_MAX)
		memcpy(join->text + member->text_size, data, size);
	member->text_size += size;
}

static void take_data(struct join *join)
{
	const unsigned char *data = join->members.data;
	size_t size = join->members.length;

	if (join->member.kind == NAMING_OTHER || join->member.skip == UINT64_MAX)
		return;
	if (join->member.kind != NAMING_PACKETS) {
		take_text(join, data, size);
	} else if (join->member.compressed) {
		decompress_feed(join->expand, data, size);
		join->expanding = true;
	} else {
		join->piece = data;
		join->piece_size = size;
	}
}

/* --- a member's end --- */

/* There is something in it that tarcap does not write. */
static void note_passed(struct join *join)
{
	const struct pcapng_read_passed *passed = &join->records.passed;

	if (passed->blocks)
		defects_note(verify_defects(join->verify), DEFECT_PASSED,
			     "%s has %llu blocks of an unknown type (0x%08x), which may hold packets",
			     join->member.name, (unsigned long long)passed->blocks, passed->type);
}

static int take_zeros(struct join *join, struct err *err)
{
	struct packet packet;

	while (pcap_read_next_zero(&join->records, &packet)) {
		if (take_packet(join, &packet, err) < 0)
			return -1;
	}
	return 0;
}

static int end_packets(struct join *join, bool cut, struct err *err)
{
	struct member *member = &join->member;
	struct match_file *file = &member->file;
	bool complete =
		pcap_read_complete(&join->records) && (!member->compressed || decompress_complete(join->expand));

	if (member->skip == UINT64_MAX)
		return 0;
	if (complete && !cut && take_zeros(join, err) < 0)
		return -1;
	note_passed(join);
	file->whole = complete && !cut;
	join->result->files += file->whole && !member->left_out;
	if (!complete && !cut)
		defects_note(verify_defects(join->verify), DEFECT_DAMAGED, "%s is damaged after %llu packet%s",
			     member->name, (unsigned long long)file->packets, number_plural(file->packets));
	verify_end(join->verify, file);
	return 0;
}

/* The number of a packet that an event is told of later; not where packets came before. */
static int begin_numbering(struct join *join, struct err *err)
{
	if (!verify_is_recorders(join->verify) || join->numbering || join->result->packets)
		return 0;
	if (!join->order.area && order_open(&join->order, join->setup.memory, put_packets, join, err) < 0)
		return -1;
	join->numbering = numbering_open(err);
	return join->numbering ? 0 : -1;
}

/* Which interfaces there may be; nothing of it is verified. */
static int take_capture(struct join *join, struct err *err)
{
	const char *reason;
	struct manifest_read *listing;

	verify_request(join->verify, join->text, join->member.text_size);
	listing = manifest_read_open(join->text, join->member.text_size, &reason);
	for (size_t i = 0; listing && i < manifest_read_accounts(listing); i++) {
		const char *name = manifest_read_interface(listing, i);

		if (name)
			joined_tell(&join->joined, name);
	}
	manifest_read_close(listing);
	return begin_numbering(join, err);
}

static void give_context(struct join *join)
{
	const struct member *member = &join->member;

	verify_context(join->verify, member->name, join->members.size);
	if (join->setup.context_member && member->text_size <= JOIN_CONTEXT_MAX)
		join->setup.context_member(join->setup.packet_context, member->name, join->text, member->text_size);
}

static int end_member(struct join *join, bool cut, struct err *err)
{
	struct member *member = &join->member;

	if (member->kind == NAMING_PACKETS && end_packets(join, cut, err) < 0)
		return -1;
	if (member->kind == NAMING_MANIFEST && !cut)
		verify_manifest(join->verify, member->number, join->text, member->text_size);
	else if (member->kind == NAMING_CAPTURE && !cut && take_capture(join, err) < 0)
		return -1;
	else if (member->kind == NAMING_CONTEXT && !cut)
		give_context(join);
	/* The archive does not end before its manifest and what that lists: until then zeros are a hole. */
	join->members.more_to_come = !verify_complete(join->verify);
	if (cut)
		defects_note(verify_defects(join->verify), DEFECT_CUT, "it is cut inside %s", member->name);
	return 0;
}

/*
 * All of it has come. When it ends in records of zeros, they may be the tar's padding, because bytes of it are missing:
 * that is known when the next header is found where it should be, or not.
 */
static int member_done(struct join *join, struct err *err)
{
	join->open_end = join->member.kind == NAMING_PACKETS && join->records.zeros > 0;
	join->gaps = join->members.gaps;
	return join->open_end ? 0 : end_member(join, false, err);
}

static int close_end(struct join *join, struct err *err)
{
	if (!join->open_end)
		return 0;
	join->open_end = false;
	join->records.damaged |= join->gaps != join->members.gaps;
	return end_member(join, false, err);
}

/* --- the end --- */

static int finish_output(struct join *join, struct err *err)
{
	join->result->found = join->directory.known;
	join->result->junk = join->members.junk;
	join->result->trailing = join->members.trailing;
	join->result->defects = verify_defects(join->verify);
	join->result->told = verify_told(join->verify);
	join->result->verify = join->verify;
	join->result->input = join->input;
	if (join->result->found) {
		stream_note(&join->members, join->member.name, join->input, verify_defects(join->verify));
		verify_finish(join->verify);
	}
	if (join->order.area && order_flush(&join->order, err) < 0)
		return -1;
	verify_event(join->verify, join->numbering);
	if (!join->setup.output)
		return 0;
	join->result->late = join->order.late;
	return joined_told_finish(&join->joined, join->verify, err);
}

/* Returns whether there is more. */
static bool take_event(struct join *join, enum members_event event, struct err *err)
{
	if (close_end(join, err) < 0)
		return false;
	switch (event) {
	case MEMBERS_FILE:
		begin_member(join);
		return true;
	case MEMBERS_DATA:
		take_data(join);
		return true;
	case MEMBERS_DONE:
		return member_done(join, err) == 0;
	case MEMBERS_CUT:
		return end_member(join, true, err) == 0;
	case MEMBERS_END:
		return false;
	case MEMBERS_ERROR:
		err_sys(err, join->members.errnum, "cannot read the archive");
		return false;
	}
	return false;
}

int join_begin(struct join *join, struct join_result *result, struct err *err)
{
	enum input_content content;

	*result = (struct join_result){0};
	join->result = result;
	members_init(&join->members, input_read, join->input);
	join->members.more_to_come = true;
	return join->own_input ? input_look(join->input, &content, err) : 0;
}

bool join_step(struct join *join, struct err *err)
{
	if (join->piece_size > 0 || join->expanding)
		return take_piece(join, err) == 0;
	return take_event(join, members_next(&join->members), err);
}

int join_finish(struct join *join, struct err *err)
{
	/* When the source fails, what it gave before is still delivered; when the output does, it fails once more. */
	finish_output(join, err);
	return err->status ? -1 : 0;
}

int join_run(struct join *join, struct join_result *result, struct err *err)
{
	bool more = join_begin(join, result, err) == 0;

	while (more)
		more = join_step(join, err);
	return join_finish(join, err);
}

const char *join_directory(const struct join *join)
{
	return join->directory.known ? join->directory.path : "";
}

const char *join_interface_name(const struct join *join, const char *series)
{
	return joined_name(&join->joined, series);
}
