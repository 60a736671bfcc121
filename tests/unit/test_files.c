/* Files beneath a directory, and nothing else; by openat2, and where there is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "files.h"

static char top[] = "/tmp/moonboot-files-XXXXXX";
static int root;

static void write_file(const char *path, const char *text)
{
    int fd = openat(root, path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

/* What a name leads to: 0, or a negative errno. */
static int leads_to(const char *path, const char *text)
{
    char got[64] = "";
    int fd = files_open_beneath(root, path);
    if (fd < 0)
        return fd;
    ssize_t len = read(fd, got, sizeof got - 1);
    close(fd);
    assert_true(len >= 0);
    assert_string_equal(got, text);
    return 0;
}

/* `through`: what is said of a link to a directory that would lead out. */
static void check_names(int through)
{
    char too_long[400];
    memset(too_long, 'x', sizeof too_long - 1);
    too_long[sizeof too_long - 1] = '\0';
    assert_int_equal(leads_to("file", "top"), 0);
    assert_int_equal(leads_to("dir/file", "below"), 0);
    assert_int_equal(leads_to("dir//file", "below"), 0);
    assert_int_equal(leads_to("dir/deeper/file", "deep"), 0);
    assert_int_equal(leads_to("none", ""), -ENOENT);
    assert_int_equal(leads_to("dir/none", ""), -ENOENT);
    assert_int_equal(leads_to("none/file", ""), -ENOENT);
    assert_int_equal(leads_to("", ""), -ENOENT);
    assert_int_equal(leads_to("file/file", ""), -ENOTDIR);
    assert_int_equal(leads_to("/etc/passwd", ""), -EXDEV);
    assert_int_equal(leads_to("../outside", ""), -EXDEV);
    assert_int_equal(leads_to("leads-out", ""), -EXDEV);
    assert_int_equal(leads_to("leads-up/outside", ""), through);
    assert_int_equal(leads_to("absolute", ""), -EXDEV);
    assert_int_equal(leads_to(too_long, ""), -ENAMETOOLONG);
    assert_int_equal(leads_to("loop", ""), -EXDEV);
}

static void test_names(void **state)
{
    (void)state;
    check_names(-EXDEV);
    assert_int_equal(leads_to("within", "below"), 0);
    assert_int_equal(leads_to("dir/../file", "top"), 0);
}

/* Kernels before 5.6: no link is followed, so none leads out; the rest is the same. From here on
 * this process is on one: it is the last test. */
static void test_without_openat2(void **state)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    (void)state;
    assert_non_null(filter);
    assert_int_equal(seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(openat2), 0), 0);
    assert_int_equal(seccomp_load(filter), 0);
    seccomp_release(filter);
    assert_int_equal(syscall(SYS_openat2, root, "file", NULL, 0), -1);
    assert_int_equal(errno, ENOSYS);
    check_names(-ENOTDIR);
    assert_int_equal(leads_to("within", ""), -EXDEV);
    assert_int_equal(leads_to("dir/../file", ""), -EXDEV);
}

static void test_whole(void **state)
{
    char *text;
    size_t len;
    (void)state;
    assert_int_equal(files_read_beneath(root, "dir/file", 5, &text, &len), 0);
    assert_int_equal(len, 5);
    assert_memory_equal(text, "below", 5);
    free(text);
    assert_int_equal(files_read_beneath(root, "dir/file", 4, &text, &len), -EFBIG);
    assert_null(text);
    assert_int_equal(files_read_beneath(root, "dir", 100, &text, &len), -EISDIR);
    assert_int_equal(files_read_beneath(root, "pipe", 100, &text, &len), -EISDIR);
    assert_int_equal(files_read_beneath(root, "none", 100, &text, &len), -ENOENT);
    assert_int_equal(files_read_beneath(root, "empty", 0, &text, &len), 0);
    assert_int_equal(len, 0);
    free(text);
}

/* What is served is a regular file; a pipe holds up nobody. */
static void test_served(void **state)
{
    struct files files = {{-1, root}, -1};
    struct file file;
    (void)state;
    assert_int_equal(files_open(&files, REPLY_ROOT_ASSETS, "dir/file", &file), 0);
    assert_int_equal(file.size, 5);
    close(file.fd);
    assert_int_equal(files_open(&files, REPLY_ROOT_ASSETS, "dir", &file), -ENOENT);
    assert_int_equal(files_open(&files, REPLY_ROOT_ASSETS, "pipe", &file), -ENOENT);
    assert_int_equal(files_open(&files, REPLY_ROOT_ASSETS, "file/file", &file), -ENOENT);
    assert_int_equal(files_open(&files, REPLY_ROOT_ASSETS, "undionly.kpxe", &file), -ENOENT);
    assert_int_equal(files_open(&files, REPLY_ROOT_TFTP, "file", &file), -ENOENT);
    assert_string_equal(files_content_type("a/b.efi"), "application/efi");
    assert_string_equal(files_content_type("a/B.EFI"), "application/efi");
    assert_string_equal(files_content_type("efi"), "application/octet-stream");
}

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(top) || chdir(top) < 0 || mkdir("root", 0755) < 0)
        return -1;
    root = files_root_open("root");
    if (root < 0 || mkdirat(root, "dir", 0755) < 0 || mkdirat(root, "dir/deeper", 0755) < 0 ||
        mkfifoat(root, "pipe", 0644) < 0 || symlinkat("dir/file", root, "within") < 0 ||
        symlinkat("../outside", root, "leads-out") < 0 || symlinkat("..", root, "leads-up") < 0 ||
        symlinkat("/etc/passwd", root, "absolute") < 0 || symlinkat("loop", root, "loop") < 0)
        return -1;
    write_file("file", "top");
    write_file("dir/file", "below");
    write_file("dir/deeper/file", "deep");
    write_file("empty", "");
    write_file("../outside", "secret");
    return 0;
}

static int tear_down(void **state)
{
    static const char *const names[] = {
        "root/dir/deeper/file", "root/dir/file", "root/file", "root/empty",    "root/pipe",
        "root/within",          "root/absolute", "root/loop", "root/leads-up", "root/leads-out",
        "root/dir/deeper",      "root/dir",      "root",      "outside",
    };
    (void)state;
    close(root);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        remove(names[i]);
    return rmdir(top);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_served),
        cmocka_unit_test(test_without_openat2),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
