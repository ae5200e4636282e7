/* What would be nearly all of the time, at its least cost: these are not what is tried out here. */
#include <sodium.h>
#include <stdlib.h>

int __real_crypto_pwhash(unsigned char *out, unsigned long long out_n, const char *passphrase, unsigned long long n,
                         const unsigned char *salt, unsigned long long passes, size_t memory, int algorithm);
int __wrap_crypto_pwhash(unsigned char *out, unsigned long long out_n, const char *passphrase, unsigned long long n,
                         const unsigned char *salt, unsigned long long passes, size_t memory, int algorithm);
void *__wrap_sodium_malloc(size_t n);
void __wrap_sodium_free(void *p);

int __wrap_crypto_pwhash(unsigned char *out, unsigned long long out_n, const char *passphrase, unsigned long long n,
                         const unsigned char *salt, unsigned long long passes, size_t memory, int algorithm)
{
    (void)passes, (void)memory;
    return __real_crypto_pwhash(out, out_n, passphrase, n, salt, crypto_pwhash_OPSLIMIT_MIN, crypto_pwhash_MEMLIMIT_MIN,
                                algorithm);
}

void *__wrap_sodium_malloc(size_t n)
{
    return malloc(n);
}

void __wrap_sodium_free(void *p)
{
    free(p);
}
