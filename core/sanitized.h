/* SANITIZED is defined in builds with AddressSanitizer, whose runtime has needs and sights of its
 * own: it makes system calls, and sees the memory that malloc gives. */
#ifndef MOONBOOT_SANITIZED_H
#define MOONBOOT_SANITIZED_H

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

#endif
