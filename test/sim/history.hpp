#ifndef REPLICA_TEST_SIM_HISTORY_HPP
#define REPLICA_TEST_SIM_HISTORY_HPP

// One history of a simulated world. Phase one: clients write while everything goes wrong; now and
// then all disks are looked at. Phase two: nothing goes wrong any more, and passes must bring all
// primaries to the same rows. What must hold is in checker.hpp.

#include "cheap.hpp"
#include "checker.hpp"
#include "client.hpp"
#include "config.hpp"
#include "departures.hpp"
#include "losses.hpp"
#include "nemesis.hpp"
#include "overdue.hpp"
#include "rest.hpp"
#include "stray.hpp"
#include "world.hpp"
#include <replica/stats.hpp>
#include <replica/storage/leaving.hpp>
#include <replica/storage/place.hpp>

#include <boost/hana/accessors.hpp>
#include <boost/hana/for_each.hpp>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace replica::test {

/// What a history has shown.
struct Outcome {
    std::uint64_t steps = 0;
    std::uint64_t digest = 0;
    double seconds = 0;      ///< Of virtual time.
    std::int64_t rounds = 0; ///< Until all was at rest.
};

template <class Kind>
class WorldHistory {
public:
    WorldHistory(const Config& config, std::uint64_t seed, Marks& marks)
        : world_(config, seed, marks), clients_(world_), nemesis_(world_, clients_),
          checker_(world_, clients_, nemesis_, losses_), departures_(world_),
          overdue_(world_, clients_) {
        world_.stock.replaced = [this](const Machine& machine, const std::string& old,
                                       const std::string& path) {
            const bool lost = losses_.note(machine.disk, world_.clock.now(), old, path);
            world_.marks(lost ? "a stock server replaces what it has not merged"
                              : "a stock server replaces a file");
        };
        world_.stock.removes = [this](const Machine& machine, const std::string& path,
                                      const std::function<void()>& task) {
            world_.fibers.alone([&] {
                if (losses_.note_removal(read(machine, path), others_of(machine, path))) {
                    world_.marks("a stock replicator removes what nobody else has");
                }
                task();
            });
        };
        world_.stock.reclaims = [this](const Machine& machine, const std::string& path,
                                       const std::function<void()>& task) {
            const Copy<Kind> before = read(machine, path);
            task();
            if (losses_.note_reclaim(before, read(machine, path))) {
                world_.marks("a stock replicator forgets a deletion");
            }
        };
        world_.stock.overstated = [this](const std::string& id, std::int64_t first,
                                         std::int64_t last) { losses_.overstate(id, first, last); };
    }

    WorldHistory(const WorldHistory&) = delete;
    WorldHistory& operator=(const WorldHistory&) = delete;
    ~WorldHistory() { world_.end(); } // fibers know all that is below

    /// Throws Violation.
    [[nodiscard]] Outcome run() {
        const Instant began = world_.clock.monotonic();
        departures_.begin();
        clients_.begin();
        nemesis_.begin();
        const auto steps = static_cast<std::uint64_t>(world_.config.steps);
        std::uint64_t next_look = look_every;
        world_.fibers.run([&] {
            if (world_.fibers.steps() >= next_look) {
                next_look += look_every;
                checker_.look();
            }
            return world_.fibers.steps() >= steps;
        });
        heal();
        std::int64_t rounds = settle();
        for (int act = 0; act < acts; ++act) {
            come_to_rest();
            const bool calm = last_.kept + last_.stale + last_.errors == 0;
            const bool moves =
                world_.config.ring > 0 && world_.config.stock == 0 && world_.pick(2) == 0;
            moves ? nemesis_.change_ring() : clients_.call_once();
            spent_ = Stats{};
            const std::int64_t used = settle();
            rounds += used;
            if (calm) {
                require_cheap(spent_, used, world_.config, moves ? Change::ring : Change::call);
                world_.marks("one change is cheap");
            }
        }
        grow_old();
        come_overdue();
        retire();
        require_no_stray_file();
        require_rest(); // what has come of age has gone
        return {world_.fibers.steps(), world_.fibers.digest(),
                Seconds(world_.clock.monotonic() - began).count(), rounds};
    }

private:
    using Machine = typename World<Kind>::Machine;

    static constexpr std::uint64_t look_every = 5000;
    static constexpr int acts = 3; ///< Single changes, each after all was at rest.

    /// The copy at `path`, with what waits in its pending file.
    [[nodiscard]] Copy<Kind> read(const Machine& machine, const std::string& path) const {
        return Examiner<Kind>(machine.disk, world_.clock.now(),
                              [&](const std::string& file) { return file.starts_with(path); })
            .read(path);
    }

    /// The copies elsewhere that are not about to leave. What lies on a device that is away
    /// counts as lost, unless it comes back.
    [[nodiscard]] std::vector<Copy<Kind>> others_of(const Machine& machine,
                                                    const std::string& path) const {
        std::vector<Copy<Kind>> others;
        for (const Spot at : world_.layout.spots()) {
            Machine& other = *world_.machines[at.machine];
            const std::string there = Layout::moved(path, at.device);
            if ((&other != &machine || there != path) && other.disk.glance(there) &&
                !storage::is_leaving(other.disk, storage::parent(there))) {
                others.push_back(read(other, there));
            }
        }
        return others;
    }

    void heal() {
        clients_.rest();
        nemesis_.rest();
        world_.wire.heal();
        world_.fibers.run([&] { return nemesis_.rested(); });
        world_.files.heal();
        for (auto& machine : world_.machines) {
            machine->disk.clear_faults();
            if (machine->sender) {
                machine->sender->stop.request_stop();
            }
            if (!machine->server) {
                world_.start_server(*machine);
            }
        }
        world_.fibers.run([&] {
            return std::ranges::all_of(world_.machines, [](const auto& machine) {
                return !machine->sender || machine->sender->resting;
            });
        });
        for (auto& machine : world_.machines) {
            if (!machine->sender) { // the others know what they knew
                world_.start_sender(*machine, false);
            }
        }
        world_.clock.advance(Seconds(65)); // peers that failed are asked again
    }

    /// Where a pass sends one row, all of them take as many passes, and an old deletion that the
    /// peers have forgotten makes a copy send them again.
    [[nodiscard]] std::int64_t most_rounds() const {
        const auto& config = world_.config;
        const bool slow = config.per_diff * config.max_diffs < config.names;
        return 80 + (slow ? 8 * config.names : 0);
    }

    /// Passes on all machines in turn until a round changes nothing and all is as it must be; a
    /// difference that only hashes show is looked into in every eighth pass.
    [[nodiscard]] std::int64_t settle() {
        std::string reason;
        for (std::int64_t round = 1; round <= most_rounds(); ++round) {
            const std::int64_t before = told("Kept: too many are leaving its device");
            play_round();
            // A brake may keep a copy for long; who else keeps one has yet to come to rest.
            const std::int64_t braked = told("Kept: too many are leaving its device") - before;
            const std::int64_t waiting = last_.stale + last_.errors > 0 ? 0 : last_.kept - braked;
            if (last_.failure + last_.rows + last_.rsync + last_.remote_merge + last_.remove +
                    last_.diff_capped + waiting !=
                0) {
                reason = "not at rest" + counted(last_);
                continue;
            }
            try {
                checker_.judge(last_);
                return round;
            } catch (const Violation& violation) {
                reason = violation.what();
                if (world_.config.reports > 0) { // what has expired leaves once that is told
                    clients_.report_all();
                }
                if (world_.marks.trace) {
                    std::cerr << "round " << round << ": " << reason << '\n';
                }
            }
        }
        if (last_.stale > 0) { // what a stale copy may send goes again and again, to no avail
            world_.marks("judged: stale, and restless");
            checker_.look();
            return most_rounds();
        }
        throw Violation(reason);
    }

    /// Time passes, and all that is here agrees: no copy becomes stale, but for those that the
    /// brakes keep, which ask nobody.
    void grow_old() {
        if (world_.config.stock_sender != 0) {
            return;
        }
        const std::int64_t stale = last_.stale;
        bool kept = last_.kept > 0;
        for (int part = 0; part < 4; ++part) {
            world_.clock.advance(Seconds(static_cast<double>(world_.config.reclaim_age) * 0.3));
            play_round();
            kept = kept || last_.kept > last_.stale;
            if (last_.stale > stale && !kept) {
                throw Violation("a copy has become stale, though all agree:" + counted(last_));
            }
        }
    }

    /// Old deletions that come while passes are under way count, although peers were asked before.
    void come_overdue() {
        if (world_.config.overdue == 0 || world_.config.stock_sender != 0) {
            return;
        }
        overdue_.begin();
        static_cast<void>(settle());
        overdue_.end();
    }

    /// One database is deleted, and so will expire. One that has shards never does.
    void retire() {
        if (world_.config.drops > 0 && world_.config.stock + world_.config.shards == 0) {
            auto& database = world_.known[world_.pick(world_.known.size())];
            retired_ = clients_.retire(database) ? &database : nullptr;
            static_cast<void>(settle());
        }
    }

    /// Two more rounds, in which nothing is sent. Whoever remembers that nothing is to be done
    /// knows it afterwards (send/ledger.hpp).
    void come_to_rest() {
        bool restless = last_.kept > 0;
        for (int round = 0; round < 2; ++round) {
            const std::int64_t before = told("Removed: expired");
            play_round();
            // What a stale copy holds back, and what a brake keeps, goes bit by bit. A copy that
            // was kept may go now. A wrong hash is mended after some passes, and all rows sent,
            // which those who get them send on.
            restless = restless || last_.stale + last_.kept + last_.diverged > 0;
            // A database that was deleted long enough ago expires whenever that is.
            const auto removed = last_.remove - (told("Removed: expired") - before);
            if (!restless && last_.rows + last_.rsync + last_.remote_merge + removed != 0) {
                throw Violation("no longer at rest, though nobody has done anything" +
                                counted(last_));
            }
        }
        if (last_.attempted == 0 && last_.at_rest > 0) {
            world_.marks("nothing is opened");
        }
    }

    /// How often a mark was reached so far.
    [[nodiscard]] std::int64_t told(std::string_view mark) const {
        const auto found = world_.marks.counts().find(mark);
        return found == world_.marks.counts().end() ? 0 : static_cast<std::int64_t>(found->second);
    }

    void play_round() {
        last_ = Stats{};
        for (auto& machine : world_.machines) {
            world_.clock.advance(Seconds(2));
            pass(*machine);
        }
    }

    /// One more round costs next to nothing, but for what comes of age in it. A
    /// difference in old deletions is no violation, and is looked into ever more rarely. Between
    /// stock servers old deletions go round (defect 75); a stale copy is told in each pass.
    void require_rest() {
        if (last_.stale + last_.kept + last_.errors > 0 || world_.config.stock > 0) {
            return;
        }
        for (std::int64_t tries = most_rounds();; --tries) {
            const RestCheck<Kind> check(world_);
            play_round();
            try {
                check.end(last_);
                world_.marks("at rest");
                return;
            } catch (const Violation&) {
                if (tries == 0) {
                    throw;
                }
            }
        }
    }

    /// Once everything is old, passes take away what processes and transfers have left.
    void require_no_stray_file() {
        // A clock that was ahead for a while has left files from then (Nemesis::jump).
        const auto& config = world_.config;
        const std::int64_t ahead = config.jump > 0 ? 2 * config.reclaim_age : 0;
        world_.clock.advance(Seconds(static_cast<double>(
            std::max<std::int64_t>(config.reclaim_age, 3600) + ahead + 2 * config.skew + 300)));
        if (config.reports > 0) {
            clients_.report_all();
        }
        for (int round = 0; round < 5; ++round) {
            play_round();
            if (round == 3) { // A trash is emptied once an hour, and the first clock was doubted.
                world_.clock.advance(Seconds(3601));
            }
        }
        require_gone();
        for (const auto& machine : world_.machines) {
            const bool stock = world_.sends_as_stock(*machine);
            if (const std::string path = stray_file(machine->disk, stock, machine->clock.now());
                !path.empty()) {
                throw Violation("machine " + std::to_string(machine->number) + ": " + path +
                                " is left for ever, at " + machine->clock.now().normal());
            }
        }
        world_.marks("nothing is left");
    }

    /// What is deleted and old enough, and what belongs elsewhere, has gone, but for databases of
    /// whose deletion the account does not know.
    void require_gone() {
        std::int64_t unexpired = 0; // rounds in which only the retired one was still there
        for (std::int64_t tries = most_rounds();; --tries) {
            if (world_.config.reports > 0) { // sums may have been mended since the last report
                clients_.report_all();
            }
            play_round();
            if (last_.stale + last_.errors + world_.config.stock > 0) {
                return;
            }
            const std::string expired = copy_of_retired();
            if (last_.kept == 0 && expired.empty()) {
                break;
            }
            unexpired += last_.kept == 0 ? 1 : 0;
            if (tries == 0 || unexpired > 5) {
                throw Violation(expired.empty() ? "a copy is kept for ever:" + counted(last_)
                                                : expired + ": has not expired");
            }
        }
        world_.marks("nothing is kept for ever");
        if (retired_ != nullptr && is_told()) {
            world_.marks("a deleted database has expired everywhere");
        }
    }

    /// Whether whoever keeps a deleted database for its account's sake sees that the account knows.
    [[nodiscard]] bool is_told() const {
        return world_.config.containers == 0 || world_.config.reports > 0;
    }

    /// Where a copy of the database is that was deleted; nowhere if its account does not know that.
    [[nodiscard]] std::string copy_of_retired() const {
        if (retired_ == nullptr || !is_told()) {
            return {};
        }
        for (const Spot at : world_.layout.spots()) {
            const std::string path = world_.path(*retired_, at.device);
            if (world_.machines[at.machine]->disk.glance(path)) {
                return "machine " + std::to_string(at.machine) + ": " + path;
            }
        }
        return {};
    }

    void pass(Machine& machine) {
        bool ended = false;
        Stats stats;
        world_.fibers.spawn(machine.sender->life, [&] {
            stats = machine.sender->pass();
            ended = true;
        });
        world_.fibers.run([&] { return ended; }, 3'000'000);
        boost::hana::for_each(boost::hana::accessors<Stats>(), [&](auto pair) {
            boost::hana::second(pair)(last_) += boost::hana::second(pair)(stats);
            boost::hana::second(pair)(spent_) += boost::hana::second(pair)(stats);
        });
    }

    World<Kind> world_;
    Clients<Kind> clients_;
    Nemesis<Kind> nemesis_;
    Losses<Kind> losses_;
    Checker<Kind> checker_;
    DepartureCheck<Kind> departures_;
    Overdue<Kind> overdue_;
    const typename World<Kind>::Known* retired_ = nullptr; ///< Was deleted at the end.
    Stats last_;                                           ///< Of the last round.
    Stats spent_; ///< Since the last change of a cluster at rest.
};

} // namespace replica::test

#endif // REPLICA_TEST_SIM_HISTORY_HPP
