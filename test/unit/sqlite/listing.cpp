#include <replica/sqlite/listing.hpp>

#define BOOST_TEST_MODULE sqlite_listing
#include <boost/test/unit_test.hpp>

#include <support/sqlite_place.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <random>
#include <string>
#include <string_view>
#include <vector>

using namespace replica;
using namespace replica::test;

namespace {

using Names = std::vector<std::string>;

/// A container with live rows of these names.
struct Objects {
    ContainerPlace place;
    ContainerPlace::Database database = place.create();

    explicit Objects(const Names& names) {
        std::vector<ObjectRow> rows;
        for (const std::string& name : names) {
            rows.push_back(object(name, "0000000001.00000"));
        }
        database.put(rows);
    }

    /// Names as they are listed, folds with an arrow.
    Names list(const Listing& wanted = {}) {
        Names names;
        for (const auto& listed : database.list(wanted)) {
            names.push_back((listed.fold ? ">" : "") + listed.row.name);
        }
        return names;
    }
};

/// What list() should do, without an index, SQL or any hurry.
Names expected(Names names, const Listing& wanted) {
    Names result;
    std::ranges::sort(names);
    for (const std::string& name : names) {
        if (!name.starts_with(wanted.prefix) || name <= wanted.marker ||
            (!wanted.end_marker.empty() && name >= wanted.end_marker)) {
            continue;
        }
        const std::size_t at = wanted.delimiter.empty()
                                   ? std::string::npos
                                   : name.find(wanted.delimiter, wanted.prefix.size());
        const std::string fold = name.substr(0, at + wanted.delimiter.size());
        const std::string entry = at == std::string::npos ? name : '>' + fold;
        if (at != std::string::npos && fold == wanted.marker) {
            continue;
        }
        if (result.empty() || result.back() != entry) {
            result.push_back(entry);
        }
    }
    result.resize(std::min(result.size(), static_cast<std::size_t>(wanted.limit)));
    return result;
}

/// All entries, asked for page by page, each after the last of the page before.
Names paged(Objects& objects, Listing wanted, std::int64_t limit) {
    Names all;
    wanted.limit = limit;
    for (;;) {
        const auto page = objects.database.list(wanted);
        for (const auto& listed : page) {
            all.push_back((listed.fold ? ">" : "") + listed.row.name);
        }
        if (static_cast<std::int64_t>(page.size()) < limit) {
            return all;
        }
        wanted.marker = page.back().row.name;
    }
}

} // namespace

BOOST_AUTO_TEST_CASE(the_end_of_a_prefix_is_the_next_greater_text) {
    BOOST_TEST(sqlite::after_all("a") == "b");
    BOOST_TEST(sqlite::after_all("a/") == "a0");
    BOOST_TEST(sqlite::after_all("a\xff\xff") == "b");
    BOOST_TEST(sqlite::after_all("\x7f") == "\x80");
    BOOST_TEST(sqlite::after_all(std::string("\0", 1)) == "\x01");
    BOOST_TEST(sqlite::after_all("").empty());
    BOOST_TEST(sqlite::after_all("\xff\xff").empty());
}

BOOST_AUTO_TEST_CASE(nothing_is_listed_of_an_empty_container) {
    Objects objects({});
    BOOST_TEST(objects.list().empty());
    BOOST_TEST(objects.list({.prefix = "a", .delimiter = "/"}).empty());
}

BOOST_AUTO_TEST_CASE(live_rows_are_listed_in_the_order_of_their_bytes) {
    Objects objects({"b", "a", "B", "10", "9", "a/b", "a b", "\xc3\xa4", "z"});
    objects.database.put(tombstone("a", "0000000002.00000"));
    objects.database.put(tombstone("never", "0000000002.00000"));
    BOOST_TEST((objects.list() == Names{"10", "9", "B", "a b", "a/b", "b", "z", "\xc3\xa4"}));
}

BOOST_AUTO_TEST_CASE(a_row_is_listed_with_all_it_has) {
    Objects objects({});
    objects.database.put_object("o", Timestamp{100'000, 0}, 42, "image/png", "e");
    const auto listed = objects.database.list();
    BOOST_REQUIRE(listed.size() == 1U);
    BOOST_TEST(!listed[0].fold);
    BOOST_TEST(
        (listed[0].row == ObjectRow{1, "o", "0000000001.00000", 42, "image/png", "e", 0, 0}));
}

BOOST_AUTO_TEST_CASE(a_page_begins_after_its_marker_and_ends_before_its_end) {
    Objects objects({"a", "b", "c", "d", "e"});
    BOOST_TEST((objects.list({.marker = "b"}) == Names{"c", "d", "e"}));
    BOOST_TEST((objects.list({.marker = "bb"}) == Names{"c", "d", "e"}));
    BOOST_TEST((objects.list({.end_marker = "d"}) == Names{"a", "b", "c"}));
    BOOST_TEST((objects.list({.marker = "a", .end_marker = "d", .limit = 1}) == Names{"b"}));
    BOOST_TEST(objects.list({.marker = "e"}).empty());
    BOOST_TEST(objects.list({.marker = "d", .end_marker = "b"}).empty());
    BOOST_TEST(objects.list({.marker = "b", .end_marker = "c"}).empty());
}

BOOST_AUTO_TEST_CASE(a_limit_of_nothing_or_less_lists_nothing) {
    Objects objects({"a", "b"});
    for (const std::int64_t limit :
         {std::int64_t{0}, std::int64_t{-1}, std::numeric_limits<std::int64_t>::min()}) {
        BOOST_TEST(objects.list({.limit = limit}).empty());
    }
    BOOST_TEST(objects.list({.limit = std::numeric_limits<std::int64_t>::max()}).size() == 2U);
}

BOOST_AUTO_TEST_CASE(a_prefix_is_kept_to_whatever_the_markers_are) {
    Objects objects({"a", "ab", "ab/c", "ac", "b", "\xf4\x8f\xbf\xbf",
                     "\xf4\x8f\xbf\xbf\xf4\x8f\xbf\xbf",
                     "\xf4\x8f\xbf\xbf"
                     "a"});
    BOOST_TEST((objects.list({.prefix = "ab"}) == Names{"ab", "ab/c"}));
    BOOST_TEST((objects.list({.prefix = "a", .marker = "ab"}) == Names{"ab/c", "ac"}));
    BOOST_TEST((objects.list({.prefix = "ab", .marker = "a"}) == Names{"ab", "ab/c"}));
    BOOST_TEST((objects.list({.prefix = "ab", .marker = "ab"}) == Names{"ab/c"}));
    BOOST_TEST(objects.list({.prefix = "ab", .marker = "b"}).empty());
    BOOST_TEST(objects.list({.prefix = "ab", .end_marker = "a"}).empty());
    BOOST_TEST((objects.list({.prefix = "ab", .end_marker = "z"}) == Names{"ab", "ab/c"}));
    BOOST_TEST((objects.list({.prefix = "\xf4\x8f\xbf\xbf"}) ==
                Names{"\xf4\x8f\xbf\xbf",
                      "\xf4\x8f\xbf\xbf"
                      "a",
                      "\xf4\x8f\xbf\xbf\xf4\x8f\xbf\xbf"}));
    BOOST_TEST((objects.list({.prefix = "\xf4\x8f\xbf\xbf",
                              .end_marker = "\xf4\x8f\xbf\xbf\xf4\x8f\xbf\xbf"}) ==
                Names{"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"
                                          "a"}));
}

BOOST_AUTO_TEST_CASE(a_delimiter_folds_what_lies_behind_it) {
    Objects objects({"a", "a/1", "a/2/x", "b", "c/", "c//d", "d"});
    BOOST_TEST((objects.list({.delimiter = "/"}) == Names{"a", ">a/", "b", ">c/", "d"}));
    BOOST_TEST((objects.list({.prefix = "a/", .delimiter = "/"}) == Names{"a/1", ">a/2/"}));
    BOOST_TEST((objects.list({.prefix = "a", .delimiter = "/"}) == Names{"a", ">a/"}));
    BOOST_TEST((objects.list({.prefix = "c/", .delimiter = "/"}) == Names{"c/", ">c//"}));
    BOOST_TEST((objects.list({.delimiter = "/", .limit = 2}) == Names{"a", ">a/"}));
    BOOST_TEST((objects.list({.marker = "a/", .delimiter = "/"}) == Names{"b", ">c/", "d"}));
    BOOST_TEST(
        (objects.list({.marker = "a/1", .delimiter = "/"}) == Names{">a/", "b", ">c/", "d"}));
    BOOST_TEST((objects.list({.end_marker = "a/2", .delimiter = "/"}) == Names{"a", ">a/"}));
}

BOOST_AUTO_TEST_CASE(a_delimiter_may_be_long_and_may_hold_anything) {
    Objects objects({"a::b", "a:b", "a::c", std::string("n\0x", 3), std::string("n\0y", 3)});
    const std::string nul(1, '\0');
    BOOST_TEST((objects.list({.prefix = "a", .delimiter = "::"}) == Names{">a::", "a:b"}));
    BOOST_TEST((objects.list({.prefix = "n", .delimiter = nul}) == Names{">n" + nul}));
    Objects high({"a\xf4\x8f\xbf\xbf",
                  "a\xf4\x8f\xbf\xbf"
                  "b",
                  "b"});
    BOOST_TEST((high.list({.delimiter = "\xf4\x8f\xbf\xbf"}) == Names{">a\xf4\x8f\xbf\xbf", "b"}));
    Objects only({"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"
                                      "a"}); // nothing is greater than all that begin with it
    BOOST_TEST((only.list({.delimiter = "\xf4\x8f\xbf\xbf"}) == Names{">\xf4\x8f\xbf\xbf"}));
}

BOOST_AUTO_TEST_CASE(reserved_names_are_listed_like_others_and_can_be_left_out) {
    const std::string reserved("\0versions\0o\0v1", 14);
    Objects objects({reserved, "o", std::string("o\0", 2)});
    BOOST_TEST((objects.list() == Names{reserved, "o", std::string("o\0", 2)}));
    BOOST_TEST((objects.list({.prefix = std::string(1, '\0')}) == Names{reserved}));
    BOOST_TEST((objects.list({.marker = "\x01"}) == Names{"o", std::string("o\0", 2)}));
    BOOST_TEST((objects.list({.marker = "o"}) == Names{std::string("o\0", 2)}));
}

BOOST_AUTO_TEST_CASE(names_beyond_ascii_are_listed_by_their_bytes) {
    const Names names{"\xc3\xa9tude", "\xe2\x98\x83/1", "\xe2\x98\x83/2", "\xf0\x9f\x98\x80"};
    Objects objects(names);
    BOOST_TEST((objects.list() == names));
    BOOST_TEST((objects.list({.delimiter = "/"}) == Names{names[0], ">\xe2\x98\x83/", names[3]}));
    BOOST_TEST((objects.list({.prefix = "\xe2\x98\x83/", .marker = names[1]}) == Names{names[2]}));
}

BOOST_AUTO_TEST_CASE(rows_of_each_policy_are_listed_for_themselves) {
    Objects objects({"a"});
    objects.database.put(object("b", "0000000001.00000", 1, 1));
    BOOST_TEST((objects.list() == Names{"a"}));
    BOOST_TEST((objects.list({.storage_policy_index = 1}) == Names{"b"}));
    BOOST_TEST(objects.list({.storage_policy_index = 2}).empty());
}

BOOST_AUTO_TEST_CASE(containers_of_all_policies_are_listed_together) {
    const TemporaryDirectory directory;
    SimTimedAccounts broker;
    auto account = broker.create(directory.path() + "/a.db", AccountInfo{});
    account.put_container("b", Timestamp{100'000, 0}, 1, 2, 1);
    account.put_container("a", Timestamp{100'000, 0}, 3, 4, 0);
    account.put_container("gone", Timestamp{100'000, 0});
    account.delete_container("gone", Timestamp{200'000, 0});
    const auto listed = account.list();
    BOOST_REQUIRE(listed.size() == 2U);
    BOOST_TEST(listed[0].row.name == "a");
    BOOST_TEST(listed[1].row.object_count == 1);
}

BOOST_AUTO_TEST_CASE(every_listing_is_what_a_plain_search_gives) {
    std::mt19937 random(11);
    const auto text = [&](std::size_t longest) {
        std::string letters;
        for (std::size_t i = random() % (longest + 1); i > 0; --i) {
            const auto letter = random() % 5;
            letters += letter == 4 ? "\xf4\x8f\xbf\xbf" : std::string("ab/\0", 4).substr(letter, 1);
        }
        return letters;
    };
    for (int round = 0; round < 20; ++round) {
        Names names;
        for (int i = 0; i < 40; ++i) {
            names.push_back('a' + text(4));
            names.push_back("\xf4\x8f\xbf\xbf" + text(3));
        }
        std::ranges::sort(names);
        names.erase(std::ranges::unique(names).begin(), names.end());
        Objects objects(names);
        for (int i = 0; i < 200; ++i) {
            Listing wanted{.prefix = text(2),
                           .marker = text(3),
                           .end_marker = text(2),
                           .delimiter = text(random() % 3),
                           .limit = static_cast<std::int64_t>(random() % 30)};
            const Names right = expected(names, wanted);
            BOOST_TEST_CONTEXT("prefix " << wanted.prefix << " marker " << wanted.marker << " end "
                                         << wanted.end_marker << " delimiter "
                                         << wanted.delimiter) {
                BOOST_REQUIRE((objects.list(wanted) == right));
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(pages_of_any_size_give_everything_once) {
    Objects objects({"a", "a/1", "a/2", "b/1", "b/2", "c", "d/", "d/x", "e"});
    for (const std::string delimiter : {"", "/"}) {
        const Names all = objects.list({.delimiter = delimiter});
        for (std::int64_t limit = 1; limit < 11; ++limit) {
            BOOST_TEST((paged(objects, {.delimiter = delimiter}, limit) == all));
        }
    }
}

BOOST_AUTO_TEST_CASE(a_file_that_was_replaced_is_not_listed) {
    Objects objects({"a"});
    std::filesystem::remove(objects.place.path());
    require_refused(Error::moved, objects.place.path(), objects.place.directory,
                    [&] { return objects.list(); });
}
