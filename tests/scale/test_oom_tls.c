/*
 * Memory runs out in an https request: in ferry, and (in an ordinary build) in OpenSSL, at every one of
 * its allocations in turn, once only or from then on for good. Each time the outcome is the right response
 * or FERRY_ENOMEM, never a certificate that is refused for want of memory, and nothing is left behind.
 *
 * What OpenSSL allocates once for the life of the process is there before: it has no way to try again.
 */
#include "oom.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "certs.h"
#include "failing_alloc.h"
#include "temp_dir.h"
#include "tls_server.h"

static struct cert *ca, *cert;
static char directory[TEMP_DIR_SIZE], ca_file[TEMP_DIR_SIZE + 16], own_file[TEMP_DIR_SIZE + 16];

static int make_certificates(void **state)
{
    (void)state;
    ca = cert_make(&(struct cert_options){.name = "Test CA", .is_ca = true});
    cert = cert_make(&(struct cert_options){
        .name = "server", .names = "DNS:localhost,IP:127.0.0.1", .issuer = ca});
    if (!temp_dir_make(directory)) {
        return -1;
    }
    snprintf(ca_file, sizeof ca_file, "%s/ca.pem", directory);
    snprintf(own_file, sizeof own_file, "%s/own.pem", directory);
    cert_write(ca_file, (const struct cert *const[]){ca, NULL}, NULL, NULL);
    cert_write(own_file, (const struct cert *const[]){cert, NULL}, cert, NULL);
    return 0;
}

static int free_certificates(void **state)
{
    (void)state;
    cert_free(cert);
    cert_free(ca);
    temp_dir_remove(directory);
    return 0;
}

/* Answers each request until the client ends the connection. */
static void serve(SSL *ssl, int fd, void *arg)
{
    static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    char buf[4096];
    (void)fd;
    (void)arg;
    while (SSL_read(ssl, buf, sizeof buf) > 0) { /* small requests come whole */
        SSL_write(ssl, reply, (int)strlen(reply));
    }
    SSL_shutdown(ssl);
}

/* ------------------------------------------------------------------------------- what is attempted */

struct scenario {
    const ferry_tls_options *tls;
    int port;
};

static ferry_error get(ferry_client *client, int port)
{
    ferry_error err = {0};
    char url[64];
    size_t len;
    snprintf(url, sizeof url, "https://127.0.0.1:%d/", port);
    ferry_request *req = ferry_request_new("GET", url, &err);
    ferry_response *res = req != NULL ? ferry_client_do(client, req, &err) : NULL;
    if (res != NULL) {
        char *body = ferry_response_read_all(res, 1000, &len, &err);
        if (body != NULL && strcmp(body, "hello") != 0) {
            err =
                (ferry_error){.code = FERRY_EPROTOCOL, .message = "the body is not what was sent"};
        }
        free(body);
        ferry_response_close(res);
    }
    ferry_request_free(req);
    return err;
}

/* Two requests: the second uses the connection again, or resumes the session. OpenSSL's making and its
 * end, on the trial's thread, are part of it. */
static ferry_error run_scenario(const void *arg)
{
    const struct scenario *scenario = arg;
    ferry_error outcome = oom_error("client");
    ferry_transport *transport = ferry_transport_new(FERRY_TRANSPORT_OPTIONS(.tls = scenario->tls));
    ferry_client *client =
        transport != NULL ? ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = transport)) : NULL;
    if (client != NULL) {
        outcome = get(client, scenario->port);
    }
    if (client != NULL && outcome.code == FERRY_OK) {
        ferry_transport_close_idle(transport);
        outcome = get(client, scenario->port);
    }
    ferry_client_free(client);
    ferry_transport_free(transport);
    return outcome;
}

/* There are thousands: the tests take one in many of them, and all where ferry's alone are counted.
 * FERRY_OOM_STEP=1 asks for every single one. */
static long step_for(long count)
{
    const char *wanted = getenv("FERRY_OOM_STEP");
    if (wanted != NULL) {
        return atol(wanted);
    }
    return count > 1000 ? 151 : 1;
}

static void run_out(const ferry_tls_options *tls, int version)
{
    struct tls_server *server = tls_server_start(
        &(struct tls_server_options){.cert = cert, .serve = serve, .max_version = version});
    assert_non_null(server);
    struct held before = held_now();
    watch_for_hang(scaled(900, 900));
    const struct scenario scenario = {.tls = tls, .port = tls_server_port(server)};
    const struct oom_trial trial = {.run = run_scenario, .arg = &scenario};
    assert_string_equal(oom_try(&trial, 0, false).error.message, "");
    long count = oom_try_all(&trial, 1000, false);
    long step = step_for(count);
    long living = 0;
    for (int time = 0; time < 2; time++) { /* what is kept on purpose is kept once */
        living = alloc_living();
        oom_try_all(&trial, step, false);
        oom_try_all(&trial, step, true);
    }
    print_message("about %ld allocations, each of which may fail; one in %ld did\n", count, step);
#ifndef ALLOC_WRAPPED /* else what libraries allocate for ferry to free is only seen freed */
    assert_int_equal(alloc_living(), living);
#endif
    (void)living;
    watch_for_hang(0);
    assert_given_back(before);
    tls_server_stop(server);
}

static void test_tls_1_3(void **state)
{
    (void)state;
    run_out(FERRY_TLS_OPTIONS(.ca_file = ca_file), TLS1_3_VERSION);
}

static void test_tls_1_2_with_much_set(void **state)
{
    char pin[CERT_PIN_TEXT];
    (void)state;
    cert_pin(cert, pin);
    run_out(FERRY_TLS_OPTIONS(.ca_file = ca_file, .certificate_file = own_file,
                              .pinned_public_keys = pin, .alpn = "http/1.1"),
            TLS1_2_VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tls_1_3),
        cmocka_unit_test(test_tls_1_2_with_much_set),
    };
    return cmocka_run_group_tests(tests, make_certificates, free_certificates);
}
