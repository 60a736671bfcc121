/* libFuzzer entry for captures: any file, read to its end; what comes out keeps its bounds. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void demand(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "broken: %s\n", what);
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const struct capture_options options = {.http_ports = {80, 8080}, .n_http_ports = 2};
    char error[CAPTURE_ERROR];
    struct capture_message m;
    volatile uint8_t sum = 0;
    uint64_t frame = 0;
    int result;

    FILE *file = len ? fmemopen((void *)data, len, "r") : NULL;
    struct capture *capture = file ? capture_open_file(file, &options, error) : NULL;
    if (!capture)
        return 0;
    while ((result = capture_next(capture, &m)) == 1) {
        demand(m.frame >= frame && m.frame > 0, "frames come in order");
        demand(m.len <= (m.tcp ? CAPTURE_REQUEST : 65535), "messages are bounded");
        demand(!m.tcp || m.status || m.head.path[0] == '/', "a request has a path");
        demand(!m.tcp || !m.cut, "requests are whole");
        frame = m.frame;
        for (size_t i = 0; i < m.len; i++)
            sum = (uint8_t)(sum + m.data[i]);
        if (m.tcp && !m.status)
            sum = (uint8_t)(sum + strlen(m.head.path));
    }
    demand(result == 0 || *capture_problem(capture), "damage has a name");
    capture_close(capture);
    return 0;
}
