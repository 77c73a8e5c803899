/* The few functions of onnxruntime's C interface that docs/hear.c calls, at their places in its table,
   for machines that have the library (pip's onnxruntime) and not its header. The interface only grows at
   its end, so the places hold for every release (onnxruntime's "ABI"). Whoever has the real header uses that. */
#ifndef ORT_API_VERSION
#define ORT_API_VERSION 16
#include <stddef.h>
#include <stdint.h>

typedef struct OrtStatus OrtStatus;
typedef struct OrtEnv OrtEnv;
typedef struct OrtSession OrtSession;
typedef struct OrtSessionOptions OrtSessionOptions;
typedef struct OrtMemoryInfo OrtMemoryInfo;
typedef struct OrtValue OrtValue;
typedef struct OrtRunOptions OrtRunOptions;
enum { ORT_LOGGING_LEVEL_WARNING = 2 };
enum { OrtArenaAllocator = 1 };
enum { OrtMemTypeDefault = 0 };
enum { ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT = 1 };

typedef struct OrtApi {
  void *before_2[2];
  const char *(*GetErrorMessage)(const OrtStatus *);
  OrtStatus *(*CreateEnv)(int level, const char *name, OrtEnv **);
  void *before_7[3];
  OrtStatus *(*CreateSession)(const OrtEnv *, const char *path, const OrtSessionOptions *, OrtSession **);
  void *before_9[1];
  OrtStatus *(*Run)(OrtSession *, const OrtRunOptions *, const char *const *names, const OrtValue *const *,
                    size_t inputs, const char *const *wanted, size_t outputs, OrtValue **);
  OrtStatus *(*CreateSessionOptions)(OrtSessionOptions **);
  void *before_49[38];
  OrtStatus *(*CreateTensorWithDataAsOrtValue)(const OrtMemoryInfo *, void *, size_t bytes, const int64_t *shape,
                                               size_t axes, int type, OrtValue **);
  void *before_51[1];
  OrtStatus *(*GetTensorMutableData)(OrtValue *, void **);
  void *before_69[17];
  OrtStatus *(*CreateCpuMemoryInfo)(int allocator, int memory, OrtMemoryInfo **);
  void *before_92[22];
  void (*ReleaseEnv)(OrtEnv *);
  void (*ReleaseStatus)(OrtStatus *);
  void (*ReleaseMemoryInfo)(OrtMemoryInfo *);
  void (*ReleaseSession)(OrtSession *);
  void (*ReleaseValue)(OrtValue *);
  void *before_100[3];
  void (*ReleaseSessionOptions)(OrtSessionOptions *);
} OrtApi;

typedef struct OrtApiBase {
  const OrtApi *(*GetApi)(uint32_t version);
  const char *(*GetVersionString)(void);
} OrtApiBase;

const OrtApiBase *OrtGetApiBase(void);
#endif
