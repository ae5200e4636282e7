/* For tests: what has to go well fails the test otherwise, and says what the callee said. The call names its last
 * argument `&why`, which is the macro's own. After cmocka.h. */
#ifndef SPOKE_TESTS_LIB_MUST_H
#define SPOKE_TESTS_LIB_MUST_H

#include "base/err.h"

#define MUST(call)                                                                                                     \
    do {                                                                                                               \
        struct why why = {0};                                                                                          \
        enum err err_ = (call);                                                                                        \
        if (err_ != ERR_OK) fail_msg("%s: %s (%s)", #call, err_word(err_), why.text);                                  \
    } while (0)

#endif
