#include <replica/send/explain.hpp>

#define BOOST_TEST_MODULE explain
#include <boost/mpl/list.hpp>
#include <boost/test/unit_test.hpp>

#include <support/cluster.hpp>

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace replica;
using test::Cluster;
using Kinds = boost::mpl::list<AccountKind, ContainerKind>;

template <class Kind>
std::string explained(Cluster<Kind>& cluster, std::size_t at, const std::string& path) {
    auto& node = cluster.node(at);
    const SimTransport transport(cluster.network(), cluster.clock(), node.ip);
    return explain(path, node.settings, node.broker, cluster.ring(), transport,
                   [&](const Device& device) { return device.replication_ip == node.ip; });
}

bool says(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

/// All that can be seen of the nodes' disks, the databases' contents included.
template <class Kind>
std::string snapshot(Cluster<Kind>& cluster) {
    std::string all;
    for (std::size_t i = 0; i < cluster.size(); ++i) {
        for (const auto& [path, bytes] : cluster.dump(i)) {
            all += path + '=' + bytes + '\n';
        }
    }
    return all;
}

} // namespace

BOOST_AUTO_TEST_CASE_TEMPLATE(nothing_is_changed_on_any_node, Kind, Kinds) {
    Cluster<Kind> cluster(3, 3);
    const auto name = cluster.name("AUTH_still");
    cluster.create(0, name);
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.put(0, name, "mine");
    cluster.put(1, name, "yours");
    cluster.erase(2, name, "gone");
    const auto before = snapshot(cluster);
    for (std::size_t at = 0; at < 3; ++at) {
        static_cast<void>(explained(cluster, at, cluster.path(name)));
    }
    BOOST_TEST((snapshot(cluster) == before));
    cluster.put(0, name, "more");
    BOOST_TEST((snapshot(cluster) != before)); // a snapshot does see a row
}

BOOST_AUTO_TEST_CASE_TEMPLATE(rows_in_the_pending_file_are_mentioned_and_left, Kind, Kinds) {
    Cluster<Kind> cluster(3, 3);
    const auto name = cluster.name("AUTH_pending");
    cluster.create(0, name);
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.put_pending(0, name, "late");
    const auto before = snapshot(cluster);
    BOOST_TEST(says(explained(cluster, 0, cluster.path(name)), ".pending and are not counted"));
    BOOST_TEST((snapshot(cluster) == before));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(equal_replicas_have_nothing_to_send, Kind, Kinds) {
    Cluster<Kind> cluster(3, 3);
    const auto name = cluster.name("AUTH_equal");
    cluster.create(0, name);
    cluster.put_many(0, name, "o", 3);
    BOOST_REQUIRE(cluster.settle() > 0);
    const auto text = explained(cluster, 0, cluster.path(name));
    BOOST_TEST(says(text, "holds " + name.info.name() + "\n"));
    BOOST_TEST(says(text, "It belongs here: sda is a primary"));
    BOOST_TEST(says(text, "It stays.\n"));
    BOOST_TEST(says(text, "Peer 10.0.0.2:6201/sda\n"));
    BOOST_TEST(says(text, "Peer 10.0.0.3:6201/sda\n"));
    BOOST_TEST(!says(text, "Peer 10.0.0.1"));
    BOOST_TEST(says(text, "-> nothing to send: "));
    BOOST_TEST(!says(text, "-> send"));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_peer_that_lacks_rows_is_to_get_them, Kind, Kinds) {
    Cluster<Kind> cluster(2, 2);
    const auto name = cluster.name("AUTH_rows");
    cluster.create(0, name);
    cluster.put_many(0, name, "o", 3);
    BOOST_REQUIRE(cluster.settle() > 0);
    cluster.put(0, name, "new");
    BOOST_TEST(says(explained(cluster, 0, cluster.path(name)), "-> send rows, ROWID 4 to 4: "));
    const Stats stats = cluster.pass(0);
    BOOST_TEST(stats.diff == 1); // and so it goes
    BOOST_TEST(stats.rows == 1);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_peer_without_a_copy_is_to_get_the_file, Kind, Kinds) {
    Cluster<Kind> cluster(2, 2);
    const auto name = cluster.name("AUTH_absent");
    cluster.create(0, name);
    BOOST_TEST(
        says(explained(cluster, 0, cluster.path(name)), "has no copy\n  -> send the whole file\n"));
    BOOST_TEST(!cluster.has(1, name));
    BOOST_TEST(cluster.pass(0).rsync == 1);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_peer_that_is_down_is_named, Kind, Kinds) {
    Cluster<Kind> cluster(2, 2);
    const auto name = cluster.name("AUTH_down");
    cluster.create(0, name);
    cluster.down(1);
    BOOST_TEST(says(explained(cluster, 0, cluster.path(name)),
                    "Peer 10.0.0.2:6201/sda\n  no answer: 10.0.0.2:6201/sda"));
}

BOOST_AUTO_TEST_CASE(a_refusing_peer_is_stood_in_for_unless_it_is_full) {
    Cluster<ContainerKind> cluster(2, 2);
    const auto name = cluster.name("AUTH_507");
    cluster.create(0, name);
    const std::string handoff = "-> one handoff is asked in its place";
    const auto told = [&](const std::string& reason) {
        cluster.network().answer({{}, {}, "sync"}, {507, "text/html", "", reason});
        return explained(cluster, 0, cluster.path(name));
    };
    BOOST_TEST(says(told("sda is not mounted"), handoff));
    BOOST_TEST(says(told("sda is full"), "-> nothing is sent"));
    BOOST_TEST(says(told(""), handoff)); // a stock one without recon
    cluster.network().answer({{}, {}, "/recon/diskusage"},
                             {200, "", R"([{"device": "sda", "mounted": true}])", ""});
    BOOST_TEST(says(told(""), "-> nothing is sent"));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_handoff_and_a_misplaced_file_are_told_apart, Kind, Kinds) {
    Cluster<Kind> cluster(4, 3);
    const auto name = cluster.name("AUTH_elsewhere");
    const auto at = cluster.others(name)[0];
    cluster.create(at, name);
    const auto handoff = explained(cluster, at, cluster.path(name));
    BOOST_TEST(says(handoff, "It is a handoff here: sda is no primary of partition "));
    BOOST_TEST(says(handoff, "It goes once enough primaries have it all."));

    const std::uint32_t wrong = (name.partition + 1) % 4;
    const auto path = cluster.path(name, wrong);
    cluster.node(at).broker.create(path, name.info);
    BOOST_TEST(says(explained(cluster, at, path),
                    "It is misplaced: it lies under partition " + std::to_string(wrong) +
                        " and should be under " + std::to_string(name.partition)));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_handoff_sends_what_it_has_not_sent_itself, Kind, Kinds) {
    Cluster<Kind> cluster(2, 1);
    const auto name = cluster.name("AUTH_leaves");
    const auto at = cluster.others(name)[0];
    const auto there = cluster.primaries(name)[0];
    cluster.create(at, name);
    cluster.put_many(at, name, "o", 3);
    cluster.create(there, name);
    cluster.put(there, name, "its own");
    cluster.open(there, name)
        .merge_sync_points(std::vector<SyncPoint>{{3, cluster.info(at, name).id}},
                           Direction::incoming);
    const auto text = explained(cluster, at, cluster.path(name));
    BOOST_TEST(says(text, "it has our rows up to 3 (by its account)"));
    BOOST_TEST(says(text, "-> send rows, ROWID 0 to 3: "));
    BOOST_TEST(says(text, "only as far as it has sent them itself"));
    BOOST_TEST(cluster.pass(at).rows == 3); // and so it goes
    BOOST_TEST(cluster.has(at, name));      // it has taken over the peer's times meanwhile
    BOOST_TEST(says(explained(cluster, at, cluster.path(name)), "-> nothing to send"));
    BOOST_TEST(cluster.pass(at).rows == 0);
    BOOST_TEST(!cluster.has(at, name));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_wrong_suffix_is_found_out, Kind, Kinds) {
    Cluster<Kind> cluster(2, 2);
    const auto name = cluster.name("AUTH_suffix");
    cluster.create(0, name);
    cluster.node(0).settings.hash_path_suffix = "other";
    const auto text = explained(cluster, 0, cluster.path(name));
    BOOST_TEST(says(text, "a wrong prefix or suffix in swift.conf"));
    BOOST_TEST(!says(text, "Peer "));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_is_no_database_is_refused_by_name, Kind, Kinds) {
    Cluster<Kind> cluster(2, 2);
    const auto name = cluster.name("AUTH_none");
    const auto error_of = [&](const std::string& path) {
        try {
            static_cast<void>(explained(cluster, 0, path));
        } catch (const Failure& failure) {
            BOOST_TEST(says(failure.what(), path));
            return failure.error();
        }
        return Error{};
    };
    BOOST_TEST((error_of("/etc/passwd") == Error::bad_name));
    BOOST_TEST((error_of("relative.db") == Error::bad_name));
    BOOST_TEST((error_of(cluster.path(name)) == Error::missing));
}

BOOST_AUTO_TEST_CASE(a_choice_of_each_kind_has_words_of_its_own) {
    std::map<std::string, int> seen;
    for (const auto way : {decide::Way::no_change, decide::Way::hash_match, decide::Way::rows,
                           decide::Way::whole_then_merge, decide::Way::renew_id}) {
        ++seen[detail::in_words({way, 3, false}, 9)];
    }
    ++seen[detail::in_words({decide::Way::no_change, 3, true}, 9)];
    BOOST_TEST(seen.size() == 6U);
}

BOOST_AUTO_TEST_CASE(an_expired_one_is_said_to_wait_for_its_peers) {
    Cluster<AccountKind> cluster(3, 3);
    const auto name = cluster.name("AUTH_gone");
    cluster.create(0, name);
    cluster.clock().advance(Seconds(1));
    cluster.open(0, name).merge_timestamps(
        {"9999999999.00000", "0", cluster.clock().now().normal()});
    cluster.clock().advance(Seconds(1));
    BOOST_TEST(says(explained(cluster, 0, cluster.path(name)), "reclaim_age has not passed yet"));
    cluster.clock().advance(cluster.node(0).settings.reclaim_age);
    BOOST_TEST(says(explained(cluster, 0, cluster.path(name)),
                    "a pass removes it once every peer that has it knows all of it"));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_stale_one_is_said_to_hold_back_its_rows, Kind, Kinds) {
    Cluster<Kind> cluster(3, 3);
    const auto name = cluster.name("AUTH_away");
    cluster.create(0, name);
    cluster.put(0, name, "row");
    BOOST_TEST(!says(explained(cluster, 0, cluster.path(name)), "stale"));
    cluster.clock().advance(cluster.node(0).settings.reclaim_age + Seconds(1));
    BOOST_TEST(says(explained(cluster, 0, cluster.path(name)), "are held back"));
    cluster.node(0).settings.accept_stale = true;
    BOOST_TEST(says(explained(cluster, 0, cluster.path(name)), "accept_stale is set"));
}
