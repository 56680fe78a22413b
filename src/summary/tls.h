/*
 * TLS handshakes that fail, as far as they are in clear: a hello that a server has received and does not answer, and
 * fatal alerts. In memory of fixed size.
 */
#ifndef TARCAP_TLS_H
#define TARCAP_TLS_H

#include "base/err.h"
#include "base/siphash.h"
#include "summary/findings.h"
#include "summary/sighting.h"

struct tls;

/* key: as in table_open(). NULL when there is no memory. */
struct tls *tls_open(const struct siphash_key *key, struct err *err);
void tls_close(struct tls *tls);

/* A packet of TCP. */
void tls_add(struct tls *tls, const struct sighting *sighting);

/* tls-failure. */
void tls_finish(struct tls *tls, const struct circumstances *circumstances, struct findings *findings);

/* Hellos that are cut. */
uint64_t tls_cut(const struct tls *tls);

#endif
