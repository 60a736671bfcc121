/* One HTTP connection: requests in, one after the other; answers out, in that order.
 *
 * A request is decided when it is all there, and the next is looked at when its answer
 * has been queued. Queuing pauses while 64 KiB or a file wait to be sent, and reading
 * pauses with a request's worth of bytes unread: a client that only sends, or never
 * reads, takes no more memory than that. */
#ifndef MOONBOOT_HTTP_CONNECTION_H
#define MOONBOOT_HTTP_CONNECTION_H

#include <netinet/in.h>
#include <stdbool.h>

#include "http_service.h"

/* Serves an accepted, non-blocking socket, which it owns. False, and the socket closed,
 * when memory is out. */
bool http_connection_open(struct http_service *service, int fd, const struct sockaddr_in *peer,
                          enum http_service_door door);

/* Ends it now. When the policy is still deciding for it, the answer is dropped. */
void http_connection_close(struct http_connection *connection);

/* Ends all that are idle; the others end with their last answer, for `draining` is set.
 * One that has not asked yet has two seconds to do so. */
void http_connection_drain(struct http_service *service);

#endif
