/* RS256: the signatures of OpenSSL's own tool, and keys that are none. */
#include <base/rsa.h>

#include <support/unit.h>

#include <base/b64.h>
#include <errno.h>
#include <sandbox/gmail_key.h>

/* openssl dgst -sha256 -sign, of "header.claims" with that key, base64. */
static const char known[] =
    "HcWrHT5OebeEtIeIhNIp+2grdfXru+5vHXkIya46CPK3+8yZT3irgWdGV8D08F1W"
    "qY3mO1a7E4tbHOJ0aoOsu7VfHDeMiY0ZHhRQ60LFGQj1GWnvRRp6jC1zcZqAXRx2"
    "7tUG1NG0ielEtTQGMiAaNN+GTZ4klZmZjaKb9NhvFGCaxAUyRuTP6gZZV+7NCQ52"
    "aroC45vJPM0qGcjZDIsNrNqIaUo9PZ+Ujw9NUlAOfbriU+kJ9Sl2MfKd8KjxwTk0"
    "NPPQOFF4ZdxkswM74NGEKhaW7U0Y1FexIHhBKH5O8Jdv7CwUhDSky4tJ0tPXECHa"
    "/BhVC5HAfLEDFokUDGiKFQ==";

/* Of 1024 bits; on a curve; with a password. */
static const char *const bad_keys[] = { "", "-----BEGIN PRIVATE KEY-----\n",
	"no key",
	"-----BEGIN PRIVATE KEY-----\n"
	"MIICeAIBADANBgkqhkiG9w0BAQEFAASCAmIwggJeAgEAAoGBALAB3atHaLGJ/z6a\n"
	"UxYKmF8VKW6G4a+amyW+odxuOTqh9lmG8s7CMvpBJQz6s9fk0ovwpTtgo1dCb+zx\n"
	"G5HbvqpujhSrOn5xIkOvUQUuGXAyRGWcfn2A73SY//WPWQd+3mBq2zOWFPY9stK5\n"
	"y9LZYt42sDP6CHTBnhIdGXIF0XxXAgMBAAECgYAfJdVi0FpYwQEoxQrbJbjdatNQ\n"
	"OhKKjyPRxDDE38TE+ZCtO1KRAJEg9JJn/54AIQCZv1aecXW2pY1FM04bu/W7zDS0\n"
	"arlpKaBZIxBTVFfTpS0GJP5tH6GAon80wZbTeIKb9fhBqGvLk60dQ2DpPf/L/IM7\n"
	"Sn/aCR6QAQttfPZG0QJBAOfQBMzZfvF3t3xf8elzfwCOEdNusZayY0DzN8R+BAld\n"
	"VVFU0eK3eYF1pVudarTAgbQMDWMgKcL0m+M6Le/Huo0CQQDCXzk+4oYICuaIo9sk\n"
	"+GgDCR18aZYDFCOTeSKab+SdrLyvN7j2IBSyKJWsRVlKRHbQcWNAW15abWYqbwlG\n"
	"jytzAkEAvNnEP1rlRzTfv6yueSDFk58qOJTSitGTeKNsiGCdSz/FNPgj8U7F50j/\n"
	"yM5K0yyNvi+fbGUUgKYkpY6NQ+30NQJBAJibaPe9pJwl6tB3TfTd79QKURNAVx59\n"
	"rlz4K7nzhhxh5hbv+hGMKJOkl7cVD8Dmth58GAAMfK0k3aUNXsv+Vo8CQQCpVEag\n"
	"yDayBo8h0Moy4s6NmqREUjCuumwfCA7M8xfa8RlQMHZn/GDOcn5OP4QGQxoHoWDo\n"
	"wGBqqAbm3m7qzXEC\n"
	"-----END PRIVATE KEY-----\n",
	"-----BEGIN PRIVATE KEY-----\n"
	"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgk209O81rNdNIrKW3\n"
	"v3tWJAs7XV+Un41n2aOY2HJMGF6hRANCAAQSN+TaQNCsuX+rEisXWXTjf55tm29A\n"
	"F+u2zQ9yFgCSFdAsUuwHO/M0P8AyuuRYNCxbp69W5H9Oi8yDXQjuXYr4\n"
	"-----END PRIVATE KEY-----\n",
	"-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
	"MIIFLTBXBgkqhkiG9w0BBQ0wSjApBgkqhkiG9w0BBQwwHAQIEt+6KrrXDw8CAggA\n"
	"MAwGCCqGSIb3DQIJBQAwHQYJYIZIAWUDBAECBBC52x/YVYGfdyLuTpuzsaBfBIIE\n"
	"0Dh1mqWrW/C43qZeYSwLXixyIwvnUDepMkP+iLxdVSe+K4O7cr2PwjSJeEYMoUQy\n"
	"c8TVOHgRuQuPPrlh1uEGRzQP8jJAUFmRd45B56T3Qo+bIVna82FZoLLONO+NE0Pi\n"
	"nglx+MS2QHiPtk64pzDAzNcRPmNL5r0q7On6uC24pQLRVJMEi8RQOI5M06JznSgu\n"
	"+QYgBZ1hIqVmvoFL6SkVuAu5KpYqPKonp7YfIq9GGxWmEZ+kyE0XuLOk9u4ogGNF\n"
	"S5TIm0fpxQwY4cYFW1uJmeHXURHCLR2BsvVzU+NvNyvMHvtMf+IQ9zhbRB3asWL2\n"
	"55fiGl7fu5dHFUKMamNHymJwcqxqREz9Ev3hwM+Itx20BP7s8CfnpCUpb8CVS2lY\n"
	"EQGs0/V2OOeYTlHr1GqiQ3rMaCgvGY2wKSYf8ueq+aYxToTelruPvlHGkMlzaeu6\n"
	"MJ7t3H4wqcFl+F1zfYBhQL2EebzTL4xh1VnSxy0ncQYonl7zwFyuOkzSIM2dKg/v\n"
	"fP0rk+TGy+ko5SsW2jmPSfVYim/TUR7f8uyPfOT+SsRhWuRD+Nv5l95A9GVrDrWO\n"
	"H0SuUWZ5yi84ZS+9MhE9zEKw/XWMAQwLqSD4+xXRcxC0iCTlT8rW0t6UVyaCHbu+\n"
	"0lfdS3S5M6mWsgMMKYD65L8cm5dvms1+uf1Nt0OAi3QLKa1U+tCGRSDnvXF/DBn5\n"
	"Vh9C7+LiG5/rq7Zp+47OQsCHqT7YNST6ffSIgx7LgjGv3OMQFx/G2QYGqOWbl/6i\n"
	"u6Wc1+JaU5GzPuwKIW1L+9SRmpNrgcrtwQodmWSlE7QgEvAj/146YdI3hPL+gRq5\n"
	"9QecJmaHZ/64G0gm0vSiH3JgeVvMy8mmL1+dv8mk8gEPqU5Z/EnEWBDgYgR9mIIE\n"
	"wahj7jsAVmhAKXfrfM7vUkgu+v2tCbl0npHndPWOj2OxKmf281qugfTYGrm6r8uA\n"
	"iwJMYIjXhf+xlE3LmibDyTFbdau8EuFH6eGwglm01qjOKqU3Kf59I3jV1o6GIYVu\n"
	"W6hKyFbMiwYOIEfFvQ2R5qPW6OuuKykBK8yHE/lhhvd6NTlTD85G7l6VSuv7gMaV\n"
	"PVUCkQsNCgmVov8LSNoFbSBg1a1PPu8w0Ce1XpIQhtvZ0YhAO7ps3/bHkavGgRE1\n"
	"1F9Xao79keQl9ijQl/0ZPsJCWIp0Y41DoG78zkyIJ2p3VQx9SrYbyWwFVIigFe8E\n"
	"oMDFtxbAczpezdkm4MPPHD+ojqiuQj+qJESU+XWMRL0oUx61AiTe39Hjjpn5kZKr\n"
	"zSyG2d9VmsxA42DffwDWETc7mOf5AIg5L2jUj3T9rt0Umg8NmxnooFWdMwl6+1xN\n"
	"ZLlwyGAkZdxrwCv6jRboSW0IFbTYy/KsXQzKguSSlomW68sPHehJjQbqFWNE89/o\n"
	"bdviuhMW7hWce7GvIaFUf2RqnG7plFOLUUCbnAMNBXeP7+A7xJNOHv5f6imD3QXL\n"
	"5jK3xjzSOviW2iiw+8jIcse2+9nOJ3B9KPQJfFjDRr8TEe8ZNVWLo+Ong2zy4oe5\n"
	"g2jjAHJqDSsyPTkVS/lQD82VhbYuCzgq9BHl0g1b8GQdWOfX9a9EVeRLVdKQNWpn\n"
	"x0bwnj3UNdggA0V5Zc8edT32ghLAikYGAsmhqLuAnoTM\n"
	"-----END ENCRYPTED PRIVATE KEY-----\n" };

START_TEST(signs_as_others_do)
{
	uint8_t signature[RSA_SIGNATURE_MAX];
	char text[2 * RSA_SIGNATURE_MAX];
	size_t len;

	ck_assert_int_eq(rsa_sign(span_of(gmail_key_pem), SPAN("header.claims"),
			     signature, &len),
	    0);
	text[b64_encode(signature, len, text)] = '\0';
	ck_assert_str_eq(text, known);
}
END_TEST

START_TEST(knows_its_signature_and_no_other)
{
	const struct span key = span_of(gmail_key_pem);
	uint8_t signature[RSA_SIGNATURE_MAX];
	size_t len;

	ck_assert_int_eq(
	    rsa_sign(key, SPAN("header.claims"), signature, &len), 0);
	const struct span s = span_make((char *)signature, len);
	ck_assert(rsa_is_signed(key, SPAN("header.claims"), s));
	ck_assert(!rsa_is_signed(key, SPAN("header.claimt"), s));
	ck_assert(
	    !rsa_is_signed(key, SPAN("header.claims"), span_first(s, len - 1)));
	ck_assert(!rsa_is_signed(key, SPAN("header.claims"), SPAN("")));
	signature[7] ^= 1;
	ck_assert(!rsa_is_signed(key, SPAN("header.claims"), s));
}
END_TEST

START_TEST(takes_no_key_that_is_none)
{
	uint8_t signature[RSA_SIGNATURE_MAX];
	size_t len;

	ck_assert_int_eq(
	    rsa_sign(span_of(bad_keys[_i]), SPAN("x"), signature, &len),
	    -EINVAL);
	ck_assert(!rsa_is_signed(
	    span_of(bad_keys[_i]), SPAN("x"), SPAN("signature")));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("base/rsa");
	TCase *t = tcase_create("rsa");

	tcase_add_test(t, signs_as_others_do);
	tcase_add_test(t, knows_its_signature_and_no_other);
	tcase_add_loop_test(t, takes_no_key_that_is_none, 0,
	    sizeof(bad_keys) / sizeof(bad_keys[0]));
	suite_add_tcase(suite, t);
	return suite;
}

UNIT_MAIN(make_suite)
