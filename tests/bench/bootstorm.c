/* Boots many machines, each from its first DISCOVER to the last byte of what its script loads:
 * `bootstorm --help`. boot.h says what each does.
 *
 * Exit 0: every machine has all of it; 1: not every one; 2: bad usage. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boot.h"

#define EVENTS      256
#define AT_ONCE     32
#define SCAN        (LOAD_SECOND / 100) /* how often deadlines are looked at */
#define FILES_MAX   64
#define DHCP_CLIENT 68

struct storm {
    struct boot_world world;
    double rate;
    const char *files;
    bool json;
    uint32_t arrived;
    int64_t began, ended;
};

static void receive_dhcp(struct boot_world *world, int fd)
{
    uint8_t data[2048];
    for (int i = 0; i < AT_ONCE; i++) {
        ssize_t len = recv(fd, data, sizeof data, MSG_DONTWAIT);
        if (len < 0)
            return;
        boot_take_dhcp(world, data, (size_t)len);
    }
}

/* Switches on those whose time has come; when the next one's does. */
static int64_t arrive(struct storm *storm)
{
    for (;;) {
        int64_t due = storm->began + (int64_t)((double)storm->arrived * 1e9 / storm->rate);
        if (storm->arrived == storm->world.machines)
            return INT64_MAX;
        if (due > load_now())
            return due;
        boot_begin(&storm->world, storm->arrived++, due);
    }
}

static void expire(struct storm *storm)
{
    int64_t now = load_now();
    for (uint32_t i = 0; i < storm->arrived; i++) {
        if (storm->world.boots[i].deadline <= now)
            boot_expire(&storm->world.boots[i]);
    }
}

static void run(struct storm *storm)
{
    struct boot_world *world = &storm->world;
    struct epoll_event events[EVENTS];
    int64_t scan = 0;
    storm->began = load_now();
    while (world->over < world->machines) {
        int64_t next = arrive(storm);
        if (load_now() >= scan) {
            expire(storm);
            scan = load_now() + SCAN;
        }
        int n = load_wait(world->poll, events, EVENTS, next < scan ? next : scan);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr == &world->discover_fd || events[i].data.ptr == &world->boot_fd)
                receive_dhcp(world, *(int *)events[i].data.ptr);
            else
                boot_on_event(events[i].data.ptr);
        }
    }
    storm->ended = load_now();
}

/* --- what came of it ------------------------------------------------------------------------ */

static void print_text(const struct storm *storm)
{
    const struct boot_world *world = &storm->world;
    double seconds = (double)(storm->ended - storm->began) / 1e9;
    printf("%llu of %u machines booted in %.2f s; %.1f MB/s; %llu packets sent again\n",
           (unsigned long long)world->booted, world->machines, seconds,
           (double)world->bytes / 1e6 / seconds, (unsigned long long)world->retries);
    for (int i = 0; i < BOOT_STEPS; i++)
        load_latency_text(stdout, boot_step_names[i], &world->steps[i]);
    load_latency_text(stdout, "to the last byte", &world->total);
    for (size_t i = 0; i < BOOT_REASONS && world->reasons[i].n; i++)
        printf("failed: %llu at %s: %s\n", (unsigned long long)world->reasons[i].n,
               boot_step_names[world->reasons[i].step], world->reasons[i].why);
}

static void print_json(const struct storm *storm)
{
    const struct boot_world *world = &storm->world;
    double seconds = (double)(storm->ended - storm->began) / 1e9;
    printf("{\"machines\": %u, \"booted\": %llu, \"seconds\": %.3f, \"bytes\": %llu, "
           "\"mb_per_second\": %.3f, \"sent_again\": %llu, \"steps\": {",
           world->machines, (unsigned long long)world->booted, seconds,
           (unsigned long long)world->bytes, (double)world->bytes / 1e6 / seconds,
           (unsigned long long)world->retries);
    for (int i = 0; i < BOOT_STEPS; i++) {
        load_latency_json(stdout, boot_step_names[i], &world->steps[i]);
        printf("%s", i < BOOT_STEPS - 1 ? ", " : "}, ");
    }
    load_latency_json(stdout, "total", &world->total);
    printf(", \"failed\": [");
    for (size_t i = 0; i < BOOT_REASONS && world->reasons[i].n; i++)
        printf("%s{\"n\": %llu, \"step\": \"%s\", \"why\": \"%s\"}", i ? ", " : "",
               (unsigned long long)world->reasons[i].n, boot_step_names[world->reasons[i].step],
               world->reasons[i].why);
    printf("]}\n");
}

static _Noreturn void usage(int status)
{
    fputs("usage: bootstorm [OPTION]... SERVER\n"
          "Boots many machines, from DISCOVER to the last byte of kernel and initrd.\n\n"
          "  --machines N      (100)\n"
          "  --first N         the first machine's number, its MAC's last three bytes (1)\n"
          "  --rate N          so many are switched on each second (100)\n"
          "  --timeout S       a machine fails when nothing comes for so long (30)\n"
          "  --interface NAME  broadcast there, from port 68; else ask SERVER itself\n"
          "  --address A       the first machine's address; each has the next one\n"
          "  --port N, --boot-port N, --tftp-port N   the server's (67, 4011, 69)\n"
          "  --files DIR       what is loaded has to be the same as the files of that name there\n"
          "  --json            print JSON\n",
          status ? stderr : stdout);
    exit(status);
}

static void read_options(struct storm *storm, int argc, char **argv)
{
    static const struct option options[] = {
        {"machines", 1, NULL, 'm'},  {"first", 1, NULL, 'f'},     {"rate", 1, NULL, 'r'},
        {"timeout", 1, NULL, 't'},   {"interface", 1, NULL, 'i'}, {"address", 1, NULL, 'a'},
        {"port", 1, NULL, 'p'},      {"boot-port", 1, NULL, 'b'}, {"files", 1, NULL, 'F'},
        {"tftp-port", 1, NULL, 'T'}, {"json", 0, NULL, 'j'},      {"help", 0, NULL, 'h'},
        {NULL, 0, NULL, 0}};
    struct boot_world *world = &storm->world;
    int c, at;
    while ((c = getopt_long(argc, argv, "", options, &at)) != -1) {
        const char *name = c == '?' ? "" : options[at].name;
        if (c == 'm')
            world->machines = (uint32_t)load_number(name, optarg, 1, 100000);
        else if (c == 'f')
            world->first = (uint32_t)load_number(name, optarg, 0, 1 << 24);
        else if (c == 'r')
            storm->rate = load_number(name, optarg, 0.1, 1e6);
        else if (c == 't')
            world->timeout = (int64_t)(load_number(name, optarg, 0.1, 3600) * 1e9);
        else if (c == 'p')
            world->port = (uint16_t)load_number(name, optarg, 1, 65535);
        else if (c == 'b')
            world->boot_port = (uint16_t)load_number(name, optarg, 1, 65535);
        else if (c == 'T')
            world->tftp_port = (uint16_t)load_number(name, optarg, 1, 65535);
        else if (c == 'a')
            world->address = load_address("--address", optarg);
        else if (c == 'i')
            world->interface = optarg;
        else if (c == 'F')
            storm->files = optarg;
        else if (c == 'j')
            storm->json = true;
        else
            usage(c == 'h' ? 0 : 2);
    }
    if (optind != argc - 1)
        usage(2);
    world->server = load_address("SERVER", argv[optind]);
}

/* Maps a file; false: it is none, or cannot be had. */
static bool map_file(int dir, const char *name, struct boot_file *file)
{
    struct stat st;
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    void *data = MAP_FAILED;
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
        data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (fd >= 0)
        close(fd);
    if (data == MAP_FAILED)
        return false;
    *file = (struct boot_file){.data = data, .len = (size_t)st.st_size};
    snprintf(file->name, sizeof file->name, "%s", name);
    return true;
}

static void map_files(struct storm *storm)
{
    DIR *dir = opendir(storm->files);
    struct dirent *entry;
    storm->world.files = calloc(FILES_MAX, sizeof *storm->world.files);
    if (!dir || !storm->world.files) {
        fprintf(stderr, "--files: %s: %s\n", storm->files, strerror(errno));
        exit(2);
    }
    while ((entry = readdir(dir)) && storm->world.n_files < FILES_MAX) {
        struct boot_file *file = &storm->world.files[storm->world.n_files];
        storm->world.n_files += map_file(dirfd(dir), entry->d_name, file);
    }
    closedir(dir);
}

static void open_sockets(struct boot_world *world)
{
    struct in_addr any = {INADDR_ANY};
    bool own_ports = world->interface != NULL;
    world->own = load_way_to(world->server);
    world->discover_fd = load_udp(any, own_ports ? DHCP_CLIENT : 0, world->interface);
    world->boot_fd = load_udp(any, own_ports ? world->boot_port : 0, world->interface);
    world->poll = epoll_create1(EPOLL_CLOEXEC);
    int *const fds[] = {&world->discover_fd, &world->boot_fd};
    for (int i = 0; i < 2; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = fds[i]};
        epoll_ctl(world->poll, EPOLL_CTL_ADD, *fds[i], &event);
    }
}

int main(int argc, char **argv)
{
    static struct storm storm = {.world = {.machines = 100,
                                           .first = 1,
                                           .port = 67,
                                           .boot_port = 4011,
                                           .tftp_port = 69,
                                           .timeout = 30 * LOAD_SECOND},
                                 .rate = 100};
    struct boot_world *world = &storm.world;
    read_options(&storm, argc, argv);
    if (storm.files)
        map_files(&storm);
    load_want_files(world->machines + 16);
    world->boots = calloc(world->machines, sizeof *world->boots);
    if (!world->boots)
        return 2;
    uint64_t random = (uint64_t)load_now() | 1;
    world->xid = (uint32_t)(load_random(&random) >> 32);
    prctl(PR_SET_TIMERSLACK, 1);
    open_sockets(world);
    run(&storm);
    (storm.json ? print_json : print_text)(&storm);
    free(world->boots);
    free(world->files);
    return world->booted == world->machines ? 0 : 1;
}
