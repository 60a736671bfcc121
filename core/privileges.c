#include "privileges.h"

#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

const char *privileges_user(const char *configured)
{
    if (configured)
        return getpwnam(configured) ? configured : NULL;
    if (getpwnam("moonboot"))
        return "moonboot";
    return getpwnam("nobody") ? "nobody" : NULL;
}

/* Makes these the process's capabilities: permitted and effective, none to be inherited. */
static bool set_capabilities(uint32_t low)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
        {.effective = low, .permitted = low}};
    return syscall(SYS_capset, &header, data) == 0;
}

bool privileges_drop(const char *user)
{
    struct rlimit none = {0, 0};
    /* A core would hold keys and secrets. */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
        return false;
    if (geteuid() != 0)
        return true;
    struct passwd *entry = getpwnam(user);
    if (!entry)
        return false;
    if (entry->pw_uid == 0) /* asked for in so many words */
        return true;
    return prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0 && setgroups(0, NULL) == 0 &&
           setresgid(entry->pw_gid, entry->pw_gid, entry->pw_gid) == 0 &&
           setresuid(entry->pw_uid, entry->pw_uid, entry->pw_uid) == 0 &&
           prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 &&
           set_capabilities(1u << CAP_DAC_READ_SEARCH);
}

bool privileges_finish(void)
{
    return geteuid() == 0 || set_capabilities(0);
}
