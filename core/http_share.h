/* One for all workers: of those that share a policy one asks other servers whatever has a key, and
 * keeps the answers; the others ask him, over sockets that nobody else can reach. He is whoever
 * holds a lock, which ends with his process: then another takes over, and asks anew what was under
 * way. Who asks first is the first; where nothing with a key is asked, there is nobody. */
#ifndef MOONBOOT_HTTP_SHARE_H
#define MOONBOOT_HTTP_SHARE_H

#include <event2/event.h>
#include <stdbool.h>

#include "http_cache.h"

struct http_share;
struct http_flight;

/* What workers inherit: two ends of a socket, where they knock and are let in, and a file to lock.
 */
#define HTTP_SHARE_FDS 3

/* False, and -1 in all of them, when the system has none. */
bool http_share_make(int fds[HTTP_SHARE_FDS]);
void http_share_unmake(int fds[HTTP_SHARE_FDS]);

/* In a worker. `cache` answers for others when he is the one. NULL when memory is out. */
struct http_share *http_share_open(struct event_base *base, struct http_cache *cache,
                                   const int fds[HTTP_SHARE_FDS]);
void http_share_close(struct http_share *share);

/* Called from the event loop; with `done` and `alone` the flight is gone. */
struct http_flight_hooks {
    void (*done)(const struct http_answer *answer, void *arg);
    void (*old)(const struct http_answer *answer, void *arg); /* one that is too old, before */
    /* Nobody answers for others any more, or not soon: to be asked oneself. */
    void (*alone)(const struct http_question *question, void *arg);
};

/* NULL: this worker is the one, or it cannot be told to him: it is to be asked here. */
struct http_flight *http_share_ask(struct http_share *share, const struct http_question *question,
                                   const struct http_cache_rules *rules,
                                   const struct http_flight_hooks *hooks, void *arg);

/* No hook is called any more. */
void http_share_forget(struct http_flight *flight);

#endif
