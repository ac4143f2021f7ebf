#ifndef REPLICA_TEST_SIM_CONFIG_HPP
#define REPLICA_TEST_SIM_CONFIG_HPP

// What one simulated world is like, drawn by chance: its size, its settings, and how often what
// goes wrong. Many rates are zero in a given world, since a fault that is always there hides what
// goes wrong without it. The text of a config is enough to make the same world again.

#include <replica/error.hpp>
#include <replica/words/random.hpp>

#include <boost/hana/accessors.hpp>
#include <boost/hana/define_struct.hpp>
#include <boost/hana/for_each.hpp>
#include <boost/hana/string.hpp>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

namespace replica::test {

/// What replicators of ours do that stock ones do not. A structure of its own, since Hana's macro
/// takes 54 members.
struct Extensions {
    BOOST_HANA_DEFINE_STRUCT(
        Extensions, (std::int64_t, rows_along),
        (std::int64_t, feed), ///< So many changes may wait to be pushed; 0: none is pushed.
        (std::int64_t, walk_interval),
        (std::int64_t, summaries), ///< Whether nodes of ours compare what is at rest.
        (std::int64_t, push), ///< Bytes of a piece of a file between servers of ours; 0: rsync.
        (std::int64_t, compare_rows), ///< Where no point is left: so many are compared; 0: none.
        (std::int64_t, records),      ///< 1: a host program's records, neither of Swift's kinds.
        (std::int64_t, undo),         ///< A fault like the others, though a well-meant one.
        (std::int64_t, ties),         ///< In 1,000 writes: one has the time of another.
        (std::int64_t, overdue),      ///< Whether old deletions come during the passes of a rest.
        (std::int64_t, misfiled),     ///< Faults: the file of another database in a directory, ...
        (std::int64_t, journals),     ///< ... a journal of an earlier file, ...
        (std::int64_t, misnamed),     ///< ... an id that is no file name, ...
        (std::int64_t, miscounted),   ///< ... sums that say that a database is empty, ...
        (std::int64_t, second),       ///< ... a single pass beside the service.
        (std::int64_t, reports),      ///< Weight of telling a container's account of its state.
        (std::int64_t, leaves),       ///< 1 + so many may leave a device in the first hour; 0: 100.
        (std::int64_t, overstated),   ///< Faults: points that speak of rows that never came, ...
        (std::int64_t, odd),          ///< ... requests that no server sends, and ...
        (std::int64_t, illegible),    ///< ... metadata that nobody can read.
        (std::int64_t, fussy));       ///< 1: stock servers refuse arguments that are ours.
};

/// Times in seconds unless their name says otherwise. The names of faults are weights: how often
/// one is chosen when something goes wrong.
struct Config : Extensions {
    BOOST_HANA_DEFINE_STRUCT(
        Config, (std::int64_t, containers), ///< 1: containers, 0: accounts.
        (std::int64_t, steps),              ///< Calls until all heals.
        (std::int64_t, nodes), (std::int64_t, replicas), (std::int64_t, databases),
        (std::int64_t, names), ///< Of rows, for each database.
        (std::int64_t, clients), (std::int64_t, per_diff), (std::int64_t, max_diffs),
        (std::int64_t, interval), (std::int64_t, recheck_passes), (std::int64_t, reclaim_age),
        (std::int64_t, handoff_delete), (std::int64_t, leave_share),
        (std::int64_t, call_us),  ///< Virtual time of one call.
        (std::int64_t, patience), ///< Calls until another fiber goes on.
        (std::int64_t, calm),     ///< Between two faults.
        (std::int64_t, think_ms), ///< Between two calls of a client.
        (std::int64_t, skew),     ///< Of the clocks.
        (std::int64_t, deletes),  ///< Weights of what clients do.
        (std::int64_t, late), (std::int64_t, pending), (std::int64_t, posts),
        (std::int64_t, drops),       ///< DELETE and PUT of whole databases.
        (std::int64_t, to_handoffs), ///< In 1,000 writes.
        (std::int64_t, lose),        ///< In 1,000 requests: lose, ...
        (std::int64_t, delay), (std::int64_t, repeat), (std::int64_t, cut), (std::int64_t, mute),
        (std::int64_t, kill), (std::int64_t, power), (std::int64_t, unmount), (std::int64_t, fill),
        (std::int64_t, fail), (std::int64_t, slow), (std::int64_t, wipe), (std::int64_t, backup),
        (std::int64_t, ring), (std::int64_t, jump), (std::int64_t, isolate),
        (std::int64_t, transfer), (std::int64_t, rest), ///< Not wrong: much time passes.
        (std::int64_t, shards),       ///< Weight of writing shard ranges; of containers only.
        (std::int64_t, rot),          ///< Of stored hashes.
        (std::int64_t, stock),        ///< So many machines have stock servers, the last ones.
        (std::int64_t, stock_sender), ///< Whether those machines have stock replicators too.
        (std::int64_t, devices),      ///< Of each machine: 1 or 2.
        (std::int64_t, policies));    ///< Whether containers have one of two policies.

    [[nodiscard]] static Config of(std::uint64_t seed) {
        Random random(seed ^ 0x636f6e666967U);
        const auto from = [&](std::int64_t low, std::int64_t high) {
            return low + static_cast<std::int64_t>(random.next() %
                                                   static_cast<std::uint64_t>(high - low + 1));
        };
        const auto one_of = [&](auto... values) {
            const std::int64_t all[] = {values...};
            return all[random.next() % sizeof...(values)];
        };
        // Two thirds of the faults are not in a given world.
        const auto rate = [&](std::int64_t most) {
            return random.next() % 3 == 0 ? from(1, most) : 0;
        };
        Config made{};
        made.containers = from(0, 1);
        made.steps = one_of(15'000, 30'000, 60'000);
        made.nodes = from(2, 5);
        made.replicas = from(2, made.nodes < 3 ? made.nodes : 3);
        made.databases = from(1, 3);
        made.names = one_of(5, 15, 40);
        made.clients = from(1, 3);
        made.per_diff = one_of(1, 2, 5, 20, 1000);
        made.max_diffs = one_of(1, 3, 100);
        made.interval = one_of(2, 10, 30);
        made.reclaim_age = one_of(300, 3600, 604'800, 604'800);
        made.handoff_delete = one_of(0, 0, 0, 1);
        made.leave_share = one_of(50, 100);
        made.call_us = one_of(5, 50, 500);
        made.patience = one_of(1, 5, 30, 200);
        made.calm = one_of(1, 5, 20);
        made.think_ms = one_of(20, 200, 2000);
        made.skew = one_of(0, 0, 1, 30);
        made.deletes = from(1, 6);
        made.late = rate(3);
        made.pending = rate(8);
        made.posts = rate(4);
        made.drops = rate(2);
        made.to_handoffs = rate(200);
        made.lose = rate(200);
        made.delay = rate(300);
        made.repeat = rate(200);
        made.cut = rate(200);
        made.mute = rate(100);
        made.kill = rate(10);
        made.power = rate(10);
        made.unmount = rate(10);
        made.fill = rate(10);
        made.fail = rate(10);
        made.slow = rate(5);
        made.wipe = rate(3);
        made.backup = rate(3);
        made.ring = rate(5);
        made.jump = rate(3);
        made.isolate = rate(10);
        made.transfer = rate(10);
        // What a peer loses is noticed by a recheck. Else nothing must depend on one.
        made.recheck_passes = made.wipe + made.backup > 0 ? one_of(1, 3, 20) : one_of(1, 20, 1000);
        made.rest = made.reclaim_age < 604'800 ? from(0, 6) : 0;
        made.stock = random.next() % 4 == 0 ? from(1, made.nodes) : 0;
        made.rot = rate(5);
        made.shards = made.containers * rate(3);
        made.rows_along = one_of(0, 4, 200);
        made.feed = one_of(0, 0, 1, 1000);
        made.summaries = one_of(0, 1);
        made.push = one_of(1 << 20, 20'000, 0); // a database here has 50 to 100 KB
        made.draw_more(random);
        return made;
    }

    /// What was added later, so that what is above stays as it was drawn.
    void draw_more(Random& random) {
        stock_sender = stock > 0 ? static_cast<std::int64_t>(random.next() % 2) : 0;
        if (stock_sender > 0) { // what stock loses is noticed by a recheck as well
            constexpr std::int64_t rechecks[] = {1, 3, 20};
            recheck_passes = rechecks[random.next() % 3];
        }
        devices = random.next() % 3 == 0 ? 2 : 1;
        if (devices > 1 && nodes == 2) { // some machines have two replicas
            replicas = 2 + static_cast<std::int64_t>(random.next() % 2);
        }
        policies = random.next() % 3 == 0 ? containers : 0;
        constexpr std::int64_t intervals[] = {0, 60, 3600};
        walk_interval = intervals[random.next() % 3];
        constexpr std::int64_t least[] = {0, 1, 10};
        compare_rows = least[random.next() % 3];
        records = random.next() % 6 == 0 ? 1 : 0;
        if (records > 0) { // there are no stock servers of such a kind
            containers = shards = policies = pending = stock = stock_sender = 0;
        }
        undo = random.next() % 3 == 0 ? 1 + static_cast<std::int64_t>(random.next() % 10) : 0;
        const auto rarely = [&](std::uint64_t most) {
            const bool there = random.next() % 4 == 0;
            return there ? 1 + static_cast<std::int64_t>(random.next() % most) : 0;
        };
        // Elsewhere one of two writes with one time may be lost, and the other looks like it.
        const bool told_apart = wipe + backup + pending + stock + policies == 0;
        ties = rarely(300) * (told_apart ? 1 : 0);
        overdue = rarely(1);
        misfiled = rarely(5);
        journals = rarely(5);
        misnamed = rarely(5);
        miscounted = rarely(5);
        second = rarely(10);
        reports = containers * rarely(4);
        drops = reports > 0 ? 2 * reports : drops;
        // The counts of a device go with it, and an hour is known by the clock.
        const bool counted = wipe + backup + jump + stock_sender == 0;
        leaves = counted ? rarely(3) : 0;
        if (rarely(1) > 0) { // as many as there are replicas, or more, says nothing
            handoff_delete = 1 + static_cast<std::int64_t>(random.next() % 3);
        }
        overstated = rarely(5);
        odd = rarely(10);
        illegible = rarely(5);
        fussy = stock > 0 ? rarely(1) : 0;
        if (leaves > 0 && rarely(1) > 0) {
            leaves = 1000; // a device that has many
        }
        if (stock_sender > 0) { // which waits for more copies than there are for ever
            handoff_delete = std::min(handoff_delete, replicas);
        }
    }

    template <class Each>
    static void for_each_field(Each each) {
        boost::hana::for_each(boost::hana::accessors<Config>(), each);
        boost::hana::for_each(boost::hana::accessors<Extensions>(), each);
    }

    [[nodiscard]] std::string text() const {
        std::string text;
        for_each_field([&](auto pair) {
            text += text.empty() ? "" : " ";
            text += boost::hana::to<const char*>(boost::hana::first(pair));
            text += '=' + std::to_string(boost::hana::second(pair)(*this));
        });
        return text;
    }

    /// Sets the fields that `text` names: "kill=0 steps=500". Throws bad_request.
    void read(std::string_view text) {
        std::istringstream words{std::string(text)};
        for (std::string word; words >> word;) {
            const std::size_t at = word.find('=');
            bool known = false;
            for_each_field([&](auto pair) {
                if (word.substr(0, at) == boost::hana::to<const char*>(boost::hana::first(pair))) {
                    const char* const end = word.data() + word.size();
                    const char* const from = word.data() + (at == std::string::npos ? 0 : at + 1);
                    known = std::from_chars(from, end, boost::hana::second(pair)(*this)).ptr == end;
                }
            });
            if (!known) {
                throw Failure(Error::bad_request, "config: " + word + ": name=number is expected");
            }
        }
    }
};

} // namespace replica::test

#endif // REPLICA_TEST_SIM_CONFIG_HPP
