#include "store_lmdb.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define READERS_MAX    1024
#define PER_COMMIT_MAX 4096 /* versions: the commit's number times this, and which of it */
#define FORGET_AT_ONCE 64
#define SPARE_BYTES    ((size_t)1 << 20)
#define LOCK_BYTES     (64 * (READERS_MAX + 2)) /* a cache line each */

/* `entries`: key -> struct head, text. `ends`: when, as 8 bytes big-endian, and key -> nothing. */
struct store_lmdb {
    MDB_env *env;
    MDB_dbi entries, ends;
    MDB_txn *read; /* between reads it is reset */
    MDB_cursor *cursor;
    bool reading;
    size_t max_bytes;
};

struct head {
    int64_t version;
    int64_t ends;
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* LMDB's own errors are negative, the system's are not. */
static int error_of(int error)
{
    switch (error) {
    case 0:
        return 0;
    case MDB_NOTFOUND:
        return -ENOENT;
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
        return -EDQUOT;
    case MDB_READERS_FULL:
        return -EUSERS;
    case MDB_MAP_RESIZED: /* to change the map while a thread uses it is not allowed */
        return -ESTALE;
    case MDB_VERSION_MISMATCH:
    case MDB_INVALID:
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
        return -EBADMSG;
    case MDB_BAD_VALSIZE:
        return -EMSGSIZE;
    default:
        return error > 0 ? -error : -EIO;
    }
}

int store_lmdb_prepare(const char *path, uid_t uid, gid_t gid)
{
    if (mkdir(path, 0700) < 0)
        return errno == EEXIST ? 0 : -errno;
    return geteuid() == 0 && chown(path, uid, gid) < 0 ? -errno : 0;
}

/* The file of locks, which is mapped, gets its room before it is used: with a disk that is full
 * it would be a crash later. LMDB's locks would end with any descriptor of that file that is
 * closed, so nobody opens it afterwards. */
static int reserve_locks(int dir)
{
    int fd = openat(dir, "lock.mdb", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    int error = fd < 0 ? errno : posix_fallocate(fd, 0, LOCK_BYTES);
    if (fd >= 0)
        close(fd);
    return error;
}

/* What root makes in the service's directory is the service's. */
static int give_away(int dir)
{
    static const char *const names[] = {"data.mdb", "lock.mdb"};
    struct stat st;
    if (geteuid() != 0)
        return 0;
    if (fstat(dir, &st) < 0)
        return errno;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (fchownat(dir, names[i], st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0)
            return errno;
    }
    return 0;
}

/* Without MDB_NOTLS a reader would belong to its thread. */
static int open_environment(MDB_env *env, const char *path)
{
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return errno;
    int error = reserve_locks(dir);
    if (!error)
        error = mdb_env_open(env, path, MDB_NORDAHEAD | MDB_NOTLS, 0600);
    if (!error)
        error = give_away(dir);
    close(dir);
    return error;
}

static int open_tables(struct store_lmdb *store)
{
    MDB_txn *txn;
    int error = mdb_txn_begin(store->env, NULL, 0, &txn);
    if (error)
        return error;
    error = mdb_dbi_open(txn, "entries", MDB_CREATE, &store->entries);
    if (!error)
        error = mdb_dbi_open(txn, "ends", MDB_CREATE, &store->ends);
    if (!error)
        return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return error;
}

int store_lmdb_open(struct store_lmdb **out, const char *path, size_t max_bytes)
{
    struct store_lmdb *store = calloc(1, sizeof *store);
    int dead, error = store ? mdb_env_create(&store->env) : ENOMEM;
    if (error)
        goto fail;
    mdb_env_set_maxdbs(store->env, 2);
    mdb_env_set_maxreaders(store->env, READERS_MAX);
    store->max_bytes = max_bytes;
    /* A full store needs room to delete in: pages are copied before they change. */
    mdb_env_set_mapsize(store->env, 2 * max_bytes + SPARE_BYTES);
    error = open_environment(store->env, path);
    if (error)
        goto fail;
    mdb_reader_check(store->env, &dead); /* of processes that were killed */
    if ((error = open_tables(store)) ||
        (error = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &store->read)) ||
        (error = mdb_cursor_open(store->read, store->entries, &store->cursor)))
        goto fail;
    mdb_txn_reset(store->read);
    *out = store;
    return 0;
fail:
    store_lmdb_close(store);
    return error_of(error);
}

void store_lmdb_close(struct store_lmdb *store)
{
    if (!store)
        return;
    if (store->cursor)
        mdb_cursor_close(store->cursor);
    if (store->read)
        mdb_txn_abort(store->read);
    if (store->env)
        mdb_env_close(store->env);
    free(store);
}

/* --- reading ------------------------------------------------------------------------------ */

/* A read lasts until the next one begins: its views are the caller's until then, and a caller
 * that never came back (a throw of Lua's) leaves nothing behind. */
static int begin(struct store_lmdb *store)
{
    store_lmdb_rest(store);
    int error = mdb_txn_renew(store->read);
    if (error)
        return error_of(error);
    store->reading = true;
    return error_of(mdb_cursor_renew(store->read, store->cursor));
}

void store_lmdb_rest(struct store_lmdb *store)
{
    if (store->reading)
        mdb_txn_reset(store->read);
    store->reading = false;
}

static MDB_val value_of(struct bytes bytes)
{
    return (MDB_val){.mv_size = bytes.len, .mv_data = (void *)bytes.data};
}

/* False when it is no entry of ours, or has ended. */
static bool read_entry(MDB_val key, MDB_val value, int64_t now, struct store_entry *entry)
{
    struct head head;
    if (value.mv_size < sizeof head)
        return false;
    memcpy(&head, value.mv_data, sizeof head);
    *entry = (struct store_entry){
        .key = {key.mv_data, key.mv_size},
        .text = {(const uint8_t *)value.mv_data + sizeof head, value.mv_size - sizeof head},
        .version = head.version,
        .ends = head.ends};
    return head.ends == 0 || head.ends > now;
}

int store_lmdb_get(struct store_lmdb *store, struct bytes key, struct store_entry *entry)
{
    MDB_val name = value_of(key), value;
    if (key.len == 0 || key.len > STORE_KEY_MAX)
        return -ENOENT;
    int error = begin(store);
    if (!error)
        error = error_of(mdb_get(store->read, store->entries, &name, &value));
    return error ? error : read_entry(name, value, now_ms(), entry) ? 0 : -ENOENT;
}

int store_lmdb_next(struct store_lmdb *store, struct bytes prefix, struct bytes after,
                    struct store_entry *entry)
{
    uint8_t from[STORE_KEY_MAX + 1];
    struct bytes first = after.len ? after : prefix;
    int64_t now = now_ms();
    if (first.len > STORE_KEY_MAX)
        return -ENOENT;
    if (first.len)
        memcpy(from, first.data, first.len); /* it may be a view of what ends now */
    MDB_val key = {.mv_size = first.len, .mv_data = from}, value;
    int error = begin(store);
    if (error)
        return error;
    bool same = after.len > 0; /* the entry `after` itself is not meant */
    error = mdb_cursor_get(store->cursor, &key, &value, first.len ? MDB_SET_RANGE : MDB_FIRST);
    while (!error) {
        bool again = same && key.mv_size == after.len && !memcmp(key.mv_data, from, after.len);
        same = false;
        if (!again) {
            if (key.mv_size < prefix.len || memcmp(key.mv_data, prefix.data, prefix.len) != 0)
                return -ENOENT;
            if (read_entry(key, value, now, entry))
                return 0;
        }
        error = mdb_cursor_get(store->cursor, &key, &value, MDB_NEXT);
    }
    return error_of(error);
}

/* --- writing ------------------------------------------------------------------------------ */

struct end_key {
    uint8_t bytes[8 + STORE_KEY_MAX];
};

static MDB_val make_end(struct end_key *end, int64_t when, struct bytes key)
{
    for (int i = 0; i < 8; i++)
        end->bytes[i] = (uint8_t)((uint64_t)when >> (56 - 8 * i));
    memcpy(end->bytes + 8, key.data, key.len);
    return (MDB_val){.mv_size = 8 + key.len, .mv_data = end->bytes};
}

/* Removes an entry and the note of its end. */
static int drop(struct store_lmdb *store, MDB_txn *txn, const struct store_entry *old)
{
    struct end_key end;
    MDB_val name = value_of(old->key);
    if (old->ends) {
        MDB_val when = make_end(&end, old->ends, old->key);
        int error = mdb_del(txn, store->ends, &when, NULL);
        if (error && error != MDB_NOTFOUND)
            return error;
    }
    return mdb_del(txn, store->entries, &name, NULL);
}

static int put(struct store_lmdb *store, MDB_txn *txn, const struct store_change *change,
               int64_t version, int64_t ends)
{
    struct head head = {.version = version, .ends = ends};
    struct end_key end;
    MDB_val key = value_of(change->key), nothing = {0};
    MDB_val value = {.mv_size = sizeof head + change->text.len};
    int error = mdb_put(txn, store->entries, &key, &value, MDB_RESERVE);
    if (error)
        return error;
    memcpy(value.mv_data, &head, sizeof head);
    if (change->text.len)
        memcpy((uint8_t *)value.mv_data + sizeof head, change->text.data, change->text.len);
    if (!ends)
        return 0;
    MDB_val when = make_end(&end, ends, change->key);
    return mdb_put(txn, store->ends, &when, &nothing, 0);
}

/* Makes one change, or says in its result why not; an error is of the whole transaction. */
static int change_one(struct store_lmdb *store, MDB_txn *txn, struct store_change *change,
                      int64_t version, int64_t now)
{
    struct store_entry old = {.version = 0};
    MDB_val key = value_of(change->key), value;
    if (change->key.len == 0 || change->key.len > STORE_KEY_MAX ||
        change->text.len > STORE_TEXT_MAX) {
        change->result = -EMSGSIZE;
        return 0;
    }
    int error = mdb_get(txn, store->entries, &key, &value);
    if (error && error != MDB_NOTFOUND)
        return error;
    bool there = !error, lives = there && read_entry(key, value, now, &old);
    if (change->version != STORE_ANY && change->version != (lives ? old.version : STORE_ABSENT)) {
        change->result = -EAGAIN;
        return 0;
    }
    old.key = change->key;
    if (there && (error = drop(store, txn, &old)))
        return error;
    change->result = change->deletes ? 0 : version;
    if (change->deletes)
        return 0;
    return put(store, txn, change, version, change->ttl_ms ? now + change->ttl_ms : 0);
}

/* Removes some of what has ended: those that ended first. */
static int forget(struct store_lmdb *store, MDB_txn *txn, int64_t now)
{
    for (int i = 0; i < FORGET_AT_ONCE; i++) {
        MDB_cursor *cursor;
        MDB_val end, nothing;
        int64_t when = 0;
        int error = mdb_cursor_open(txn, store->ends, &cursor);
        if (error)
            return error;
        error = mdb_cursor_get(cursor, &end, &nothing, MDB_FIRST);
        mdb_cursor_close(cursor);
        if (error)
            return error == MDB_NOTFOUND ? 0 : error;
        for (size_t k = 0; k < 8 && k < end.mv_size; k++)
            when = when << 8 | ((const uint8_t *)end.mv_data)[k];
        if (end.mv_size <= 8 || when > now)
            return 0;
        struct end_key copy;
        memcpy(copy.bytes, end.mv_data, end.mv_size);
        struct store_entry old = {.key = {copy.bytes + 8, end.mv_size - 8}, .ends = when};
        error = drop(store, txn, &old);
        if (error && error != MDB_NOTFOUND)
            return error;
    }
    return 0;
}

/* Whether there is more than there may be. */
static bool overfull(struct store_lmdb *store, MDB_txn *txn)
{
    MDB_stat entries, ends;
    if (mdb_stat(txn, store->entries, &entries) || mdb_stat(txn, store->ends, &ends))
        return true;
    size_t pages = entries.ms_branch_pages + entries.ms_leaf_pages + entries.ms_overflow_pages +
                   ends.ms_branch_pages + ends.ms_leaf_pages;
    return pages * entries.ms_psize > store->max_bytes;
}

static int apply(struct store_lmdb *store, struct store_change *const *changes, size_t n)
{
    MDB_txn *txn;
    int64_t now = now_ms();
    int error = mdb_txn_begin(store->env, NULL, 0, &txn);
    if (error)
        return error;
    int64_t version = (int64_t)mdb_txn_id(txn) * PER_COMMIT_MAX;
    bool grows = false;
    error = forget(store, txn, now);
    for (size_t i = 0; i < n && !error; i++) {
        error = change_one(store, txn, changes[i], version + (int64_t)i, now);
        grows = grows || !changes[i]->deletes;
    }
    if (!error && grows && overfull(store, txn))
        error = MDB_MAP_FULL;
    if (!error)
        return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return error;
}

void store_lmdb_apply(struct store_lmdb *store, struct store_change *const *changes, size_t n)
{
    for (size_t at = 0; at < n;) {
        size_t part = n - at < PER_COMMIT_MAX ? n - at : PER_COMMIT_MAX;
        int error = apply(store, changes + at, part);
        /* Of what fails together some may be well by itself. */
        for (size_t i = 0; error && i < part; i++) {
            int own = part > 1 ? apply(store, changes + at + i, 1) : error;
            if (own)
                changes[at + i]->result = error_of(own);
        }
        at += part;
    }
}
