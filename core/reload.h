/* Loading: from a request to a generation that serves, or to a refusal that changes nothing. */
#ifndef MOONBOOT_RELOAD_H
#define MOONBOOT_RELOAD_H

#include "supervision.h"

#define RELOAD_MAX_MS 90000 /* from request to ready */

/* Begins a load, or, while one is under way, sees to it that another follows. The load that
 * answers the request is number s->loads + 1, as s->loads was before. */
void reload_begin(struct supervisor *s, const struct origin *origin);

/* A file that a generation has read has changed. */
void reload_changed(struct supervisor *s, const char *file);

/* A fetch has ended: there may be something to load. */
void reload_fetched(struct supervisor *s);

/* The candidate's nursery has found a problem, or what is no reason to refuse it; has loaded the
 * policy. */
void reload_problem(struct supervisor *s, const char *problem);
void reload_warning(struct supervisor *s, const char *warning);
void reload_loaded(struct supervisor *s, const char *hash);

/* Gives the candidate up: what it was to replace goes on. */
void reload_discard(struct supervisor *s);

/* Ends the candidate's processes and lets go of it. */
void reload_end_candidate(struct supervisor *s);

/* Frees what is known of loads. */
void reload_forget(struct supervisor *s);

/* Moves a reload on when what it waits for has come. */
void reload_advance(struct supervisor *s);

/* What is due: giving up, another reload, a new nursery for one that was lost. */
void reload_tick(struct supervisor *s);

#endif
