#include "notify.h"

#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIXED offsetof(struct notify, text)

bool notify_open(int ends[2])
{
    int on = 1;
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends) < 0)
        return false;
    if (setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0)
        return true;
    close(ends[0]);
    close(ends[1]);
    return false;
}

bool notify_send(int fd, const struct notify *message)
{
    size_t len = FIXED + strlen(message->text) + 1;
    return send(fd, message, len, MSG_NOSIGNAL) == (ssize_t)len;
}

bool notify_receive(int fd, struct notify *message, pid_t *sender)
{
    for (;;) {
        _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct ucred))];
        struct iovec vector = {.iov_base = message, .iov_len = sizeof *message};
        struct msghdr header = {.msg_iov = &vector,
                                .msg_iovlen = 1,
                                .msg_control = control,
                                .msg_controllen = sizeof control};
        ssize_t len = recvmsg(fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (len < 0)
            return false;
        struct cmsghdr *c = CMSG_FIRSTHDR(&header);
        if (len <= (ssize_t)FIXED || message->text[len - (ssize_t)FIXED - 1] != '\0' ||
            header.msg_flags & MSG_TRUNC || !c || c->cmsg_level != SOL_SOCKET ||
            c->cmsg_type != SCM_CREDENTIALS)
            continue; /* not ours */
        struct ucred credentials;
        memcpy(&credentials, CMSG_DATA(c), sizeof credentials);
        *sender = credentials.pid;
        return true;
    }
}
