#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "inventory_build.h"

/* A host's record in the arena: its key (length, bytes), verdict, what belongs to that
 * (profile's number, or text), number of args, their length, each (with the lowest bit of its
 * length saying whether it is sealed), number of vars, each (name's number, kind, value). Numbers
 * are varints. */
struct entry {
    uint32_t line;
    uint32_t hash;
    uint64_t record; /* where it is in the arena */
};

/* Texts by number, and back. */
struct names {
    struct inventory_name *names;
    unsigned *serials; /* of the last host that used it */
    size_t n, room;
    uint32_t *slots; /* number + 1; 0 is empty */
    size_t size;     /* of the slots: a power of two */
};

struct inventory {
    struct inventory_field key;
    char *key_name;
    struct inventory_bytes arena;
    struct entry *hosts;
    size_t n_hosts, room_hosts;
    uint32_t *slots; /* number of the host + 1; 0 is empty */
    size_t size;
    struct names profiles, vars;
    unsigned bootless;
    struct inventory_sealed *sealed;
    size_t n_sealed, room_sealed;
};

_Static_assert(sizeof(struct entry) + 3 * sizeof(uint32_t) == INVENTORY_HOST,
               "the slots are up to three quarters full, and at least three eighths");

/* --- bytes ------------------------------------------------------------------------------------ */

bool inventory_bytes_add(struct inventory_bytes *bytes, const void *data, size_t len)
{
    if (bytes->room - bytes->len < len) {
        size_t room = (bytes->len + len) + (bytes->len + len) / 2 + 64;
        unsigned char *moved = realloc(bytes->data, room);
        if (!moved)
            return false;
        bytes->data = moved;
        bytes->room = room;
    }
    if (len)
        memcpy(bytes->data + bytes->len, data, len);
    bytes->len += len;
    return true;
}

bool inventory_bytes_number(struct inventory_bytes *bytes, size_t number)
{
    unsigned char digits[10];
    size_t n = 0;
    for (; number >= 0x80; number >>= 7)
        digits[n++] = (unsigned char)(number | 0x80);
    digits[n++] = (unsigned char)number;
    return inventory_bytes_add(bytes, digits, n);
}

static size_t take_number(const unsigned char **at)
{
    size_t number = 0;
    for (unsigned shift = 0;; shift += 7) {
        unsigned char byte = *(*at)++;
        number |= (size_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return number;
    }
}

static const char *take_text(const unsigned char **at, size_t *len)
{
    *len = take_number(at);
    const char *text = (const char *)*at;
    *at += *len;
    return text;
}

static uint32_t hash_of(const void *data, size_t len)
{
    const unsigned char *bytes = data;
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    hash ^= hash >> 32;
    hash *= 0xd6e8feb86659fd93u;
    return (uint32_t)(hash >> 32);
}

/* --- names ------------------------------------------------------------------------------------ */

static uint32_t *name_slot(const struct names *names, const char *text)
{
    size_t at = hash_of(text, strlen(text)) & (names->size - 1);
    while (names->slots[at] && strcmp(names->names[names->slots[at] - 1].text, text) != 0)
        at = (at + 1) & (names->size - 1);
    return &names->slots[at];
}

static bool names_grow(struct names *names)
{
    size_t room = names->room ? names->room * 2 : 16;
    struct inventory_name *list = realloc(names->names, room * sizeof *list);
    if (!list)
        return false;
    names->names = list;
    unsigned *serials = realloc(names->serials, room * sizeof *serials);
    if (!serials)
        return false;
    names->serials = serials;
    uint32_t *slots = calloc(room * 2, sizeof *slots);
    if (!slots)
        return false;
    free(names->slots);
    names->slots = slots;
    names->size = room * 2;
    names->room = room;
    for (size_t i = 0; i < names->n; i++)
        *name_slot(names, list[i].text) = (uint32_t)i + 1;
    return true;
}

/* The number of a text; -1 when memory is out. */
static int name_of(struct names *names, const char *text, unsigned line)
{
    if (names->n == names->room && !names_grow(names))
        return -1;
    uint32_t *slot = name_slot(names, text);
    if (!*slot) {
        char *copy = strdup(text);
        if (!copy)
            return -1;
        names->names[names->n] = (struct inventory_name){copy, line, 0};
        names->serials[names->n] = 0;
        *slot = (uint32_t)++names->n;
    }
    names->names[*slot - 1].uses++;
    return (int)*slot - 1;
}

static void names_free(struct names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free((char *)names->names[i].text);
    free(names->names);
    free(names->serials);
    free(names->slots);
}

int inventory_store_profile(struct inventory *inventory, const char *text, unsigned line)
{
    return name_of(&inventory->profiles, text, line);
}

int inventory_store_var(struct inventory *inventory, const char *text, unsigned serial, bool *twice)
{
    int name = name_of(&inventory->vars, text, 0);
    if (name >= 0) {
        *twice = inventory->vars.serials[name] == serial;
        inventory->vars.serials[name] = serial;
    }
    return name;
}

const struct inventory_name *inventory_profile(const struct inventory *inventory, size_t i)
{
    return i < inventory->profiles.n ? &inventory->profiles.names[i] : NULL;
}

const struct inventory_name *inventory_var(const struct inventory *inventory, size_t i)
{
    return i < inventory->vars.n ? &inventory->vars.names[i] : NULL;
}

/* --- keys --------------------------------------------------------------------------------------
 */

static size_t normal_text(const char *text, size_t len, bool lower, unsigned char *out)
{
    while (len && (unsigned char)text[len - 1] <= ' ')
        len--;
    for (size_t i = 0; i < len; i++)
        out[i] =
            (unsigned char)(lower && text[i] >= 'A' && text[i] <= 'Z' ? text[i] + 32 : text[i]);
    return len;
}

static size_t normal_number(const char *text, unsigned char *out)
{
    char *end;
    double number = strtod(text, &end) + 0.0;
    if (end == text || *end || !isfinite(number))
        return 0;
    memcpy(out, &number, sizeof number);
    return sizeof number;
}

size_t inventory_store_normal(const struct inventory_field *key, const char *text, size_t len,
                              unsigned char *out)
{
    uint32_t ip;
    switch (key->type) {
    case INVENTORY_MAC:
        return addr_mac_parse(text, out) ? ADDR_MAC_LEN : 0;
    case INVENTORY_UUID:
        return addr_uuid_parse(text, out) && !addr_uuid_absent(out) ? ADDR_UUID_LEN : 0;
    case INVENTORY_IP:
        if (!addr_ip_parse(text, &ip) || !ip)
            return 0;
        memcpy(out, &ip, sizeof ip);
        return sizeof ip;
    case INVENTORY_NUMBER:
        return normal_number(text, out);
    case INVENTORY_TEXT:
    case INVENTORY_LOWER:
        break;
    }
    return normal_text(text, len, key->type == INVENTORY_LOWER, out);
}

void inventory_store_key(struct inventory *inventory, const char *name, enum inventory_type type)
{
    char *copy = strdup(name);
    free(inventory->key_name);
    inventory->key_name = copy;
    inventory->key = (struct inventory_field){copy, type};
}

const struct inventory_field *inventory_key(const struct inventory *inventory)
{
    return &inventory->key;
}

/* --- hosts ---------------------------------------------------------------------------------------
 */

struct inventory *inventory_store_alloc(void)
{
    return calloc(1, sizeof(struct inventory));
}

void inventory_free(struct inventory *inventory)
{
    if (!inventory)
        return;
    names_free(&inventory->profiles);
    names_free(&inventory->vars);
    free(inventory->key_name);
    free(inventory->arena.data);
    free(inventory->hosts);
    free(inventory->slots);
    for (size_t i = 0; i < inventory->n_sealed; i++)
        free(inventory->sealed[i].text);
    free(inventory->sealed);
    free(inventory);
}

/* The slot of a key: empty, or that of its host. */
static uint32_t *host_slot(const struct inventory *inventory, uint32_t hash,
                           const unsigned char *key, size_t len)
{
    size_t at = hash & (inventory->size - 1);
    for (; inventory->slots[at]; at = (at + 1) & (inventory->size - 1)) {
        const struct entry *entry = &inventory->hosts[inventory->slots[at] - 1];
        const unsigned char *record = inventory->arena.data + entry->record;
        if (entry->hash == hash && take_number(&record) == len && !memcmp(record, key, len))
            break;
    }
    return &inventory->slots[at];
}

static bool hosts_grow(struct inventory *inventory)
{
    size_t size = inventory->size ? inventory->size * 2 : 64, room = size / 4 * 3;
    struct entry *hosts = realloc(inventory->hosts, room * sizeof *hosts);
    if (!hosts)
        return false;
    inventory->hosts = hosts;
    inventory->room_hosts = room;
    uint32_t *slots = calloc(size, sizeof *slots);
    if (!slots)
        return false;
    free(inventory->slots);
    inventory->slots = slots;
    inventory->size = size;
    for (size_t i = 0; i < inventory->n_hosts; i++) {
        size_t at = hosts[i].hash & (size - 1);
        while (slots[at])
            at = (at + 1) & (size - 1);
        slots[at] = (uint32_t)i + 1;
    }
    return true;
}

unsigned inventory_store_line_of(const struct inventory *inventory, const unsigned char *key,
                                 size_t len)
{
    if (!inventory->n_hosts)
        return 0;
    uint32_t slot = *host_slot(inventory, hash_of(key, len), key, len);
    return slot ? inventory->hosts[slot - 1].line : 0;
}

static bool add_record(struct inventory_bytes *arena, const unsigned char *key, size_t len,
                       const struct inventory_draft *draft)
{
    bool ok = inventory_bytes_number(arena, len) && inventory_bytes_add(arena, key, len) &&
              inventory_bytes_number(arena, draft->verdict);
    if (draft->verdict == INVENTORY_BOOT)
        ok = ok && inventory_bytes_number(arena, draft->profile);
    else if (draft->verdict == INVENTORY_DENY || draft->verdict == INVENTORY_CHAIN)
        ok = ok && inventory_bytes_number(arena, draft->text.len) &&
             inventory_bytes_add(arena, draft->text.data, draft->text.len);
    /* The length of the arguments: whoever wants the vars need not read them. */
    return ok && inventory_bytes_number(arena, draft->n_args) &&
           inventory_bytes_number(arena, draft->args.len) &&
           inventory_bytes_add(arena, draft->args.data, draft->args.len) &&
           inventory_bytes_number(arena, draft->n_vars) &&
           inventory_bytes_add(arena, draft->vars.data, draft->vars.len);
}

bool inventory_store_add(struct inventory *inventory, const unsigned char *key, size_t len,
                         const struct inventory_draft *draft, unsigned line)
{
    if (inventory->n_hosts == inventory->room_hosts &&
        (inventory->n_hosts == UINT32_MAX / 2 || !hosts_grow(inventory)))
        return false;
    uint32_t hash = hash_of(key, len);
    uint64_t record = inventory->arena.len;
    if (!add_record(&inventory->arena, key, len, draft))
        return false;
    if (draft->verdict == INVENTORY_NOTHING && !inventory->bootless)
        inventory->bootless = line;
    uint32_t *slot = host_slot(inventory, hash, key, len);
    inventory->hosts[inventory->n_hosts++] = (struct entry){line, hash, record};
    *slot = (uint32_t)inventory->n_hosts;
    return true;
}

bool inventory_store_sealed(struct inventory *inventory, const char *text, size_t len,
                            unsigned line)
{
    if (inventory->n_sealed == inventory->room_sealed) {
        size_t room = inventory->room_sealed ? 2 * inventory->room_sealed : 8;
        struct inventory_sealed *list = realloc(inventory->sealed, room * sizeof *list);
        if (!list)
            return false;
        inventory->sealed = list;
        inventory->room_sealed = room;
    }
    char *copy = strndup(text, len);
    if (!copy)
        return false;
    inventory->sealed[inventory->n_sealed++] = (struct inventory_sealed){copy, line};
    return true;
}

const struct inventory_sealed *inventory_sealed(const struct inventory *inventory, size_t i)
{
    return i < inventory->n_sealed ? &inventory->sealed[i] : NULL;
}

/* Gives back the room that is left. */
bool inventory_store_finish(struct inventory *inventory)
{
    if (!inventory->n_hosts)
        return true;
    unsigned char *arena = realloc(inventory->arena.data, inventory->arena.len);
    struct entry *hosts = realloc(inventory->hosts, inventory->n_hosts * sizeof *inventory->hosts);
    inventory->arena.data = arena ? arena : inventory->arena.data;
    inventory->arena.room = inventory->arena.len;
    inventory->hosts = hosts ? hosts : inventory->hosts;
    inventory->room_hosts = inventory->n_hosts;
    return true;
}

size_t inventory_count(const struct inventory *inventory)
{
    return inventory->n_hosts;
}

size_t inventory_memory(const struct inventory *inventory)
{
    return sizeof *inventory + inventory->arena.room +
           inventory->room_hosts * sizeof(struct entry) + inventory->size * sizeof(uint32_t) +
           (inventory->profiles.room + inventory->vars.room) *
               (sizeof(struct inventory_name) + sizeof(unsigned) + 2 * sizeof(uint32_t));
}

unsigned inventory_bootless(const struct inventory *inventory)
{
    return inventory->bootless;
}

/* --- finding
 * --------------------------------------------------------------------------------------- */

static void read_record(const struct inventory *inventory, const struct entry *entry,
                        struct inventory_host *host)
{
    const unsigned char *at = inventory->arena.data + entry->record;
    size_t len;
    take_text(&at, &len);
    *host = (struct inventory_host){.line = entry->line};
    host->verdict = (enum inventory_verdict)take_number(&at);
    if (host->verdict == INVENTORY_BOOT) {
        host->text = inventory->profiles.names[take_number(&at)].text;
        host->len = strlen(host->text);
    } else if (host->verdict == INVENTORY_DENY || host->verdict == INVENTORY_CHAIN) {
        host->text = take_text(&at, &host->len);
    }
    host->n_args = (unsigned)take_number(&at);
    host->args = (const unsigned char *)take_text(&at, &len);
    host->n_vars = (unsigned)take_number(&at);
    host->vars = at;
}

bool inventory_find(const struct inventory *inventory, const char *key, size_t len,
                    struct inventory_host *host)
{
    unsigned char small[64], *normal = small;
    bool found = false;
    if (!inventory->n_hosts || strlen(key) != len)
        return false;
    if (len > sizeof small && !(normal = malloc(len)))
        return false;
    size_t n = inventory_store_normal(&inventory->key, key, len, normal);
    if (n) {
        uint32_t slot = *host_slot(inventory, hash_of(normal, n), normal, n);
        found = slot != 0;
        if (found)
            read_record(inventory, &inventory->hosts[slot - 1], host);
    }
    if (normal != small)
        free(normal);
    return found;
}

bool inventory_take_arg(struct inventory_host *host, const char **text, size_t *len, bool *sealed)
{
    if (!host->n_args)
        return false;
    host->n_args--;
    size_t number = take_number(&host->args);
    *sealed = number & 1;
    *len = number >> 1;
    *text = (const char *)host->args;
    host->args += *len;
    return true;
}

void inventory_take_value(struct inventory_host *host, struct inventory_value *value)
{
    unsigned char kind = *host->vars++;
    *value = (struct inventory_value){.kind = (enum inventory_kind)(kind & ~INVENTORY_NAMED)};
    if (kind & INVENTORY_NAMED)
        value->name = take_text(&host->vars, &value->name_len);
    switch (value->kind) {
    case INVENTORY_STRING:
    case INVENTORY_SEALED:
        value->text = take_text(&host->vars, &value->len);
        break;
    case INVENTORY_DOUBLE:
        memcpy(&value->number, host->vars, sizeof value->number);
        host->vars += sizeof value->number;
        break;
    case INVENTORY_BOOLEAN:
        value->boolean = *host->vars++;
        break;
    default:
        break;
    }
}

bool inventory_take_var(const struct inventory *inventory, struct inventory_host *host,
                        struct inventory_value *value)
{
    if (!host->n_vars)
        return false;
    host->n_vars--;
    const char *name = inventory->vars.names[take_number(&host->vars)].text;
    inventory_take_value(host, value);
    value->name = name;
    value->name_len = strlen(name);
    return true;
}
