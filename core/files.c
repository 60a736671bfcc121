#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define IPXE_DIRECTORY "/usr/lib/ipxe"
#define OPEN_FLAGS     (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

/* What may be taken from the iPXE package's directory, where some names are links that
 * lead out of it: programs for network boot, and nothing else. */
static const char *const ipxe_programs[] = {"undionly.kpxe",     "undionly.kkpxe", "ipxe.pxe",
                                            "ipxe.efi",          "snponly.efi",    "ipxe.lkrn",
                                            "snponly-arm64.efi", "ipxe-arm64.efi", NULL};

static const struct {
    const char *suffix;
    const char *type;
} content_types[] = {
    {".efi", "application/efi"},
    {".iso", "application/vnd.efi-iso"}, /* UEFI 2.10, 24.7.4.1: what HTTP boot goes by */
    {".img", "application/vnd.efi-img"},
    {".ipxe", "text/plain; charset=utf-8"},
    {".cfg", "text/plain; charset=utf-8"},
    {".conf", "text/plain; charset=utf-8"},
    {".txt", "text/plain; charset=utf-8"},
    {".yaml", "text/plain; charset=utf-8"},
    {".yml", "text/plain; charset=utf-8"},
    {".json", "application/json"},
    {".ign", "application/json"},
    {".html", "text/html; charset=utf-8"},
    {".gz", "application/gzip"},
    {".xz", "application/x-xz"},
    {".zst", "application/zstd"},
};

int files_root_open(const char *path)
{
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int files_ipxe_open(void)
{
    return files_root_open(IPXE_DIRECTORY);
}

/* For kernels before 5.6, and sandboxes that know no openat2: a walk by component that
 * follows no symbolic link at all, so that nothing can lead out. */
static int open_by_component(int dir, const char *path)
{
    int at = dir;
    int fd = -ENOENT;
    for (;;) {
        char name[256];
        path += strspn(path, "/");
        size_t len = strcspn(path, "/");
        bool last = path[len] == '\0';
        if (len == 0 || len >= sizeof name) {
            fd = len ? -ENAMETOOLONG : -ENOENT;
            break;
        }
        memcpy(name, path, len);
        name[len] = '\0';
        if (!strcmp(name, "..")) {
            fd = -EXDEV;
            break;
        }
        fd = openat(at, name,
                    last ? OPEN_FLAGS | O_NOFOLLOW : O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
            fd = errno == ELOOP ? -EXDEV : -errno;
        if (fd < 0 || last)
            break;
        if (at != dir)
            close(at);
        at = fd;
        path += len;
    }
    if (at != dir)
        close(at);
    return fd;
}

int files_open_beneath(int dir, const char *path)
{
    struct open_how how = {.flags = OPEN_FLAGS, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    if (path[0] == '/')
        return -EXDEV;
    long fd;
    do {
        fd = syscall(SYS_openat2, dir, path, &how, sizeof how);
    } while (fd < 0 && (errno == EAGAIN || errno == EINTR)); /* a rename raced with ".." */
    if (fd >= 0)
        return (int)fd;
    if (errno == ENOSYS || errno == EPERM)
        return open_by_component(dir, path);
    return errno == ELOOP ? -EXDEV : -errno;
}

/* Up to `size` bytes: a file that is being cut short gives what is left. */
static int read_whole(int fd, size_t size, char *text, size_t *len)
{
    for (*len = 0; *len < size;) {
        ssize_t got = read(fd, text + *len, size - *len);
        if (got < 0 && errno != EINTR)
            return -errno;
        if (got == 0)
            break;
        *len += got > 0 ? (size_t)got : 0;
    }
    return 0;
}

int files_read_beneath(int dir, const char *path, size_t max, char **text, size_t *len)
{
    struct stat st;
    int fd = files_open_beneath(dir, path), error = fd < 0 ? fd : 0;
    *text = NULL;
    if (!error && fstat(fd, &st) < 0)
        error = -errno;
    if (!error && !S_ISREG(st.st_mode))
        error = -EISDIR;
    if (!error && (size_t)st.st_size > max)
        error = -EFBIG;
    if (!error && !(*text = malloc((size_t)st.st_size + 1)))
        error = -ENOMEM;
    if (!error)
        error = read_whole(fd, (size_t)st.st_size, *text, len);
    if (error) {
        free(*text);
        *text = NULL;
    }
    if (fd >= 0)
        close(fd);
    return error;
}

static int open_ipxe_program(int dir, const char *path)
{
    for (size_t i = 0; dir >= 0 && ipxe_programs[i]; i++) {
        if (strcmp(path, ipxe_programs[i]) != 0)
            continue;
        int fd = openat(dir, path, OPEN_FLAGS);
        return fd < 0 ? -errno : fd;
    }
    return -ENOENT;
}

int files_open(const struct files *files, enum reply_root root, const char *path, struct file *file)
{
    int dir = files->roots[root];
    int fd = dir < 0 ? -ENOENT : files_open_beneath(dir, path);
    if (fd == -ENOENT)
        fd = open_ipxe_program(files->ipxe, path);
    if (fd == -ENOTDIR || fd == -ENXIO)
        return -ENOENT;
    if (fd < 0)
        return fd;
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return -ENOENT;
    }
    *file = (struct file){.fd = fd, .size = st.st_size, .mtime = st.st_mtim, .inode = st.st_ino};
    return 0;
}

const char *files_content_type(const char *path)
{
    const char *suffix = strrchr(path, '.');
    for (size_t i = 0; suffix && i < sizeof content_types / sizeof *content_types; i++) {
        if (!strcasecmp(suffix, content_types[i].suffix))
            return content_types[i].type;
    }
    return "application/octet-stream";
}
