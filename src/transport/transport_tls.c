/*
 * A transport's TLS configuration.
 */
#include "transport/transport_tls.h"

#include <string.h>

#include "base/error.h"

int fy_transport_tls_init(struct fy_transport_tls *tls, const ferry_tls_options *options)
{
    *tls = (struct fy_transport_tls){0};
    if (options != NULL) {
        ferry_tls_options given = {0};
        /* The caller may have been compiled with a struct that was shorter, or will be longer. */
        memcpy(&given, options, options->size < sizeof given ? options->size : sizeof given);
        if (options->size < sizeof options->size) {
            fy_fail(&tls->refused, FERRY_EINVAL, 0,
                    "ferry_tls_options without their size: use FERRY_TLS_OPTIONS(), or set it");
        } else {
            tls->config = fy_tls_config_new(&given, &tls->refused);
        }
        if (tls->config == NULL && tls->refused.code == FERRY_ENOMEM) {
            return -1;
        }
    }
    if (pthread_mutex_init(&tls->lock, NULL) != 0) {
        fy_tls_config_release(tls->config);
        return -1;
    }
    fy_fork_lock_add(&tls->held, &tls->lock);
    return 0;
}

void fy_transport_tls_destroy(struct fy_transport_tls *tls)
{
    fy_tls_config_release(tls->config);
    fy_fork_lock_remove(&tls->held);
    pthread_mutex_destroy(&tls->lock);
}

struct fy_tls_config *fy_transport_tls(struct fy_transport_tls *tls, ferry_error *err)
{
    static const ferry_tls_options standard = {.size = sizeof standard};
    if (tls->refused.code != 0) {
        *err = tls->refused;
        return NULL;
    }
    pthread_mutex_lock(&tls->lock);
    if (tls->config == NULL) {
        tls->config = fy_tls_config_new(&standard, err);
    }
    struct fy_tls_config *config = tls->config;
    pthread_mutex_unlock(&tls->lock);
    return config;
}
