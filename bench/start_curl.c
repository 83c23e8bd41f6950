/*
 * The smallest program that fetches a URL with libcurl: what starting it costs. Without a URL
 * it has only been loaded.
 */
#include <curl/curl.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    if (argc < 2) {
        return 0;
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    CURL *easy = curl_easy_init();
    curl_easy_setopt(easy, CURLOPT_URL, argv[1]);
    CURLcode result = curl_easy_perform(easy);
    if (result != CURLE_OK) {
        fprintf(stderr, "%s\n", curl_easy_strerror(result));
    }
    curl_easy_cleanup(easy);
    curl_global_cleanup();
    return result != CURLE_OK;
}
