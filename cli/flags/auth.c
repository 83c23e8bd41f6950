/*
 * auth.c: flags that say who we are.
 */
#include "flags/rows.h"

const struct flag flags_auth[] = {
    {"user", 'u', FLAG_TEXT, AT(user), .in = IN_AUTH | IN_IMPORTANT, .argument = "USER[:PASSWORD]",
     .help = "who we are; the password is asked for if it is left out",
     .more = "Sent as Basic credentials unless --digest or --anyauth is there, to the URL's own "
             "host and to no other (see --location-trusted).",
     .example = "-u alice:secret https://example.com/"},
    {"basic", 0, FLAG_SETS, AT(auth), .value = AUTH_BASIC, .in = IN_AUTH,
     .help = "with -u: Basic credentials, which is what ferry sends anyway"},
    {"digest", 0, FLAG_SETS, AT(auth), .value = AUTH_DIGEST, .in = IN_AUTH | IN_HTTP | IN_PROXY,
     .help = "with -u: answer a Digest challenge instead (MD5 or SHA-256)",
     .example = "--digest -u alice:secret https://example.com/"},
    {"anyauth", 0, FLAG_SETS, AT(auth), .value = AUTH_ANY, .in = IN_AUTH | IN_HTTP | IN_PROXY,
     .help = "with -u: Digest if the server takes it, else Basic"},
    {"oauth2-bearer", 0, FLAG_TEXT, AT(bearer), .in = IN_AUTH, .argument = "TOKEN",
     .help = "send this Bearer token",
     .example = "--oauth2-bearer mF_9.B5f-4.1JqM https://example.com/"},
    {"netrc", 'n', FLAG_SWITCH, AT(netrc), .in = IN_CURL,
     .help = "take user and password from .netrc"},
    {"netrc-optional", 0, FLAG_SWITCH, AT(netrc_optional), .in = IN_CURL,
     .help = "likewise, if neither -u nor the URL has them"},
    {"netrc-file", 0, FLAG_TEXT, AT(netrc_file), .in = IN_CURL, .argument = "FILE",
     .help = "take them from this file",
     .example = "--netrc-file ~/keys/netrc https://example.com/"},
    LAST_ROW,
};
