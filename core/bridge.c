#include "bridge.h"

#include <arpa/inet.h>
#include <lauxlib.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "dhcp_map.h"

#define OPTION_LEN_MAX 4096

/* --- request to table --------------------------------------------------------------- */

static void set_string(lua_State *L, const char *key, const char *value)
{
    if (value) {
        lua_pushstring(L, value);
        lua_setfield(L, -2, key);
    }
}

static void set_bytes(lua_State *L, const char *key, struct bytes value)
{
    if (value.len) {
        lua_pushlstring(L, (const char *)value.data, value.len);
        lua_setfield(L, -2, key);
    }
}

static void set_address(lua_State *L, const char *key, struct in_addr address)
{
    char text[INET_ADDRSTRLEN];
    if (address.s_addr != INADDR_ANY)
        set_string(L, key, addr_ip_text(address, text));
}

static void set_number(lua_State *L, const char *key, int value)
{
    lua_pushinteger(L, value);
    lua_setfield(L, -2, key);
}

static void push_dhcp(lua_State *L, const struct request_dhcp *dhcp)
{
    static const char *const messages[] = {"discover", "request", "inform"};
    char mac[ADDR_MAC_TEXT], uuid[ADDR_UUID_TEXT];
    set_string(L, "message", messages[dhcp->message]);
    set_number(L, "port", dhcp->boot_server_port ? 4011 : 67);
    if (dhcp->has_mac) {
        addr_mac_text(dhcp->mac, mac);
        set_string(L, "mac", mac);
    }
    if (dhcp->has_uuid) {
        addr_uuid_text(dhcp->uuid, uuid);
        set_string(L, "uuid", uuid);
    }
    if (dhcp->arch != REQUEST_NO_ARCH)
        set_number(L, "arch_id", dhcp->arch);
    set_bytes(L, "vendor_class", dhcp->vendor_class);
    set_bytes(L, "user_class", dhcp->user_class);
    set_bytes(L, "hostname", dhcp->hostname);
    set_bytes(L, "circuit_id", dhcp->circuit_id);
    set_bytes(L, "remote_id", dhcp->remote_id);
    set_bytes(L, "ipxe", dhcp->ipxe);
    lua_pushboolean(L, dhcp->is_ipxe);
    lua_setfield(L, -2, "is_ipxe");
    set_address(L, "ip", dhcp->ciaddr);
    set_address(L, "relay", dhcp->giaddr);
    set_address(L, "server_id", dhcp->server_id);
    if (dhcp->has_boot_item) {
        lua_createtable(L, 0, 2);
        set_number(L, "type", dhcp->boot_item_type);
        set_number(L, "layer", dhcp->boot_item_layer);
        lua_setfield(L, -2, "boot_item");
    }
}

static void push_tls(lua_State *L, const struct request_tls *tls)
{
    set_string(L, "tls", tls->version);
    set_string(L, "tls_subject", *tls->subject ? tls->subject : NULL);
    set_string(L, "tls_name", *tls->name ? tls->name : NULL);
    set_string(L, "tls_fingerprint", *tls->fingerprint ? tls->fingerprint : NULL);
}

void bridge_push_request(lua_State *L, const struct request *request, const char *base_url)
{
    static const char *const protocols[] = {"dhcp", "tftp", "http", "control"};
    lua_createtable(L, 0, 16); /* as large as it gets: growing is what would take long */
    set_string(L, "protocol", protocols[request->protocol]);
    set_address(L, "client", request->client);
    set_address(L, "server", request->server);
    set_string(L, "interface", request->interface[0] ? request->interface : NULL);
    set_string(L, "base", base_url);
    switch (request->protocol) {
    case REQUEST_DHCP:
        push_dhcp(L, &request->dhcp);
        break;
    case REQUEST_TFTP:
        set_string(L, "file", request->tftp.file);
        break;
    case REQUEST_HTTP:
        set_string(L, "method", request->http.method);
        set_string(L, "path", request->http.path);
        set_string(L, "query", request->http.query);
        set_string(L, "host", request->http.host);
        set_string(L, "user_agent", request->http.user_agent);
        set_bytes(L, "body", request->http.body);
        if (request->http.admin) {
            lua_pushboolean(L, 1);
            lua_setfield(L, -2, "admin");
        }
        if (request->http.tls)
            push_tls(L, request->http.tls);
        break;
    case REQUEST_CONTROL:
        set_string(L, "command", request->control.command);
        set_string(L, "arguments", request->control.arguments);
        break;
    }
}

/* --- table to reply ----------------------------------------------------------------- */

/* Reading goes on after an error, with empty values; the first error is kept. All reads
 * are raw: a metamethod could throw. */
struct reading {
    lua_State *L;
    struct reply **reply; /* the caller's: he frees it when a read throws or fails */
    char *error;
    size_t error_size;
    bool failed;
};

__attribute__((format(printf, 2, 3))) static void fail(struct reading *r, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (!r->failed)
        vsnprintf(r->error, r->error_size, format, args);
    va_end(args);
    r->failed = true;
}

/* Pushes table[key]. */
static void get(struct reading *r, int table, const char *key)
{
    lua_pushstring(r->L, key);
    lua_rawget(r->L, table);
}

static char *copy(struct reading *r, const char *data, size_t len)
{
    char *bytes = malloc(len + 1);
    if (!bytes) {
        fail(r, "no memory for the reply");
        return NULL;
    }
    memcpy(bytes, data, len);
    bytes[len] = '\0';
    return bytes;
}

/* A string field, copied; NULL when it is nil (or false) or an error. */
static char *read_string(struct reading *r, int table, const char *key, size_t *len)
{
    char *value = NULL;
    size_t n = 0;
    get(r, table, key);
    if (lua_type(r->L, -1) == LUA_TSTRING) {
        const char *text = lua_tolstring(r->L, -1, &n);
        if (!len && strlen(text) != n)
            fail(r, "the reply's `%s` has a NUL byte in it", key);
        else
            value = copy(r, text, n);
    } else if (lua_toboolean(r->L, -1)) {
        fail(r, "the reply's `%s` is a %s, not a string", key,
             lua_typename(r->L, lua_type(r->L, -1)));
    }
    lua_pop(r->L, 1);
    if (len)
        *len = n;
    return value;
}

static bool read_option(struct reading *r, struct reply_option *option)
{
    lua_Number code = lua_type(r->L, -2) == LUA_TNUMBER ? lua_tonumber(r->L, -2) : 0;
    if (code < 1 || code > 254 || code != (int)code || !dhcp_map_option_allowed((uint8_t)code)) {
        fail(r, "DHCP option %g can not be set", code);
        return false;
    }
    size_t len = 0;
    const char *data = lua_type(r->L, -1) == LUA_TSTRING ? lua_tolstring(r->L, -1, &len) : NULL;
    if (!data || len > OPTION_LEN_MAX) {
        fail(r, "DHCP option %g wants a string of at most %d bytes", code, OPTION_LEN_MAX);
        return false;
    }
    *option = (struct reply_option){
        .code = (uint8_t)code, .len = (uint16_t)len, .data = (uint8_t *)copy(r, data, len)};
    return option->data != NULL;
}

static int by_code(const void *a, const void *b)
{
    return ((const struct reply_option *)a)->code - ((const struct reply_option *)b)->code;
}

/* The table of options on top of the stack. Sorted: one decision, one packet. */
static void read_options(struct reading *r, struct reply_dhcp *dhcp)
{
    lua_State *L = r->L;
    if (!lua_istable(L, -1)) {
        if (!lua_isnil(L, -1))
            fail(r, "the reply's `options` is no table");
        return;
    }
    size_t n = 0;
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
        n++;
    if (n == 0)
        return;
    dhcp->options = calloc(n, sizeof *dhcp->options);
    if (!dhcp->options) {
        fail(r, "no memory for the reply");
        return;
    }
    for (lua_pushnil(L); !r->failed && lua_next(L, -2); lua_pop(L, 1)) {
        if (read_option(r, &dhcp->options[dhcp->n_options]))
            dhcp->n_options++;
    }
    if (!r->failed)
        qsort(dhcp->options, dhcp->n_options, sizeof *dhcp->options, by_code);
}

/* A new reply of that kind, at once in the reader's hands: what follows may throw. */
static struct reply *begin(struct reading *r, enum reply_kind kind)
{
    *r->reply = kind == REPLY_SILENCE ? reply_silence() : reply_alloc(kind);
    if (!*r->reply)
        fail(r, "no memory for the reply");
    return *r->reply;
}

static void read_dhcp(struct reading *r, int table, const struct request *request)
{
    if (request->protocol != REQUEST_DHCP) {
        fail(r, "a DHCP reply to a request that was not DHCP");
        return;
    }
    struct reply *reply = begin(r, REPLY_DHCP);
    if (!reply)
        return;
    char *server = read_string(r, table, "server", NULL);
    reply->dhcp.file = read_string(r, table, "file", NULL);
    reply->dhcp.vendor_class = read_string(r, table, "vendor_class", NULL);
    reply->dhcp.server = request->server;
    if (server && (inet_pton(AF_INET, server, &reply->dhcp.server) != 1 ||
                   reply->dhcp.server.s_addr == INADDR_ANY))
        fail(r, "the boot server \"%s\" is no IPv4 address", server);
    free(server);
    get(r, table, "options");
    int top = lua_gettop(r->L);
    read_options(r, &reply->dhcp);
    lua_settop(r->L, top - 1);
}

/* The index of the string field's value in `names`; 0 when it is nil. */
static int read_choice(struct reading *r, int table, const char *key, const char *const *names)
{
    char *value = read_string(r, table, key, NULL);
    int i = 0;
    while (value && names[i] && strcmp(value, names[i]) != 0)
        i++;
    if (value && !names[i]) {
        fail(r, "the reply's `%s` is \"%s\"", key, value);
        i = 0;
    }
    free(value);
    return i;
}

/* A header's value: printable ASCII, so that it cannot end its line. */
static bool header_safe(const char *text)
{
    for (; *text; text++) {
        if (*text < ' ' || *text > '~')
            return false;
    }
    return true;
}

static void read_body(struct reading *r, int table)
{
    struct reply *reply = begin(r, REPLY_BODY);
    if (!reply)
        return;
    reply->body.data = (uint8_t *)read_string(r, table, "body", &reply->body.len);
    reply->body.content_type = read_string(r, table, "type", NULL);
    if (reply->body.content_type && !header_safe(reply->body.content_type))
        fail(r, "the reply's `type` has control characters in it");
    get(r, table, "status");
    double status = lua_isnil(r->L, -1) ? 200 : lua_tonumber(r->L, -1);
    lua_pop(r->L, 1);
    if (status >= 200 && status <= 599) /* not so for NaN */
        reply->body.status = (int)status;
    else
        fail(r, "the reply's `status` is %g", status);
}

static void read_error(struct reading *r, int table)
{
    static const char *const reasons[] = {"not-found", "denied", "failed", NULL};
    struct reply *reply = begin(r, REPLY_ERROR);
    if (!reply)
        return;
    reply->error.message = read_string(r, table, "error", NULL);
    reply->error.reason = (enum reply_reason)read_choice(r, table, "reason", reasons);
}

static bool has(struct reading *r, int table, const char *key)
{
    get(r, table, key);
    bool there = lua_toboolean(r->L, -1);
    lua_pop(r->L, 1);
    return there;
}

/* What is sent when there is no such file, into the reply that has the file. */
static void read_otherwise(struct reading *r, int table, struct reply *file)
{
    struct reply **outer = r->reply;
    r->reply = &file->file.otherwise;
    if (has(r, table, "body"))
        read_body(r, table);
    else if (has(r, table, "error"))
        read_error(r, table);
    else
        fail(r, "the reply's `otherwise` has neither body nor error");
    r->reply = outer;
}

static void read_file(struct reading *r, int table)
{
    static const char *const roots[] = {"tftp", "assets", NULL};
    struct reply *reply = begin(r, REPLY_FILE);
    if (!reply)
        return;
    reply->file.path = read_string(r, table, "path", NULL);
    reply->file.content_type = read_string(r, table, "type", NULL);
    reply->file.root = (enum reply_root)read_choice(r, table, "root", roots);
    get(r, table, "otherwise");
    if (lua_istable(r->L, -1))
        read_otherwise(r, lua_gettop(r->L), reply);
    else if (!lua_isnil(r->L, -1))
        fail(r, "the reply's `otherwise` is no table");
    lua_pop(r->L, 1);
}

static void read_table(struct reading *r, int table, const struct request *request)
{
    if (has(r, table, "silence")) {
        begin(r, REPLY_SILENCE);
    } else if (has(r, table, "path")) {
        read_file(r, table);
    } else if (has(r, table, "body")) {
        read_body(r, table);
    } else if (has(r, table, "error")) {
        read_error(r, table);
    } else if (has(r, table, "dhcp")) {
        get(r, table, "dhcp");
        if (lua_istable(r->L, -1))
            read_dhcp(r, lua_gettop(r->L), request);
        else
            fail(r, "the reply's `dhcp` is no table");
        lua_pop(r->L, 1);
    } else {
        fail(r, "the reply says nothing");
    }
}

bool bridge_read_reply(lua_State *L, int index, const struct request *request, struct reply **reply,
                       char *error, size_t error_size)
{
    struct reading r = {.L = L, .reply = reply, .error = error, .error_size = error_size};
    int table = index < 0 ? lua_gettop(L) + index + 1 : index;
    if (lua_isnil(L, table))
        begin(&r, REPLY_SILENCE);
    else if (lua_istable(L, table))
        read_table(&r, table, request);
    else
        fail(&r, "the reply is a %s", luaL_typename(L, table));
    return !r.failed;
}
