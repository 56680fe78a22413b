/*
 * Several captures into one page's numbers: each as summary.h reads one, in turns, so that all come about as far in
 * time, and their TCP connections paired.
 */
#ifndef TARCAP_TOGETHER_H
#define TARCAP_TOGETHER_H

#include "base/err.h"
#include "base/siphash.h"
#include "read/source.h"
#include "summary/page_both.h"

struct together;

/* NULL when there is no memory. The sources are open, and stay the caller's. */
struct together *together_open(struct sources *sources, const struct siphash_key *key, struct err *err);
void together_close(struct together *together);

/* Read all to their ends; -1 with *err when one cannot be read. What comes of it is valid until together_close(). */
int together_run(struct together *together, struct page_both *both, struct err *err);

#endif
