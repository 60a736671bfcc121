/* What a suspended decision waits for, one thing at a time: the table that its coroutine
 * yielded (core/README.md has the shapes), the work that this starts, and the answer. */
#ifndef MOONBOOT_WAIT_H
#define MOONBOOT_WAIT_H

#include <event2/event.h>
#include <lua.h>
#include <stdbool.h>

struct evdns_base;
struct http_cache;
struct metrics;
struct store;
struct wait;

/* Where waits are served; one for each policy. */
struct wait_service {
    struct event_base *base; /* NULL: nothing is served here */
    struct store *store;     /* NULL: there is no store */
    struct http_cache *http; /* NULL: nobody is asked by HTTP */
    struct evdns_base *dns;  /* NULL: no names are looked up */
    struct metrics *metrics;
};

/* Called once, from the event loop, when the answer is there. */
typedef void wait_done(void *arg);

/* Starts what the table on top of L wants. Throws when it makes no sense, or memory is out. */
struct wait *wait_start(const struct wait_service *service, lua_State *L, wait_done *done,
                        void *arg);

/* Pushes the answer: values, or nil and a message -> how many. May throw for want of memory;
 * the wait is to be ended afterwards, in any case. */
int wait_answer(const struct wait *wait, lua_State *L);

/* Its time is over: whether it has an answer all the same, one that is old. */
bool wait_late(struct wait *wait);

/* Asks the name servers of /etc/resolv.conf; NULL when memory is out. */
struct evdns_base *wait_dns_open(struct event_base *base);
void wait_dns_close(struct evdns_base *dns);

/* Ends it, early or not: `done` is not called any more. NULL is fine. */
void wait_end(struct wait *wait);

/* Pushes what a coroutine is given when its time to wait is over: host.expired, and the time
 * that it had, in ms. Takes no memory. */
int wait_expire(lua_State *L, unsigned ms);

/* Adds `expired` to the table on top. */
void wait_open(lua_State *L);

#endif
