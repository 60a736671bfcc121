#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* --- sealed memory ---------------------------------------------------------------------------- */

int source_memory(void)
{
    int fd = memfd_create("moonboot-bundle", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    return fd < 0 ? -errno : fd;
}

int source_seal(int memory)
{
    return fcntl(memory, F_ADD_SEALS, SEALS | F_SEAL_SEAL) < 0 ? -errno : 0;
}

static int write_all(int fd, const uint8_t *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno != EINTR)
            return -errno;
        data += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

int source_keep(const void *data, size_t len)
{
    int memory = source_memory();
    int error = memory < 0 ? memory : write_all(memory, data, len);
    if (!error)
        error = source_seal(memory);
    if (error && memory >= 0)
        close(memory);
    return error ? error : memory;
}

/* Appends what `from` has, of at most `max` bytes. */
static int pour(int from, int memory, size_t max)
{
    static uint8_t piece[65536];
    size_t done = 0;
    for (;;) {
        ssize_t n = read(from, piece, sizeof piece);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : 0;
        done += (size_t)n;
        int error = done > max ? -EFBIG : write_all(memory, piece, (size_t)n);
        if (error)
            return error;
    }
}

int source_copy(const char *path, size_t max)
{
    struct stat st;
    int from = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (from < 0)
        return -errno;
    int error = fstat(from, &st) < 0 ? -errno : S_ISREG(st.st_mode) ? 0 : -EISDIR;
    int memory = error ? error : source_memory();
    if (memory >= 0 && !(error = pour(from, memory, max)))
        error = source_seal(memory);
    if (error && memory >= 0)
        close(memory);
    close(from);
    return error ? error : memory;
}

const uint8_t *source_map(int source, size_t *len)
{
    struct stat st;
    int seals = fcntl(source, F_GET_SEALS);
    if (seals < 0 || (seals & SEALS) != SEALS || fstat(source, &st) < 0) {
        errno = EINVAL; /* it could change, or shrink, while it is read */
        return NULL;
    }
    *len = (size_t)st.st_size;
    if (st.st_size == 0)
        return (const uint8_t *)"";
    void *data = mmap(NULL, *len, PROT_READ, MAP_PRIVATE, source, 0);
    return data == MAP_FAILED ? NULL : data;
}

void source_unmap(const uint8_t *data, size_t len)
{
    if (data && len > 0)
        munmap((void *)data, len);
}

/* --- either kind --------------------------------------------------------------------------------
 */

bool source_is_bundle(int source)
{
    struct stat st;
    return fstat(source, &st) == 0 && S_ISREG(st.st_mode);
}

static int read_bundled(int source, const char *path, size_t max, char **text, size_t *len)
{
    struct bundle bundle;
    struct bundle_file file;
    size_t size = 0;
    const uint8_t *data = source_map(source, &size);
    int error = !data ? -errno : bundle_head(data, size, &bundle) ? -EINVAL : 0;
    *text = NULL;
    if (!error)
        error = bundle_find(&bundle, path, &file);
    if (!error && file.len > max)
        error = -EFBIG;
    if (!error && !(*text = malloc(file.len + 1)))
        error = -ENOMEM;
    if (!error) {
        memcpy(*text, file.data, file.len);
        *len = file.len;
    }
    source_unmap(data, size);
    return error;
}

int source_read(int source, const char *path, size_t max, char **text, size_t *len)
{
    return (source_is_bundle(source) ? read_bundled : files_read_beneath)(source, path, max, text,
                                                                          len);
}

/* --- by name ------------------------------------------------------------------------------------
 */

static bool is_below(const char *name, const char *directory, size_t len)
{
    return !strncmp(name, directory, len) && name[len] == '/';
}

int source_below(const struct bundle *bundle, const char *directory)
{
    struct bundle_writer writer = {0};
    struct bundle_file file;
    size_t len = strlen(directory);
    const char *problem = NULL;
    for (size_t at = bundle->first; !problem && bundle_next(bundle, &at, &file);) {
        if (!is_below(file.name, directory, len))
            continue;
        if (!writer.data) /* any of its files may stand for the policy here */
            problem = bundle_begin(&writer, bundle->version, file.name + len + 1);
        if (!problem)
            problem = bundle_add(&writer, file.name + len + 1, file.data, file.len);
    }
    if (writer.data && !problem)
        problem = bundle_end(&writer);
    int source = problem ? -ENOMEM : writer.data ? source_keep(writer.data, writer.len) : -ENOENT;
    free(writer.data);
    return source;
}

/* The length of the part of a path that is a regular file; 0: none is. */
static size_t file_part(const char *path)
{
    for (size_t len = strlen(path); len > 0; len--) {
        struct stat st;
        if (path[len] != '\0' && path[len] != '/')
            continue;
        char *part = strndup(path, len);
        int found = part ? stat(part, &st) : -1;
        free(part);
        if (found == 0)
            return S_ISREG(st.st_mode) ? len : 0;
        if (errno != ENOENT && errno != ENOTDIR)
            return 0;
    }
    return 0;
}

int source_open_bundle(const char *path, char policy[BUNDLE_NAME_MAX], const char **problem)
{
    struct bundle bundle;
    size_t len = 0, part = file_part(path);
    char *name = part ? strndup(path, part) : NULL;
    int source = name ? source_copy(name, BUNDLE_MAX) : -ENOTDIR;
    free(name);
    *problem = NULL;
    *policy = '\0';
    if (source < 0)
        return source;
    const uint8_t *data = source_map(source, &len);
    int result = source;
    if (!data || !bundle_begins(data, len))
        result = data ? -ENOTDIR : -errno;
    else if ((*problem = bundle_read(data, len, &bundle)))
        result = -EINVAL;
    else if (path[part] == '/' && path[part + 1])
        result = source_below(&bundle, path + part + 1);
    else
        memcpy(policy, bundle.policy, sizeof bundle.policy);
    source_unmap(data, len);
    if (result != source)
        close(source);
    return result;
}
