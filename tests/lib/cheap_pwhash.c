/* For tests that open a hundred replicas: checking a passphrase at its least cost. Linked in with
 * --wrap=crypto_pwhash. */
#include <sodium.h>

int __real_crypto_pwhash(unsigned char *out, unsigned long long out_n, const char *passphrase, unsigned long long n,
                         const unsigned char *salt, unsigned long long passes, size_t memory, int algorithm);
int __wrap_crypto_pwhash(unsigned char *out, unsigned long long out_n, const char *passphrase, unsigned long long n,
                         const unsigned char *salt, unsigned long long passes, size_t memory, int algorithm);

int __wrap_crypto_pwhash(unsigned char *out, unsigned long long out_n, const char *passphrase, unsigned long long n,
                         const unsigned char *salt, unsigned long long passes, size_t memory, int algorithm)
{
    (void)passes;
    (void)memory;
    return __real_crypto_pwhash(out, out_n, passphrase, n, salt, crypto_pwhash_OPSLIMIT_MIN, crypto_pwhash_MEMLIMIT_MIN,
                                algorithm);
}
