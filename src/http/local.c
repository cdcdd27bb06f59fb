/* See local.h. */
#include <http/local.h>

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	URL_MAX = 8192,
	CONNECT_MS = 5000
};

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
	/* Anything but all of it ends the transfer. */
	return buf_add(arg, data, size * count) == 0 ? size * count : 0;
}

static unsigned set_body(CURL *c, struct span body)
{
	unsigned bad = 0;

	if (body.len == 0)
		return 0;
	bad |= curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)body.len);
	bad |= curl_easy_setopt(c, CURLOPT_POSTFIELDS, body.ptr);
	return bad;
}

static int set_request(CURL *c, const struct http_local *h,
    const struct curl_slist *headers, struct buf *out)
{
	char url[URL_MAX];
	int len = snprintf(url, sizeof(url), "http://localhost%s", h->path);
	unsigned bad = 0;

	if (len < 0 || (size_t)len >= sizeof(url))
		return -EINVAL;
	bad |= curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, h->socket);
	bad |= curl_easy_setopt(c, CURLOPT_URL, url);
	bad |= curl_easy_setopt(c, CURLOPT_PROXY, "");
	bad |= curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	bad |= curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	bad |= curl_easy_setopt(
	    c, CURLOPT_TIMEOUT_MS, (long)HTTP_LOCAL_TIMEOUT_MS);
	bad |= set_body(c, h->body);
	bad |= curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, h->method);
	bad |= curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
	bad |= curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	bad |= curl_easy_setopt(c, CURLOPT_WRITEDATA, out);
	return bad ? -EINVAL : 0;
}

static int perform(CURL *c, const struct http_local *h, struct err *e)
{
	long status = 0;
	CURLcode code = curl_easy_perform(c);

	if (code == CURLE_COULDNT_CONNECT) {
		long reason = 0;

		(void)curl_easy_getinfo(c, CURLINFO_OS_ERRNO, &reason);
		return err_set(e, -ECONNREFUSED, "nobody answers at %s%s%s",
		    h->socket, reason ? ": " : "",
		    reason ? strerror((int)reason) : "");
	}
	if (code == CURLE_WRITE_ERROR)
		return err_set(e, -EMSGSIZE, "the answer is too large");
	if (code != CURLE_OK)
		return err_set(e, -EIO, "%s", curl_easy_strerror(code));
	(void)curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
	return (int)status;
}

int http_local_ask(const struct http_local *h, struct buf *out, struct err *e)
{
	struct curl_slist *headers =
	    curl_slist_append(NULL, "Content-Type: application/json");
	CURL *c = curl_easy_init();
	int rc = -ENOMEM;

	if (c && headers)
		rc = set_request(c, h, headers, out);
	rc = rc < 0 ? err_set(e, rc, "cannot set up a request")
		    : perform(c, h, e);
	curl_easy_cleanup(c);
	curl_slist_free_all(headers);
	return rc;
}

int http_local_encode(struct span s, struct buf *out)
{
	char *text = NULL;
	int rc = -ENOMEM;

	if (s.len == 0)
		return 0;
	text = curl_easy_escape(NULL, s.ptr, (int)s.len);
	if (text)
		rc = buf_add(out, text, strlen(text));
	curl_free(text);
	return rc;
}
