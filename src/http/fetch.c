/* See fetch.h. */
#include <http/fetch.h>

#include <curl/curl.h>
#include <errno.h>

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
	/* Anything but all of it ends the transfer. */
	return buf_add(arg, data, size * count) == 0 ? size * count : 0;
}

static int set_request(CURL *c, const char *url, struct buf *out)
{
	unsigned bad = 0;

	bad |= curl_easy_setopt(c, CURLOPT_URL, url);
	bad |= curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	bad |= curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	bad |= curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	bad |=
	    curl_easy_setopt(c, CURLOPT_USERAGENT, "postern/" POSTERN_VERSION);
	bad |= curl_easy_setopt(
	    c, CURLOPT_TIMEOUT_MS, (long)HTTP_FETCH_TIMEOUT_MS);
	bad |= curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	bad |= curl_easy_setopt(c, CURLOPT_WRITEDATA, out);
	return bad ? -EINVAL : 0;
}

static int set_connection(CURL *c, const struct http_settings *s)
{
	unsigned bad = 0;

	/* A set proxy, even "", keeps curl from reading the environment. */
	bad |= curl_easy_setopt(c, CURLOPT_PROXY, s->proxy ? s->proxy : "");
	bad |= curl_easy_setopt(c, CURLOPT_NOPROXY, "");
	bad |= curl_easy_setopt(
	    c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	bad |= curl_easy_setopt(
	    c, CURLOPT_CONNECTTIMEOUT_MS, (long)s->connect_timeout_ms);
	if (s->ca_file) {
		bad |= curl_easy_setopt(c, CURLOPT_CAINFO, s->ca_file);
		bad |= curl_easy_setopt(c, CURLOPT_CAPATH, NULL);
	}
	return bad ? -EINVAL : 0;
}

int http_fetch(const char *url, const struct http_settings *settings,
    struct buf *out, struct err *e)
{
	char error[CURL_ERROR_SIZE] = "";
	CURL *c = curl_easy_init();
	CURLcode code;
	long status = 0;
	int rc = 0;

	if (!c || set_request(c, url, out) || set_connection(c, settings)) {
		rc = err_set(e, -ENOMEM, "cannot set up a request");
		goto out;
	}
	(void)curl_easy_setopt(c, CURLOPT_ERRORBUFFER, error);
	code = curl_easy_perform(c);
	(void)curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
	if (code == CURLE_WRITE_ERROR)
		rc = err_set(e, -EMSGSIZE, "the answer is too large");
	else if (code != CURLE_OK)
		rc = err_set(
		    e, -EIO, "%s", error[0] ? error : curl_easy_strerror(code));
	else if (status != 200)
		rc = err_set(e, -EIO, "the answer has status %ld", status);
out:
	curl_easy_cleanup(c);
	return rc;
}
