// Random histories on simulated nodes. Safety first: rows are written and deleted on any replica
// while nodes come and go, disks are unmounted, replies are lost and transfers break off. Then
// everything heals, and passes must bring all replicas to the same rows, among them the last
// version of every row that was ever acknowledged. The seed is printed; REPLICA_SEED replays one.

#define BOOST_TEST_MODULE scenario_chaos

#include "../support/cluster.hpp"

#include <boost/mpl/list.hpp>
#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <map>
#include <string>
#include <vector>

namespace {

using namespace replica;
using Kinds = boost::mpl::list<AccountKind, ContainerKind>;

template <class Kind>
class History {
public:
    using Cluster = test::Cluster<Kind>;

    explicit History(std::uint64_t seed) : random_(seed), cluster_(3 + pick(3), 3) {
        for (std::size_t i = 0; i < cluster_.size(); ++i) {
            Settings settings = cluster_.node(i).settings;
            settings.per_diff = 1 + static_cast<std::int64_t>(pick(8));
            settings.max_diffs = 1 + static_cast<std::int64_t>(pick(4));
            cluster_.restart(i, settings);
        }
        for (int i = 0; i < 3; ++i) {
            names_.push_back(cluster_.name("AUTH_" + std::to_string(i)));
            const std::size_t at = pick(cluster_.size()); // A primary or a handoff.
            cluster_.create(at, names_.back());
        }
    }

    void run(int steps) {
        for (int i = 0; i < steps; ++i) {
            step();
        }
        heal();
        BOOST_REQUIRE_MESSAGE(cluster_.settle(60) > 0, "did not come to rest");
        for (const auto& name : names_) {
            cluster_.require_identical(name);
            const auto rows = cluster_.rows(cluster_.primaries(name)[0], name);
            for (const auto& [row, last] : written_[name.hash]) {
                const auto found =
                    std::ranges::find(rows, row, [](const auto& each) { return each.name; });
                BOOST_REQUIRE_MESSAGE(found != rows.end(), row << " is lost");
                BOOST_TEST((found->deleted != 0) == last, row << " is not its last version");
            }
        }
    }

    /// What a replay of the same seed must give.
    [[nodiscard]] std::string end() {
        std::string text;
        for (const auto& name : names_) {
            for (std::size_t i = 0; i < cluster_.size(); ++i) {
                const auto state = cluster_.state(i, name);
                text += state ? state->info().hash + ' ' + state->stat.id + '\n' : "-\n";
            }
        }
        return text;
    }

private:
    [[nodiscard]] std::size_t pick(std::size_t below) { return random_.next() % below; }

    void step() {
        const std::size_t node = pick(cluster_.size());
        switch (pick(12)) {
        case 0:
            cluster_.node(node).up ? cluster_.down(node) : cluster_.up(node);
            break;
        case 1:
            cluster_.node(node).disk.unmount("/srv/node/sda");
            cluster_.pass(pick(cluster_.size()));
            cluster_.node(node).disk.mount("/srv/node/sda");
            break;
        case 2:
            cluster_.network().fail(SimLink{},
                                    pick(2) == 0 ? SimFault::lose_reply : SimFault::duplicate, 1);
            break;
        case 3:
            cluster_.files().fail(
                "", pick(2) == 0 ? SimTransferFault::partial : SimTransferFault::fail, 1);
            break;
        case 4:
            cluster_.restart(node);
            break;
        case 5:
        case 6:
        case 7:
            if (cluster_.node(node).up) {
                cluster_.pass(node);
            }
            break;
        default:
            write(node);
        }
    }

    void write(std::size_t node) {
        const auto& name = names_[pick(names_.size())];
        if (!cluster_.has(node, name)) {
            return;
        }
        const std::string row = "row" + std::to_string(pick(30));
        const bool gone = pick(4) == 0;
        if (gone) {
            cluster_.erase(node, name, row);
        } else {
            cluster_.put(node, name, row, static_cast<std::int64_t>(pick(100)));
        }
        written_[name.hash][row] = gone;
    }

    void heal() {
        cluster_.network().heal();
        cluster_.files().heal();
        for (std::size_t i = 0; i < cluster_.size(); ++i) {
            cluster_.up(i);
        }
        cluster_.clock().advance(Seconds(600));
    }

    Random random_;
    Cluster cluster_;
    std::vector<typename Cluster::Name> names_;
    std::map<std::string, std::map<std::string, bool>> written_; ///< The last version is deleted.
};

[[nodiscard]] std::vector<std::uint64_t> seeds() {
    if (const char* const one = std::getenv("REPLICA_SEED")) {
        return {std::strtoull(one, nullptr, 10)};
    }
    std::vector<std::uint64_t> seeds;
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        seeds.push_back(seed);
    }
    return seeds;
}

BOOST_AUTO_TEST_CASE_TEMPLATE(no_acknowledged_row_is_lost_whatever_happens, Kind, Kinds) {
    for (const std::uint64_t seed : seeds()) {
        BOOST_TEST_CONTEXT("REPLICA_SEED=" << seed) {
            History<Kind> history(seed);
            history.run(150);
        }
    }
}

BOOST_AUTO_TEST_CASE(the_same_seed_gives_the_same_end) {
    for (const std::uint64_t seed : {3U, 17U}) {
        History<ContainerKind> first(seed);
        first.run(150);
        History<ContainerKind> second(seed);
        second.run(150);
        BOOST_TEST(first.end() == second.end());
    }
}

} // namespace
