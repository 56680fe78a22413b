#include "summary/neighbours.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "summary/ends.h"
#include "summary/neighbour_notice.h"
#include "summary/table.h"

/* As often as this, or for as long, somebody asks in vain before it is said. */
#define ASKED_MIN 2
#define ASKED_TIME UINT64_C(900000000)

/*
 * Who asks as often as this, with no longer pauses (ns), got no answer, though it may not be seen here: it would not
 * ask again so soon. Linux asks 3 times in 2 seconds.
 */
#define INSISTS_MIN 3
#define INSISTS_PAUSE UINT64_C(2500000000)

/* Two who answer one question answer within this time. In ns. */
#define AT_ONCE UINT64_C(1000000000)

/* An address, wherever it was seen. */
struct heard_key {
	uint8_t address[16];
	uint32_t version;
};

struct heard {
	struct heard_key key;
	bool several;		/* peers */
	uint8_t peer[16];	/* the first one */
	uint64_t conversations; /* with one host, not with a group */
	uint64_t last;		/* ns: what it was last seen to take part in and to send */
};

struct neighbour_key {
	uint8_t address[16];
	uint16_t interface, device;
	uint16_t version, unused;
};

struct neighbour {
	struct neighbour_key key;
	bool probed; /* somebody wants it, with the hardware address in prober */
	uint8_t asker_count, hardware_count;
	uint8_t askers[NEIGHBOURS_ASKERS][16];
	uint8_t hardware[2][NEIGHBOURS_HARDWARE]; /* the last one that has claimed it, and the one before */
	uint8_t prober[NEIGHBOURS_HARDWARE];
	uint32_t asked;	   /* in vain, since it last said something */
	uint32_t insists;  /* of these the latest that came one behind the other, from the same */
	uint32_t insisted; /* the most of these */
	uint8_t last_asker[16];
	uint64_t last_asked;
	struct place first_asked;
	uint32_t moves, conflicts;
	uint64_t last_claim;
	struct place first_move, first_conflict;
};

struct neighbours {
	struct table *table;
	struct table *heard;	 /* of all addresses in the table */
	uint64_t between_two[2]; /* conversations, not with a group, of IPv4 and of IPv6 */
};

struct neighbours *neighbours_open(const struct siphash_key *key, struct err *err)
{
	struct neighbours *neighbours = calloc(1, sizeof(*neighbours));

	if (!neighbours) {
		err_sys(err, ENOMEM, "memory for neighbours");
		return NULL;
	}
	if ((neighbours->table =
		     table_open(key, sizeof(struct neighbour_key), sizeof(struct neighbour), NEIGHBOURS_MAX, err)) &&
	    (neighbours->heard = table_open(key, sizeof(struct heard_key), sizeof(struct heard), NEIGHBOURS_MAX, err)))
		return neighbours;
	neighbours_close(neighbours);
	return NULL;
}

void neighbours_close(struct neighbours *neighbours)
{
	if (!neighbours)
		return;
	table_close(neighbours->table);
	table_close(neighbours->heard);
	free(neighbours);
}

uint64_t neighbours_left_out(const struct neighbours *neighbours)
{
	return table_left_out(neighbours->table);
}

/* --- what is known of an address --- */

static struct heard_key heard_key(const uint8_t *address, size_t size)
{
	struct heard_key key = {.version = size == 4 ? 4 : 6};

	_Static_assert(sizeof(key) == 20, "no holes, which would be hashed");
	memcpy(key.address, address, size);
	return key;
}

static struct neighbour *neighbour_of(struct neighbours *neighbours, const struct sighting *sighting,
				      const struct neighbour_notice *notice, const uint8_t *address)
{
	struct neighbour_key key = {.interface = (uint16_t)sighting->interface,
				    .device = sighting->headers->device,
				    .version = notice->size == 4 ? 4 : 6};
	struct heard_key heard;

	_Static_assert(sizeof(key) == 24, "no holes, which would be hashed");
	memcpy(key.address, address, notice->size);
	heard = heard_key(address, notice->size);
	table_take(neighbours->heard, &heard);
	return table_take(neighbours->table, &key);
}

static void add_asker(struct neighbour *neighbour, const struct neighbour_notice *notice)
{
	for (size_t i = 0; i < neighbour->asker_count; i++) {
		if (memcmp(neighbour->askers[i], notice->by, notice->size) == 0)
			return;
	}
	if (neighbour->asker_count < NEIGHBOURS_ASKERS)
		memcpy(neighbour->askers[neighbour->asker_count++], notice->by, notice->size);
}

static void count_insisting(struct neighbour *neighbour, uint64_t time, const struct neighbour_notice *notice)
{
	bool again = time >= neighbour->last_asked && time - neighbour->last_asked <= INSISTS_PAUSE &&
		     memcmp(neighbour->last_asker, notice->by, notice->size) == 0;

	neighbour->insists = neighbour->asked > 1 && again ? neighbour->insists + 1 : 1;
	if (neighbour->insists > neighbour->insisted)
		neighbour->insisted = neighbour->insists;
}

static void take_question(struct neighbour *neighbour, const struct sighting *sighting,
			  const struct neighbour_notice *notice)
{
	if (!notice->by) {
		neighbour->probed = notice->hardware;
		if (notice->hardware)
			memcpy(neighbour->prober, notice->hardware, NEIGHBOURS_HARDWARE);
		return;
	}
	if (neighbour->asked++ == 0)
		neighbour->first_asked = sighting->place;
	count_insisting(neighbour, sighting->place.time, notice);
	neighbour->last_asked = sighting->place.time;
	memcpy(neighbour->last_asker, notice->by, notice->size);
	add_asker(neighbour, notice);
}

static void note_conflict(struct neighbour *neighbour, const struct place *place)
{
	if (neighbour->conflicts++ == 0)
		neighbour->first_conflict = *place;
}

/* Another hardware address than the last one: it moves; and back, or within the time of an answer: two have it. */
static void take_hardware(struct neighbour *neighbour, const struct sighting *sighting, const uint8_t *hardware)
{
	uint64_t time = sighting->place.time;
	bool returns =
		neighbour->hardware_count > 1 && memcmp(neighbour->hardware[1], hardware, NEIGHBOURS_HARDWARE) == 0;
	bool at_once = time >= neighbour->last_claim && time - neighbour->last_claim < AT_ONCE;

	if (neighbour->hardware_count && memcmp(neighbour->hardware[0], hardware, NEIGHBOURS_HARDWARE) == 0) {
		neighbour->last_claim = time;
		return;
	}
	if (neighbour->hardware_count) {
		if (neighbour->moves++ == 0)
			neighbour->first_move = sighting->place;
		if (returns || at_once)
			note_conflict(neighbour, &sighting->place);
	}
	memcpy(neighbour->hardware[1], neighbour->hardware[0], NEIGHBOURS_HARDWARE);
	memcpy(neighbour->hardware[0], hardware, NEIGHBOURS_HARDWARE);
	neighbour->hardware_count = neighbour->hardware_count ? 2 : 1;
	neighbour->last_claim = time;
}

/* Somebody has wanted the address for itself, and somebody else says that it has it. */
static void take_defence(struct neighbour *neighbour, const struct sighting *sighting, const uint8_t *hardware)
{
	if (!neighbour->probed || memcmp(neighbour->prober, hardware, NEIGHBOURS_HARDWARE) == 0)
		return;
	neighbour->probed = false;
	note_conflict(neighbour, &sighting->place);
	memcpy(neighbour->hardware[1], neighbour->prober, NEIGHBOURS_HARDWARE);
	memcpy(neighbour->hardware[0], hardware, NEIGHBOURS_HARDWARE);
	neighbour->hardware_count = 2;
}

/* An address may have another owner in another VLAN. */
static void take_claim(struct neighbour *neighbour, const struct sighting *sighting,
		       const struct neighbour_notice *notice)
{
	neighbour->asked = neighbour->insists = neighbour->insisted = 0;
	if (!notice->hardware || sighting->headers->vlan ||
	    neighbour_notice_is_none(notice->hardware, NEIGHBOURS_HARDWARE))
		return;
	if (!notice->asked)
		take_defence(neighbour, sighting, notice->hardware);
	take_hardware(neighbour, sighting, notice->hardware);
}

void neighbours_add(struct neighbours *neighbours, const struct sighting *sighting)
{
	const struct dissected *headers = sighting->headers;
	struct neighbour *neighbour;
	struct neighbour_notice notice;

	if (!neighbour_notice_read(&notice, headers))
		return;
	/* Who asks for its own address tells that it has it. */
	if (notice.asked && !(notice.by && memcmp(notice.asked, notice.by, notice.size) == 0) &&
	    (neighbour = neighbour_of(neighbours, sighting, &notice, notice.asked)))
		take_question(neighbour, sighting, &notice);
	if (notice.claimed && (neighbour = neighbour_of(neighbours, sighting, &notice, notice.claimed)))
		take_claim(neighbour, sighting, &notice);
}

/* --- findings --- */

static const struct heard *heard_of(const struct neighbours *neighbours, const uint8_t *address, uint32_t version)
{
	struct heard_key key = heard_key(address, version == 4 ? 4 : 16);

	return table_find(neighbours->heard, &key);
}

static bool asked_in_vain(const struct neighbours *neighbours, const struct neighbour *neighbour)
{
	const struct heard *heard = heard_of(neighbours, neighbour->key.address, neighbour->key.version);

	return neighbour->asked >= ASKED_MIN && (!heard || heard->last < neighbour->first_asked.time) &&
	       (neighbour->asked > ASKED_MIN || neighbour->last_asked >= neighbour->first_asked.time + ASKED_TIME);
}

/* Is it sent to one, not to a group or to all? A network's own broadcast address mostly ends with 255. */
static bool to_one(uint8_t version, const struct dissect_end *to)
{
	return version == 4 ? to->address[0] < 224 && to->address[3] != 255 : to->address[0] != 0xff;
}

static bool between_two(const struct conversation *conversation)
{
	return to_one(conversation->version, &conversation->ends[0]) &&
	       to_one(conversation->version, &conversation->ends[1]);
}

static void hear(const struct neighbours *neighbours, const struct conversation *conversation, int from)
{
	struct heard_key key = heard_key(conversation->ends[from].address, conversation->version == 4 ? 4 : 16);
	const struct dissect_end *peer = &conversation->ends[!from];
	struct heard *heard = table_find(neighbours->heard, &key);

	if (!heard)
		return;
	if (conversation->sent[from].packets && conversation->last > heard->last)
		heard->last = conversation->last;
	if (!between_two(conversation))
		return;
	if (heard->conversations++ == 0)
		memcpy(heard->peer, peer->address, sizeof(heard->peer));
	heard->several |= memcmp(heard->peer, peer->address, sizeof(heard->peer)) != 0;
}

/*
 * An answer to it would have been seen: it's the one host that has a part in all that is sent to one host, and so most
 * likely the one whose interface was captured. Of a single pair nobody knows which.
 */
static bool is_visible(const struct neighbours *neighbours, const struct neighbour *neighbour)
{
	for (size_t i = 0; i < neighbour->asker_count; i++) {
		const struct heard *asker = heard_of(neighbours, neighbour->askers[i], neighbour->key.version);

		if (asker && asker->several &&
		    asker->conversations == neighbours->between_two[neighbour->key.version == 6])
			return true;
	}
	return false;
}

static const char *name_of(uint8_t version)
{
	return version == 4 ? "ARP" : "neighbour discovery";
}

static void add_unanswered(struct finding *finding, const struct neighbour *neighbour)
{
	struct finding_connection connection = {.version = (uint8_t)neighbour->key.version};

	memcpy(connection.a.address, neighbour->askers[0], 16);
	memcpy(connection.b.address, neighbour->key.address, 16);
	connection.protocol = connection.version == 6 ? PROTOCOL_ICMPV6 : 0;
	finding_connection(finding, &connection);
	finding->count += neighbour->asked;
}

static struct finding *say_unanswered(struct findings *findings, const struct neighbour *neighbour,
				      enum finding_severity severity, const struct neighbours *neighbours)
{
	uint8_t version = (uint8_t)neighbour->key.version;
	struct finding *finding = findings_add(findings, FINDING_ARP_UNANSWERED, severity, 600);
	struct dissect_end end = {0}, asker = {0};
	char text[ENDS_TEXT_SIZE], from[ENDS_TEXT_SIZE];
	size_t others = 0;

	memcpy(end.address, neighbour->key.address, 16);
	memcpy(asker.address, neighbour->askers[0], 16);
	ends_address(version, &end, text);
	for (size_t i = 0; i < table_count(neighbours->table); i++) {
		const struct neighbour *other = table_at(neighbours->table, i);

		if (other->key.version == version && asked_in_vain(neighbours, other)) {
			add_unanswered(finding, other);
			others += other != neighbour;
		}
	}
	finding->first = neighbour->first_asked;
	finding_say(finding, "%s asked %" PRIu32 " times by %s who has %s, and nobody answered",
		    ends_address(version, &asker, from), neighbour->asked, name_of(version), text);
	if (others)
		finding_say(finding, "; so for %zu more address%s", others, others == 1 ? "" : "es");
	finding_say(finding, severity == FINDING_NOTE ? " here, where answers to it may not be seen"
						      : ": no such host on this network, or it is down");
	finding_filter(finding, version == 4 ? "arp.dst.proto_ipv4 == %s" : "icmpv6.nd.ns.target_address == %s", text);
	finding_next(finding, "whether the host is up, and in this network (address, mask, VLAN, route)");
	return finding;
}

static enum finding_severity severity_of(const struct neighbours *neighbours, const struct neighbour *neighbour)
{
	if (is_visible(neighbours, neighbour))
		return FINDING_ERROR;
	return neighbour->insisted >= INSISTS_MIN ? FINDING_WARNING : FINDING_NOTE;
}

/* One finding for each version of IP: the address that was asked for most, and how many others. */
static void find_unanswered(const struct neighbours *neighbours, uint8_t version, struct findings *findings)
{
	const struct neighbour *most = NULL;
	enum finding_severity worst = FINDING_NOTE;

	for (size_t i = 0; i < table_count(neighbours->table); i++) {
		const struct neighbour *one = table_at(neighbours->table, i);
		enum finding_severity severity;

		if (one->key.version != version || !asked_in_vain(neighbours, one))
			continue;
		severity = severity_of(neighbours, one);
		if (!most || severity > worst || (severity == worst && one->asked > most->asked)) {
			most = one;
			worst = severity;
		}
	}
	if (!most)
		return;
	say_unanswered(findings, most, worst, neighbours)->absent = true;
}

static void find_conflict(const struct neighbour *neighbour, struct findings *findings)
{
	bool conflict = neighbour->conflicts > 0;
	uint8_t version = (uint8_t)neighbour->key.version;
	struct finding *finding =
		findings_add(findings, FINDING_ADDRESS_CONFLICT, conflict ? FINDING_ERROR : FINDING_NOTE, 600);
	char text[ENDS_TEXT_SIZE], one[ENDS_TEXT_SIZE], two[ENDS_TEXT_SIZE];
	struct finding_connection hardware = {0};
	struct dissect_end end = {0};

	memcpy(end.address, neighbour->key.address, 16);
	memcpy(hardware.a.address, neighbour->hardware[0], NEIGHBOURS_HARDWARE);
	memcpy(hardware.b.address, neighbour->hardware[1], NEIGHBOURS_HARDWARE);
	ends_address(version, &end, text);
	ends_address(0, &hardware.a, one);
	ends_address(0, &hardware.b, two);
	if (conflict)
		finding_say(finding, "two hardware addresses claim %s: %s and %s: two hosts have this address", text,
			    two, one);
	else
		finding_say(finding, "%s moved from hardware address %s to %s", text, two, one);
	finding->count = conflict ? neighbour->conflicts : neighbour->moves;
	finding->first = conflict ? neighbour->first_conflict : neighbour->first_move;
	finding_connection(finding, &hardware);
	finding_filter(finding, version == 4 ? "arp.src.proto_ipv4 == %s" : "icmpv6.nd.na.target_address == %s", text);
	finding_next(finding, "%s",
		     conflict ? "which hosts have these hardware addresses" : "whether it was meant to move");
}

void neighbours_finish(struct neighbours *neighbours, const struct conversations *conversations,
		       struct findings *findings)
{
	for (size_t i = 0; i < conversations_count(conversations) && table_count(neighbours->table); i++) {
		const struct conversation *conversation = conversations_at(conversations, i);

		neighbours->between_two[conversation->version == 6] += between_two(conversation);
		hear(neighbours, conversation, 0);
		hear(neighbours, conversation, 1);
	}
	find_unanswered(neighbours, 4, findings);
	find_unanswered(neighbours, 6, findings);
	for (size_t i = 0; i < table_count(neighbours->table); i++) {
		const struct neighbour *neighbour = table_at(neighbours->table, i);

		if (neighbour->moves || neighbour->conflicts)
			find_conflict(neighbour, findings);
	}
}
