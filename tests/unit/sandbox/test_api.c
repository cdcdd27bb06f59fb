/* The fakes of JSON APIs: what each takes, and each thing it refuses. */
#include "rig.h"

#include <stdio.h>
#include <string.h>

#include <support/unit.h>

struct api {
	const char *provider, *path, *headers;
};

#define JSON "Content-Type: application/json\r\n"

static const struct api postmark = { "postmark", "/postmark/email",
	"X-Postmark-Server-Token: t\r\n" JSON };

static const struct api brevo = { "brevo", "/brevo/v3/smtp/email",
	"api-key: xkeysib-t\r\n" JSON };
static const struct api sendlayer = { "sendlayer", "/sendlayer/api/v1/email",
	"Authorization: Bearer t\r\n" JSON };

static const struct api resend = { "resend", "/resend/emails",
	"Authorization: Bearer re_t\r\nUser-Agent: t\r\n" JSON };

static const struct api mandrill = { "mandrill",
	"/mandrill/api/1.0/messages/send-raw.json", "X: t\r\n" JSON };
static const struct api sparkpost = { "sparkpost",
	"/sparkpost/api/v1/transmissions", "Authorization: k\r\n" JSON };

static const struct api mailjet = { "mailjet", "/mailjet/v3.1/send",
	"Authorization: Basic t\r\n" JSON };

static const struct api mailersend = { "mailersend", "/mailersend/v1/email",
	"Authorization: Bearer mlsn.t\r\n" JSON };

static const struct api smtp2go = { "smtp2go", "/smtp2go/v3/email/send",
	"X-Smtp2go-Api-Key: api-t\r\n" JSON };

static const struct api mailtrap = { "mailtrap", "/mailtrap/api/send",
	"Api-Token: t\r\n" JSON };

#define SW_REGION "/scaleway/transactional-email/v1alpha1/regions/fr-par"
static const struct api scaleway = { "scaleway", SW_REGION "/emails",
	"X-Auth-Token: t\r\n" JSON };

/* A good request in pieces, so that a test can replace one of them. */
#define PM_FROM "\"From\":\"Shop <orders@shop.example>\""
#define PM_TO "\"To\":\"\\\"Ann, A\\\" <ann@dest.example>, b@dest.example\""
#define PM_TEXT "\"Subject\":\"Order\",\"TextBody\":\"Hi\""
#define PM_GOOD PM_FROM "," PM_TO "," PM_TEXT
#define PM(more) "{" PM_GOOD "," more "}"

#define BR_FROM "\"sender\":{\"email\":\"a@b.example\",\"name\":\"S\"}"
#define BR_TO "\"to\":[{\"email\":\"c@d.example\"}]"
#define BR_TEXT "\"subject\":\"Order\",\"textContent\":\"Hi\""
#define BR_GOOD BR_FROM "," BR_TO "," BR_TEXT
#define BR(more) "{" BR_GOOD "," more "}"

#define SL_FROM "\"From\":{\"email\":\"a@b.example\",\"name\":\"S\"}"
#define SL_TO "\"To\":[{\"email\":\"c@d.example\"}]"
#define SL_TEXT                                                                \
	"\"Subject\":\"Order\",\"ContentType\":\"Text\",\"PlainContent\":"     \
	"\"Hi\""
#define SL_GOOD SL_FROM "," SL_TO "," SL_TEXT
#define SL(more) "{" SL_GOOD "," more "}"
#define SL_PERSON "{\"email\":\"x@d.example\"}"
#define SL_SIX                                                                 \
	SL_PERSON "," SL_PERSON "," SL_PERSON "," SL_PERSON "," SL_PERSON      \
		  "," SL_PERSON

#define RS_FROM "\"from\":\"S <a@b.example>\""
#define RS_TO "\"to\":[\"\\\"A, n\\\" <c@d.example>\",\"e@d.example\"]"
#define RS_TEXT "\"subject\":\"Order\",\"text\":\"Hi\""
#define RS_GOOD RS_FROM "," RS_TO "," RS_TEXT
#define RS(more) "{" RS_GOOD "," more "}"

#define MD_KEY "\"key\":\"md-t\""
#define MD_RAW                                                                 \
	"\"raw_message\":\"From: a@b.example\\r\\nSubject: x\\r\\n\\r\\nHi\""
#define MD_TO "\"to\":[\"c@d.example\"]"
#define MD_GOOD MD_KEY "," MD_RAW "," MD_TO
#define MD(more) "{" MD_GOOD "," more "}"
#define SP_TO(address) "{\"address\":{\"email\":\"" address "\"}}"
#define SP_HEAD(to) "{\"recipients\":[" to "],"
#define SP_TEXT(header, content)                                               \
	"\"content\":{\"email_rfc822\":\"From: a@b.example\\r\\n" header       \
	"\\r\\n" content "\"}"
#define SP_OFF ",\"options\":{\"perform_substitutions\":false}}"
#define SP(header, content)                                                    \
	SP_HEAD(SP_TO("c@d.example")) SP_TEXT(header, content) SP_OFF

#define MJ_FROM "\"From\":{\"Email\":\"a@b.example\",\"Name\":\"S\"}"
#define MJ_TO "\"To\":[{\"Email\":\"c@d.example\"}]"
#define MJ_TEXT "\"Subject\":\"Order\",\"TextPart\":\"Hi\""
#define MJ_GOOD MJ_FROM "," MJ_TO "," MJ_TEXT
#define MJ_LIST(message) "{\"Messages\":[{" message "}]}"
#define MJ(more) MJ_LIST(MJ_GOOD "," more)

#define MS_FROM "\"from\":{\"email\":\"a@b.example\",\"name\":\"S\"}"
#define MS_TO "\"to\":[{\"email\":\"c@d.example\"}]"
#define MS_TEXT "\"subject\":\"Order\",\"text\":\"Hi\""
#define MS_GOOD MS_FROM "," MS_TO "," MS_TEXT
#define MS(more) "{" MS_GOOD "," more "}"

#define SG_FROM "\"sender\":\"S <a@b.example>\""
#define SG_TO "\"to\":[\"\\\"A, n\\\" <c@d.example>\"]"
#define SG_TEXT "\"subject\":\"Order\",\"text_body\":\"Hi\""
#define SG_GOOD SG_FROM "," SG_TO "," SG_TEXT
#define SG(more) "{" SG_GOOD "," more "}"

#define MT_FROM "\"from\":{\"email\":\"a@b.example\",\"name\":\"S\"}"
#define MT_TO "\"to\":[{\"email\":\"c@d.example\"}]"
#define MT_TEXT "\"subject\":\"Order\",\"text\":\"Hi\""
#define MT_GOOD MT_FROM "," MT_TO "," MT_TEXT
#define MT(more) "{" MT_GOOD "," more "}"

#define SW_PROJECT "\"project_id\":\"6170692e-7363-616c-6577-61792e636f6d\""
#define SW_FROM "\"from\":{\"email\":\"a@b.example\",\"name\":\"S\"}"
#define SW_TO "\"to\":[{\"email\":\"c@d.example\"}]"
#define SW_TEXT "\"subject\":\"Your order\",\"text\":\"It is on its way.\""
#define SW_GOOD SW_PROJECT "," SW_FROM "," SW_TO "," SW_TEXT
#define SW(more) "{" SW_GOOD "," more "}"
#define SW_FIVE                                                                \
	SL_PERSON "," SL_PERSON "," SL_PERSON "," SL_PERSON "," SL_PERSON

/* says: part of the answer. */
static const struct row {
	const struct api *api;
	const char *body;
	int status;
	const char *says;
} rows[] = {
	{ &postmark, "{" PM_GOOD "}", 200,
	    "\"ErrorCode\":0,\"Message\":\"OK\",\"To\":" },
	{ &postmark, "{" PM_FROM ",\"Bcc\":\"a@b.example\"," PM_TEXT "}", 200,
	    "\"Message\":\"OK\"}" },
	{ &postmark,
	    PM("\"ReplyTo\":\"a@b.example\",\"HtmlBody\":\"<p>\","
	       "\"MessageStream\":\"outbound\",\"Tag\":\"t\","
	       "\"Metadata\":{\"a\":\"b\"},\"TrackOpens\":true,"
	       "\"TrackLinks\":\"None\",\"Headers\":[{\"Name\":\"X-A\","
	       "\"Value\":\"\"},{\"Name\":\"X-A\",\"Value\":\"1\"}],"
	       "\"Attachments\":[{\"Name\":\"a.png\",\"Content\":\"UERG\","
	       "\"ContentType\":\"image/png\",\"ContentID\":\"cid:a\"}]"),
	    200, "\"MessageID\":\"" },
	{ &postmark,
	    "{" PM_FROM ",\"To\":\"inactive1@b.example, c@b.example\"," PM_TEXT
	    "}",
	    200,
	    "Message OK, but will not deliver to these inactive addresses: "
	    "inactive1@b.example. Inactive recipients are" },
	{ &postmark, "{" PM_FROM ",\"To\":\"inactive@b.example\"," PM_TEXT "}",
	    422,
	    "\"ErrorCode\":406,\"Message\":\"You tried to send to recipient(s) "
	    "that have been marked as inactive. Found inactive addresses: "
	    "inactive@b.example. Inactive" },
	{ &postmark, "[]", 400, "402" },
	{ &postmark, "{\"From\":1," PM_TO "," PM_TEXT "}", 422, "300" },
	{ &postmark, "{" PM_TO "," PM_TEXT "}", 422, "From is missing" },
	{ &postmark, "{" PM_FROM "," PM_TEXT "}", 422, "Zero recipients" },
	{ &postmark, "{" PM_FROM ",\"To\":\"a@b.example, nobody\"," PM_TEXT "}",
	    422, "Invalid 'To' address: 'nobody'." },
	{ &postmark, "{" PM_FROM "," PM_TO ",\"Subject\":\"x\"}", 422,
	    "TextBody or HtmlBody" },
	{ &postmark, PM("\"Unknown\":1"), 422, "403" },
	{ &postmark, PM("\"Tag\":1"), 422, "Tag is not valid" },
	{ &postmark, PM("\"TrackOpens\":\"true\""), 422, "TrackOpens" },
	{ &postmark, PM("\"TrackLinks\":\"All\""), 422, "TrackLinks" },
	{ &postmark, PM("\"MessageStream\":\"\""), 422, "1235" },
	{ &postmark, PM("\"Metadata\":{\"a\":1}"), 422, "Metadata" },
	{ &postmark, PM("\"Metadata\":{\"a23456789012345678901\":\"\"}"), 422,
	    "Invalid metadata content" },
	{ &postmark, PM("\"Headers\":{}"), 422, "Headers" },
	{ &postmark, PM("\"Headers\":[{\"Name\":\"Subject\",\"Value\":\"\"}]"),
	    422, "'Subject' not allowed" },
	{ &postmark, PM("\"Headers\":[{\"Name\":\"X-A\"}]"), 422, "Value" },
	{ &postmark, PM("\"Headers\":[1]"), 422, "Headers" },
	{ &postmark,
	    PM("\"Attachments\":[{\"Name\":\"a.EXE\",\"Content\":\"\","
	       "\"ContentType\":\"a/b\"}]"),
	    422, "\"ErrorCode\":411" },
	{ &postmark,
	    PM("\"Attachments\":[{\"Name\":\"a\",\"Content\":\"a b\","
	       "\"ContentType\":\"a/b\"}]"),
	    422, "Content is not valid" },
	{ &brevo, "{" BR_GOOD "}", 201, "@smtp-relay.mailin.fr>\"}" },
	{ &brevo,
	    BR("\"replyTo\":{\"email\":\"a@b.example\"},\"tags\":[\"a\"],"
	       "\"htmlContent\":\"<p>\",\"headers\":{\"X-A\":\"1\"},"
	       "\"attachment\":[{\"name\":\"a.PDF\",\"content\":\"UERG\"}]"),
	    201, "messageId" },
	{ &brevo, "x", 400, "bad_request" },
	{ &brevo, "{" BR_TO "," BR_TEXT "}", 400,
	    "\"missing_parameter\",\"message\":\"sender" },
	{ &brevo, "{" BR_FROM "," BR_TEXT "}", 400, "to is missing" },
	{ &brevo, "{" BR_FROM "," BR_TEXT ",\"to\":[]}", 400, "to is missing" },
	{ &brevo, BR("\"cc\":[{\"email\":\"nobody\"}]"), 400,
	    "\"invalid_parameter\",\"message\":\"email is not valid in cc" },
	{ &brevo, BR("\"cc\":[{\"email\":\"a@b.example\",\"x\":\"y\"}]"), 400,
	    "cc is not valid" },
	{ &brevo, "{" BR_FROM "," BR_TO ",\"textContent\":\"x\"}", 400,
	    "subject is missing" },
	{ &brevo, "{" BR_FROM "," BR_TO ",\"subject\":\"x\"}", 400,
	    "htmlContent or textContent" },
	{ &brevo, BR("\"attachment\":[{\"name\":\"a.exe\",\"content\":\"\"}]"),
	    400, "name is not valid" },
	{ &brevo, BR("\"attachment\":[{\"name\":\"pdf\",\"content\":\"\"}]"),
	    400, "name is not valid" },
	{ &brevo, BR("\"headers\":{\"Subject\":\"x\"}"), 400, "not allowed" },
	{ &brevo, BR("\"headers\":{\"X-A\":\"=?utf-8?q?a?=\"}"), 400,
	    "not ASCII" },
	{ &brevo, BR("\"headers\":{\"X-A\":1}"), 400, "headers" },
	{ &brevo, BR("\"Tags\":[]"), 400, "no known field" },
	{ &sendlayer, "{" SL_GOOD "}", 200, "{\"MessageID\":\"" },
	{ &sendlayer,
	    SL("\"ReplyTo\":[" SL_PERSON "],\"Tags\":[\"a\"],"
	       "\"HTMLContent\":\"\",\"Headers\":{\"X-A\":\"1\"},"
	       "\"Attachments\":[{\"Content\":\"UERG\",\"Type\":\"a/b\","
	       "\"Filename\":\"a\",\"Disposition\":\"inline\","
	       "\"ContentId\":\"a\"}]"),
	    200, "MessageID" },
	{ &sendlayer, "[]", 400, "{\"Errors\":[{\"Code\":2," },
	{ &sendlayer, "{" SL_TO "," SL_TEXT "}", 400, "\"Code\":7," },
	{ &sendlayer, "{" SL_FROM "," SL_TEXT "}", 400, "\"Code\":18," },
	{ &sendlayer, "{" SL_FROM "," SL_TEXT ",\"To\":{}}", 400,
	    "\"Code\":19," },
	{ &sendlayer,
	    "{" SL_FROM "," SL_TEXT ",\"To\":[" SL_SIX "," SL_SIX "]}", 400,
	    "\"Code\":20," },
	{ &sendlayer, SL("\"CC\":[{\"email\":\"x\"}]"), 400, "\"Code\":22," },
	{ &sendlayer, SL("\"CC\":[" SL_SIX "," SL_SIX "]"), 400,
	    "\"Code\":23," },
	{ &sendlayer, SL("\"BCC\":[{\"email\":\"x\"}]"), 400, "\"Code\":26," },
	{ &sendlayer, SL("\"BCC\":[" SL_SIX "]"), 400, "\"Code\":27," },
	{ &sendlayer, SL("\"BCC\":[{\"email\":\"inactive@d.example\"}]"), 400,
	    "\"Code\":14," },
	{ &sendlayer,
	    "{" SL_FROM "," SL_TO ",\"Subject\":\"x\",\"ContentType\":\"HTML\","
	    "\"PlainContent\":\"x\"}",
	    400, "HTMLContent is required" },
	{ &sendlayer, SL("\"Subject2\":\"\""), 400, "\"Code\":2," },
	{ &resend, "{" RS_GOOD "}", 200, "{\"id\":\"" },
	{ &resend,
	    RS("\"reply_to\":[\"a@b.example\"],\"html\":\"<p>\","
	       "\"headers\":{\"X-A\":\"1\"},\"tags\":[{\"name\":\"a\","
	       "\"value\":\"A_-9\"}],\"attachments\":[{\"filename\":\"a.png\","
	       "\"content\":\"UERG\",\"content_id\":\"a\"}]"),
	    200, "{\"id\":\"" },
	{ &resend, "[]", 400,
	    "\"statusCode\":400,\"name\":\"validation_error" },
	{ &resend, "{" RS_TO "," RS_TEXT "}", 422,
	    "\"missing_required_field\",\"message\":\"from" },
	{ &resend, "{\"from\":\"x\"," RS_TO "," RS_TEXT "}", 422,
	    "invalid_from_address" },
	{ &resend, "{" RS_FROM "," RS_TEXT "}", 422, "to is missing" },
	{ &resend, "{" RS_FROM "," RS_TEXT ",\"to\":[\"x\"]}", 422,
	    "Invalid `to` field" },
	{ &resend, RS("\"cc\":[1]"), 422, "cc is not valid" },
	{ &resend, "{" RS_FROM "," RS_TO ",\"text\":\"x\"}", 422,
	    "subject is missing" },
	{ &resend, "{" RS_FROM "," RS_TO ",\"subject\":\"x\"}", 422,
	    "`html` or `text`" },
	{ &resend, RS("\"tags\":[{\"name\":\"a b\",\"value\":\"c\"}]"), 422,
	    "name is not valid" },
	{ &resend, RS("\"attachments\":[{\"filename\":\"\",\"content\":\"\"}]"),
	    422, "invalid_attachment" },
	{ &mandrill, "{" MD_GOOD "}", 200,
	    "[{\"email\":\"c@d.example\",\"status\":\"sent\",\"_id\":\"" },
	{ &mandrill, MD("\"async\":true"), 200, "\"status\":\"queued\"" },
	{ &mandrill,
	    "{" MD_KEY "," MD_RAW
	    ",\"to\":[\"inactive@d.example\",\"c@d.example\"]}",
	    200, "\"rejected\"" },
	{ &mandrill, "[]", 400, "ValidationError" },
	{ &mandrill, "{" MD_RAW "," MD_TO "}", 500, "Invalid_Key" },
	{ &mandrill, "{\"key\":\"t\"," MD_RAW "," MD_TO "}", 500,
	    "\"code\":-1,\"name\":\"Invalid_Key\"" },
	{ &mandrill, "{" MD_KEY "," MD_TO "}", 500, "raw_message is missing" },
	{ &mandrill, "{" MD_KEY "," MD_TO ",\"raw_message\":\"Hi\"}", 500,
	    "empty line" },
	{ &mandrill, "{" MD_KEY "," MD_RAW "}", 500, "to is missing" },
	{ &mandrill, "{" MD_KEY "," MD_RAW ",\"to\":[\"nobody\"]}", 500,
	    "Invalid to: 'nobody'" },
	{ &mandrill, MD("\"async\":1"), 500, "async is not valid" },
	{ &mandrill, MD("\"bcc\":[]"), 500, "bcc is no known field" },
	{ &mandrill,
	    "{" MD_KEY "," MD_TO ",\"raw_message\":\"From: a@b.example\\r\\n"
	    "X-MC-BccAddress: e@f.example\\r\\n\\r\\nHi\"}",
	    500, "no copies" },
	{ &sparkpost, SP("Subject: x\\r\\n", "{{it}} stays"), 200,
	    "{\"results\":{\"total_rejected_recipients\":0,"
	    "\"total_accepted_recipients\":1,\"id\":\"" },
	{ &sparkpost,
	    SP_HEAD(SP_TO("c@d.example") "," SP_TO("inactive@d.example"))
		SP_TEXT("", "x") SP_OFF,
	    200,
	    "invalid recipient address.email: inactive@d.example\",\"code\":"
	    "\"1300\"}]},\"errors\":[{" },
	{ &sparkpost,
	    SP_HEAD(SP_TO("inactive@d.example")) SP_TEXT("", "x") SP_OFF, 400,
	    "\"code\":\"5002\"" },
	{ &sparkpost, "[]", 400, "\"code\":\"1200\"" },
	{ &sparkpost, SP_HEAD("") SP_TEXT("", "x") SP_OFF, 422,
	    "\"code\":\"1400\"" },
	{ &sparkpost, SP_HEAD(SP_TO("nobody")) SP_TEXT("", "x") SP_OFF, 422,
	    "invalid recipient address.email: 'nobody'" },
	{ &sparkpost, SP_HEAD(SP_TO("c@d.example")) "\"content\":{}}", 422,
	    "email_rfc822 is missing" },
	{ &sparkpost,
	    SP_HEAD(SP_TO("c@d.example")) SP_TEXT("", "x") ",\"more\":1}", 422,
	    "no known field" },
	{ &sparkpost,
	    SP_HEAD(SP_TO("c@d.example")) SP_TEXT("", "x") ",\"metadata\":[1]}",
	    422, "metadata is not valid" },
	{ &sparkpost,
	    SP_HEAD(SP_TO("c@d.example")) SP_TEXT("", "x") ",\"metadata\":"
							   "{\"a\":1}}",
	    200, "results" },
	{ &sparkpost,
	    SP_HEAD(SP_TO("c@d.example"))
		SP_TEXT("", "x") ",\"options\":{\"transactional\":1}}",
	    422, "transactional is not valid" },
	{ &sparkpost, SP("Subject: {{x}}\\r\\n", "x"), 422,
	    "\"code\":\"3000\"" },
	{ &sparkpost, SP("Subject: {{opening_double_curly()}}}\\r\\n", "x"),
	    422, "\"code\":\"3000\"" },
	{ &sparkpost,
	    SP_HEAD(SP_TO("c@d.example")) SP_TEXT("", "{{it}} goes") "}", 422,
	    "\"code\":\"3000\"" },
	{ &sparkpost, SP("Subject: a\\r\\nSubject: b\\r\\n", "x"), 422,
	    "\"code\":\"3020\"" },
	{ &sparkpost,
	    SP_HEAD(SP_TO("c@d.example")) "\"content\":{\"email_rfc822\":"
					  "\"From: a@b.example, "
					  "c@b.example\\r\\n\\r\\n\"}}",
	    400, "\"code\":\"7001\"" },
	{ &mailjet, MJ_LIST(MJ_GOOD), 200, "\"Status\":\"success\"" },
	{ &mailjet,
	    MJ("\"ReplyTo\":{\"Email\":\"a@b.example\"},\"HTMLPart\":\"<p>\","
	       "\"Headers\":{\"X-A\":\"1\"},\"CustomID\":\"q\","
	       "\"EventPayload\":\"\",\"CustomCampaign\":\"c\","
	       "\"DeduplicateCampaign\":true,\"Priority\":2,"
	       "\"TrackOpens\":\"enabled\",\"Attachments\":[{"
	       "\"ContentType\":\"a/b\",\"Filename\":\"a\","
	       "\"Base64Content\":\"UERG\"}],\"InlinedAttachments\":[{"
	       "\"ContentType\":\"a/b\",\"Filename\":\"a\","
	       "\"ContentID\":\"i\",\"Base64Content\":\"UERG\"}]"),
	    200, "\"CustomID\":\"q\",\"To\":[{\"Email\":\"c@d.example\"" },
	{ &mailjet, "[]", 400, "\"ErrorCode\":\"mj-0002\"" },
	{ &mailjet, "{}", 400, "Messages is missing" },
	{ &mailjet, MJ_LIST(MJ_TO "," MJ_TEXT), 400, "From is missing" },
	{ &mailjet, MJ_LIST(MJ_FROM ",\"To\":[]," MJ_TEXT), 400,
	    "To is missing" },
	{ &mailjet, MJ("\"Cc\":[{\"Email\":\"nobody\"}]"), 400,
	    "\"mj-0013\",\"StatusCode\":400,\"ErrorMessage\":"
	    "\"Cc[0].Email 'nobody'.\",\"ErrorRelatedTo\":"
	    "[\"Cc[0].Email\"]" },
	{ &mailjet, MJ("\"Bcc\":[{\"Email\":\"inactive@b.example\"}]"), 400,
	    "\"mj-0013\"" },
	{ &mailjet, MJ_LIST(MJ_FROM "," MJ_TO ",\"Subject\":\"x\""), 400,
	    "\"send-0003\"" },
	{ &mailjet, MJ("\"Headers\":{\"list-id\":\"x\"}"), 400,
	    "\"send-0011\"" },
	{ &mailjet, MJ("\"Headers\":{\"X-MJ-CustomID\":\"x\"}"), 400,
	    "\"send-0011\"" },
	{ &mailjet, MJ("\"Priority\":\"2\""), 400, "Priority is not valid" },
	{ &mailjet, MJ("\"TrackClicks\":\"1\""), 400,
	    "TrackClicks is not valid" },
	{ &mailjet, MJ("\"TemplateLanguage\":true"), 400, "\"mj-0008\"" },
	{ &mailjet,
	    MJ("\"Attachments\":[{\"ContentType\":\"a/b\",\"Filename\":"
	       "\"\",\"Base64Content\":\"UERG\"}]"),
	    400, "Filename is not valid" },
	{ &mailersend, "{" MS_GOOD "}", 202, "" },
	{ &mailersend,
	    MS("\"reply_to\":{\"email\":\"a@b.example\"},\"html\":\"<p>\","
	       "\"in_reply_to\":\"1@x\",\"references\":[\"1@x\"],"
	       "\"headers\":[{\"name\":\"X-A\",\"value\":\"1\"}],"
	       "\"tags\":[\"a\"],\"settings\":{\"track_opens\":false},"
	       "\"attachments\":[{\"content\":\"UERG\",\"filename\":"
	       "\"a.pdf\",\"disposition\":\"inline\",\"id\":\"i\"}]"),
	    202, "" },
	{ &mailersend, MS("\"cc\":[{\"email\":\"inactive@b.example\"}]"), 202,
	    "\"SOME_SUPPRESSED\"" },
	{ &mailersend, "[]", 400, "message" },
	{ &mailersend, "{" MS_TO "," MS_TEXT "}", 422, "from is missing" },
	{ &mailersend, "{" MS_FROM ",\"to\":[{\"email\":\"x\"}]," MS_TEXT "}",
	    422, "\"errors\":{\"to.0.email\":[\"The to.0.email 'x'. #MS42208" },
	{ &mailersend, MS("\"cc\":[{\"email\":\"C@d.example\"}]"), 422,
	    "#MS42201" },
	{ &mailersend,
	    MS("\"cc\":[{\"email\":\"e@d.example\",\"name\":\"a, b\"}]"), 422,
	    "cc.0.name is invalid" },
	{ &mailersend, "{" MS_FROM "," MS_TO ",\"subject\":\"x\"}", 422,
	    "text or html is required" },
	{ &mailersend, MS("\"html\":\"{{x}}\""), 422, "#MS42213" },
	{ &mailersend, MS("\"in_reply_to\":\"<1@x>\""), 422,
	    "in_reply_to is no address" },
	{ &mailersend, MS("\"headers\":[{\"name\":\"X A\",\"value\":\"1\"}]"),
	    422, "name is not valid" },
	{ &mailersend,
	    MS("\"attachments\":[{\"content\":\"\",\"filename\":\"a.exe\"}]"),
	    422, "#MS42202" },
	{ &mailersend, MS("\"tags\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\"]"),
	    422, "tags is not valid" },
	{ &mailersend, MS("\"template_id\":\"x\""), 422, "no known field" },
	{ &smtp2go, "{" SG_GOOD "}", 200,
	    "\"succeeded\":1,\"failed\":0,\"failures\":[]" },
	{ &smtp2go,
	    SG("\"bcc\":[\"inactive@b.example\"],\"html_body\":\"<p>\","
	       "\"custom_headers\":[{\"header\":\"X-A\",\"value\":\"\"}],"
	       "\"inlines\":[{\"filename\":\"i\",\"fileblob\":\"UERG\","
	       "\"mimetype\":\"a/b\"}]"),
	    200, "\"failures\":[\"Recipient is suppressed: inactive@b" },
	{ &smtp2go, "[]", 400, "E_ApiResponseCodes.API_EXCEPTION" },
	{ &smtp2go, "{" SG_TO "," SG_TEXT "}", 400,
	    "\"fieldname\":\"sender\"" },
	{ &smtp2go, "{" SG_FROM ",\"to\":[\"x\"]," SG_TEXT "}", 400,
	    "\"fieldname\":\"to\",\"message\":\"to is no address: 'x'" },
	{ &smtp2go, "{" SG_FROM "," SG_TO "}", 400, "text_body or html_body" },
	{ &smtp2go,
	    SG("\"attachments\":[{\"filename\":\"a\",\"fileblob\":\"a b\","
	       "\"mimetype\":\"a/b\"}]"),
	    400, "fileblob is not valid" },
	{ &smtp2go, SG("\"reply_to\":\"a@b.example\""), 400, "no known field" },
	{ &mailtrap, "{" MT_GOOD "}", 200,
	    "{\"success\":true,\"message_ids\":[\"" },
	{ &mailtrap,
	    "{" MT_FROM ",\"bcc\":[{\"email\":\"c@d.example\"}]," MT_TEXT "}",
	    200, "message_ids" },
	{ &mailtrap,
	    MT("\"reply_to\":{\"email\":\"a@b.example\"},\"html\":\"<p>\","
	       "\"headers\":{\"X-A\":\"1\"},\"category\":\"c\","
	       "\"custom_variables\":{\"a\":\"b\"},\"attachments\":[{"
	       "\"content\":\"UERG\",\"filename\":\"a\",\"type\":\"a/b\","
	       "\"disposition\":\"inline\",\"content_id\":\"i\"}]"),
	    200, "message_ids" },
	{ &mailtrap, "[]", 400, "{\"success\":false,\"errors\":[\"Bad" },
	{ &mailtrap, "{" MT_TO "," MT_TEXT "}", 400, "from is missing" },
	{ &mailtrap, "{" MT_FROM "," MT_TEXT "}", 400, "'to', 'cc' or 'bcc'" },
	{ &mailtrap, MT("\"cc\":[{\"email\":\"x\"}]"), 400,
	    "'cc' address is invalid: 'x'" },
	{ &mailtrap, "{" MT_FROM "," MT_TO ",\"subject\":\"x\"}", 400,
	    "'text' or 'html'" },
	{ &mailtrap, MT("\"custom_variables\":{\"a\":1}"), 400,
	    "custom_variables is not valid" },
	{ &mailtrap, MT("\"attachments\":[{\"content\":\"UERG\"}]"), 400,
	    "filename is missing" },
	{ &mailtrap, MT("\"template_uuid\":\"x\""), 400, "no known field" },
	{ &scaleway, "{" SW_GOOD "}", 200,
	    "\"mail_rcpt\":\"c@d.example\",\"status\":\"new\"" },
	{ &scaleway,
	    SW("\"html\":\"<p>It is on its way.\",\"cc\":[{\"email\":"
	       "\"inactive@b.example\"}],\"additional_headers\":[{\"key\":"
	       "\"X-A\",\"value\":\"\"}],\"attachments\":[{\"name\":\"a\","
	       "\"type\":\"application/pdf\",\"content\":\"UERG\"}]"),
	    200, "\"mail_rcpt\":\"inactive@b.example\",\"status\":\"failed\"" },
	{ &scaleway, "[]", 400, "invalid_request_error" },
	{ &scaleway, "{" SW_FROM "," SW_TO "," SW_TEXT "}", 400,
	    "\"argument_name\":\"project_id\",\"reason\":\"required\"" },
	{ &scaleway, "{" SW_PROJECT "," SW_FROM "," SW_TEXT "}", 400,
	    "\"argument_name\":\"to\"" },
	{ &scaleway, SW("\"cc\":[{\"email\":\"x\"}]"), 400,
	    "\"argument_name\":\"cc\",\"reason\":\"constraint\",\"help_message"
	    "\":\"cc is no address: 'x'" },
	{ &scaleway, SW("\"cc\":[" SW_FIVE "," SW_FIVE "]"), 400,
	    "10 recipients" },
	{ &scaleway, "{" SW_PROJECT "," SW_FROM "," SW_TO ",\"subject\":\"x\"}",
	    400, "text or html" },
	{ &scaleway,
	    SW("\"attachments\":[{\"name\":\"a\",\"type\":"
	       "\"application/octet-stream\",\"content\":\"UERG\"}]"),
	    400, "type is not valid" },
	{ &scaleway, SW("\"headers\":{}"), 400, "no known field" },
};

START_TEST(checks_each_request)
{
	const struct row *row = &rows[_i];
	struct rig r = { .port = 0 };
	const char *provider = row->api->provider;

	rig_start(&r);
	struct web_answer a =
	    rig_ask(&r, "POST", row->api->path, row->api->headers, row->body);
	ck_assert_msg(
	    a.status == row->status, "%s: %d %s", row->body, a.status, a.body);
	ck_assert_msg(
	    strstr(a.body, row->says) != NULL, "%s: %s", row->body, a.body);
	web_answer_free(&a);
	ck_assert_int_eq(
	    rig_count(&r, provider, "accepted"), row->status < 300);
	ck_assert_int_eq(
	    rig_count(&r, provider, "rejected"), row->status >= 300);
	rig_stop(&r);
}
END_TEST

/* {method, path behind the provider's, without a key, type} as they differ. */
START_TEST(knows_method_path_key_and_type)
{
	static const struct {
		const struct api *api;
		const char *good;
		int statuses[4]; /* of another method, path, key, type */
	} apis[] = {
		{ &postmark, "{" PM_GOOD "}", { 405, 404, 401, 415 } },
		{ &brevo, "{" BR_GOOD "}", { 405, 404, 401, 415 } },
		{ &sendlayer, "{" SL_GOOD "}", { 405, 404, 401, 415 } },
		{ &resend, "{" RS_GOOD "}", { 405, 404, 401, 415 } },
		{ &sparkpost, SP("", "x"), { 405, 404, 401, 415 } },
		{ &mailjet, MJ_LIST(MJ_GOOD), { 405, 404, 401, 415 } },
		{ &mailersend, "{" MS_GOOD "}", { 405, 404, 401, 415 } },
		{ &smtp2go, "{" SG_GOOD "}", { 405, 404, 401, 415 } },
		{ &mailtrap, "{" MT_GOOD "}", { 405, 404, 401, 415 } },
		{ &scaleway, "{" SW_GOOD "}", { 405, 404, 401, 415 } },
	};
	struct rig r = { .port = 0 };

	rig_start(&r);
	for (size_t i = 0; i < sizeof(apis) / sizeof(apis[0]); i++) {
		const struct api *api = apis[i].api;
		char other[256], keyed[256];

		(void)snprintf(other, sizeof(other), "%s/x", api->path);
		(void)snprintf(keyed, sizeof(keyed), "%.*s",
		    (int)(strstr(api->headers, "\r\n") + 2 - api->headers),
		    api->headers);
		ck_assert_int_eq(rig_status(&r, "PUT", api->path, api->headers,
				     apis[i].good),
		    apis[i].statuses[0]);
		ck_assert_int_eq(
		    rig_status(&r, "POST", other, api->headers, apis[i].good),
		    apis[i].statuses[1]);
		ck_assert_int_eq(
		    rig_status(&r, "POST", api->path, JSON, apis[i].good),
		    apis[i].statuses[2]);
		ck_assert_int_eq(
		    rig_status(&r, "POST", api->path, keyed, apis[i].good),
		    apis[i].statuses[3]);
	}
	rig_stop(&r);
}
END_TEST

START_TEST(a_trial_is_checked_and_not_kept)
{
	struct rig r = { .port = 0 };

	rig_start(&r);
	struct web_answer a = rig_ask(&r, "POST", postmark.path,
	    "X-Postmark-Server-Token: POSTMARK_API_TEST\r\n" JSON,
	    "{" PM_GOOD "}");
	ck_assert_int_eq(a.status, 200);
	ck_assert_ptr_nonnull(strstr(a.body, "Test job accepted"));
	web_answer_free(&a);
	ck_assert_int_eq(rig_count(&r, "postmark", "accepted"), 0);
	ck_assert_int_eq(rig_status(&r, "POST", brevo.path, brevo.headers,
			     BR("\"headers\":{\"X-Sib-Sandbox\":\"drop\"}")),
	    201);
	ck_assert_int_eq(rig_count(&r, "brevo", "accepted"), 0);
	ck_assert_int_eq(
	    rig_status(&r, "POST", mailjet.path, mailjet.headers,
		"{\"Messages\":[{" MJ_GOOD "}],\"SandboxMode\":true}"),
	    200);
	ck_assert_int_eq(rig_count(&r, "mailjet", "accepted"), 0);
	rig_stop(&r);
}
END_TEST

START_TEST(what_came_is_shown)
{
	struct rig r = { .port = 0 };

	rig_start(&r);
	ck_assert_int_eq(rig_status(&r, "POST", postmark.path, postmark.headers,
			     "{" PM_GOOD "}"),
	    200);
	json_t *list = rig_control(
	    &r, "GET", "/_sandbox/messages?recipient=b%40dest.example", NULL);
	const json_t *m = json_array_get(list, 0);
	ck_assert_str_eq(
	    json_string_value(json_object_get(m, "subject")), "Order");
	ck_assert_str_eq(json_string_value(json_object_get(m, "text")), "Hi");
	ck_assert_str_eq(json_string_value(json_object_get(m, "sender")),
	    "orders@shop.example");
	json_decref(list);
	rig_stop(&r);
}
END_TEST

/* SparkPost's message, after its templates. */
START_TEST(a_message_in_json_is_shown_as_one)
{
	struct rig r = { .port = 0 };

	rig_start(&r);
	ck_assert_int_eq(
	    rig_status(&r, "POST", sparkpost.path, sparkpost.headers,
		SP("Subject: {{opening_double_curly()}}a"
		   "{{closing_triple_curly()}}\\r\\n",
		    "{{b}}")),
	    200);
	json_t *list =
	    rig_control(&r, "GET", "/_sandbox/messages?limit=1", NULL);
	const json_t *m = json_array_get(list, 0);
	ck_assert_str_eq(
	    json_string_value(json_object_get(m, "subject")), "{{a}}}");
	ck_assert_str_eq(
	    json_string_value(json_object_get(m, "text")), "{{b}}");
	json_decref(list);
	rig_stop(&r);
}
END_TEST

static const struct {
	const char *path, *headers;
	int status;
} questions[] = {
	{ "/postmark/server", "X-Postmark-Server-Token: t\r\n", 200 },
	{ "/postmark/server", "X: t\r\n", 401 },
	{ "/brevo/v3/account", "api-key: xkeysib-t\r\n", 200 },
	{ "/brevo/v3/account", "api-key: t\r\n", 401 },
	{ "/resend/domains", "Authorization: Bearer re_t\r\n", 200 },
	{ "/resend/domains", "Authorization: Bearer re_only\r\n", 401 },
	{ "/sendgrid/v3/scopes", "Authorization: Bearer SG.t\r\n", 200 },
	{ "/sendgrid/v3/scopes", "Authorization: Bearer t\r\n", 401 },
	{ SW_REGION "/domains?page_size=100", "X-Auth-Token: t\r\n", 200 },
	{ SW_REGION "/domains", "X-Auth-Token: only\r\n", 403 },
};

START_TEST(questions_about_the_account_are_no_calls)
{
	struct rig r = { .port = 0 };

	rig_start(&r);
	for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++)
		ck_assert_int_eq(rig_status(&r, "GET", questions[i].path,
				     questions[i].headers, NULL),
		    questions[i].status);
	ck_assert_int_eq(rig_count(&r, "resend", "requests"), 0);
	ck_assert_int_eq(rig_count(&r, "sendgrid", "requests"), 0);
	rig_stop(&r);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("sandbox/api");
	TCase *t = tcase_create("api");

	tcase_add_loop_test(
	    t, checks_each_request, 0, sizeof(rows) / sizeof(rows[0]));
	tcase_add_test(t, knows_method_path_key_and_type);
	tcase_add_test(t, a_trial_is_checked_and_not_kept);
	tcase_add_test(t, questions_about_the_account_are_no_calls);
	tcase_add_test(t, what_came_is_shown);
	tcase_add_test(t, a_message_in_json_is_shown_as_one);
	suite_add_tcase(suite, t);
	return suite;
}

UNIT_MAIN(make_suite)
