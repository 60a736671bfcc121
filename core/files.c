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

#define PACKAGES   "/usr/lib"
#define OPEN_TRIES 8
#define OPEN_FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

/* What is taken from packages, and nothing else: programs for network boot. Of a name that stands
 * here twice, the first file that is there is meant; some are links that lead elsewhere. The GRUB
 * that shim asks for, grubx64.efi, is here the one that boots from networks. */
static const struct {
    const char *name;
    const char *path;
} programs[] = {
    {"undionly.kpxe", "ipxe/undionly.kpxe"},
    {"undionly.kkpxe", "ipxe/undionly.kkpxe"},
    {"ipxe.pxe", "ipxe/ipxe.pxe"},
    {"ipxe.efi", "ipxe/ipxe.efi"},
    {"snponly.efi", "ipxe/snponly.efi"},
    {"ipxe.lkrn", "ipxe/ipxe.lkrn"},
    {"snponly-arm64.efi", "ipxe/snponly-arm64.efi"},
    {"ipxe-arm64.efi", "ipxe/ipxe-arm64.efi"},
    {"pxelinux.0", "PXELINUX/pxelinux.0"},
    {"lpxelinux.0", "PXELINUX/lpxelinux.0"},
    {"ldlinux.c32", "syslinux/modules/bios/ldlinux.c32"},
    {"libcom32.c32", "syslinux/modules/bios/libcom32.c32"},
    {"libutil.c32", "syslinux/modules/bios/libutil.c32"},
    {"menu.c32", "syslinux/modules/bios/menu.c32"},
    {"vesamenu.c32", "syslinux/modules/bios/vesamenu.c32"},
    {"grubnetx64.efi", "grub/x86_64-efi-signed/grubnetx64.efi.signed"},
    {"grubnetx64.efi", "grub/x86_64-efi/monolithic/grubnetx64.efi"},
    {"grubx64.efi", "grub/x86_64-efi-signed/grubnetx64.efi.signed"},
    {"grubnetaa64.efi", "grub/arm64-efi-signed/grubnetaa64.efi.signed"},
    {"grubnetaa64.efi", "grub/arm64-efi/monolithic/grubnetaa64.efi"},
    {"grubaa64.efi", "grub/arm64-efi-signed/grubnetaa64.efi.signed"},
    {"grubnetia32.efi", "grub/i386-efi-signed/grubnetia32.efi.signed"},
    {"grubnetia32.efi", "grub/i386-efi/monolithic/grubnetia32.efi"},
    {"grubia32.efi", "grub/i386-efi-signed/grubnetia32.efi.signed"},
    {"shimx64.efi", "shim/shimx64.efi.signed"},
    {"mmx64.efi", "shim/mmx64.efi.signed"},
    {"shimaa64.efi", "shim/shimaa64.efi.signed"},
    {"mmaa64.efi", "shim/mmaa64.efi.signed"},
    {"shimia32.efi", "shim/shimia32.efi.signed"},
    {"mmia32.efi", "shim/mmia32.efi.signed"},
};

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

int files_packages_open(void)
{
    return files_root_open(PACKAGES);
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
    long fd = -1;
    /* EAGAIN: a rename raced with "..", or somebody holds a lease on the file. */
    for (int tries = 0; fd < 0 && tries < OPEN_TRIES; tries++) {
        fd = syscall(SYS_openat2, dir, path, &how, sizeof how);
        if (fd < 0 && errno != EAGAIN && errno != EINTR)
            break;
    }
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

static int open_program(int packages, const char *name)
{
    int fd = -ENOENT;
    for (size_t i = 0; packages >= 0 && i < sizeof programs / sizeof *programs; i++) {
        if (strcmp(name, programs[i].name) != 0)
            continue;
        fd = openat(packages, programs[i].path, OPEN_FLAGS);
        if (fd >= 0)
            return fd;
        fd = -errno;
    }
    return fd;
}

int files_open(const struct files *files, enum reply_root root, const char *path, struct file *file)
{
    int dir = files->roots[root];
    int fd = dir < 0 ? -ENOENT : files_open_beneath(dir, path);
    if (fd == -ENOENT)
        fd = open_program(files->packages, path);
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
