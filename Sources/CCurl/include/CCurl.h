#ifndef CCURL_H
#define CCURL_H

// libcurl, opened when it is first needed: a process that sends neither mails nor requests does not have the pages of it and of
// the thirty libraries that it brings. Everything here blocks the thread that calls.

#include <stddef.h>

/// A network: the first `prefix` bits of `bytes`, of an address of `family` (4 or 6).
typedef struct {
  int family;
  unsigned char bytes[16];
  int prefix;
} ccurl_network;

typedef struct {
  const char *method;
  const char *url;
  /// Header fields, a line each, divided by line feeds.
  const char *headers;
  /// NULL for no body.
  const unsigned char *body;
  size_t body_length;
  long timeout_ms;
  /// The largest body that is read, in bytes.
  size_t response_limit;
  /// Networks that are not connected to, unless they are in one of the others.
  const ccurl_network *blocked;
  size_t blocked_count;
  const ccurl_network *allowed;
  size_t allowed_count;
  /// Whether proxies of the environment are passed over.
  int is_direct;
  /// Whether certificates are not checked, for tests.
  int is_insecure;
} ccurl_request;

typedef struct {
  const char *url;
  /// `name:port:host:port`, to connect elsewhere than the URL says; NULL for not.
  const char *connect_to;
  /// NULL for no login.
  const char *user;
  const char *password;
  /// 0 for never, 1 where the server offers it, 2 for always.
  int tls;
  const char *sender;
  const char *recipient;
  const unsigned char *message;
  size_t length;
  long timeout_ms;
} ccurl_mail;

typedef enum { CCURL_OK, CCURL_MISSING, CCURL_TIMED_OUT, CCURL_REFUSED, CCURL_TOO_LARGE, CCURL_FAILED } ccurl_outcome;

typedef struct {
  ccurl_outcome outcome;
  long status;
  /// To be freed by the caller.
  unsigned char *body;
  size_t length;
  char message[256];
} ccurl_answer;

/// Sends a request and reads the answer. Redirections are not followed.
void ccurl_send_request(const ccurl_request *request, ccurl_answer *answer);

/// Sends a mail.
void ccurl_send_mail(const ccurl_mail *mail, ccurl_answer *answer);

/// Whether an address of `family` (4 or 6) is in a network.
int ccurl_contains(const ccurl_network *network, int family, const unsigned char *bytes);

#endif
