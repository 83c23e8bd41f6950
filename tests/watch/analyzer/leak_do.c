/* The response to a request of the program's own, forgotten where its status is a bad one: GCC's -fanalyzer
   says so. (Once a response was read from, it takes that call to have had its chance to close it.) */
#include <ferry.h>

int send_it(ferry_client *client, ferry_request *req);

int send_it(ferry_client *client, ferry_request *req)
{
    ferry_response *res = ferry_client_do(client, req, NULL);
    if (res == NULL || ferry_response_status(res) != 200) {
        return -1;
    }
    ferry_response_close(res);
    return 0;
}
