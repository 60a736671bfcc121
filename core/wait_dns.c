#include <arpa/inet.h>
#include <event2/dns.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "wait_kind.h"

#define ADDRESSES_MAX 64

struct dns_wait {
    struct wait wait;
    struct evdns_base *base;
    struct evdns_request *request; /* NULL: it is done */
    bool over;                     /* nobody waits: the callback frees it */
    int result;                    /* DNS_ERR_… */
    int n;
    struct in_addr addresses[ADDRESSES_MAX];
    char name[256];
};

struct evdns_base *wait_dns_open(struct event_base *base)
{
    return evdns_base_new(base,
                          EVDNS_BASE_INITIALIZE_NAMESERVERS | EVDNS_BASE_DISABLE_WHEN_INACTIVE);
}

void wait_dns_close(struct evdns_base *dns)
{
    if (dns)
        evdns_base_free(dns, 0);
}

static void on_answer(int result, char type, int count, int ttl, void *addresses, void *arg)
{
    struct dns_wait *dns = arg;
    (void)ttl;
    dns->request = NULL;
    if (dns->over) {
        free(dns);
        return;
    }
    dns->result = result;
    if (result == DNS_ERR_NONE && type == DNS_IPv4_A) {
        dns->n = count < ADDRESSES_MAX ? count : ADDRESSES_MAX;
        memcpy(dns->addresses, addresses, (size_t)dns->n * sizeof *dns->addresses);
    } else if (result == DNS_ERR_NONE && type == DNS_PTR && count > 0) {
        dns->n = 1;
        strncpy(dns->name, *(char **)addresses, sizeof dns->name - 1);
    }
    dns->wait.done(dns->wait.arg);
}

/* A request that is cancelled calls back all the same, from the event loop. */
static void end(struct wait *wait)
{
    struct dns_wait *dns = (struct dns_wait *)wait;
    if (!dns->request) {
        free(dns);
        return;
    }
    dns->over = true;
    evdns_cancel_request(dns->base, dns->request);
}

static struct wait *start(const struct wait_service *service, lua_State *L, int table)
{
    struct in_addr address = {0};
    lua_getfield(L, table, "query");
    lua_getfield(L, table, "name");
    const char *query = luaL_checkstring(L, -2), *name = luaL_checkstring(L, -1);
    bool ptr = !strcmp(query, "ptr");
    if (!service->dns)
        luaL_error(L, "no names are looked up here");
    if (ptr && inet_pton(AF_INET, name, &address) != 1)
        luaL_error(L, "\"%s\" is no IPv4 address", name);
    struct dns_wait *dns = calloc(1, sizeof *dns);
    if (!dns)
        return NULL;
    dns->base = service->dns;
    dns->request = ptr ? evdns_base_resolve_reverse(dns->base, &address, 0, on_answer, dns)
                       : evdns_base_resolve_ipv4(dns->base, name, 0, on_answer, dns);
    if (dns->request)
        return &dns->wait;
    free(dns);
    luaL_error(L, "there is no name server to ask");
    return NULL;
}

static int answer(const struct wait *wait, lua_State *L)
{
    const struct dns_wait *dns = (const struct dns_wait *)wait;
    char text[INET_ADDRSTRLEN];
    if (dns->result != DNS_ERR_NONE || dns->n == 0) {
        lua_pushnil(L);
        lua_pushstring(L, dns->result == DNS_ERR_NONE || dns->result == DNS_ERR_NODATA
                              ? "there is no such record"
                              : evdns_err_to_string(dns->result));
        return 2;
    }
    if (*dns->name) {
        lua_pushstring(L, dns->name);
        return 1;
    }
    lua_createtable(L, dns->n, 0);
    for (int i = 0; i < dns->n; i++) {
        lua_pushstring(L, inet_ntop(AF_INET, &dns->addresses[i], text, sizeof text));
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

const struct wait_kind wait_kind_dns = {"dns", start, answer, end, NULL};
