#include <replica/rows/metadata.hpp>

#define BOOST_TEST_MODULE sqlite_metadata
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

using namespace replica;

namespace {

Metadata of(const std::vector<MetadataItem>& items) {
    Metadata metadata;
    for (const MetadataItem& item : items) {
        metadata.set(item);
    }
    return metadata;
}

} // namespace

BOOST_AUTO_TEST_CASE(it_is_written_as_python_writes_it) {
    // json.dumps({'X-A': ['\u00e9"\\\u20ac\U0001f600\x7f\n', '1'], 'X-B': ['', '2']})
    const Metadata metadata =
        of({{"X-A", "\xc3\xa9\"\\\xe2\x82\xac\xf0\x9f\x98\x80\x7f\n", "1"}, {"X-B", "", "2"}});
    BOOST_TEST(metadata.text() == R"({"X-A": ["\u00e9\"\\\u20ac\ud83d\ude00\u007f\n", "1"], )"
                                  R"("X-B": ["", "2"]})");
    BOOST_TEST((Metadata::parse(metadata.text()) == metadata));
    BOOST_TEST(Metadata().text() == "{}");
}

BOOST_AUTO_TEST_CASE(keys_stay_in_the_order_in_which_they_came) {
    const std::string text = R"({"Z": ["1", "1"], "A": ["2", "1"], "M": ["3", "1"]})";
    BOOST_TEST(Metadata::parse(text).text() == text);
}

BOOST_AUTO_TEST_CASE(nothing_is_no_metadata) {
    BOOST_TEST(Metadata::parse("").items().empty());
    BOOST_TEST(Metadata::parse("{}").items().empty());
}

BOOST_AUTO_TEST_CASE(what_is_no_metadata_is_refused_with_the_key_named) {
    for (const std::string text :
         {"x", "[]", "7", "null", "\"a\"", "{", R"({"Key": 1})", R"({"Key": []})",
          R"({"Key": ["v"]})", R"({"Key": ["v", "1", "2"]})", R"({"Key": [1, "1"]})",
          R"({"Key": ["v", 1]})", R"({"Key": ["v", "soon"]})", R"({"Key": [null, "1"]})",
          R"({"Key": {"v": "1"}})"}) {
        BOOST_TEST_CONTEXT(text) {
            BOOST_CHECK_EXCEPTION(Metadata::parse(text), Failure, [&](const Failure& failure) {
                return failure.error() == Error::bad_request &&
                       (text.find("Key") == std::string::npos ||
                        std::string(failure.what()).find("Key") != std::string::npos);
            });
            BOOST_TEST(Metadata::parse_stored(text).items().empty());
        }
    }
}

BOOST_AUTO_TEST_CASE(the_newest_value_of_each_key_is_kept) {
    Metadata metadata = of({{"A", "old", "0000000001.00000"}, {"B", "b", "0000000005.00000"}});
    BOOST_TEST(
        metadata.merge(of({{"A", "new", "0000000002.00000"}, {"B", "x", "0000000004.00000"}})));
    BOOST_TEST(metadata.find("A").value() == "new");
    BOOST_TEST(metadata.find("B").value() == "b");
    BOOST_TEST(!metadata.merge(of({{"A", "old", "0000000001.00000"}})));
    BOOST_TEST(!metadata.merge(metadata));
}

BOOST_AUTO_TEST_CASE(times_are_compared_as_times) {
    Metadata metadata = of({{"A", "nine", "9"}});
    BOOST_TEST(metadata.merge(of({{"A", "ten", "0000000010.00000"}})));
    BOOST_TEST(metadata.find("A").value() == "ten");
}

BOOST_AUTO_TEST_CASE(a_deleted_key_is_remembered_until_it_is_old) {
    Metadata metadata = of({{"A", "a", "0000000001.00000"}});
    BOOST_TEST(metadata.merge(of({{"A", "", "0000000002.00000"}})));
    BOOST_TEST(!metadata.find("A").has_value());
    BOOST_TEST(!metadata.merge(of({{"A", "back", "0000000001.50000"}})));
    BOOST_TEST(!metadata.reclaim(Timestamp{200'000, 0}, metadata));
    BOOST_TEST(metadata.items().size() == 1U);
    BOOST_TEST(metadata.reclaim(Timestamp{200'001, 0}, Metadata(metadata)));
    BOOST_TEST(metadata.items().empty());
    Metadata live = of({{"A", "a", "0000000001.00000"}});
    BOOST_TEST(!live.reclaim(Timestamp{900'000, 0}, live));
}

BOOST_AUTO_TEST_CASE(the_oldest_deletion_is_that_of_a_key_without_a_value) {
    const Timestamp none{900'000, 0};
    BOOST_TEST((Metadata().oldest_deletion(none) == none));
    const Metadata live = of({{"A", "a", "0000000001.00000"}});
    BOOST_TEST((live.oldest_deletion(none) == none));
    const Metadata deleted = of({{"A", "a", "0000000001.00000"},
                                 {"B", "", "0000000003.00000"},
                                 {"C", "", "0000000002.00000"}});
    BOOST_TEST((deleted.oldest_deletion(none) == Timestamp{200'000, 0}));
}

BOOST_AUTO_TEST_CASE(a_deleted_key_that_peers_do_not_have_yet_is_remembered_however_old_it_is) {
    Metadata metadata = of({{"A", "", "0000000001.00000"}, {"B", "", "0000000001.00000"}});
    const Metadata confirmed =
        of({{"A", "", "0000000000.50000"}, {"B", "", "0000000001.00000"}}); // A deleted again
    BOOST_TEST(metadata.reclaim(Timestamp{900'000, 0}, confirmed));
    BOOST_TEST((metadata == of({{"A", "", "0000000001.00000"}})));
    BOOST_TEST(!metadata.reclaim(Timestamp{900'000, 0}, confirmed));
}

BOOST_AUTO_TEST_CASE(an_old_deletion_is_news_only_of_a_key_that_is_there) {
    const Metadata gone = of({{"A", "", "0000000002.00000"}, {"B", "", "0000000002.00000"}});
    Metadata metadata = of({{"A", "a", "0000000001.00000"}});
    BOOST_TEST(metadata.merge(gone, Timestamp{200'001, 0}));
    BOOST_TEST((metadata == of({{"A", "", "0000000002.00000"}})));
    BOOST_TEST(!metadata.merge(gone, Timestamp{200'001, 0}));
    BOOST_TEST(metadata.merge(gone, Timestamp{200'000, 0})); // as young as it may be
    BOOST_TEST(metadata.merge(of({{"C", "late", "0000000001.00000"}}), Timestamp{200'001, 0}));
}

BOOST_AUTO_TEST_CASE(the_order_of_merging_does_not_matter) {
    std::mt19937 random(3);
    for (int round = 0; round < 500; ++round) {
        std::vector<MetadataItem> items;
        for (int i = 0; i < 6; ++i) {
            items.push_back({std::string(1, static_cast<char>('A' + random() % 2)),
                             std::string(random() % 3, 'v'), std::to_string(random() % 2)});
        }
        const auto outcome = [&] {
            auto sorted = of(items).items();
            std::ranges::sort(sorted, {}, &MetadataItem::key);
            return sorted;
        };
        const auto first = outcome();
        std::ranges::shuffle(items, random);
        items.push_back(items.front());
        BOOST_REQUIRE((outcome() == first));
    }
}
