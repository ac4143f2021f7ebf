// Which rows are misplaced, which queue they go to and what stands there is what Swift's own
// functions say. Swift is Debian's own python3-swift; policies.py does its part.

#define BOOST_TEST_MODULE swift_schema_policies

#include <replica/container/queue_entry.hpp>
#include <replica/sqlite/container.hpp>
#include <replica/words/json.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <boost/json/value_to.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace {

using namespace replica;
namespace fs = std::filesystem;

struct Swift {
    Swift() {
        std::string pattern = (fs::temp_directory_path() / "replica-policies-XXXXXX").string();
        BOOST_REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        root = pattern;
        // Tests run in the root of the source tree.
        const std::string command = "/usr/bin/python3 test/swift_schema/policies.py " +
                                    root.string() + " > " + root.string() + "/out";
        BOOST_REQUIRE_MESSAGE(std::system(command.c_str()) == 0,
                              "policies.py failed; it needs the package python3-swift");
        std::ifstream out(root / "out");
        said = boost::json::parse(std::string(std::istreambuf_iterator(out), {})).as_object();
    }
    Swift(const Swift&) = delete;
    Swift& operator=(const Swift&) = delete;
    ~Swift() { fs::remove_all(root); }

    fs::path root;
    boost::json::object said;
};

[[nodiscard]] std::string text(const boost::json::value& value) {
    return boost::json::value_to<std::string>(value);
}

/// The columns in the script's order; no ROWID.
[[nodiscard]] ObjectRow row(const boost::json::value& value) {
    const auto& columns = value.as_array();
    return {-1,
            text(columns[0]),
            text(columns[1]),
            columns[2].to_number<std::int64_t>(),
            text(columns[3]),
            text(columns[4]),
            columns[5].to_number<std::int64_t>(),
            columns[6].to_number<std::int64_t>()};
}

[[nodiscard]] std::vector<ObjectRow> rows(const boost::json::value& value) {
    std::vector<ObjectRow> result;
    for (const auto& each : value.as_array()) {
        result.push_back(row(each));
    }
    return result;
}

void forget_rowids(std::vector<ObjectRow>& rows) {
    std::ranges::for_each(rows, [](ObjectRow& each) { each.rowid = -1; });
}

using Entries = std::map<std::string, std::vector<ObjectRow>>; // by queue

void compare_names(const boost::json::object& said) {
    // No server writes these. Python reads them by accident, and we leave them unqueued; of six
    // decimals Swift cuts off the last where it names a queue, and rounds everywhere else.
    const std::set<std::string> accidents{" 1402464677.04188",
                                          "1402464677.04188 ",
                                          "1e9",
                                          "1402464677.04188+0x10",
                                          "1402464677.04188+1_0",
                                          "1402464677.04188_",
                                          "1402464677.04188+5+5+5",
                                          ".5",
                                          "1402466399.999996"};
    std::set<std::string> met;
    for (const auto& pair : said.at("names").as_array()) {
        const std::string created_at = text(pair.at(0));
        const std::string theirs = pair.at(1).is_null() ? "none" : text(pair.at(1));
        if (reconciler::queue_name(created_at).value_or("none") != theirs) {
            met.insert(created_at);
            BOOST_TEST(accidents.contains(created_at), "created_at '" << created_at << "'");
        }
    }
    BOOST_TEST((met == accidents));
}

/// Returns what has to be queued.
[[nodiscard]] Entries compare_containers(ContainerBroker& broker, const boost::json::object& said) {
    Entries entries;
    for (const auto& container : said.at("containers").as_array()) {
        auto database = broker.open(text(container.at("path")), Instant::max());
        const auto info = database.info();
        BOOST_TEST(info.several_policies);
        BOOST_TEST(info.reconciler_sync_point == -1);
        auto found = database.misplaced(-1, info.max_row, 10'000);
        const auto root_path = reconciler::root_path(info).value();
        std::vector<ObjectRow> queued;
        for (const ObjectRow& each : found) {
            queued.push_back(reconciler::queue_row(each, root_path));
            entries[reconciler::queue_name(each.created_at).value()].push_back(queued.back());
        }
        forget_rowids(found);
        BOOST_TEST(found.size() > 100U);
        BOOST_TEST((found == rows(container.at("misplaced"))));
        BOOST_TEST((queued == rows(container.at("queue_rows"))));
    }
    return entries;
}

/// The queues that Swift has made, and ours of the same entries.
void compare_queues(ContainerBroker& broker, const boost::json::object& said,
                    const Entries& entries, const std::string& root) {
    BOOST_TEST(said.at("queues").as_array().size() == entries.size());
    for (const auto& queue : said.at("queues").as_array()) {
        const std::string name = text(queue.at("name"));
        ContainerInfo info;
        info.account = ".misplaced_objects";
        info.container = name;
        info.put_timestamp = name;
        auto database = broker.create(root + "/ours/" + name + ".db", info);
        database.merge_items(entries.at(name), {});
        const auto made = database.info();
        BOOST_TEST(made.account == text(queue.at("account")));
        BOOST_TEST(made.put_timestamp == text(queue.at("put_timestamp")));
        BOOST_TEST(made.storage_policy_index == queue.at("policy").to_number<std::int64_t>());
        auto ours = database.items_since(-1, 10'000);
        forget_rowids(ours);
        std::ranges::sort(ours, {}, &ObjectRow::name);
        auto theirs = rows(queue.at("rows"));
        std::ranges::sort(theirs, {}, &ObjectRow::name);
        BOOST_TEST((ours == theirs), "queue " << name);
    }
}

/// Swift forgets the rows below its point when another policy makes them wrong; we do not.
void compare_change_of_policy(ContainerBroker& broker, const boost::json::object& said,
                              const std::string& root) {
    BOOST_TEST(said.at("left_behind").to_number<int>() == 0);
    const std::string place = root + "/changed/changed.db";
    auto database = broker.open(place, Instant::max());
    database.set_storage_policy_index(1, SystemClock().now());
    const auto info = database.info();
    BOOST_TEST(database.misplaced(info.reconciler_sync_point, info.max_row, 10'000).size() > 100U);
}

} // namespace

BOOST_FIXTURE_TEST_CASE(misplaced_rows_and_their_entries_are_those_of_swift, Swift) {
    ContainerBroker broker;
    compare_names(said);
    const auto entries = compare_containers(broker, said);
    compare_queues(broker, said, entries, root.string());
    compare_change_of_policy(broker, said, root.string());
}
