#include "summary/tls.h"
#include "base/sizes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "request/number.h"
#include "summary/ends.h"
#include "summary/table.h"
#include "summary/tls_record.h"

/* Handshakes at once, and some that are over: where all ways of a set are taken, the oldest goes. */
#define SETS TABLE_OF(2048)
#define WAYS 4
#define FAILURES_MAX TABLE_OF(512)
#define PORTS TABLE_OF(65536)

/* A server that takes longer than this does not answer; at the end of a capture it has not had that time. In ns. */
#define PATIENCE UINT64_C(3000000000)

/* A client that goes sooner did not wait for an answer. In ns. */
#define WAITED UINT64_C(500000000)

enum session_state {
	SESSION_NONE,
	SESSION_WAITS, /* for the server's answer to a hello */
	SESSION_PART,  /* the same, but not all of the hello has been seen: no claim */
	SESSION_OVER,  /* answered, or failed: nothing more is expected but an alert */
	SESSION_FAILED,
};

enum tls_failing {
	FAILING_SILENT, /* the server has received the hello */
	FAILING_CLOSED, /* it ended the connection */
	FAILING_RESET,
	FAILING_PLAIN, /* it speaks HTTP there */
	FAILING_ALERT,
};

struct session {
	struct dissect_end client, server;
	uint8_t version, state;
	bool acknowledged; /* the hello */
	bool over;	   /* FIN of either has been seen */
	bool by_server;	   /* it was the first */
	uint32_t end;	   /* the sequence number behind the hello */
	struct place first;
	char name[TLS_NAME_SIZE];
};

struct failure_key {
	struct dissect_end server;
	uint8_t version, failing, alert, by_client;
	uint8_t unused[2];
	uint64_t name; /* its hash */
};

struct failure {
	struct failure_key key;
	uint64_t count;
	struct place first;
	struct finding_connection connection;
	char name[TLS_NAME_SIZE];
};

struct tls {
	struct siphash_key key;
	struct table *failures;
	uint64_t cut;
	uint16_t waiting[PORTS]; /* sessions that wait, by the client's port: most packets are of none */
	struct session sessions[SETS][WAYS];
};

struct tls *tls_open(const struct siphash_key *key, struct err *err)
{
	struct tls *tls = calloc(1, sizeof(*tls));

	if (!tls) {
		err_sys(err, ENOMEM, "memory for TLS");
		return NULL;
	}
	tls->key = *key;
	tls->failures = table_open(key, sizeof(struct failure_key), sizeof(struct failure), FAILURES_MAX, err);
	if (tls->failures)
		return tls;
	tls_close(tls);
	return NULL;
}

void tls_close(struct tls *tls)
{
	if (!tls)
		return;
	table_close(tls->failures);
	free(tls);
}

/* --- failures --- */

static void fail(struct tls *tls, const struct session *session, const struct failure_key *what)
{
	struct failure_key key = *what;
	struct failure *failure;

	_Static_assert(sizeof(key) == 32, "no holes, which would be hashed");
	key.server = session->server;
	key.version = session->version;
	key.name = siphash(&tls->key, session->name, strlen(session->name));
	failure = table_take(tls->failures, &key);
	if (!failure || failure->count++)
		return;
	failure->first = session->first;
	memcpy(failure->name, session->name, sizeof(failure->name));
	failure->connection = (struct finding_connection){.a = session->client,
							  .b = session->server,
							  .version = session->version,
							  .protocol = PROTOCOL_TCP,
							  .ports = true};
}

/* --- sessions --- */

static bool waits(const struct session *session)
{
	return session->state == SESSION_WAITS || session->state == SESSION_PART;
}

static uint16_t *waiting_of(struct tls *tls, uint16_t port)
{
	return &tls->waiting[port % PORTS];
}

static void set_state(struct tls *tls, struct session *session, enum session_state state)
{
	bool before = waits(session);

	session->state = (uint8_t)state;
	if (before && !waits(session))
		(*waiting_of(tls, session->client.port))--;
	else if (!before && waits(session))
		(*waiting_of(tls, session->client.port))++;
}

static struct session *set_of(struct tls *tls, const struct dissect_end *client, const struct dissect_end *server)
{
	unsigned char text[2 * sizeof(*client)];

	memcpy(text, client, sizeof(*client));
	memcpy(text + sizeof(*client), server, sizeof(*server));
	return tls->sessions[siphash(&tls->key, text, sizeof(text)) % SETS];
}

static struct session *find_session(struct tls *tls, const struct dissect_end *client, const struct dissect_end *server,
				    uint8_t version)
{
	struct session *set = set_of(tls, client, server);

	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].state && set[i].version == version && ends_same(&set[i].client, client) &&
		    ends_same(&set[i].server, server))
			return &set[i];
	}
	return NULL;
}

/* Nothing more is going to be looked for; now: the time of what says so. */
static void settle(struct tls *tls, struct session *session, uint64_t now)
{
	struct failure_key what = {.failing = session->over && session->by_server ? FAILING_CLOSED : FAILING_SILENT};
	bool long_ago = now >= session->first.time && now - session->first.time >= PATIENCE;

	if (session->state == SESSION_WAITS && session->acknowledged && (session->over || long_ago))
		fail(tls, session, &what);
	set_state(tls, session, SESSION_NONE);
}

static struct session *free_way(struct tls *tls, const struct dissected *headers, uint64_t now)
{
	struct session *set = set_of(tls, &headers->from, &headers->to), *best = set;

	for (size_t i = 1; i < WAYS && best->state; i++) {
		if (!set[i].state || (waits(best) && !waits(&set[i])) ||
		    (waits(best) == waits(&set[i]) && set[i].first.time < best->first.time))
			best = &set[i];
	}
	settle(tls, best, now);
	return best;
}

/* --- packets --- */

/* The same hello once more is no other; after another answer of the server's there may come a second one. */
static void take_hello(struct tls *tls, const struct sighting *sighting, const struct tls_record *record)
{
	const struct dissected *headers = sighting->headers;
	struct session *session = find_session(tls, &headers->from, &headers->to, headers->version);
	uint32_t end = headers->sequence + headers->payload_length;

	if (session && session->end == end)
		return;
	if (session)
		settle(tls, session, sighting->place.time);
	else
		session = free_way(tls, headers, sighting->place.time);
	*session = (struct session){.client = headers->from,
				    .server = headers->to,
				    .version = headers->version,
				    .end = end,
				    .first = sighting->place};
	memcpy(session->name, record->name, sizeof(session->name));
	set_state(tls, session, record->content == TLS_PART ? SESSION_PART : SESSION_WAITS);
}

static void take_alert(struct tls *tls, const struct sighting *sighting, const struct tls_record *record)
{
	const struct dissected *headers = sighting->headers;
	struct session *session = find_session(tls, &headers->from, &headers->to, headers->version);
	struct failure_key what = {.failing = FAILING_ALERT, .alert = record->alert, .by_client = session ? 1 : 0};

	if (!session)
		session = find_session(tls, &headers->to, &headers->from, headers->version);
	if (!session || session->state == SESSION_FAILED)
		return;
	if (!record->fatal) {
		set_state(tls, session, SESSION_OVER);
		return;
	}
	session->first = sighting->place;
	fail(tls, session, &what);
	set_state(tls, session, SESSION_FAILED);
}

static void take_reset(struct tls *tls, struct session *session)
{
	struct failure_key what = {.failing = FAILING_RESET};

	if (session->state == SESSION_WAITS)
		fail(tls, session, &what);
	set_state(tls, session, SESSION_FAILED);
}

static void take_answer(struct tls *tls, struct session *session, const struct dissected *headers)
{
	struct failure_key what = {.failing = FAILING_PLAIN};
	bool plain = headers->payload && headers->payload_size >= 5 && memcmp(headers->payload, "HTTP/", 5) == 0;

	if (plain && session->state == SESSION_WAITS)
		fail(tls, session, &what);
	set_state(tls, session, plain ? SESSION_FAILED : SESSION_OVER);
}

/* Of the server's, to a port of which somebody waits. */
static void take_from_server(struct tls *tls, const struct dissected *headers)
{
	struct session *session = find_session(tls, &headers->to, &headers->from, headers->version);

	if (!session || !waits(session))
		return;
	if (headers->flags & DISSECT_ACK && (int32_t)(headers->acknowledged - session->end) >= 0)
		session->acknowledged = true;
	if (headers->payload_length > 0)
		take_answer(tls, session, headers);
	else if (headers->flags & DISSECT_RST)
		take_reset(tls, session);
	else if (headers->flags & DISSECT_FIN && !session->over)
		session->over = session->by_server = true;
}

static void take_from_client(struct tls *tls, const struct dissected *headers, uint64_t now)
{
	struct session *session = find_session(tls, &headers->from, &headers->to, headers->version);

	if (!session || !waits(session) || session->over || !(headers->flags & (DISSECT_FIN | DISSECT_RST)))
		return;
	if (now >= session->first.time && now - session->first.time >= WAITED)
		session->over = true;
	else
		set_state(tls, session, SESSION_OVER);
}

/* Its record is large, and is made ready for what may be one alone. */
static void look_into(struct tls *tls, const struct sighting *sighting)
{
	const struct dissected *headers = sighting->headers;
	struct tls_record record = {.content = TLS_NONE};

	tls_record_read(&record, headers->payload, headers->payload_size);
	tls->cut += record.content == TLS_PART && headers->payload_size < headers->payload_length;
	if (record.content == TLS_CLIENT_HELLO || record.content == TLS_PART)
		take_hello(tls, sighting, &record);
	else if (record.content == TLS_ALERT)
		take_alert(tls, sighting, &record);
}

void tls_add(struct tls *tls, const struct sighting *sighting)
{
	const struct dissected *headers = sighting->headers;

	if (!headers->tcp_header)
		return;
	/* All that is looked into begins with a type of 21 or 22, and 3. */
	if (headers->payload_size > 5 && (headers->payload[0] == 21 || headers->payload[0] == 22) &&
	    headers->payload[1] == 3)
		look_into(tls, sighting);
	if (*waiting_of(tls, headers->to.port))
		take_from_server(tls, headers);
	if (*waiting_of(tls, headers->from.port))
		take_from_client(tls, headers, sighting->place.time);
}

/* --- findings --- */

static void say_alert(struct finding *finding, const struct failure *failure, const char *server)
{
	char spare[16];
	const char *alert = tls_alert_name(failure->key.alert, spare);
	const char *next = "the certificate and the settings of the server, and what the client accepts";

	if (failure->key.by_client)
		finding_say(finding, "the client ended the TLS handshake with %s by the alert %s", server, alert);
	else
		finding_say(finding, "%s ended the TLS handshake by the alert %s", server, alert);
	if (failure->key.by_client && failure->key.alert >= 42 && failure->key.alert <= 48)
		next = "the certificate that the server sends: its issuer, its dates, its names; what the client "
		       "trusts";
	finding_next(finding, "%s", next);
	finding_filter(finding, "tls.alert_message.desc == %u", failure->key.alert);
}

static void say_failing(struct finding *finding, const struct failure *failure, const char *server)
{
	static const char *const texts[] = {
		[FAILING_SILENT] = "got a TLS hello and did not answer it",
		[FAILING_CLOSED] = "got a TLS hello and closed the connection without an answer",
		[FAILING_RESET] = "answered a TLS hello with a reset",
		[FAILING_PLAIN] = "answered a TLS hello with plain HTTP: no TLS is spoken on this port",
	};

	if (failure->key.failing == FAILING_ALERT) {
		say_alert(finding, failure, server);
		return;
	}
	finding_say(finding, "%s %s", server, texts[failure->key.failing]);
	finding_filter(finding, "tls.handshake.type == 1");
	finding_next(finding, "the log of the server; whether it knows the name, and speaks TLS on this port");
}

/* A name may be 255 bytes long. */
#define NAME_SHOWN 80

static void add_finding(const struct failure *failure, struct findings *findings)
{
	struct finding *finding = findings_add(findings, FINDING_TLS_FAILURE, FINDING_ERROR, 520);
	const struct finding_connection *connection = &failure->connection;
	char server[ENDS_TEXT_SIZE], filter[ENDS_FILTER_SIZE];

	ends_text(connection->version, true, &connection->b, server);
	say_failing(finding, failure, server);
	finding_say(finding, ", %" PRIu64 " time%s", failure->count, number_plural(failure->count));
	if (failure->name[0])
		finding_say(finding, "; server name asked for: %.*s", NAME_SHOWN, failure->name);
	finding->absent = failure->key.failing == FAILING_SILENT;
	finding_filter(finding, " && %s && tcp.port == %u", ends_filter(connection->version, &connection->b, filter),
		       connection->b.port);
	finding->count = failure->count;
	finding->first = failure->first;
	finding_connection(finding, connection);
}

void tls_finish(struct tls *tls, const struct circumstances *circumstances, struct findings *findings)
{
	for (size_t i = 0; i < (size_t)SETS * WAYS; i++)
		settle(tls, &tls->sessions[i / WAYS][i % WAYS], circumstances->last);
	for (size_t i = 0; i < table_count(tls->failures); i++)
		add_finding(table_at(tls->failures, i), findings);
}

uint64_t tls_cut(const struct tls *tls)
{
	return tls->cut;
}
