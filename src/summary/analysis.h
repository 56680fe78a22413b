/*
 * All analysers of summary/. One is a file of its own: NAME_open() takes its memory once, NAME_add() looks at a packet,
 * NAME_finish() adds its findings, NAME_close(). It is called from analysis.c, and nowhere else.
 */
#ifndef TARCAP_ANALYSIS_H
#define TARCAP_ANALYSIS_H

#include "base/err.h"
#include "base/siphash.h"
#include "summary/conversations.h"
#include "summary/dns.h"
#include "summary/findings.h"
#include "summary/http.h"
#include "summary/icmp.h"
#include "summary/kernel_counters.h"
#include "summary/servers.h"
#include "summary/sighting.h"

struct analysis;
struct pairing;

/* key: random, for tables whose chains nobody can choose. NULL when there is no memory. */
struct analysis *analysis_open(const struct siphash_key *key, struct err *err);
void analysis_close(struct analysis *analysis);

/*
 * A packet goes through four doors, so that memory is there when it is looked at: announced when it comes, approached
 * and reached some packets later where there are some, and added.
 */
void analysis_announce(struct analysis *analysis, struct sighting *sighting);
void analysis_approach(struct analysis *analysis, struct sighting *sighting);
void analysis_reach(const struct analysis *analysis, const struct sighting *sighting);
void analysis_add(struct analysis *analysis, const struct sighting *sighting);

/* What is TCP goes there, too, as of that archive; the caller's. */
void analysis_pair(struct analysis *analysis, struct pairing *pairing, unsigned archive);

/* A member of the context, by its name in the archive. */
void analysis_context(struct analysis *analysis, const char *name, const char *text, size_t size);

/* All has come: the findings, ranked; valid until analysis_close(). */
const struct findings *analysis_finish(struct analysis *analysis, const struct circumstances *circumstances);

/* Valid once it is finished. */
const struct dns *analysis_dns(const struct analysis *analysis);
const struct http *analysis_http(const struct analysis *analysis);
const struct icmp *analysis_icmp(const struct analysis *analysis);
const struct kernel_counters *analysis_kernel(const struct analysis *analysis);
const struct servers *analysis_servers(const struct analysis *analysis);

const struct conversations *analysis_conversations(const struct analysis *analysis);

#endif
