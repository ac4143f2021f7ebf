#ifndef REPLICA_TEST_SCENARIO_HISTORY_HPP
#define REPLICA_TEST_SCENARIO_HISTORY_HPP

// A random history of a simulated cluster. Safety first: rows are written and deleted on any
// replica while nodes come and go, disks are unmounted or fail, power is cut, replies are lost,
// transfers break off or meet a writer. Then everything heals, and passes must bring all replicas
// to the same rows, among them the last version of every row that was ever acknowledged.

#include "../support/cluster.hpp"
#include <replica/words/random.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace replica::test {

/// The same seed gives the same history.
template <class Kind>
class History {
    using C = Cluster<Kind>;

public:
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
                BOOST_REQUIRE_MESSAGE(found != rows.end() || !last.acknowledged, row << " is lost");
                BOOST_TEST((found == rows.end() || last.may_be.contains(found->deleted != 0)),
                           row << " is not its last version");
            }
        }
    }

    /// What a replay of the same seed must give.
    [[nodiscard]] std::string end() {
        std::string text;
        for (const auto& name : names_) {
            for (std::size_t i = 0; i < cluster_.size(); ++i) {
                if (cluster_.has(i, name)) {
                    const auto info = cluster_.info(i, name);
                    text += info.hash + ' ' + info.id;
                }
                text += '\n';
            }
        }
        return text;
    }

    /// How many writes failed, and how many were made in the middle of a transfer: a test can show
    /// that there was trouble.
    [[nodiscard]] std::size_t refused() const { return refused_; }
    [[nodiscard]] std::size_t torn() const { return torn_; }

private:
    /// The last version of a row. Whether it is deleted: a write that was not acknowledged may
    /// have been done or not.
    struct Last {
        bool acknowledged = false;
        std::set<bool> may_be;
    };

    [[nodiscard]] std::size_t pick(std::size_t below) { return random_.next() % below; }

    void step() {
        const std::size_t node = pick(cluster_.size());
        switch (pick(15)) {
        case 0:
            cluster_.node(node).up ? cluster_.down(node) : cluster_.up(node);
            break;
        case 1:
            cluster_.unmount(node);
            pass(pick(cluster_.size()));
            cluster_.mount(node);
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
                pass(node);
            }
            break;
        case 8:
            write_into_the_next_transfer();
            break;
        case 9:
            cluster_.node(node).disk.halt_at(1 + pick(pick(2) == 0 ? 300 : 40));
            write_or_pass(node);
            cluster_.cut_power(node, random_.next());
            break;
        case 10:
            cluster_.node(node).disk.fail_at(1 + pick(pick(2) == 0 ? 300 : 40),
                                             pick(2) == 0 ? Error::io : Error::no_space);
            write_or_pass(node);
            cluster_.node(node).disk.clear_faults();
            break;
        default:
            write(node, names_[pick(names_.size())]);
        }
    }

    void pass(std::size_t node) {
        passing_ = node;
        cluster_.pass(node);
    }

    /// A pass of this node, or of another that may send to it.
    void write_or_pass(std::size_t node) {
        if (pick(3) == 0) {
            write(node, names_[pick(names_.size())]);
        } else {
            pass(pick(2) == 0 ? node : pick(cluster_.size()));
        }
    }

    void write_into_the_next_transfer() {
        cluster_.files().on_transfer([this](const std::string& path, const Upload&) {
            const auto found = std::ranges::find(
                names_, path, [this](const auto& name) { return cluster_.path(name); });
            if (found != names_.end()) {
                cluster_.files().on_transfer(nullptr);
                ++torn_;
                write(passing_, *found);
            }
        });
    }

    void write(std::size_t node, const typename C::Name& name) {
        if (!cluster_.has(node, name)) {
            return;
        }
        const std::string row = "row" + std::to_string(pick(30));
        const bool gone = pick(4) == 0;
        const auto size = static_cast<std::int64_t>(pick(100));
        Last& last = written_[name.hash][row];
        try {
            if (gone) {
                cluster_.erase(node, name, row);
            } else {
                cluster_.put(node, name, row, size);
            }
            last = {true, {gone}};
        } catch (const Failure&) {
            ++refused_;
            last.may_be.insert(gone);
        }
    }

    void heal() {
        cluster_.network().heal();
        cluster_.files().heal();
        cluster_.files().on_transfer(nullptr);
        for (std::size_t i = 0; i < cluster_.size(); ++i) {
            cluster_.up(i);
        }
        cluster_.clock().advance(Seconds(600));
    }

    Random random_;
    C cluster_;
    std::vector<typename C::Name> names_;
    std::map<std::string, std::map<std::string, Last>> written_;
    std::size_t passing_ = 0;
    std::size_t refused_ = 0;
    std::size_t torn_ = 0;
};

/// Those from 1 on, or the one in REPLICA_SEED.
[[nodiscard]] inline std::vector<std::uint64_t> seeds(std::uint64_t count) {
    if (const char* const one = std::getenv("REPLICA_SEED")) {
        return {std::strtoull(one, nullptr, 10)};
    }
    std::vector<std::uint64_t> seeds;
    for (std::uint64_t seed = 1; seed <= count; ++seed) {
        seeds.push_back(seed);
    }
    return seeds;
}

} // namespace replica::test

#endif // REPLICA_TEST_SCENARIO_HISTORY_HPP
