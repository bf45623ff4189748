#pragma once
#include <string>
#include <string_view>

namespace penstock::directory {

inline constexpr std::string_view kService = R"(apiVersion: v1
kind: Service
metadata:
  name: NAME
spec:
  ports:
  - port: PORT
)";

inline std::string service(std::string_view name, int port = 80) {
  std::string text(kService);
  text.replace(text.find("NAME"), 4, name);
  text.replace(text.find("PORT"), 4, std::to_string(port));
  return text;
}

}  // namespace penstock::directory
