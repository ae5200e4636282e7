/* In place of hub_init where a test is linked with --wrap=hub_init: tests/lib/test_store.h. A file of its own: what is
 * linked without that has no __real_hub_init. */
#include "hub/hub.h"
#include "tests/lib/test_store.h"

enum err __real_hub_init(const struct env *env, const char *home, const char *name, struct bytes passphrase,
                         struct why *why);
enum err __wrap_hub_init(const struct env *env, const char *home, const char *name, struct bytes passphrase,
                         struct why *why);

enum err __wrap_hub_init(const struct env *env, const char *home, const char *name, struct bytes passphrase,
                         struct why *why)
{
    char url[TEST_STORE_URL];
    if (!test_store_is_postgres()) return __real_hub_init(env, home, name, passphrase, why);
    test_store_url(url, sizeof url);
    return hub_init_at(env, &(struct hub_place){.home = home, .store = url}, name, passphrase, why);
}
