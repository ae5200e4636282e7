/* The hub over HTTP, by libcurl. The bodies are sealed bundles, so the transport is trusted with nothing: no cookies,
 * no redirects, no compression of its own. */
#include "node/door.h"
#include "node/trouble.h"

#include "base/json.h"
#include "crypto/hash.h"
#include "sync/bundle.h"

#include <curl/curl.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CONNECT_S 20L  /* a mast in the hills may take its time */
#define SILENCE_S 60L  /* without one byte moving: silence, not slowness, means a broken link */
#define BODY_MAX  4096 /* bytes of a refusal that are read */
#define SAID_MAX  240  /* bytes of the hub's own words shown to a person */

struct carrier_http {
    CURL *curl;        /* owned */
    char address[200]; /* without a slash at its end */
    bool waits;        /* the last enrolment: approval comes first */
    bool (*stop)(void *ctx); /* carrier_http_until; NULL: nobody breaks it off */
    void *stop_ctx;
};

/* One transfer. */
struct transfer {
    CURL *curl;
    uint64_t skip; /* bytes at the start of the body that are here already */
    bool partial;  /* we asked for a range */
    enum err (*sink)(void *ctx, struct bytes piece, struct why *why);
    void *sink_ctx;
    struct why *why;
    enum err err;        /* of the sink */
    char body[BODY_MAX]; /* of a refusal, as far as it fits */
    size_t n_body;
};

enum err carrier_http_new(struct carrier_http **out, const char *address, struct why *why)
{
    struct carrier_http *c = calloc(1, sizeof *c);
    if (c == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || (c->curl = curl_easy_init()) == NULL) {
        free(c);
        return why_set(why, ERR_NOMEM, "There is not enough memory to reach the MASH server.");
    }
    size_t n = strlen(address);
    while (n > 0 && address[n - 1] == '/') n--;
    bool known = strncmp(address, "http://", 7) == 0 || strncmp(address, "https://", 8) == 0;
    if (n == 0 || n >= sizeof c->address || !known) {
        carrier_http_free(c);
        return why_set(why, ERR_USAGE, "The MASH server's address must begin with http:// or https://.");
    }
    memcpy(c->address, address, n);
    *out = c;
    return ERR_OK;
}

void carrier_http_until(struct carrier_http *c, bool (*stop)(void *ctx), void *ctx)
{
    c->stop = stop;
    c->stop_ctx = ctx;
}

static int on_progress(void *ctx, curl_off_t down, curl_off_t down_now, curl_off_t up, curl_off_t up_now)
{
    struct carrier_http *c = ctx;
    (void)down, (void)down_now, (void)up, (void)up_now;
    return c->stop(c->stop_ctx) ? 1 : 0;
}

void carrier_http_free(struct carrier_http *c)
{
    if (c == NULL) return;
    if (c->curl != NULL) curl_easy_cleanup(c->curl);
    free(c);
}

static void keep_body(struct transfer *t, const char *p, size_t n)
{
    size_t room = sizeof t->body - t->n_body;
    memcpy(t->body + t->n_body, p, n < room ? n : room);
    t->n_body += n < room ? n : room;
}

/* What the hub said, {"error":{"message":…}}, as a person may read it: printable, one line, no more than fits.
 * Whoever stands between us and the hub could have written it. */
static void said(const struct transfer *t, char out[SAID_MAX + 1])
{
    struct json *j = NULL;
    size_t n = 0;
    if (json_parse(bytes_of(t->body, t->n_body), &j, NULL) != ERR_OK) j = NULL;
    const char *text = json_get_str(json_get(j, "error"), "message");
    for (; text != NULL && text[n] != '\0' && n < SAID_MAX; n++)
        out[n] = text[n] >= ' ' && text[n] <= '~' ? text[n] : ' ';
    out[n] = '\0';
    json_free(j);
}

/* {"error":{"code":…}} */
static bool has_code(const struct transfer *t, const char *code)
{
    struct json *j = NULL;
    if (json_parse(bytes_of(t->body, t->n_body), &j, NULL) != ERR_OK) j = NULL;
    const char *text = json_get_str(json_get(j, "error"), "code");
    bool same = text != NULL && strcmp(text, code) == 0;
    json_free(j);
    return same;
}

/* The sign-in page of a hotel or a train answers anything with 200 and a text. The hub's content never is one. */
static bool is_strange(const struct transfer *t)
{
    const char *type = NULL;
    (void)curl_easy_getinfo(t->curl, CURLINFO_CONTENT_TYPE, &type);
    return type != NULL && strncasecmp(type, "text/", 5) == 0;
}

static size_t on_body(char *p, size_t size, size_t count, void *ctx)
{
    struct transfer *t = ctx;
    size_t n = size * count;
    long status = 0;
    (void)curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
    if ((status != 200 && status != 206) || is_strange(t)) {
        keep_body(t, p, n);
        return n;
    }
    /* A hub or proxy that knows no ranges sends everything: the same bytes, so the start is passed over. */
    uint64_t over = status == 206 && t->partial ? 0 : t->skip < n ? t->skip : n;
    if (status == 200) t->skip -= over;
    if (n > over) t->err = t->sink(t->sink_ctx, bytes_of(p + over, n - (size_t)over), t->why);
    return t->err == ERR_OK ? n : 0;
}

static void prepare(struct carrier_http *c, struct transfer *t, const char *url, uint64_t wait_ms)
{
    CURL *h = c->curl;
    curl_easy_reset(h);
    t->curl = h;
    (void)curl_easy_setopt(h, CURLOPT_URL, url);
    (void)curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(h, CURLOPT_USERAGENT, "spoke");
    (void)curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT, CONNECT_S);
    (void)curl_easy_setopt(h, CURLOPT_LOW_SPEED_LIMIT, 1L);
    (void)curl_easy_setopt(h, CURLOPT_LOW_SPEED_TIME, SILENCE_S + (long)(wait_ms / 1000));
    (void)curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(h, CURLOPT_WRITEDATA, t);
    /* As every OpenSSL program: whom to believe, where the MASH has certificates of its own. */
    const char *authorities = secure_getenv("SSL_CERT_FILE");
    if (authorities != NULL && *authorities != '\0') (void)curl_easy_setopt(h, CURLOPT_CAINFO, authorities);
    if (c->stop == NULL) return;
    (void)curl_easy_setopt(h, CURLOPT_NOPROGRESS, 0L);
    (void)curl_easy_setopt(h, CURLOPT_XFERINFOFUNCTION, on_progress);
    (void)curl_easy_setopt(h, CURLOPT_XFERINFODATA, c);
}

/* Has this computer an address beyond itself and the cable? Where that cannot be told: yes. */
static bool has_network(void)
{
    struct ifaddrs *all = NULL;
    bool found = false;
    if (getifaddrs(&all) != 0) return true;
    for (const struct ifaddrs *a = all; a != NULL && !found; a = a->ifa_next) {
        if (a->ifa_addr == NULL || (a->ifa_flags & IFF_LOOPBACK) != 0 || (a->ifa_flags & IFF_UP) == 0) continue;
        const struct sockaddr_in6 *six = (const void *)a->ifa_addr;
        found = a->ifa_addr->sa_family == AF_INET ||
                (a->ifa_addr->sa_family == AF_INET6 && !IN6_IS_ADDR_LINKLOCAL(&six->sin6_addr));
    }
    freeifaddrs(all);
    return found;
}

/* What kept curl from the hub. `os`: the number that the system gave, 0 none. */
static enum trouble trouble_of(CURLcode rc, long os)
{
    switch (rc) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY: return has_network() ? TROUBLE_NO_NAME : TROUBLE_NO_NETWORK;
    case CURLE_COULDNT_CONNECT:
        if (os == ENETUNREACH || os == ENETDOWN || os == EHOSTUNREACH)
            return has_network() ? TROUBLE_OTHER : TROUBLE_NO_NETWORK;
        return os == ECONNREFUSED ? TROUBLE_REFUSED : TROUBLE_OTHER;
    case CURLE_OPERATION_TIMEDOUT: return TROUBLE_TIMEOUT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS: return TROUBLE_CERTIFICATE;
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR: return TROUBLE_BROKE;
    case CURLE_URL_MALFORMAT: return TROUBLE_ADDRESS;
    case CURLE_UNSUPPORTED_PROTOCOL: /* of an answer: our own address was looked at before */
    case CURLE_WEIRD_SERVER_REPLY: return TROUBLE_STRANGER;
    default: return TROUBLE_OTHER;
    }
}

static enum err failed(const struct transfer *t, CURLcode rc, struct why *why)
{
    char detail[80];
    long os = 0;
    (void)curl_easy_getinfo(t->curl, CURLINFO_OS_ERRNO, &os);
    (void)snprintf(detail, sizeof detail, "%.60s (%d)", curl_easy_strerror(rc), (int)rc);
    return trouble_say(trouble_of(rc, os), detail, why);
}

static enum err answered(enum trouble t, long status, struct why *why)
{
    char detail[40];
    (void)snprintf(detail, sizeof detail, "HTTP status %ld", status);
    return trouble_say(t, detail, why);
}

/* What a finished transfer means. */
static enum err judge(struct transfer *t, CURLcode rc, long *out_status, struct why *why)
{
    char words[SAID_MAX + 1];
    long status = 0;
    (void)curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
    *out_status = status;
    if (t->err != ERR_OK) return t->err;
    if (rc == CURLE_ABORTED_BY_CALLBACK) return why_set(why, ERR_INTERRUPTED, "The contact was broken off.");
    if (rc == CURLE_OUT_OF_MEMORY)
        return why_set(why, ERR_NOMEM, "There is not enough memory to reach the MASH server.");
    if (rc == CURLE_OK && (status >= 500 || status == 429)) return answered(TROUBLE_BUSY, status, why);
    if (rc != CURLE_OK || status == 0) return failed(t, rc, why);
    if ((status == 200 || status == 206) && !is_strange(t)) return ERR_OK;
    said(t, words);
    if (words[0] == '\0') /* the hub says why; a proxy or a sign-in page does not, and knows nothing of us */
        return answered(TROUBLE_STRANGER, status, why);
    if (status == 409) return why_set(why, ERR_EXISTS, "The MASH server says: %s", words);
    if (status == 403 && has_code(t, err_word(ERR_DENIED))) return why_set(why, ERR_DENIED, "The MASH server says: %s", words);
    (void)why_set(why, ERR_REFUSED, "The MASH server refused: %s", words);
    return why_next(why, ERR_REFUSED, "Ask your MASH's administrator.");
}

static enum err post(struct carrier_http *c, struct transfer *t, const char *path, struct bytes body, uint64_t wait_ms,
                     struct why *why)
{
    char url[320];
    long status;
    (void)snprintf(url, sizeof url, "%s%s", c->address, path);
    prepare(c, t, url, wait_ms);
    /* The hub parks a request only for one who says that he waits now: the sealed one may be of an earlier contact. */
    char prefer[64];
    (void)snprintf(prefer, sizeof prefer, "Prefer: wait=%llu", (unsigned long long)((wait_ms + 999) / 1000));
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/octet-stream");
    struct curl_slist *more = headers == NULL ? NULL : curl_slist_append(headers, "Expect:"); /* saves a round trip */
    if (more != NULL && wait_ms > 0) more = curl_slist_append(headers, prefer);
    if (more == NULL) {
        curl_slist_free_all(headers);
        return why_set(why, ERR_NOMEM, "There is not enough memory to reach the MASH server.");
    }
    (void)curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
    (void)curl_easy_setopt(c->curl, CURLOPT_POST, 1L);
    (void)curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, body.n > 0 ? (const char *)body.p : "");
    (void)curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
    enum err e = judge(t, curl_easy_perform(c->curl), &status, why);
    curl_slist_free_all(headers);
    return e;
}

static enum err get(struct carrier_http *c, struct transfer *t, const char *path, long *out_status, struct why *why)
{
    char url[320], range[32];
    (void)snprintf(url, sizeof url, "%s%s", c->address, path);
    prepare(c, t, url, 0);
    if (t->partial) {
        (void)snprintf(range, sizeof range, "%llu-", (unsigned long long)t->skip);
        (void)curl_easy_setopt(c->curl, CURLOPT_RANGE, range);
    }
    return judge(t, curl_easy_perform(c->curl), out_status, why);
}

static enum err exchange(void *ctx, struct bytes request, uint64_t from, uint64_t wait_ms,
                         enum err (*sink)(void *sink_ctx, struct bytes piece, struct why *why), void *sink_ctx,
                         struct why *why)
{
    struct carrier_http *c = ctx;
    struct transfer t = {.skip = from, .sink = sink, .sink_ctx = sink_ctx, .why = why};
    uint8_t hash[HASH_BYTES];
    char path[64 + 2 * HASH_BYTES] = "/v1/answer/";
    long status = 0;
    if (from == 0) return post(c, &t, "/v1/exchange", request, wait_ms, why);
    hash_blake2b(hash, request);
    hex_encode(path + strlen(path), hash, sizeof hash);
    t.partial = true;
    enum err e = get(c, &t, path, &status, why);
    if (status == 416) /* nothing after `from`: it is all here */
        return ERR_OK;
    if (e != ERR_REFUSED && status != 404) return e;
    /* The hub does not hand it out by hash any more; the request itself gets the same answer again. */
    t = (struct transfer){.skip = from, .sink = sink, .sink_ctx = sink_ctx, .why = why};
    return post(c, &t, "/v1/exchange", request, wait_ms, why);
}

struct carrier carrier_http(struct carrier_http *c)
{
    return (struct carrier){.ctx = c, .exchange = exchange};
}

static enum err into_buf(void *ctx, struct bytes piece, struct why *why)
{
    struct buf *b = ctx;
    buf_put_bytes(b, piece);
    return b->err == ERR_OK ? ERR_OK : why_set(why, b->err, "The server's answer is larger than it may be.");
}

enum err carrier_http_hub(struct carrier_http *c, uint8_t out_public[PUBLIC_BYTES], struct why *why)
{
    struct buf b;
    long status;
    buf_init(&b, 4096);
    struct transfer t = {.sink = into_buf, .sink_ctx = &b, .why = why};
    enum err e = get(c, &t, "/v1/hub", &status, why);
    if (e == ERR_OK && b.len < PUBLIC_BYTES)
        e = why_set(why, ERR_FORMAT, "The server at this address is not a MASH server.");
    if (e == ERR_OK) memcpy(out_public, b.data, PUBLIC_BYTES);
    buf_release(&b);
    return e;
}

static enum err post_small(struct carrier_http *c, const char *path, struct bytes request, struct buf *out,
                           struct why *why)
{
    struct buf b;
    struct curl_header *said_so = NULL;
    buf_init(&b, 1u << 20);
    struct transfer t = {.sink = into_buf, .sink_ctx = &b, .why = why};
    enum err e = post(c, &t, path, request, 0, why);
    if (e == ERR_OK) c->waits = curl_easy_header(c->curl, "Spoke-Enrolment", 0, CURLH_HEADER, -1, &said_so) == CURLHE_OK;
    if (e == ERR_OK) buf_put_bytes(out, buf_bytes(&b));
    if (e == ERR_OK && out->err != ERR_OK)
        e = why_set(why, out->err, "There is not enough memory for the server's answer.");
    buf_release(&b);
    return e;
}

enum err carrier_http_enrol(struct carrier_http *c, struct bytes request, struct buf *out, struct why *why)
{
    return post_small(c, "/v1/enrol", request, out, why);
}

bool carrier_http_waits(const struct carrier_http *c)
{
    return c->waits;
}

enum err carrier_http_door(struct carrier_http *c, struct bytes request, struct buf *out, struct why *why)
{
    return post_small(c, "/v1/door", request, out, why);
}
