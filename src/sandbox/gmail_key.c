/*
 * The key of the sandbox's service account: public, as everything here, and
 * good for nothing but the sandbox.
 */
#include <sandbox/gmail_key.h>

const char gmail_key_pem[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDZpsivTwrS28+w\n"
    "L7XIXFCnj6NuNqWPaKUlPyp/636iUKJn8u/EiYLh1lf3scHgam0ZPF03b/0qVCyx\n"
    "GjIkWQZ3MYRjMYHX86gugU88+IGlRNjiTmEWzCAXcUJEg04cIM0blfGJcdcPgPul\n"
    "jvntoPMPhSNLYDDhN5VVLkduKRcd9UT5edBQWdCjkSLO0m7+ga+KBWAL9I1pfVUK\n"
    "DxVp++0w3F1Jl5zA7lyiSUXBk2zXYLuCaSOTygi/u62K9f5oRmOW8gN4RgKwQDNQ\n"
    "/+fkwRp+gvG7yug29oMjHYHdpG7/EjS2ANaI37FvO1nMWdZMBBcnhU6gzzTLZrwA\n"
    "lWHQdg21AgMBAAECggEACEXRnPA5LhiSxVSa6TmxCx1njdnf4xqMJGVJPUF7N7ou\n"
    "4hqWyHadle3qvAxynRAOg4YK2P+VtNUsObMQMtd7am5kZMzN7aJiQxpBI8UiUGDU\n"
    "iY2HHTG3Co0QgsAm6OTKRwElBB9imEFDz2Am2cRjWLSrycKnOPg+4dT3fBVtvoKx\n"
    "IC48RULk14vUeraa1Ocuyg54UjMcOMQBv+6nAdaeGXvzavZyVRO5LUxJXNxTKBjB\n"
    "sHFdBSD8Ml0H8v84oem8cFKYZSySjRhc/6jgSbut/MuogfE+3w0J9+qNrAWMCXfr\n"
    "0fQguniajBMVDLPKVPaPUxNcG0U1WyLrOa/YeWCFoQKBgQDySIY65Rf4oHxD3iD4\n"
    "lHFT4mNH7fegh2QarZr7ochfZEx6q3FF5Qxbv2ebmCEQo9WFa9YAhiIyuJDKtdZb\n"
    "U4qg9WP20BEVVU5wUBtcvzyAx53d+CTgDZej8Hl4sQxSdEZdDxmT5HsCJZkJ83KM\n"
    "Gp1EgYUb9Zx6bw/2hzeWnUXXKQKBgQDl+UOyqEkhPeZQPVnYtoX1X8Uz5iO6pDUg\n"
    "4WWDe141tvmlReJgxhcBtMr8xhmq+4sHGhBDYBObuLsKSxYDxhOXqsz5QdnmtZim\n"
    "iKos8leDXVDaDG9gnbcmN2rV1Teavfrhoi5o6e83fax5LtXrDaYZfpHN47B0PHO3\n"
    "IHaLda5PrQKBgHIgdZJSjgsg1chGXzOZARUpg+jDEK0+eYoTkvjLSY6duWTjU1VA\n"
    "QqUJMW3aqGClPBRAKqtOg9dul03Vf+a/IIMXdIIzmoh5CZzgLzNuJbrnzNZdaEle\n"
    "PbsMsLuIcqx4dxio3zyKGON3AHLuiVuzwbceZ6w28wG9RUC0ixvYc6iZAoGBAJ/s\n"
    "+vYX71stl6d/MqbxLzEXG6VeysP1g3jNJfIMbdR+3RbhBW908fTezDaCcMEl0mXq\n"
    "6xpfiuNE0NV0p+eR7HgRcB96etTkvjY5XdaJ5O/Wie5IrX+LzhzGdwYjE1sJ+JjG\n"
    "Vu3gmNmHDNTtDBg80qByE2URjNkYXQQhkC6ldMW1AoGASW6L+vwxvlKIdbU0L40V\n"
    "dTSuWrfzLEsnq66qehgJcgXlLo5BcXtffnSX3qDj0pQiCtf9R361AMETDq4lEifG\n"
    "qoAZl9ocGXOIP4k0bXTSiJ9ZRRenFbfc4dnKTQPVUWi6QbySsYuQC0oKfffzhDlp\n"
    "OFTEM+N+rOxSg/J/22Hj4AA=\n"
    "-----END PRIVATE KEY-----\n";
