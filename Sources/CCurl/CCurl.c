#include "CCurl.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

// The header makes macros of these names, for checks of types that need the functions themselves.
#undef curl_easy_setopt
#undef curl_easy_getinfo

static struct {
  CURLcode (*global_init)(long);
  CURL *(*init)(void);
  CURLcode (*setopt)(CURL *, CURLoption, ...);
  CURLcode (*getinfo)(CURL *, CURLINFO, ...);
  CURLcode (*perform)(CURL *);
  void (*cleanup)(CURL *);
  const char *(*strerror)(CURLcode);
  struct curl_slist *(*append)(struct curl_slist *, const char *);
  void (*free_all)(struct curl_slist *);
} curl;
static int is_open;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void open_library(void) {
  void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
  if (!library) return;
  *(void **)&curl.global_init = dlsym(library, "curl_global_init");
  *(void **)&curl.init = dlsym(library, "curl_easy_init");
  *(void **)&curl.setopt = dlsym(library, "curl_easy_setopt");
  *(void **)&curl.getinfo = dlsym(library, "curl_easy_getinfo");
  *(void **)&curl.perform = dlsym(library, "curl_easy_perform");
  *(void **)&curl.cleanup = dlsym(library, "curl_easy_cleanup");
  *(void **)&curl.strerror = dlsym(library, "curl_easy_strerror");
  *(void **)&curl.append = dlsym(library, "curl_slist_append");
  *(void **)&curl.free_all = dlsym(library, "curl_slist_free_all");
  is_open = curl.global_init && curl.init && curl.setopt && curl.getinfo && curl.perform && curl.cleanup &&
            curl.strerror && curl.append && curl.free_all && curl.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

// MARK: - Addresses

int ccurl_contains(const ccurl_network *network, int family, const unsigned char *bytes) {
  if (network->family != family) return 0;
  int whole = network->prefix / 8, rest = network->prefix % 8;
  if (memcmp(network->bytes, bytes, (size_t)whole) != 0) return 0;
  if (rest == 0) return 1;
  unsigned char mask = (unsigned char)(0xff << (8 - rest));
  return (network->bytes[whole] & mask) == (bytes[whole] & mask);
}

static int is_in(const ccurl_network *networks, size_t count, int family, const unsigned char *bytes) {
  for (size_t i = 0; i < count; i++) {
    if (ccurl_contains(&networks[i], family, bytes)) return 1;
  }
  return 0;
}

typedef struct {
  const ccurl_request *request;
  int was_refused;
  int was_opened;
} check;

/// Finds the IPv4 address to which a gateway brings what is sent to an IPv6 address; NULL where there is none.
static const unsigned char *embedded(const unsigned char *bytes) {
  static const unsigned char nat64[12] = {0x00, 0x64, 0xff, 0x9b}, compatible[12] = {0};
  if (bytes[0] == 0x20 && bytes[1] == 0x02) return bytes + 2;
  if (memcmp(bytes, nat64, 12) == 0 || memcmp(bytes, compatible, 12) == 0) return bytes + 12;
  return NULL;
}

static int is_refused(const ccurl_request *request, int family, const unsigned char *bytes) {
  return is_in(request->blocked, request->blocked_count, family, bytes) &&
         !is_in(request->allowed, request->allowed_count, family, bytes);
}

static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address) {
  check *check = context;
  (void)purpose;
  const ccurl_request *request = check->request;
  int family = 0;
  const unsigned char *bytes = NULL;
  if (address->family == AF_INET) {
    family = 4;
    bytes = (const unsigned char *)&((struct sockaddr_in *)&address->addr)->sin_addr;
  } else if (address->family == AF_INET6) {
    family = 6;
    bytes = (const unsigned char *)&((struct sockaddr_in6 *)&address->addr)->sin6_addr;
    // An IPv4 address in the clothes of IPv6 is judged as what it is.
    static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (memcmp(bytes, mapped, 12) == 0) {
      family = 4;
      bytes += 12;
    }
  }
  const unsigned char *inner = family == 6 ? embedded(bytes) : NULL;
  if (!bytes || is_refused(request, family, bytes) ||
      (inner && is_refused(request, 4, inner) && !is_in(request->allowed, request->allowed_count, 6, bytes))) {
    check->was_refused = 1;
    return CURL_SOCKET_BAD;
  }
  check->was_opened = 1;
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

// MARK: - Bodies

typedef struct {
  const unsigned char *bytes;
  size_t left;
} source;

static size_t read_body(char *into, size_t size, size_t count, void *context) {
  source *source = context;
  size_t length = size * count < source->left ? size * count : source->left;
  memcpy(into, source->bytes, length);
  source->bytes += length;
  source->left -= length;
  return length;
}

typedef struct {
  ccurl_answer *answer;
  size_t limit;
} sink;

static size_t write_body(char *from, size_t size, size_t count, void *context) {
  sink *sink = context;
  ccurl_answer *answer = sink->answer;
  size_t length = size * count;
  if (length > sink->limit - answer->length) {
    answer->outcome = CCURL_TOO_LARGE;
    return 0;
  }
  unsigned char *body = realloc(answer->body, answer->length + length + 1);
  if (!body) return 0;
  memcpy(body + answer->length, from, length);
  answer->body = body;
  answer->length += length;
  return length;
}

// MARK: - Requests and mails

static CURL *begin(ccurl_answer *answer, long timeout_ms, char *error) {
  memset(answer, 0, sizeof *answer);
  pthread_once(&once, open_library);
  CURL *handle = is_open ? curl.init() : NULL;
  if (!handle) {
    answer->outcome = CCURL_MISSING;
    strncpy(answer->message, "libcurl.so.4 cannot be opened", sizeof answer->message - 1);
    return NULL;
  }
  curl.setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl.setopt(handle, CURLOPT_TIMEOUT_MS, timeout_ms);
  curl.setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, timeout_ms);
  curl.setopt(handle, CURLOPT_ERRORBUFFER, error);
  return handle;
}

static void finish(CURL *handle, CURLcode code, int was_refused, const char *error, ccurl_answer *answer) {
  if (code == CURLE_OK) {
    curl.getinfo(handle, CURLINFO_RESPONSE_CODE, &answer->status);
  } else {
    if (was_refused) answer->outcome = CCURL_REFUSED;
    else if (code == CURLE_OPERATION_TIMEDOUT) answer->outcome = CCURL_TIMED_OUT;
    else if (answer->outcome == CCURL_OK) answer->outcome = CCURL_FAILED;
    strncpy(answer->message, error[0] ? error : curl.strerror(code), sizeof answer->message - 1);
  }
  curl.cleanup(handle);
}

static struct curl_slist *header_list(const char *headers) {
  struct curl_slist *list = NULL;
  char *copy = strdup(headers), *left = copy;
  for (char *line; (line = strsep(&left, "\n"));) {
    if (!*line) continue;
    struct curl_slist *longer = curl.append(list, line);
    if (longer) list = longer;
  }
  free(copy);
  return list;
}

void ccurl_send_request(const ccurl_request *request, ccurl_answer *answer) {
  char error[CURL_ERROR_SIZE] = "";
  CURL *handle = begin(answer, request->timeout_ms, error);
  if (!handle) return;
  check check = {request, 0, 0};
  sink sink = {answer, request->response_limit};
  struct curl_slist *headers = header_list(request->headers);
  curl.setopt(handle, CURLOPT_URL, request->url);
  curl.setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl.setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
  curl.setopt(handle, CURLOPT_HTTPHEADER, headers);
  curl.setopt(handle, CURLOPT_OPENSOCKETFUNCTION, open_socket);
  curl.setopt(handle, CURLOPT_OPENSOCKETDATA, &check);
  curl.setopt(handle, CURLOPT_WRITEFUNCTION, write_body);
  curl.setopt(handle, CURLOPT_WRITEDATA, &sink);
  if (request->is_direct) curl.setopt(handle, CURLOPT_NOPROXY, "*");
  if (request->is_insecure) {
    curl.setopt(handle, CURLOPT_SSL_VERIFYPEER, 0L);
    curl.setopt(handle, CURLOPT_SSL_VERIFYHOST, 0L);
  }
  if (request->body) {
    curl.setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_length);
    curl.setopt(handle, CURLOPT_POSTFIELDS, request->body);
  }
  curl.setopt(handle, CURLOPT_CUSTOMREQUEST, request->method);
  CURLcode code = curl.perform(handle);
  finish(handle, code, check.was_refused && !check.was_opened, error, answer);
  curl.free_all(headers);
}

void ccurl_send_mail(const ccurl_mail *mail, ccurl_answer *answer) {
  char error[CURL_ERROR_SIZE] = "";
  CURL *handle = begin(answer, mail->timeout_ms, error);
  if (!handle) return;
  source source = {mail->message, mail->length};
  struct curl_slist *recipients = curl.append(NULL, mail->recipient);
  struct curl_slist *elsewhere = mail->connect_to ? curl.append(NULL, mail->connect_to) : NULL;
  curl.setopt(handle, CURLOPT_URL, mail->url);
  curl.setopt(handle, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
  curl.setopt(handle, CURLOPT_NOPROXY, "*");
  if (elsewhere) curl.setopt(handle, CURLOPT_CONNECT_TO, elsewhere);
  if (mail->user) {
    curl.setopt(handle, CURLOPT_USERNAME, mail->user);
    curl.setopt(handle, CURLOPT_PASSWORD, mail->password ? mail->password : "");
  }
  curl.setopt(handle, CURLOPT_USE_SSL, (long)(mail->tls == 2 ? CURLUSESSL_ALL : mail->tls ? CURLUSESSL_TRY : CURLUSESSL_NONE));
  curl.setopt(handle, CURLOPT_MAIL_FROM, mail->sender);
  curl.setopt(handle, CURLOPT_MAIL_RCPT, recipients);
  curl.setopt(handle, CURLOPT_READFUNCTION, read_body);
  curl.setopt(handle, CURLOPT_READDATA, &source);
  curl.setopt(handle, CURLOPT_INFILESIZE_LARGE, (curl_off_t)mail->length);
  curl.setopt(handle, CURLOPT_UPLOAD, 1L);
  CURLcode code = curl.perform(handle);
  finish(handle, code, 0, error, answer);
  curl.free_all(recipients);
  curl.free_all(elsewhere);
}
