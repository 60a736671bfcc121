#include "bundle.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK       512
#define NAME_LEN    100
#define PREFIX_LEN  155
#define SIZE_DIGITS 11
#define HEAD_TEXT   (BUNDLE_NAME_MAX + 128)
#define FORMAT      "moonboot bundle 1\nversion %" PRIu64 "\npolicy %s\n"

/* POSIX.1-1988: all of it is text, padded with NULs. */
struct header {
    char name[NAME_LEN];
    char mode[8], uid[8], gid[8];
    char size[SIZE_DIGITS + 1];
    char mtime[12];
    char checksum[8];
    char type;
    char link[100];
    char magic[6], version[2];
    char user[32], group[32];
    char major[8], minor[8];
    char prefix[PREFIX_LEN];
    char rest[12];
};

_Static_assert(sizeof(struct header) == BLOCK, "a header is a block");

static size_t padded(size_t len)
{
    return (len + BLOCK - 1) / BLOCK * BLOCK;
}

/* --- names ---------------------------------------------------------------------------------- */

const char *bundle_name_problem(const char *name)
{
    if (!*name || strlen(name) >= BUNDLE_NAME_MAX)
        return "its name is too long";
    for (const char *part = name, *slash; part; part = slash ? slash + 1 : NULL) {
        slash = strchr(part, '/');
        if (*part == '.' || *part == '/' || *part == '\0')
            return "a part of its name is empty, or begins with a dot";
    }
    for (const char *c = name; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return "its name has a control character in it";
    }
    return NULL;
}

/* Where a name is cut into prefix and name: at the first slash that does. 0: it need not be;
 * -1: it cannot be. */
static int cut_of(const char *name)
{
    size_t len = strlen(name);
    if (len <= NAME_LEN)
        return 0;
    for (size_t i = len - NAME_LEN - 1; i <= PREFIX_LEN && i < len - 1; i++) {
        if (name[i] == '/' && i > 0)
            return (int)i;
    }
    return -1;
}

/* The shortest way to write a path; false: it leads out. "": the top. */
static bool resolve(const char *path, char out[BUNDLE_NAME_MAX], bool *too_long)
{
    size_t len = 0;
    *too_long = false;
    out[0] = '\0';
    if (*path == '/')
        return false;
    while (*path) {
        size_t part = strcspn(path, "/");
        if (part == 2 && !strncmp(path, "..", 2)) {
            if (len == 0)
                return false;
            while (len > 0 && out[len - 1] != '/')
                len--;
            len -= len > 0;
        } else if (part > 0 && !(part == 1 && *path == '.')) {
            if (len + 1 + part >= BUNDLE_NAME_MAX) {
                *too_long = true;
                return true;
            }
            if (len > 0)
                out[len++] = '/';
            memcpy(out + len, path, part);
            len += part;
        }
        out[len] = '\0';
        path += part + (path[part] == '/');
    }
    return true;
}

/* --- headers --------------------------------------------------------------------------------- */

/* As many digits as the field has room for beside its NUL. */
static void put_octal(char *field, size_t room, uint64_t number)
{
    field[--room] = '\0';
    while (room > 0) {
        field[--room] = (char)('0' + (number & 7));
        number >>= 3;
    }
}

static bool put_header(struct header *header, const char *name, size_t len)
{
    int cut = cut_of(name);
    unsigned sum = 0;
    if (cut < 0)
        return false;
    memset(header, 0, sizeof *header);
    memcpy(header->prefix, name, (size_t)cut);
    name += cut + (cut > 0);
    memcpy(header->name, name, strlen(name));
    put_octal(header->mode, sizeof header->mode, 0644);
    put_octal(header->uid, sizeof header->uid, 0);
    put_octal(header->gid, sizeof header->gid, 0);
    put_octal(header->size, sizeof header->size, len);
    put_octal(header->mtime, sizeof header->mtime, 0);
    put_octal(header->major, sizeof header->major, 0);
    put_octal(header->minor, sizeof header->minor, 0);
    header->type = '0';
    memcpy(header->magic, "ustar", sizeof header->magic);
    memcpy(header->version, "00", sizeof header->version);
    memset(header->checksum, ' ', sizeof header->checksum);
    for (size_t i = 0; i < sizeof *header; i++)
        sum += ((const unsigned char *)header)[i];
    put_octal(header->checksum, sizeof header->checksum - 1, sum); /* a space stays */
    return true;
}

/* A member that is whole. */
static bool find_member(const uint8_t *data, size_t left, struct bundle_file *file, size_t *taken)
{
    const struct header *header = (const struct header *)data;
    size_t len = 0;
    if (left < BLOCK)
        return false;
    for (size_t i = 0; i < SIZE_DIGITS; i++) {
        if (header->size[i] < '0' || header->size[i] > '7')
            return false;
        len = len << 3 | (size_t)(header->size[i] - '0');
    }
    int prefix = (int)strnlen(header->prefix, PREFIX_LEN);
    snprintf(file->name, sizeof file->name, "%.*s%s%.*s", prefix, header->prefix, prefix ? "/" : "",
             (int)strnlen(header->name, NAME_LEN), header->name);
    file->data = data + BLOCK;
    file->len = len;
    *taken = BLOCK + padded(len);
    return len <= BUNDLE_FILE_MAX && padded(len) <= left - BLOCK;
}

/* One that is in the form that put_header writes, too. */
static bool check_member(const uint8_t *data, size_t left, struct bundle_file *file, size_t *taken)
{
    struct header again;
    if (!find_member(data, left, file, taken) || !put_header(&again, file->name, file->len) ||
        memcmp(&again, data, BLOCK) != 0)
        return false;
    for (size_t i = file->len; i < *taken - BLOCK; i++) {
        if (file->data[i])
            return false;
    }
    return true;
}

/* --- reading --------------------------------------------------------------------------------- */

bool bundle_begins(const void *data, size_t len)
{
    return len >= BLOCK && memcmp(data, BUNDLE_HEAD, sizeof BUNDLE_HEAD) == 0;
}

/* Compared as it would be written, too. */
static bool read_head(const struct bundle_file *file, struct bundle *bundle)
{
    char text[HEAD_TEXT], again[HEAD_TEXT];
    if (strcmp(file->name, BUNDLE_HEAD) != 0 || file->len >= sizeof text)
        return false;
    memcpy(text, file->data, file->len);
    text[file->len] = '\0';
    if (sscanf(text, "moonboot bundle 1\nversion %15" SCNu64 "\npolicy %256[^\n]\n",
               &bundle->version, bundle->policy) != 2 ||
        bundle->version > BUNDLE_VERSION_MAX || bundle_name_problem(bundle->policy))
        return false;
    int len = snprintf(again, sizeof again, FORMAT, bundle->version, bundle->policy);
    return (size_t)len == file->len && memcmp(again, file->data, file->len) == 0;
}

static bool ends(const uint8_t *data, size_t left)
{
    for (size_t i = 0; i < left; i++) {
        if (data[i])
            return false;
    }
    return left == (size_t)2 * BLOCK;
}

const char *bundle_head(const void *data, size_t len, struct bundle *bundle)
{
    struct bundle_file file;
    *bundle = (struct bundle){.data = data, .len = len};
    if (len > BUNDLE_MAX)
        return "it is too large for a bundle";
    if (!bundle_begins(data, len))
        return "it is no bundle: `moonboot bundle` makes one";
    if (!check_member(data, len, &file, &bundle->first) || !read_head(&file, bundle))
        return "the bundle's head is not what moonboot writes";
    return NULL;
}

const char *bundle_read(const void *data, size_t len, struct bundle *bundle)
{
    struct bundle_file file;
    char last[BUNDLE_NAME_MAX] = "";
    bool has_policy = false;
    size_t taken;
    const char *problem = bundle_head(data, len, bundle);
    if (problem)
        return problem;
    size_t at = bundle->first;
    while (at < len && bundle->data[at]) {
        if (!check_member(bundle->data + at, len - at, &file, &taken))
            return "the bundle is damaged, or cut short";
        if (bundle_name_problem(file.name) || strcmp(last, file.name) >= 0)
            return "the bundle has a file whose name, or place, is not what moonboot writes";
        if (++bundle->files > BUNDLE_FILES_MAX)
            return "the bundle has too many files";
        has_policy = has_policy || !strcmp(file.name, bundle->policy);
        memcpy(last, file.name, sizeof last);
        at += taken;
    }
    if (!ends(bundle->data + at, len - at))
        return "the bundle is damaged, or cut short";
    return has_policy ? NULL : "the bundle lacks the policy that its head names";
}

bool bundle_next(const struct bundle *bundle, size_t *at, struct bundle_file *file)
{
    size_t taken;
    if (*at >= bundle->len || !bundle->data[*at] ||
        !find_member(bundle->data + *at, bundle->len - *at, file, &taken))
        return false;
    *at += taken;
    return true;
}

int bundle_find(const struct bundle *bundle, const char *path, struct bundle_file *file)
{
    char wanted[BUNDLE_NAME_MAX];
    bool too_long;
    if (!resolve(path, wanted, &too_long))
        return -EXDEV;
    size_t len = strlen(wanted);
    if (too_long || len == 0)
        return too_long ? -ENAMETOOLONG : -EISDIR;
    for (size_t at = bundle->first; bundle_next(bundle, &at, file);) {
        if (!strncmp(file->name, wanted, len) && (!file->name[len] || file->name[len] == '/'))
            return file->name[len] ? -EISDIR : 0;
    }
    return -ENOENT;
}

int bundle_list(const struct bundle *bundle, const char *path,
                void (*each)(const char *name, bool directory, void *arg), void *arg)
{
    char wanted[BUNDLE_NAME_MAX], last[BUNDLE_NAME_MAX] = "";
    struct bundle_file file;
    bool too_long, any = false;
    if (!resolve(path, wanted, &too_long))
        return -EXDEV;
    size_t len = strlen(wanted);
    for (size_t at = bundle->first; !too_long && bundle_next(bundle, &at, &file);) {
        char *rest = file.name + len + (len > 0);
        if (strncmp(file.name, wanted, len) != 0 || (len > 0 && file.name[len] != '/'))
            continue;
        size_t part = strcspn(rest, "/");
        bool directory = rest[part] == '/';
        rest[part] = '\0';
        any = true;
        if (strcmp(last, rest) != 0)
            each(rest, directory, arg);
        memcpy(last, rest, part + 1);
    }
    return any || (len == 0 && !too_long) ? 0 : -ENOENT;
}

/* --- writing --------------------------------------------------------------------------------- */

/* Room for that many bytes, all zero; NULL when there is none. */
static uint8_t *extend(struct bundle_writer *writer, size_t len)
{
    if (writer->capacity - writer->len < len) {
        size_t capacity =
            2 * writer->capacity > writer->len + len ? 2 * writer->capacity : writer->len + len;
        uint8_t *more = realloc(writer->data, capacity);
        if (!more)
            return NULL;
        writer->data = more;
        writer->capacity = capacity;
    }
    uint8_t *place = writer->data + writer->len;
    memset(place, 0, len);
    writer->len += len;
    return place;
}

static const char *add_member(struct bundle_writer *writer, const char *name, const void *data,
                              size_t len)
{
    struct header header;
    if (len > BUNDLE_FILE_MAX)
        return "it is too large";
    if (!put_header(&header, name, len))
        return "its name is too long";
    if (writer->len + BLOCK + padded(len) + (size_t)2 * BLOCK > BUNDLE_MAX)
        return "the bundle would be too large with it";
    uint8_t *place = extend(writer, BLOCK + padded(len));
    if (!place)
        return "there is not enough memory";
    memcpy(place, &header, BLOCK);
    if (len > 0)
        memcpy(place + BLOCK, data, len);
    return NULL;
}

const char *bundle_begin(struct bundle_writer *writer, uint64_t version, const char *policy)
{
    char text[HEAD_TEXT];
    const char *problem = bundle_name_problem(policy);
    if (problem)
        return problem;
    if (version > BUNDLE_VERSION_MAX)
        return "its version is too large";
    int len = snprintf(text, sizeof text, FORMAT, version, policy);
    return add_member(writer, BUNDLE_HEAD, text, (size_t)len);
}

const char *bundle_add(struct bundle_writer *writer, const char *name, const void *data, size_t len)
{
    const char *problem = bundle_name_problem(name);
    if (problem)
        return problem;
    if (strcmp(writer->last, name) >= 0)
        return "it is out of order";
    if (++writer->files > BUNDLE_FILES_MAX)
        return "there are too many files";
    snprintf(writer->last, sizeof writer->last, "%s", name);
    return add_member(writer, name, data, len);
}

const char *bundle_end(struct bundle_writer *writer)
{
    return extend(writer, (size_t)2 * BLOCK) ? NULL : "there is not enough memory";
}
