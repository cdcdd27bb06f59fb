/* The service account that the Gmail fake knows. */
#pragma once

#define GMAIL_KEY_EMAIL "postern@sandbox.iam.gserviceaccount.com"
#define GMAIL_KEY_ID "5a4db0c5a4db0c5a4db0c5a4db0c5a4db0c5a4db"
#define GMAIL_TOKEN_URI "https://oauth2.googleapis.com/token"

/* Its private key (PKCS #8, PEM). */
extern const char gmail_key_pem[];
