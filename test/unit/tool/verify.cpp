#include <replica/tool/verify.hpp>

#define BOOST_TEST_MODULE tool_verify
#include <boost/mpl/list.hpp>
#include <boost/test/unit_test.hpp>

#include <support/cluster.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace {

using namespace replica;
using namespace replica::tool;
using test::Cluster;
using Kinds = boost::mpl::list<AccountKind, ContainerKind>;
using Findings = std::vector<Finding>;

/// Three nodes that have the same database, and know each other as servers of ours.
template <class Kind>
struct Nodes : Cluster<Kind> {
    typename Cluster<Kind>::Name same = this->name("AUTH_same");

    Nodes() : Cluster<Kind>(3, 3) {
        for (std::size_t at = 0; at < 3; ++at) {
            this->network().serves_ours(this->node(at).ip, Cluster<Kind>::port);
        }
        this->create(0, same);
        for (int i = 0; i < 40; ++i) {
            this->put(0, same, "row" + std::to_string(i));
        }
        BOOST_REQUIRE(this->settle() > 0);
    }

    template <class Use>
    auto with_verifier(std::size_t at, Use use) {
        auto& node = this->node(at);
        SimTransport transport(this->network(), this->clock(), node.ip);
        std::vector<Device> local;
        for (const Device& device : this->ring().devices()) {
            if (device.replication_ip == node.ip) {
                local.push_back(device);
            }
        }
        Verifier verifier(node.settings, node.broker, this->ring(), transport, local, 17);
        return use(verifier);
    }

    /// What node 0 finds.
    [[nodiscard]] Findings check() {
        return with_verifier(0, [&](auto& verifier) { return verifier.check(this->path(same)); });
    }

    /// In what node 0 differs from the given one.
    [[nodiscard]] std::vector<std::string> differences(std::size_t from) {
        const std::string peer = this->node(from).ip + ":6201/";
        for (const Finding& finding : check()) {
            if (finding.peer.starts_with(this->node(from).ip)) {
                BOOST_TEST((finding.verdict == Verdict::differs) == !finding.in.empty());
                return finding.in;
            }
        }
        return {"was not asked: " + peer};
    }

    /// Changes the copy of node 2 behind everybody's back.
    void plant(const std::string& sql) { this->node(2).store.execute(this->path(same), sql); }
};

bool all(const Findings& findings, Verdict verdict) {
    return std::ranges::all_of(findings,
                               [&](const Finding& finding) { return finding.verdict == verdict; });
}

} // namespace

BOOST_AUTO_TEST_CASE_TEMPLATE(equal_replicas_are_the_same, Kind, Kinds) {
    Nodes<Kind> nodes;
    for (std::size_t at = 0; at < 3; ++at) {
        const auto findings = nodes.with_verifier(
            at, [&](auto& verifier) { return verifier.check(nodes.path(nodes.same)); });
        BOOST_TEST(findings.size() == 2U);
        for (const Finding& finding : findings) {
            BOOST_TEST((finding.verdict == Verdict::same), finding.why);
            BOOST_TEST(finding.path == nodes.path(nodes.same));
            BOOST_TEST(finding.in.empty());
        }
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(nothing_is_changed_on_any_node_by_comparing, Kind, Kinds) {
    Nodes<Kind> nodes;
    nodes.put(1, nodes.same, "more");
    nodes.erase(2, nodes.same, "row1");
    std::vector<std::map<std::string, std::string>> before;
    for (std::size_t at = 0; at < 3; ++at) {
        before.push_back(nodes.dump(at));
    }
    BOOST_TEST(all(nodes.check(), Verdict::differs));
    for (std::size_t at = 0; at < 3; ++at) {
        BOOST_TEST((nodes.dump(at) == before[at]));
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_row_that_only_one_has_is_found_at_that_one, Kind, Kinds) {
    Nodes<Kind> nodes;
    nodes.put(2, nodes.same, "more");
    BOOST_TEST(nodes.differences(1).empty());
    const auto in = nodes.differences(2);
    BOOST_TEST(std::ranges::count(in, "rows") == 1);
    BOOST_TEST(std::ranges::count(in, "count") == 1);
}

BOOST_AUTO_TEST_CASE(each_column_of_a_row_counts) {
    const std::vector<std::string> changes{"name = 'other'",
                                           "created_at = '1700000009.00000'",
                                           "size = 9",
                                           "content_type = 'x'",
                                           "etag = 'x'",
                                           "deleted = 1",
                                           "storage_policy_index = 3"};
    for (const std::string& change : changes) {
        Nodes<ContainerKind> nodes;
        nodes.plant("DROP TRIGGER object_update; UPDATE object SET " + change +
                    " WHERE name = 'row7'");
        const auto in = nodes.differences(2);
        BOOST_TEST(std::ranges::count(in, "rows") == 1, change);
        BOOST_TEST(nodes.differences(1).empty());
    }
}

BOOST_AUTO_TEST_CASE(each_column_of_an_accounts_row_counts) {
    const std::vector<std::string> changes{
        "name = 'other'",          "put_timestamp = '1700000009.00000'",    "object_count = 9",
        "bytes_used = 99",         "delete_timestamp = '1700000009.00000'", "deleted = 1",
        "storage_policy_index = 3"};
    for (const std::string& change : changes) {
        Nodes<AccountKind> nodes;
        nodes.plant("DROP TRIGGER container_update; UPDATE container SET " + change +
                    " WHERE name = 'row7'");
        BOOST_TEST(std::ranges::count(nodes.differences(2), "rows") == 1, change);
    }
}

BOOST_AUTO_TEST_CASE(each_column_of_the_info_counts_but_those_of_one_copy_alone) {
    for (const std::string column :
         {"account", "container", "created_at", "put_timestamp", "delete_timestamp", "status",
          "hash", "storage_policy_index"}) {
        Nodes<ContainerKind> nodes;
        const std::string value = column == "storage_policy_index" ? "5"
                                  : column == "hash" ? "'" + std::string(32, '7') + "'"
                                                     : "'1600000000.00000'";
        nodes.plant("UPDATE container_info SET " + column + " = " + value);
        BOOST_TEST(!nodes.differences(2).empty(), column);
    }
    for (const std::string column :
         {"status_changed_at", "reported_object_count", "reported_bytes_used",
          "x_container_sync_point1", "reconciler_sync_point"}) {
        Nodes<ContainerKind> nodes;
        nodes.plant("UPDATE container_info SET " + column + " = 77");
        BOOST_TEST(nodes.differences(2).empty(), column);
    }
    Nodes<ContainerKind> nodes;
    nodes.plant("UPDATE container_info SET metadata = "
                R"('{"X-Container-Meta-A": ["1", "1700000000.00000"]}')");
    BOOST_TEST(nodes.differences(2) == std::vector<std::string>{"metadata"},
               boost::test_tools::per_element());
    nodes.plant("UPDATE container_info SET metadata = '{}', delete_timestamp = '0000000000.00000'");
    BOOST_TEST(nodes.differences(2).empty()); // is the same as none
}

BOOST_AUTO_TEST_CASE(shard_ranges_count) {
    Nodes<ContainerKind> nodes;
    ShardRange range;
    range.name = ".shards_a/c-1";
    range.timestamp = range.meta_timestamp = range.state_timestamp = "1700000000.00000";
    for (std::size_t at = 0; at < 3; ++at) {
        nodes.open(at, nodes.same).merge_shard_ranges(std::span(&range, 1));
    }
    BOOST_TEST(nodes.differences(2).empty());
    nodes.plant("DROP TRIGGER shard_range_update; UPDATE shard_range SET reported = 1");
    BOOST_TEST(nodes.differences(2).empty()); // is told by each copy for itself
    nodes.plant("UPDATE shard_range SET upper = 'm'");
    BOOST_TEST(std::ranges::count(nodes.differences(2), "shard_range") == 1);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_copy_that_is_not_there_differs, Kind, Kinds) {
    Nodes<Kind> nodes;
    nodes.wipe(2);
    BOOST_TEST(nodes.differences(2) == std::vector<std::string>{"copy"},
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(who_cannot_be_asked_is_unknown_and_not_the_same, Kind, Kinds) {
    Nodes<Kind> nodes;
    nodes.down(1);
    nodes.unmount(2);
    const auto findings = nodes.check();
    BOOST_TEST(findings.size() == 2U);
    BOOST_TEST(all(findings, Verdict::unknown));
    for (const Finding& finding : findings) {
        BOOST_TEST(!finding.why.empty());
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(rows_that_wait_beside_the_file_leave_it_in_doubt, Kind, Kinds) {
    Nodes<Kind> nodes;
    nodes.put_pending(0, nodes.same, "late");
    const auto findings = nodes.check();
    BOOST_TEST(std::ranges::count(findings, Verdict::unknown, &Finding::verdict) == 1);
    BOOST_TEST(findings.front().peer.empty());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(each_database_of_a_device_is_found, Kind, Kinds) {
    Nodes<Kind> nodes;
    const auto other = nodes.name("AUTH_other");
    nodes.create(0, other);
    const auto found = [&](std::size_t at) {
        return nodes.with_verifier(at, [&](auto& verifier) {
            std::set<std::string> paths;
            verifier.each_on(nodes.device_path(),
                             [&](const std::string& path) { paths.insert(path); });
            return paths;
        });
    };
    BOOST_TEST((found(0) == std::set<std::string>{nodes.path(nodes.same), nodes.path(other)}));
    BOOST_TEST((found(1) == std::set<std::string>{nodes.path(nodes.same)}));
    nodes.wipe(1);
    BOOST_TEST(found(1).empty());
}

BOOST_AUTO_TEST_CASE(a_finding_is_told_to_programs) {
    const Finding finding{Verdict::differs, "/x.db", "peer", {"rows", "hash"}, ""};
    BOOST_TEST(
        boost::json::serialize(finding.json()) ==
        R"({"verdict":"differs","path":"/x.db","peer":"peer","in":["rows","hash"],"why":""})");
}

BOOST_AUTO_TEST_CASE(a_finding_in_words_says_where_and_why) {
    using tool::Verdict;
    BOOST_TEST(tool::Finding{}.text().empty());
    BOOST_TEST((tool::Finding{Verdict::differs, {}, {}, {"rows", "count"}, {}}.text() ==
                " in rows, count"));
    BOOST_TEST((tool::Finding{Verdict::unknown, {}, {}, {}, "no\nanswer"}.text() ==
                "  " + tool::printable("no\nanswer")));
}
