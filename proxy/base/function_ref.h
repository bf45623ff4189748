#pragma once
// A callable that is borrowed for the length of a call: no allocation, one indirect call. For
// parameters only; it must not outlive what it was made from.
#include <memory>
#include <type_traits>
#include <utility>

namespace penstock::base {

template <class Signature>
class FunctionRef;

template <class Return, class... Arguments>
class FunctionRef<Return(Arguments...)> {
 public:
  template <class Callable>
    requires(!std::is_same_v<std::remove_cvref_t<Callable>, FunctionRef> &&
             std::is_invocable_r_v<Return, const Callable&, Arguments...>)
  FunctionRef(const Callable& callable)
      : object_(std::addressof(callable)), call_([](const void* object, Arguments... arguments) {
          return static_cast<Return>(
              (*static_cast<const Callable*>(object))(std::forward<Arguments>(arguments)...));
        }) {}

  Return operator()(Arguments... arguments) const {
    return call_(object_, std::forward<Arguments>(arguments)...);
  }

 private:
  const void* object_;
  Return (*call_)(const void*, Arguments...);
};

}  // namespace penstock::base
