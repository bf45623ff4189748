// What an API server, or somebody in its place, sends to the admission webhook.
#include "controller/admission/review.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  penstock::admission::ReviewReader reader;
  const auto review = reader.read({reinterpret_cast<const char*>(data), size});
  if (review) penstock::admission::write_answer(review->uid, {});
  return 0;
}
