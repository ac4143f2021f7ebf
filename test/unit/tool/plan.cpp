#include <replica/tool/plan.hpp>

#define BOOST_TEST_MODULE tool_plan
#include <replica/words/random.hpp>

#include <boost/json/serialize.hpp>
#include <boost/mpl/list.hpp>
#include <boost/test/unit_test.hpp>

#include <support/cluster.hpp>

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace {

using namespace replica;
using test::Cluster;
using Kinds = boost::mpl::list<AccountKind, ContainerKind>;

struct Planned {
    Stats stats;
    std::vector<boost::json::object> lines;

    [[nodiscard]] std::string text() const {
        std::string all;
        for (const auto& line : lines) {
            all += boost::json::serialize(line) + '\n';
        }
        return all;
    }

    /// How many lines say so.
    [[nodiscard]] std::int64_t count(const std::string& deed) const {
        return std::ranges::count_if(
            lines, [&](const auto& line) { return line.at("do").as_string() == deed; });
    }
};

template <class Kind>
Planned planned(Cluster<Kind>& cluster, std::size_t at) {
    auto& node = cluster.node(at);
    SimTransport transport(cluster.network(), cluster.clock(), node.ip);
    std::vector<Device> local;
    for (const Device& device : cluster.ring_of(at).devices()) {
        if (device.replication_ip == node.ip) {
            local.push_back(device);
        }
    }
    Planned found;
    tool::Planner planner(node.settings, node.broker, cluster.ring_of(at), transport, local);
    std::size_t last = 0;
    found.stats = planner.run([&](const boost::json::object& line) { found.lines.push_back(line); },
                              [&](std::size_t done, std::size_t total, std::int64_t databases) {
                                  BOOST_TEST(done >= last);
                                  BOOST_TEST(done <= total);
                                  BOOST_TEST(databases <= 1000);
                                  last = done;
                              });
    return found;
}

/// All that can be seen of the nodes' disks, the databases' contents included.
template <class Kind>
std::vector<std::map<std::string, std::string>> snapshot(Cluster<Kind>& cluster) {
    std::vector<std::map<std::string, std::string>> all;
    for (std::size_t at = 0; at < cluster.size(); ++at) {
        all.push_back(cluster.dump(at));
    }
    return all;
}

/// The paths at which two snapshots differ. Not the tmp directory that a server makes at its first
/// request.
std::string difference(const std::vector<std::map<std::string, std::string>>& before,
                       const std::vector<std::map<std::string, std::string>>& after) {
    std::string paths;
    for (std::size_t at = 0; at < after.size(); ++at) {
        for (const auto& [path, bytes] : after[at]) {
            const auto found = before[at].find(path);
            if (path.ends_with("/tmp/") || (found != before[at].end() && found->second == bytes)) {
                continue;
            }
            paths += std::to_string(at) + ':' + path + '\n';
        }
        for (const auto& [path, bytes] : before[at]) {
            paths += after[at].contains(path) ? "" : std::to_string(at) + ":gone: " + path + '\n';
        }
    }
    return paths;
}

/// What a plan cannot count: bytes and rows, and what is none of its business.
Stats comparable(Stats stats) {
    stats.rows = stats.bytes = 0;
    return stats;
}

std::string text_of(const Stats& stats) {
    return boost::json::serialize(tool::object_of(stats));
}

/// The plan of a node, and then a pass of a process that has just been started (--once): whether
/// the pass does what the plan has said. Returns the plan.
template <class Kind>
Planned foretold(Cluster<Kind>& cluster, std::size_t at, const std::string& when = {}) {
    const auto before = snapshot(cluster);
    const Planned plan = planned(cluster, at);
    const auto changed = difference(before, snapshot(cluster));
    BOOST_TEST(changed.empty(), when << changed);
    cluster.restart(at);
    const Stats stats = cluster.pass(at);
    const auto said = text_of(comparable(plan.stats));
    const auto done = text_of(comparable(stats));
    BOOST_TEST((said == done), when << ", node " << at << ":\n"
                                    << plan.text() << "said " << said << "\ndone " << done);
    return plan;
}

/// What happens to a cluster of four by chance.
template <class Kind>
struct Fate {
    using Name = typename Cluster<Kind>::Name;

    explicit Fate(std::uint64_t seed) : random(seed) {
        for (std::size_t at = 0; at < 4; ++at) {
            Settings& settings = cluster.node(at).settings;
            settings.per_diff = 4;
            settings.max_diffs = seed % 2 == 0 ? 20 : 2; // enough for all that is compared
            settings.peer_hold = Seconds(0);
            settings.compare_rows = seed % 2 == 0 ? 2 : 0;
            cluster.restart(at);
        }
    }

    [[nodiscard]] std::size_t any(std::size_t count) {
        return static_cast<std::size_t>(random.next() % count);
    }

    void write(std::size_t at, const Name& name) {
        const std::string row = "row" + std::to_string(any(20));
        if (!cluster.has(at, name)) {
            if (any(3) == 0) {
                cluster.create(at, name);
            }
            return;
        }
        switch (any(6)) {
        case 0:
            return cluster.put_many(at, name, row, static_cast<int>(any(30)));
        case 1:
            return cluster.erase(at, name, row);
        case 2:
            return cluster.lose(at, name, row);
        default:
            return cluster.put(at, name, row, static_cast<std::int64_t>(any(9)));
        }
    }

    void break_something(std::size_t at) {
        switch (any(4)) {
        case 0:
            return any(2) == 0 ? cluster.down(at) : cluster.up(at);
        case 1:
            // Not by reclaim_age alone: a copy would become stale between the plan and the pass.
            return cluster.clock().advance(any(20) == 0
                                               ? cluster.node(0).settings.reclaim_age + Seconds(60)
                                               : Seconds(static_cast<double>(any(100'000))));
        case 2:
            static_cast<void>(cluster.pass(at));
            return;
        default:
            if (any(4) == 0) {
                cluster.wipe(at);
                cluster.restart(at);
            }
        }
    }

    Random random;
    Cluster<Kind> cluster{4, 3};
    std::vector<Name> names{cluster.name("AUTH_a"), cluster.name("AUTH_b")};
};

} // namespace

BOOST_AUTO_TEST_CASE_TEMPLATE(each_way_of_sending_is_foretold, Kind, Kinds) {
    Cluster<Kind> cluster(3, 3);
    for (std::size_t at = 0; at < 3; ++at) {
        cluster.node(at).settings.per_diff = 4;
        cluster.restart(at);
    }
    const auto name = cluster.name("AUTH_all");
    cluster.create(0, name);
    cluster.put_many(0, name, "o", 3);
    const Planned first = foretold(cluster, 0);
    BOOST_TEST(first.count("send_file") == 2);
    BOOST_TEST(first.lines.size() == 2U);
    BOOST_TEST(first.lines[0].at("database").as_string() == cluster.path(name));
    BOOST_TEST(first.lines[0].at("name").as_string() == name.info.name());
    BOOST_TEST(first.lines[0].at("peer").as_string().starts_with("10.0.0."));
    BOOST_TEST(first.lines[0].at("why").as_string() == "has no copy: send the whole file");

    BOOST_TEST(foretold(cluster, 0).count("nothing") == 2);
    cluster.put(0, name, "new");
    const Planned rows = foretold(cluster, 0);
    BOOST_TEST(rows.count("send_rows") == 2);
    BOOST_TEST(rows.lines[0].at("from_row").as_int64() == 4);
    BOOST_TEST(rows.lines[0].at("to_row").as_int64() == 4);

    cluster.put_many(0, name, "many", 30);
    BOOST_TEST(foretold(cluster, 0).count("send_file_to_merge") == 2);
    BOOST_TEST(foretold(cluster, 1).stats.no_change + foretold(cluster, 1).stats.hashmatch > 0);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_range_with_a_row_that_waits_beside_the_file_has_its_end, Kind,
                              Kinds) {
    Cluster<Kind> cluster(2, 2);
    const auto name = cluster.name("AUTH_wait");
    cluster.create(0, name);
    cluster.put_many(0, name, "o", 3);
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.put_pending(0, name, "late");
    const Planned plan = planned(cluster, 0);
    BOOST_REQUIRE(plan.lines.size() == 1U);
    const auto& line = plan.lines[0];
    BOOST_TEST(line.at("do").as_string() == "send_rows");
    BOOST_TEST(line.at("from_row").as_int64() == line.at("to_row").as_int64());
    const std::string range = "ROWID " + std::to_string(line.at("from_row").as_int64()) + " to " +
                              std::to_string(line.at("to_row").as_int64());
    BOOST_TEST(line.at("why").as_string().find(range) != std::string::npos, plan.text());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_handoff_that_leaves_and_one_that_stays_are_foretold, Kind, Kinds) {
    Cluster<Kind> cluster(4, 3);
    const auto name = cluster.name("AUTH_away");
    const auto at = cluster.others(name)[0];
    cluster.create(at, name);
    cluster.put_many(at, name, "o", 3);
    cluster.down(cluster.primaries(name)[1]);
    const Planned held = foretold(cluster, at);
    BOOST_TEST(held.count("fail") == 1);
    BOOST_TEST(held.count("keep") == 1);
    BOOST_TEST(cluster.has(at, name));
    cluster.up(cluster.primaries(name)[1]);
    const Planned gone = foretold(cluster, at);
    BOOST_TEST(gone.count("hand_off") == 1);
    BOOST_TEST(!cluster.has(at, name));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_device_that_is_not_mounted_has_a_handoff_asked, Kind, Kinds) {
    Cluster<Kind> cluster(4, 3);
    const auto name = cluster.name("AUTH_507");
    const auto primaries = cluster.primaries(name);
    cluster.create(primaries[0], name);
    cluster.unmount(primaries[1]);
    const Planned plan = foretold(cluster, primaries[0]);
    BOOST_TEST(plan.count("ask_handoff") == 1);
    BOOST_TEST(plan.count("send_file") == 2);
    BOOST_TEST(cluster.has(cluster.others(name)[0], name));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(the_brakes_hold_in_a_plan_as_in_a_pass, Kind, Kinds) {
    Cluster<Kind> cluster(2, 1, 6);
    std::int64_t away = 0;
    for (int i = 0; i < 300; ++i) {
        const auto name = cluster.name("AUTH_" + std::to_string(i));
        cluster.create(0, name);
        away += cluster.primaries(name)[0] != 0 ? 1 : 0;
    }
    BOOST_REQUIRE(away > 110);
    cluster.node(0).settings.leave_share = 10;
    const Planned plan = foretold(cluster, 0);
    BOOST_TEST(plan.count("hand_off") == 100);
    BOOST_TEST(plan.count("keep") == away - 100);
    BOOST_TEST(foretold(cluster, 0).count("hand_off") == 0); // in the same hour
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_cannot_be_used_is_a_line, Kind, Kinds) {
    Cluster<Kind> cluster(2, 2);
    const auto name = cluster.name("AUTH_bad");
    const auto wrong = cluster.name("AUTH_wrong");
    cluster.create(0, name);
    cluster.create(0, wrong);
    cluster.node(0).settings.hash_path_suffix = "other";
    BOOST_TEST(planned(cluster, 0).count("fail") == 2);
    cluster.node(0).settings.hash_path_suffix = "changeme";
    cluster.damage(0, name, Error::corrupt);
    const Planned broken = foretold(cluster, 0);
    BOOST_TEST(broken.count("quarantine") == 1, broken.text());
    BOOST_TEST(broken.count("send_file") == 1, broken.text());

    cluster.unmount(0);
    const Planned none = foretold(cluster, 0);
    BOOST_REQUIRE(none.lines.size() == 1U);
    BOOST_TEST(none.lines[0].at("do").as_string() == "skip");
    BOOST_TEST(none.lines[0].at("why").as_string() == "is not mounted");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(with_handoffs_only_primaries_are_left_out, Kind, Kinds) {
    Cluster<Kind> cluster(2, 2);
    cluster.create(0, cluster.name("AUTH_here"));
    cluster.node(0).settings.handoffs_only = true;
    BOOST_TEST(foretold(cluster, 0).lines.empty());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_expired_and_a_stale_one_are_foretold, Kind, Kinds) {
    Cluster<Kind> cluster(3, 3);
    const auto old = cluster.name("AUTH_old");
    const auto name = cluster.name("AUTH_gone");
    cluster.create(0, old);
    cluster.put(0, old, "row");
    cluster.create(0, name);
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.clock().advance(Seconds(1));
    for (std::size_t at = 0; at < 3; ++at) {
        cluster.open(at, name).merge_timestamps(
            {"9999999999.00000", "0", cluster.clock().now().normal()});
        if constexpr (std::same_as<Kind, ContainerKind>) {
            cluster.reported(at, name);
        }
    }
    cluster.put(1, old, "another");
    cluster.clock().advance(cluster.node(0).settings.reclaim_age + Seconds(60));
    const Planned plan = foretold(cluster, 0);
    BOOST_TEST(plan.count("expire") == 1, plan.text());
    BOOST_TEST(!cluster.has(0, name));
    BOOST_TEST(foretold(cluster, 1).count("hold_back") > 0);
}

/// Whatever has happened: a plan says what the next pass does.
BOOST_AUTO_TEST_CASE_TEMPLATE(a_pass_does_what_the_plan_has_said_in_any_history, Kind, Kinds) {
    std::map<std::string, std::int64_t> seen;
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        Fate<Kind> fate(seed);
        for (int step = 0; step < 60; ++step) {
            const std::size_t at = fate.any(4);
            const auto& name = fate.names[fate.any(2)];
            if (const auto what = fate.any(12); what < 6) {
                fate.write(at, name);
            } else if (what < 10) {
                fate.break_something(at);
            } else {
                const auto plan =
                    foretold(fate.cluster, at,
                             "seed " + std::to_string(seed) + ", step " + std::to_string(step));
                for (const auto& line : plan.lines) {
                    ++seen[line.at("do").as_string().c_str()];
                }
            }
        }
    }
    for (const char* deed : {"nothing", "note_point", "send_rows", "compare", "send_file",
                             "send_file_to_merge", "hold_back", "fail", "hand_off", "keep"}) {
        BOOST_TEST(seen[deed] > 0, "never: " << deed);
    }
}
