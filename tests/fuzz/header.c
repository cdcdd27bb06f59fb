/*
 * The submission fixes: content is cleaned as a session cleans it, then its
 * header is rewritten. The result must be one clean block with one From.
 */
#include "fuzz.h"

#include <mail/header.h>
#include <smtp/data.h>

static size_t count_fields(struct span block, struct span name)
{
	struct message_field field;
	size_t n = 0;

	while (header_next(&block, &field)) {
		fuzz_claim(field.whole.len > 0);
		fuzz_claim(fuzz_is_within(field.name, field.whole));
		fuzz_claim(fuzz_is_within(field.value, field.whole));
		n += span_ieq(field.name, name);
	}
	return n;
}

static void unfold_all(struct span block)
{
	struct message_field field;
	struct buf text;

	buf_init(&text, block.len);
	while (header_next(&block, &field)) {
		buf_clear(&text);
		if (header_unfold(field.value, &text) == 0)
			fuzz_claim(span_index(buf_span(&text), '\n') < 0);
	}
	buf_finish(&text);
}

static void check_rewritten(struct span header)
{
	fuzz_claim(fuzz_is_clean(header));
	fuzz_claim(header_length(header) == header.len);
	fuzz_claim(count_fields(header, SPAN("From")) == 1);
	/* Those that a signature may cover stay as they are. */
	if (count_fields(header, SPAN("DKIM-Signature")) == 0) {
		fuzz_claim(count_fields(header, SPAN("Date")) == 1);
		fuzz_claim(count_fields(header, SPAN("Message-ID")) == 1);
	}
	fuzz_claim(count_fields(header, SPAN("Bcc")) == 0);
	fuzz_claim(count_fields(header, SPAN("Received")) >= 1);
	fuzz_claim(count_fields(header, SPAN("")) == 0);
}

static void rewrite(struct span raw, unsigned choice)
{
	const struct header_limits limits = {
		.bytes = 65536, .fields = 100, .field_bytes = 8192, .hops = 10
	};
	struct envelope envelope = {
		.user = SPAN("app"),
		.helo = span_first(raw, choice),
		.peer = SPAN("2001:db8::1"),
	};
	const struct header_stamp stamp = {
		.hostname = "mail.example.com",
		.queue_id = "0123456789ABCDEFGHJKMNPQRS",
		.now_ms = 1700000000000,
		.protocol = "ESMTPSA",
		.tls_version = "TLSv1.3",
		.tls_cipher = "TLS_AES_128_GCM_SHA256",
		.hide_client = choice % 2,
		.envelope = &envelope,
	};
	size_t len = header_length(raw);
	struct span block = span_first(raw, len > 0 ? len : raw.len);
	struct err why = { .code = 0 };
	struct buf out;

	unfold_all(block);
	buf_init(&out, 2 * block.len + 65536);
	if (header_rewrite(block, &limits, &stamp, &out, &why) == HEADER_OK)
		check_rewritten(buf_span(&out));
	buf_finish(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_make(data, size);
	unsigned choice = fuzz_take(&in);
	struct smtp_data d;
	struct buf raw;

	smtp_data_init(&d, SMTP_DATA_STRICT);
	buf_init(&raw, 4 * size + 16);
	(void)smtp_data_feed(&d, in, &raw);
	(void)smtp_data_feed(&d, SPAN("\r\n.\r\n"), &raw);
	if (d.state == SMTP_DATA_DONE && smtp_data_is_good(&d))
		rewrite(buf_span(&raw), choice);
	buf_finish(&raw);
	return 0;
}
