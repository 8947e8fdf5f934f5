// A program that uses the provider before and after fork(2): forker PROVIDER-PATH BETWEEN
// BETWEEN is a command that is run before each change of the process that uses the TPM.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/store.h>

static unsigned char binder[32];
static unsigned char evidence[16 * 1024];
static size_t size;

static void need(int condition, const char* what) {
  if (!condition) {
    fprintf(stderr, "%d: %s\n", (int)getpid(), what);
    ERR_print_errors_fp(stderr);
    exit(1);
  }
}

static EVP_PKEY* load(const char* uri) {
  OSSL_STORE_CTX* store = OSSL_STORE_open(uri, NULL, NULL, NULL, NULL);
  need(store != NULL, uri);
  OSSL_STORE_INFO* info = OSSL_STORE_load(store);
  need(info != NULL, uri);
  EVP_PKEY* key = OSSL_STORE_INFO_get1_PKEY(info);
  OSSL_STORE_INFO_free(info);
  OSSL_STORE_close(store);
  return key;
}

static void sign(EVP_PKEY* key, const char* what) {
  EVP_PKEY_CTX* context = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
  size = sizeof evidence;
  need(EVP_PKEY_sign_init(context) == 1 &&
           EVP_PKEY_sign(context, evidence, &size, binder, sizeof binder) == 1,
       what);
  EVP_PKEY_CTX_free(context);
}

// The Attestation Result is there after a verification that succeeded, and only then.
static void verify(EVP_PKEY* key) {
  EVP_PKEY_CTX* context = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
  char result[16 * 1024] = "";
  OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string("attestation-result", result, sizeof result),
      OSSL_PARAM_construct_end()};
  need(EVP_PKEY_verify_init(context) == 1, "verify_init");
  need(EVP_PKEY_verify(context, evidence, size, binder, sizeof binder) == 1, "verify");
  need(EVP_PKEY_CTX_get_params(context, params) == 1 && strlen(result) > 100, "no result");
  binder[0] ^= 1;
  result[0] = '\0';
  need(EVP_PKEY_verify(context, evidence, size, binder, sizeof binder) != 1, "another binder");
  need(EVP_PKEY_CTX_get_params(context, params) != 1 && result[0] == '\0', "a result of before");
  binder[0] ^= 1;
  EVP_PKEY_CTX_free(context);
}

// In a child, whose exit(3) frees what it has of its parent.
static void in_child(void (*work)(EVP_PKEY*), EVP_PKEY* key, const char* between) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(30);
    need(system(between) == 0, between);
    work(key);
    EVP_PKEY_free(key);
    exit(0);
  }
  int status = 0;
  need(waitpid(child, &status, 0) == child && status == 0, "the child failed");
}

static void sign_and_verify(EVP_PKEY* key) {
  sign(key, "sign in the child");
  verify(key);
}

static void load_and_sign(EVP_PKEY* key) {
  (void)key;
  EVP_PKEY* own = load("atls:tik");
  sign(own, "sign with a key that the child loaded");
  EVP_PKEY_free(own);
}

static void nothing(EVP_PKEY* key) {
  (void)key;
}

int main(int argc, char** argv) {
  need(argc == 3, "two arguments");
  OSSL_PROVIDER_set_default_search_path(NULL, argv[1]);
  OSSL_PROVIDER* atls = OSSL_PROVIDER_load(NULL, "atls");
  OSSL_PROVIDER* usual = OSSL_PROVIDER_load(NULL, "default");
  need(atls != NULL && usual != NULL, "providers");
  EVP_PKEY* key = load("atls:attester");
  sign(key, "sign in the parent");
  verify(key);
  in_child(nothing, key, "true");
  in_child(sign_and_verify, key, argv[2]);
  in_child(load_and_sign, key, argv[2]);
  sign(key, "sign in the parent afterwards");
  EVP_PKEY_free(key);
  OSSL_PROVIDER_unload(usual);
  OSSL_PROVIDER_unload(atls);
  puts("done");
  return 0;
}
