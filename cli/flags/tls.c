/*
 * tls.c: flags about certificates, keys and versions, of hosts and of HTTPS proxies.
 */
#include "flags/rows.h"

#include <ferry.h>
#include <string.h>
#include <strings.h>

static enum flag_word take_tls_max(struct run_config *run, const char *value, const char **why)
{
    *why = "default, 1.2 or 1.3: older versions are not safe, and not spoken";
    if (strcmp(value, "default") == 0)
        run->last->tls.max_version = 0;
    else if (strcmp(value, "1.2") == 0)
        run->last->tls.max_version = FERRY_TLS_1_2;
    else if (strcmp(value, "1.3") == 0)
        run->last->tls.max_version = FERRY_TLS_1_3;
    else
        return FLAG_BAD;
    return FLAG_FINE;
}

/* What certificates and keys are written in: the library's own spelling. */
static enum flag_word take_type(const char **place, const char *value, const char **why)
{
    static const char *const types[] = {"PEM", "DER", "P12"};
    *why = "PEM, DER or P12";
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strcasecmp(value, types[i]) == 0) {
            *place = types[i];
            return FLAG_FINE;
        }
    }
    return FLAG_BAD;
}

static enum flag_word take_cert_type(struct run_config *run, const char *value, const char **why)
{
    return take_type(&run->last->tls.certificate_type, value, why);
}

static enum flag_word take_key_type(struct run_config *run, const char *value, const char **why)
{
    return take_type(&run->last->tls.key_type, value, why);
}

static enum flag_word take_proxy_cert_type(struct run_config *run, const char *value,
                                           const char **why)
{
    return take_type(&run->last->proxy_tls.certificate_type, value, why);
}

static enum flag_word take_proxy_key_type(struct run_config *run, const char *value,
                                          const char **why)
{
    return take_type(&run->last->proxy_tls.key_type, value, why);
}

const struct flag flags_tls[] = {
    {"insecure", 'k', FLAG_SWITCH, AT(tls.insecure), .in = IN_TLS | IN_IMPORTANT,
     .help = "DANGEROUS: do not check who the server is"},
    {"cacert", 0, FLAG_TEXT, AT(tls.ca_file), .in = IN_TLS, .argument = "FILE",
     .help = "trust the authorities in this file (PEM), and no others",
     .example = "--cacert my-ca.pem https://localhost:8443/"},
    {"capath", 0, FLAG_TEXT, AT(tls.ca_directory), .in = IN_TLS, .argument = "DIRECTORY",
     .help = "trust the authorities in this directory (openssl rehash)"},
    {"cert", 'E', FLAG_TEXT, AT(tls.certificate), .in = IN_TLS, .argument = "FILE[:PASSWORD]",
     .help = "our certificate (PEM), for servers that ask",
     .example = "--cert me.pem --key me.key https://example.com/"},
    {"cert-type", 0, FLAG_TAKES, .take = take_cert_type, .in = IN_TLS, .argument = "TYPE",
     .help = "what --cert is written in: PEM, DER or P12"},
    {"key", 0, FLAG_TEXT, AT(tls.key), .in = IN_TLS, .argument = "FILE",
     .help = "the key of our certificate; in the same file unless said"},
    {"key-type", 0, FLAG_TAKES, .take = take_key_type, .in = IN_TLS, .argument = "TYPE",
     .help = "what --key is written in: PEM, DER or P12"},
    {"curves", 0, FLAG_TEXT, AT(tls.groups), .in = IN_TLS, .argument = "LIST",
     .help = "the groups for the key exchange, in order, separated by colons",
     .example = "--curves X25519:P-256 https://example.com/"},
    {"cert-status", 0, FLAG_SWITCH, AT(tls.require_status), .in = IN_TLS,
     .help = "the server must staple a good OCSP response"},
    {"pass", 0, FLAG_TEXT, AT(tls.key_password), .in = IN_TLS | IN_AUTH, .argument = "PHRASE",
     .help = "the password of the key"},
    {"crlfile", 0, FLAG_TEXT, AT(tls.crl_file), .in = IN_TLS, .argument = "FILE",
     .help = "refuse the certificates that these lists revoke (PEM)"},
    {"pinnedpubkey", 0, FLAG_TEXT, AT(tls.pinned_keys), .in = IN_TLS, .argument = "HASHES",
     .help = "the server's key must be this: sha256//BASE64, several by semicolons",
     .more = "Or the name of a file with the key itself, PEM or DER.",
     .example = "--pinnedpubkey sha256//YhKJKSzoTt2b5FP18fvpHo7fJYqQCjAa3HWY3tvRMwE= "
                "https://example.com/"},
    {"tlsv1", '1', FLAG_SETS, AT(tls.min_version), .value = FERRY_TLS_1_2, .in = IN_TLS,
     .help = "TLS 1.0 or later; from 1.2 on is what ferry speaks"},
    {"tlsv1.0", 0, FLAG_SETS, AT(tls.min_version), .value = FERRY_TLS_1_2, .in = IN_TLS,
     .help = "the same"},
    {"tlsv1.1", 0, FLAG_SETS, AT(tls.min_version), .value = FERRY_TLS_1_2, .in = IN_TLS,
     .help = "the same"},
    {"tlsv1.2", 0, FLAG_SETS, AT(tls.min_version), .value = FERRY_TLS_1_2, .in = IN_TLS,
     .help = "TLS 1.2 or later"},
    {"tlsv1.3", 0, FLAG_SETS, AT(tls.min_version), .value = FERRY_TLS_1_3, .in = IN_TLS,
     .help = "TLS 1.3"},
    {"tls-max", 0, FLAG_TAKES, .take = take_tls_max, .in = IN_TLS, .argument = "VERSION",
     .help = "no later version than this: 1.2 or 1.3"},
    {"ciphers", 0, FLAG_TEXT, AT(tls.ciphers), .in = IN_TLS, .argument = "LIST",
     .help = "the ciphers of TLS 1.2 that may be used, as openssl-ciphers(1) writes them",
     .example = "--ciphers ECDHE-RSA-AES256-GCM-SHA384 --tls-max 1.2 https://example.com/"},
    {"tls13-ciphers", 0, FLAG_TEXT, AT(tls.cipher_suites), .in = IN_TLS, .argument = "LIST",
     .help = "the ciphers of TLS 1.3 that may be used"},
    {"no-alpn", 0, FLAG_OFF, AT(no_alpn), .in = IN_TLS | IN_HTTP,
     .help = "do not tell the server in the handshake that we speak HTTP/1.1"},
    {"no-sessionid", 0, FLAG_OFF, AT(no_session_id), .in = IN_TLS,
     .help = "make a full handshake for every connection"},
    {"proxy-insecure", 0, FLAG_SWITCH, AT(proxy_tls.insecure), .in = IN_PROXY | IN_TLS,
     .help = "DANGEROUS: do not check who the HTTPS proxy is"},
    {"proxy-cacert", 0, FLAG_TEXT, AT(proxy_tls.ca_file), .in = IN_PROXY | IN_TLS,
     .argument = "FILE", .help = "--cacert for HTTPS proxies"},
    {"proxy-capath", 0, FLAG_TEXT, AT(proxy_tls.ca_directory), .in = IN_PROXY | IN_TLS,
     .argument = "DIRECTORY", .help = "--capath for HTTPS proxies"},
    {"proxy-cert", 0, FLAG_TEXT, AT(proxy_tls.certificate), .in = IN_PROXY | IN_TLS,
     .argument = "FILE[:PASSWORD]", .help = "--cert for HTTPS proxies"},
    {"proxy-cert-type", 0, FLAG_TAKES, .take = take_proxy_cert_type, .in = IN_PROXY | IN_TLS,
     .argument = "TYPE", .help = "what --proxy-cert is written in: PEM, DER or P12"},
    {"proxy-key", 0, FLAG_TEXT, AT(proxy_tls.key), .in = IN_PROXY | IN_TLS, .argument = "FILE",
     .help = "--key for HTTPS proxies"},
    {"proxy-key-type", 0, FLAG_TAKES, .take = take_proxy_key_type, .in = IN_PROXY | IN_TLS,
     .argument = "TYPE", .help = "what --proxy-key is written in: PEM, DER or P12"},
    {"proxy-pass", 0, FLAG_TEXT, AT(proxy_tls.key_password), .in = IN_PROXY | IN_TLS | IN_AUTH,
     .argument = "PHRASE", .help = "--pass for HTTPS proxies"},
    {"proxy-crlfile", 0, FLAG_TEXT, AT(proxy_tls.crl_file), .in = IN_PROXY | IN_TLS,
     .argument = "FILE", .help = "--crlfile for HTTPS proxies"},
    {"proxy-pinnedpubkey", 0, FLAG_TEXT, AT(proxy_tls.pinned_keys), .in = IN_PROXY | IN_TLS,
     .argument = "HASHES", .help = "--pinnedpubkey for HTTPS proxies"},
    {"proxy-ciphers", 0, FLAG_TEXT, AT(proxy_tls.ciphers), .in = IN_PROXY | IN_TLS,
     .argument = "LIST", .help = "--ciphers for HTTPS proxies"},
    {"proxy-tls13-ciphers", 0, FLAG_TEXT, AT(proxy_tls.cipher_suites), .in = IN_PROXY | IN_TLS,
     .argument = "LIST", .help = "--tls13-ciphers for HTTPS proxies"},
    {"proxy-tlsv1", 0, FLAG_SETS, AT(proxy_tls.min_version), .value = FERRY_TLS_1_2,
     .in = IN_PROXY | IN_TLS | IN_AUTH, .help = "--tlsv1 for HTTPS proxies"},
    LAST_ROW,
};
