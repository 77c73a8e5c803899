/* Where a sound is, without Python: hear MODEL.onnx SOUND.wav
 *
 * MODEL.onnx is what `bastzoo export default MODEL.onnx` writes; SOUND.wav a stereo file of 16-bit samples at
 * 16 kHz, the left ear first. Prints a line for each half second of it.
 *
 *     cc hear.c -o hear -I$ORT/include -L$ORT/lib -Wl,-rpath,$ORT/lib -lonnxruntime -lm
 */
#include <math.h>
#include <onnxruntime_c_api.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 8000, RATE = 16000 };

static const OrtApi *ort;

static void fail(const char *what, const char *why) {
  fprintf(stderr, "hear: %s: %s\n", what, why);
  exit(1);
}

static void check(OrtStatus *status, const char *what) {
  if (status) fail(what, ort->GetErrorMessage(status));
}

/* Leaves the file at its first sample. */
static FILE *opened(const char *path) {
  unsigned char head[12], chunk[8], format[16] = {0};
  FILE *file = fopen(path, "rb");
  if (!file) fail(path, "cannot be read");
  if (fread(head, 1, 12, file) < 12 || memcmp(head, "RIFF", 4) || memcmp(head + 8, "WAVE", 4))
    fail(path, "is no WAV file");
  while (fread(chunk, 1, 8, file) == 8 && memcmp(chunk, "data", 4)) {
    long size = chunk[4] | chunk[5] << 8 | chunk[6] << 16 | (long)chunk[7] << 24, read = 0;
    if (!memcmp(chunk, "fmt ", 4)) read = (long)fread(format, 1, 16, file);
    fseek(file, size + size % 2 - read, SEEK_CUR);
  }
  if (format[0] != 1 || format[2] != 2 || (format[4] | format[5] << 8) != RATE || format[14] != 16)
    fail(path, "has not two channels of 16-bit samples at 16 kHz");
  return file;
}

int main(int count, char **words) {
  if (count != 3) fail("usage", "hear MODEL.onnx SOUND.wav");
  if (!(ort = OrtGetApiBase()->GetApi(ORT_API_VERSION))) fail("onnxruntime", "is older than its header");
  OrtEnv *env;
  OrtSessionOptions *options;
  OrtSession *session;
  OrtMemoryInfo *memory;
  check(ort->CreateEnv(ORT_LOGGING_LEVEL_WARNING, "hear", &env), "onnxruntime");
  check(ort->CreateSessionOptions(&options), "onnxruntime");
  check(ort->CreateSession(env, words[1], options, &session), words[1]);
  check(ort->CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &memory), "onnxruntime");

  float clip[2][SAMPLES], *direction;
  unsigned char frame[4];
  const int64_t shape[] = {1, 2, SAMPLES};
  const char *taken[] = {"clips"}, *answered[] = {"direction"};
  FILE *file = opened(words[2]);
  for (int start = 0, heard = SAMPLES; heard == SAMPLES; start += SAMPLES) {
    memset(clip, 0, sizeof clip);
    for (heard = 0; heard < SAMPLES && fread(frame, 1, 4, file) == 4; heard++)
      for (int ear = 0; ear < 2; ear++)
        clip[ear][heard] = (int16_t)(frame[2 * ear] | frame[2 * ear + 1] << 8) / 32768.0f;
    if (!heard) break;
    OrtValue *clips, *found = NULL;
    check(ort->CreateTensorWithDataAsOrtValue(memory, clip, sizeof clip, shape, 3,
                                              ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, &clips), "clips");
    check(ort->Run(session, NULL, taken, (const OrtValue *const *)&clips, 1, answered, 1, &found), words[1]);
    check(ort->GetTensorMutableData(found, (void **)&direction), "direction");
    printf("%.2f s\t%.1f degrees\n", (double)start / RATE, atan2(direction[1], direction[0]) * 57.29578);
    ort->ReleaseValue(clips);
    ort->ReleaseValue(found);
  }
  fclose(file);
  ort->ReleaseMemoryInfo(memory);
  ort->ReleaseSession(session);
  ort->ReleaseSessionOptions(options);
  ort->ReleaseEnv(env);
  return 0;
}
