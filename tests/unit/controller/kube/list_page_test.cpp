#include "controller/kube/list_page.h"

#include <gtest/gtest.h>

#include "controller/kube/client.h"
#include "controller/kube/paths.h"

namespace penstock::kube {
namespace {

TEST(ListPage, CutsItemsOutAsTheyAre) {
  std::string text = R"({"kind":"IngressList","metadata":{"resourceVersion":"42","continue":"abc"},
    "items":[ {"spec":{"x":"}{][\"","metadata":{"name":"not me"}}, "metadata":{"uid":"u","name":"web",
    "namespace":"shop","resourceVersion":"7","labels":{"name":"no"}}} , {"metadata":{"name":"b\u00e9","resourceVersion":"8"}}
    ]})";
  const auto page = parse_list_page(text);
  ASSERT_TRUE(page) << page.error().message;
  EXPECT_EQ(page->resource_version, "42");
  EXPECT_EQ(page->continue_token, "abc");
  ASSERT_EQ(page->items.size(), 2U);
  EXPECT_EQ(page->items[0].name, "web");
  EXPECT_EQ(page->items[0].name_space, "shop");
  EXPECT_EQ(page->items[0].resource_version, "7");
  EXPECT_TRUE(page->items[0].json.starts_with(R"({"spec":{"x":"}{)"));
  EXPECT_TRUE(page->items[0].json.ends_with(R"("no"}}})"));
  EXPECT_EQ(page->items[1].name, "b\xc3\xa9");
  EXPECT_EQ(page->items[1].json, R"({"metadata":{"name":"b\u00e9","resourceVersion":"8"}})");
}

TEST(ListPage, ItemsBeforeMetadataAndNullItems) {
  std::string text = R"({"items":null,"metadata":{"resourceVersion":"1"}})";
  const auto page = parse_list_page(text);
  ASSERT_TRUE(page) << page.error().message;
  EXPECT_TRUE(page->items.empty());
  EXPECT_EQ(page->resource_version, "1");
  EXPECT_EQ(page->continue_token, "");
}

TEST(ListPage, EveryTruncationIsRefused) {
  const std::string whole =
      R"({"metadata":{"resourceVersion":"1"},"items":[{"metadata":{"name":"a"}},{"metadata":{"name":"b"}}]})";
  for (std::size_t size = 0; size < whole.size(); ++size) {
    std::string text = whole.substr(0, size);
    EXPECT_FALSE(parse_list_page(text)) << text;
  }
}

TEST(ListPage, RefusesOtherShapes) {
  for (const char* bad : {"[]", "null", "<html>", R"({"metadata":{}})", R"({"items":[]})",
                          R"({"metadata":{"resourceVersion":1},"items":[]})",
                          R"({"metadata":{"resourceVersion":"1"},"items":[3]})",
                          R"({"metadata":{"resourceVersion":"1"},"items":{}})",
                          R"({"metadata":{"resourceVersion":"1"},"items":[{}]})"}) {
    std::string text = bad;
    EXPECT_FALSE(parse_list_page(text)) << bad;
  }
}

TEST(WatchEvent, ReadsEachType) {
  const std::pair<const char*, WatchEventType> types[] = {{"ADDED", WatchEventType::kAdded},
                                                          {"MODIFIED", WatchEventType::kModified},
                                                          {"DELETED", WatchEventType::kDeleted}};
  for (const auto& [name, type] : types) {
    std::string line =
        std::string(R"({"type":")") + name +
        R"(","object":{"metadata":{"name":"a","namespace":"n","resourceVersion":"9"}}})";
    const auto event = parse_watch_event(line);
    ASSERT_TRUE(event) << event.error().message;
    EXPECT_EQ(event->type, type);
    EXPECT_EQ(event->object.name_space, "n");
    EXPECT_EQ(event->object.json,
              R"({"metadata":{"name":"a","namespace":"n","resourceVersion":"9"}})");
  }
}

TEST(WatchEvent, BookmarkAndError) {
  std::string bookmark =
      R"({"object":{"kind":"Ingress","metadata":{"resourceVersion":"12","creationTimestamp":null}},"type":"BOOKMARK"})";
  const auto mark = parse_watch_event(bookmark);
  ASSERT_TRUE(mark) << mark.error().message;
  EXPECT_EQ(mark->type, WatchEventType::kBookmark);
  EXPECT_EQ(mark->object.resource_version, "12");
  std::string error =
      R"({"type":"ERROR","object":{"kind":"Status","message":"too old","reason":"Expired","code":410}})";
  const auto gone = parse_watch_event(error);
  ASSERT_TRUE(gone) << gone.error().message;
  EXPECT_EQ(gone->status_code, 410);
  EXPECT_EQ(gone->message, "too old");
}

TEST(WatchEvent, RefusesOtherShapes) {
  for (const char* bad : {"", "x", "{}", R"({"type":"ADDED"})", R"({"type":"ADDED","object":{}})",
                          R"({"type":"ADDED","object":{"metadata":{"resourceVersion":"1"}}})",
                          R"({"type":"ADDED","object":[]})"}) {
    std::string line = bad;
    EXPECT_FALSE(parse_watch_event(line)) << bad;
  }
}

TEST(StatusMessage, FallsBackToTheText) {
  EXPECT_EQ(status_message(R"({"kind":"Status","message":"no such thing"})"), "no such thing");
  EXPECT_EQ(status_message("404 page not found\n").substr(0, 18), "404 page not found");
  EXPECT_EQ(status_message(""), "");
}

TEST(Paths, CoreNamedAndEncoded) {
  EXPECT_EQ(collection_path("v1", "services"), "/api/v1/services");
  EXPECT_EQ(collection_path("discovery.k8s.io/v1", "endpointslices", "shop"),
            "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices");
  EXPECT_EQ(object_path({objects::Kind::kSecret, "a/../b", "x?y"}),
            "/api/v1/namespaces/a%2F..%2Fb/secrets/x%3Fy");
}

TEST(RetryAfter, WholeSecondsOnly) {
  EXPECT_EQ(parse_retry_after(" 7 "), std::chrono::seconds(7));
  EXPECT_FALSE(parse_retry_after("-1"));
  EXPECT_FALSE(parse_retry_after("Wed, 21 Oct 2026 07:28:00 GMT"));
}

}  // namespace
}  // namespace penstock::kube
