#include "tftp_hpa.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "log.h"

#define PROGRAM        "in.tftpd"
#define SBIN           "/usr/local/sbin:/usr/sbin:/sbin"
#define PROBE_MS       2000
#define YOUNG_MS       1000 /* one that ends at that age will hardly do better at once */
#define BACKOFF_MIN_MS 250
#define BACKOFF_MAX_MS 5000
#define LOG_PATH       "/dev/log"
#define MAP_FD         3
#define LINE_MAX_LEN   2048

/* What is cut off a name, as lua/routes.lua does for the built-in server; and nothing is to be
 * written, whatever the modes of the files say. */
static const char map[] = "aP .\n"
                          "rg \\\\ /\n"
                          "rg // /\n"
                          "r ^/\n"
                          "r (\\.efi)[^A-Za-z0-9._/-].*$ \\1\n"
                          "r ^([0-9A-Fa-f]{2}-){5}[0-9A-Fa-f]{2}/\n";

struct tftp_hpa {
    struct metrics_board *board;
    bool wanted;
    char *root; /* with `identity`, what is to run */
    struct stat identity;
    uint16_t port;
    char *user;
    pid_t pid;   /* 0: none runs */
    bool ending; /* it was told to */
    pid_t group; /* of the last one that ran, and of its transfers; 0: none has */
    int log;     /* what it says, as datagrams */
    uint64_t started;
    uint64_t retry_at;
    unsigned backoff_ms;
};

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void show_state(const struct tftp_hpa *hpa)
{
    hpa->board->tftp_hpa = !hpa->wanted               ? METRICS_HPA_UNUSED
                           : hpa->pid && !hpa->ending ? METRICS_HPA_RUNS
                                                      : METRICS_HPA_DOWN;
}

/* --- the program ------------------------------------------------------------------------ */

static void unblock_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
}

/* Reads until the end, or for PROBE_MS. */
static void read_answer(int fd, char *text, size_t size)
{
    uint64_t end = now_ms() + PROBE_MS;
    size_t len = 0;
    struct pollfd in = {.fd = fd, .events = POLLIN};
    for (uint64_t now = now_ms(); now < end && len + 1 < size; now = now_ms()) {
        if (poll(&in, 1, (int)(end - now)) <= 0)
            continue;
        ssize_t n = read(fd, text + len, size - 1 - len);
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    text[len] = '\0';
}

/* What a program says of itself: other servers are called in.tftpd too. */
static void ask_version(const char *path, char *text, size_t size)
{
    int ends[2];
    text[0] = '\0';
    if (pipe2(ends, O_CLOEXEC) < 0)
        return;
    pid_t pid = fork();
    if (pid == 0) {
        unblock_signals();
        int null = open("/dev/null", O_RDWR);
        dup2(null, 0);
        dup2(ends[1], 1);
        dup2(null, 2);
        execl(path, PROGRAM, "-V", (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    if (pid > 0) {
        read_answer(ends[0], text, size);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    close(ends[0]);
    text[strcspn(text, "\n")] = '\0';
}

char *tftp_hpa_find(char *why, size_t size)
{
    const char *search = getenv("PATH");
    char *all = NULL, *rest = NULL, *path = NULL;
    char version[256] = "";
    if (asprintf(&all, "%s:%s", search ? search : "", SBIN) < 0) {
        snprintf(why, size, "no memory to look for %s", PROGRAM);
        return NULL;
    }
    for (char *dir = strtok_r(all, ":", &rest); dir; dir = strtok_r(NULL, ":", &rest)) {
        if (*dir != '/' || asprintf(&path, "%s/%s", dir, PROGRAM) < 0)
            continue;
        if (access(path, X_OK) == 0)
            break;
        free(path);
        path = NULL;
    }
    free(all);
    if (!path) {
        snprintf(why, size,
                 "there is no %s on PATH or in /usr/sbin: install it (Debian: tftpd-hpa, with its "
                 "own service disabled), or use the built-in server",
                 PROGRAM);
        return NULL;
    }
    ask_version(path, version, sizeof version);
    if (strstr(version, "tftp-hpa") && strstr(version, "with remap"))
        return path;
    snprintf(why, size, "%s says it is \"%s\", expected a tftp-hpa with remap", path, version);
    free(path);
    return NULL;
}

bool tftp_hpa_missing(int root, char *names, size_t size)
{
    static const char *const programs[] = {"undionly.kpxe", "snponly.efi"};
    size_t len = 0;
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
        if (faccessat(root, programs[i], R_OK, AT_EACCESS) < 0 && len < size)
            len +=
                (size_t)snprintf(names + len, size - len, "%s%s", len ? " and " : "", programs[i]);
    }
    return len > 0;
}

/* --- the process ------------------------------------------------------------------------- */

/* syslog(3) goes to /dev/log, so the process is given one of its own, in a mount namespace that
 * ends with it: our socket. Where that is not allowed it logs to the system's log. */
static void take_syslog(int log)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = LOG_PATH};
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", "/dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755,size=64k") < 0 ||
        bind(log, (const struct sockaddr *)&address, sizeof address) < 0) {
        log_info("in.tftpd logs to the system's log: %s", strerror(errno));
        return;
    }
    int out = socket(AF_UNIX, SOCK_DGRAM, 0); /* for what it says before it speaks syslog */
    if (out >= 0 && connect(out, (const struct sockaddr *)&address, sizeof address) == 0)
        dup2(out, 2);
}

_Noreturn static void run(const struct tftp_hpa *hpa, const char *path, int map_fd, int log,
                          pid_t parent)
{
    char address[16], map_path[32];
    char search[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    char *const environment[] = {search, NULL};
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != parent)
        _exit(1);
    setpgid(0, 0);
    unblock_signals();
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    take_syslog(log);
    dup2(null, 0);
    dup2(null, 1);
    dup2(map_fd, MAP_FD);
    close_range(MAP_FD + 1, ~0u, 0);
    snprintf(address, sizeof address, ":%u", hpa->port);
    snprintf(map_path, sizeof map_path, "/proc/self/fd/%d", MAP_FD);
    execle(path, PROGRAM, "--foreground", "--ipv4", "--address", address, "--secure",
           "--permissive", "--user", hpa->user, "--map-file", map_path, "--verbosity", "2",
           hpa->root, (char *)NULL, environment);
    dprintf(2, "%s: %s\n", path, strerror(errno));
    _exit(127);
}

static int open_map(void)
{
    int fd = memfd_create("map", 0);
    if (fd >= 0 && write(fd, map, sizeof map - 1) != (ssize_t)sizeof map - 1) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static void close_log(struct tftp_hpa *hpa)
{
    if (hpa->log < 0)
        return;
    tftp_hpa_read_log(hpa);
    close(hpa->log);
    hpa->log = -1;
}

/* 0 or a negative errno. */
static int spawn(struct tftp_hpa *hpa, const char *path)
{
    int error = 0, map_fd = open_map();
    close_log(hpa);
    hpa->log = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    pid_t parent = getpid(), pid = -1;
    if (map_fd >= 0 && hpa->log >= 0)
        pid = fork();
    if (pid < 0)
        error = -errno;
    if (pid == 0)
        run(hpa, path, map_fd, hpa->log, parent);
    if (map_fd >= 0)
        close(map_fd);
    if (error)
        return error;
    setpgid(pid, pid); /* here too: whoever comes first */
    hpa->pid = hpa->group = pid;
    return 0;
}

static void put_off(struct tftp_hpa *hpa)
{
    unsigned next = hpa->backoff_ms ? 2 * hpa->backoff_ms : BACKOFF_MIN_MS;
    hpa->backoff_ms = next < BACKOFF_MAX_MS ? next : BACKOFF_MAX_MS;
    hpa->retry_at = now_ms() + hpa->backoff_ms;
}

static void start(struct tftp_hpa *hpa)
{
    char why[512];
    char *path = tftp_hpa_find(why, sizeof why);
    int error = path ? spawn(hpa, path) : 0;
    if (path && !error) {
        hpa->started = now_ms();
        log_info("in.tftpd (pid %d) serves %s on UDP port %u", (int)hpa->pid, hpa->root, hpa->port);
    } else {
        log_error("TFTP by tftp-hpa: %s", path ? strerror(-error) : why);
        put_off(hpa);
    }
    free(path);
    show_state(hpa);
}

static void stop(struct tftp_hpa *hpa)
{
    if (hpa->pid && !hpa->ending)
        kill(hpa->pid, SIGTERM);
    hpa->ending = hpa->pid != 0;
}

/* --- what the supervisor calls -------------------------------------------------------------- */

struct tftp_hpa *tftp_hpa_alloc(struct metrics_board *board)
{
    struct tftp_hpa *hpa = calloc(1, sizeof *hpa);
    if (!hpa)
        return NULL;
    hpa->board = board;
    hpa->log = -1;
    return hpa;
}

static void forget(struct tftp_hpa *hpa)
{
    free(hpa->root);
    free(hpa->user);
    hpa->root = hpa->user = NULL;
    hpa->wanted = false;
}

void tftp_hpa_serve(struct tftp_hpa *hpa, const struct tftp_hpa_options *options)
{
    struct stat st = {0};
    char *root = options ? realpath(options->root, NULL) : NULL;
    char *user = root && options->user ? strdup(options->user) : NULL;
    if (options && (!root || !user || stat(root, &st) < 0))
        log_error("TFTP by tftp-hpa: %s: %s", options->root, strerror(errno));
    else if (options && hpa->wanted && hpa->port == options->port && !strcmp(hpa->root, root) &&
             !strcmp(hpa->user, user) && hpa->identity.st_dev == st.st_dev &&
             hpa->identity.st_ino == st.st_ino)
        goto unchanged;
    stop(hpa);
    forget(hpa);
    if (root && user) {
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); /* transfers outlive their in.tftpd */
        hpa->wanted = true;
        hpa->root = root;
        hpa->user = user;
        hpa->port = options->port;
        hpa->identity = st;
        hpa->retry_at = 0;
        hpa->backoff_ms = 0;
        root = user = NULL;
    }
    tftp_hpa_tick(hpa);
unchanged:
    free(root);
    free(user);
    show_state(hpa);
}

void tftp_hpa_tick(struct tftp_hpa *hpa)
{
    if (!hpa->pid && hpa->group && kill(-hpa->group, 0) < 0 && errno == ESRCH)
        hpa->group = 0; /* the number may become another's */
    if (hpa->wanted && !hpa->pid && now_ms() >= hpa->retry_at)
        start(hpa);
}

bool tftp_hpa_ended(struct tftp_hpa *hpa, pid_t pid, int status)
{
    if (!hpa->pid || pid != hpa->pid)
        return false;
    tftp_hpa_read_log(hpa);
    if (!hpa->ending && WIFSIGNALED(status))
        log_error("in.tftpd (pid %d) was ended by signal %d (%s)", (int)pid, WTERMSIG(status),
                  strsignal(WTERMSIG(status)));
    else if (!hpa->ending)
        log_error("in.tftpd (pid %d) ended with status %d", (int)pid, WEXITSTATUS(status));
    if (hpa->wanted && !hpa->ending) {
        hpa->board->tftp_hpa_restarts++;
        if (now_ms() - hpa->started < YOUNG_MS)
            put_off(hpa);
        else
            hpa->backoff_ms = 0;
    }
    hpa->pid = 0;
    hpa->ending = false;
    show_state(hpa);
    return true;
}

pid_t tftp_hpa_pid(const struct tftp_hpa *hpa)
{
    return hpa->pid;
}

bool tftp_hpa_listens(const struct tftp_hpa *hpa)
{
    return hpa->pid != 0;
}

bool tftp_hpa_busy(const struct tftp_hpa *hpa)
{
    return hpa->pid || (hpa->group && kill(-hpa->group, 0) == 0);
}

void tftp_hpa_kill(struct tftp_hpa *hpa)
{
    if (hpa->group)
        kill(-hpa->group, SIGKILL);
}

void tftp_hpa_free(struct tftp_hpa *hpa)
{
    if (!hpa)
        return;
    close_log(hpa);
    forget(hpa);
    free(hpa);
}

/* --- what it says ----------------------------------------------------------------------------- */

static enum log_level level_of(unsigned long priority)
{
    unsigned long severity = LOG_PRI(priority);
    return severity <= LOG_ERR       ? LOG_LEVEL_ERROR
           : severity == LOG_WARNING ? LOG_LEVEL_WARN
           : severity == LOG_DEBUG   ? LOG_LEVEL_DEBUG
                                     : LOG_LEVEL_INFO;
}

/* "<30>Nov 26 14:05:00 in.tftpd[4711]: RRQ from 10.0.0.5 filename snponly.efi"; what does not
 * begin so came by standard error. */
static void pass_on(char *line)
{
    enum log_level level = LOG_LEVEL_ERROR;
    char pid[16] = "";
    char *text = line, *end;
    line[strcspn(line, "\n")] = '\0';
    if (*line == '<') {
        level = level_of(strtoul(line + 1, &end, 10));
        char *opened = strstr(end, PROGRAM "[");
        char *closed = opened ? strstr(opened, "]: ") : NULL;
        text = *end == '>' ? end + 1 : line;
        if (closed) {
            snprintf(pid, sizeof pid, "%.*s", (int)(closed - opened - (long)strlen(PROGRAM "[")),
                     opened + strlen(PROGRAM "["));
            text = closed + 3;
        }
    }
    char message[LINE_MAX_LEN + 32];
    snprintf(message, sizeof message, "in.tftpd: %s", text);
    log_event(level, &(struct log_field){"pid", *pid ? pid : NULL}, 1, message);
}

int tftp_hpa_log_fd(const struct tftp_hpa *hpa)
{
    return hpa->log;
}

void tftp_hpa_read_log(struct tftp_hpa *hpa)
{
    char line[LINE_MAX_LEN];
    ssize_t n;
    while (hpa->log >= 0 && (n = recv(hpa->log, line, sizeof line - 1, MSG_DONTWAIT)) >= 0) {
        line[n] = '\0';
        pass_on(line);
    }
}
