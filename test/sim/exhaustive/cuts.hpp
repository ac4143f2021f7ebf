#ifndef REPLICA_TEST_SIM_EXHAUSTIVE_CUTS_HPP
#define REPLICA_TEST_SIM_EXHAUSTIVE_CUTS_HPP

// One operation, cut at each call that changes a disk, and after each cut everything that the disk
// may have kept. In three steps, each for what the step before has not seen yet:
//
//   draw      a way in which the disk may be left, known by its hash
//   restart   SQLite plays back what journal there is (lab.hpp)
//   check     new processes on the disk as it was left, passes of both nodes (check.hpp)
//
// A sector is in one of the states that it has had, never torn; chance tears sectors in
// scenario/chaos_sqlite.cpp. Of a file that was renamed twice between two syncs, the name in
// between is found at the points in between only. What must hold after the restart already: the
// database is as a process killed without a power cut would have found it, at this point or at an
// earlier one, but at none before the last word that anybody was told.

#include "check.hpp"
#include "lab.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace replica::test {

/// What was gone through.
struct Report {
    std::uint64_t calls = 0;    ///< Of the disk, in the operation.
    std::uint64_t points = 0;   ///< Moments of a cut.
    std::uint64_t states = 0;   ///< Ways in which the disk may be left, over all points.
    std::uint64_t distinct = 0; ///< Different ones.
    std::uint64_t restarts = 0; ///< Different pairs of database and journal.
    std::uint64_t checked = 0;  ///< Different disks after that.
    std::uint64_t uploads = 0;  ///< Different uploads that were finished after the cut.
    std::uint64_t beyond = 0;   ///< Points with more ways than the bound.
    std::size_t least = SimOdometer::unlimited; ///< Deviations gone through at those.
    std::vector<std::string> complaints;
};

template <class Kind>
class Cuts {
public:
    Cuts(Operation<Kind> operation, std::size_t node, std::uint64_t bound, int page_size)
        : operation_(std::move(operation)), node_(node), bound_(bound) {
        World<Kind> world(operation_.setup);
        start_ = start_of(operation_, world, page_size);
        database_ = world.path();
    }

    [[nodiscard]] Report run() {
        rehearse();
        for (std::size_t at = 0; at < points_.size() && report_.complaints.size() < 10; ++at) {
            cut(at);
        }
        report_.points = points_.size();
        report_.restarts = lab_.restarts();
        return report_;
    }

private:
    enum Group : std::size_t {
        rest,
        database,
        aside,
        hour
    };

    /// A moment right before a call that changes something, or the end.
    struct Point {
        std::uint64_t call; // 0: the end
        std::string what;
        std::size_t told = 0; // the point before which somebody was told something last
    };

    [[nodiscard]] static bool changes(SimCall call) {
        constexpr SimCall changing[] = {
            SimCall::make_directories, SimCall::rename,       SimCall::rename_new,
            SimCall::exchange,         SimCall::make_link,    SimCall::remove,
            SimCall::remove_empty,     SimCall::remove_tree,  SimCall::sync,
            SimCall::try_lock,         SimCall::write,        SimCall::vfs_open,
            SimCall::vfs_write,        SimCall::vfs_truncate, SimCall::vfs_sync,
            SimCall::vfs_delete};
        return std::ranges::find(changing, call) != std::end(changing);
    }

    /// Runs the operation once, and notes where it can be cut.
    void rehearse() {
        World<Kind> world(operation_.setup, start_, 1);
        std::size_t told = 0;
        world.disk(node_).on_call([&](SimCall call, const std::string& path) {
            ++report_.calls;
            if (changes(call)) {
                points_.push_back({report_.calls,
                                   "call " + std::to_string(static_cast<int>(call)) + " of " + path,
                                   told});
            }
        });
        world.on_told = [&] { told = points_.size(); };
        world.nodes.network().before([&](const SimExchange&, const Request&) { world.told(); });
        world.nodes.network().after([&](const SimExchange&, const Request&) { world.told(); });
        operation_.act(world);
        world.disk(node_).on_call(nullptr);
        points_.push_back({0, "the end", points_.size()});
        if (!operation_.done(world)) {
            report_.complaints.emplace_back("it does not do what it is here for");
        }
    }

    void cut(std::size_t at) {
        for (const bool keeps : {false, true}) {
            World<Kind> world(operation_.setup, start_, 1);
            world.cut_power(node_, points_[at].call);
            operation_.act(world);
            if (!keeps) {
                go_through(world, at);
            }
            go_on(world, at, keeps);
        }
    }

    void go_through(World<Kind>& world, std::size_t at) {
        moment_ = world.moment();
        other_ = hash(moment_.disks.at(1 - node_));
        auto survivors =
            world.disk(node_).survivors([this](const std::string& path) { return group_of(path); });
        SimOdometer all_kept(0, true);
        survivors.draw(all_kept, drawn_);
        killed_.push_back({restart(survivors).content, drawn_.hashes[hour]});
        if (survivors.count(bound_)) {
            use_all(survivors, at, SimOdometer());
            return;
        }
        std::size_t deviations = 1;
        while (within_bound(survivors, deviations + 1)) {
            ++deviations;
        }
        ++report_.beyond;
        report_.least = std::min(report_.least, deviations);
        use_all(survivors, at, SimOdometer(deviations, false));
        use_all(survivors, at, SimOdometer(deviations, true));
    }

    void use_all(SimSurvivors& survivors, std::size_t at, SimOdometer odometer) {
        do {
            survivors.draw(odometer, drawn_);
            use(survivors, at);
        } while (odometer.next());
    }

    [[nodiscard]] bool within_bound(SimSurvivors& survivors, std::size_t deviations) {
        std::uint64_t ways = 0;
        for (const bool keeps : {false, true}) {
            SimOdometer odometer(deviations, keeps);
            do {
                survivors.draw(odometer, drawn_);
            } while (++ways <= bound_ && odometer.next());
        }
        return ways <= bound_;
    }

    [[nodiscard]] Lab::Found restart(SimSurvivors& survivors) {
        const std::uint64_t key = drawn_.hashes[database];
        auto found = found_.find(key);
        if (found == found_.end()) {
            const SimImage image = survivors.image(drawn_, database);
            const auto bytes = [&](const std::string& path) {
                const auto file = image.find(path);
                return file == image.end() ? std::nullopt : std::optional(file->second.bytes);
            };
            found =
                found_.emplace(key, lab_.restart(bytes(database_), bytes(database_ + "-journal")))
                    .first;
        }
        return found->second;
    }

    /// Whatever is to be done with one way.
    void use(SimSurvivors& survivors, std::size_t at) {
        ++report_.states;
        std::uint64_t whole = 0;
        for (const std::uint64_t part : drawn_.hashes) {
            whole = whole * 0x9e3779b97f4a7c15U + part;
        }
        report_.distinct += distinct_.insert(whole).second ? 1 : 0;
        const Lab::Found found = restart(survivors);
        const std::uint64_t counts = drawn_.hashes[hour];
        if (const std::string& why = lab_.complaint(found.content);
            !why.empty() && !(operation_.broken && found.content == killed_.front().content)) {
            complain(at, why);
        }
        const auto from = killed_.begin() + static_cast<std::ptrdiff_t>(points_[at].told);
        if (std::ranges::none_of(from, killed_.end(), [&](const Killed& each) {
                return each.content == found.content;
            })) {
            complain(at, "the database is neither the old nor the new one");
        }
        if (std::ranges::none_of(from, killed_.end(),
                                 [&](const Killed& each) { return each.hour == counts; })) {
            complain(at, "the counts of the brakes are neither the old nor the new ones");
        }
        if (counts == 0 && from->hour != 0) {
            complain(at, "the counts of the brakes are gone");
        }
        if (found.content == 0 && killed_.front().content != 0 && !is_counted(survivors)) {
            complain(at, "the database has left without being counted");
        }
        if (checked_.emplace(found.file, drawn_.hashes[rest], counts, other_).second) {
            ++report_.checked;
            for (const std::size_t first : {node_, 1 - node_}) {
                World<Kind> world(operation_.setup, moment_of(survivors), 2);
                complain(at, Check<Kind>(world, operation_, node_, first).run());
            }
        }
        if (report_.uploads < bound_ / 16 &&
            uploads_.emplace(drawn_.hashes[aside], other_).second) {
            finish_upload(survivors, at);
        }
    }

    /// What lies in tmp under the name of an upload is still there for a request that comes again.
    void finish_upload(SimSurvivors& survivors, std::size_t at) {
        for (const auto& [path, found] : survivors.image(drawn_, aside)) {
            const bool ours = std::ranges::any_of(
                std::array{".removed", ".claimed", ".copy", ".new"},
                [&](const char* mark) { return path.find(mark) != std::string::npos; });
            if (found.kind == SimFound::Kind::file && !ours) {
                ++report_.uploads;
                World<Kind> world(operation_.setup, moment_of(survivors), 2);
                complain(at, Check<Kind>(world, operation_, node_, node_).run_after_finish(path));
            }
        }
    }

    /// The other node has not been restarted, and knows what it was told.
    void go_on(World<Kind>& world, std::size_t at, bool keeps) {
        SimOdometer chooser(0, keeps);
        world.disk(node_).crash(chooser);
        world.power_is_back(node_);
        for (const std::string& what : Check<Kind>(world, operation_, node_, 1 - node_).run()) {
            complain(at, "the other node goes on: " + what);
        }
    }

    /// Both nodes, the one that was cut in the way that was drawn.
    [[nodiscard]] Moment moment_of(SimSurvivors& survivors) {
        Moment moment = moment_;
        moment.disks.at(node_) = survivors.image(drawn_);
        return moment;
    }

    /// Whether the counts of the brakes know of a database that has left.
    [[nodiscard]] bool is_counted(SimSurvivors& survivors) {
        const char* const none = operation_.broken ? " quarantined=0" : " left=0";
        const SimImage counts = survivors.image(drawn_, hour);
        return !counts.empty() && counts.begin()->second.bytes.find(none) == std::string::npos;
    }

    void complain(std::size_t at, const std::vector<std::string>& all) {
        for (const std::string& what : all) {
            complain(at, what);
        }
    }

    void complain(std::size_t at, const std::string& what) {
        const std::string text =
            "before " + points_[at].what + " (point " + std::to_string(at) + "): " + what;
        if (report_.complaints.size() < 20 &&
            std::ranges::find(report_.complaints, text) == report_.complaints.end()) {
            report_.complaints.push_back(text);
        }
    }

    [[nodiscard]] std::size_t group_of(const std::string& path) const {
        return path == database_ || path == database_ + "-journal" ? database
               : path.ends_with(".brakes/hour")                    ? hour
               : is_set_aside(path)                                ? aside
                                                                   : rest;
    }

    [[nodiscard]] static std::uint64_t hash(const SimImage& image) {
        std::uint64_t sum = 0;
        for (const auto& [path, found] : image) {
            sum = sum * 0x9e3779b97f4a7c15U + std::hash<std::string>()(path + '\n' + found.bytes);
        }
        return sum;
    }

    /// What a process that is killed, without a power cut, leaves at a point.
    struct Killed {
        std::size_t content;
        std::uint64_t hour;
    };

    Operation<Kind> operation_;
    std::size_t node_;
    std::uint64_t bound_;
    Moment start_;
    std::string database_;
    std::vector<Point> points_;
    std::vector<Killed> killed_; // at each point so far
    Report report_;
    Lab lab_;
    Moment moment_; // at the present cut
    std::uint64_t other_ = 0;
    SimSurvivors::Survivor drawn_;
    std::unordered_map<std::uint64_t, Lab::Found> found_; // by the hash of database and journal
    std::unordered_set<std::uint64_t> distinct_;
    std::set<std::tuple<std::size_t, std::uint64_t, std::uint64_t, std::uint64_t>> checked_;
    std::set<std::pair<std::uint64_t, std::uint64_t>> uploads_;
};

} // namespace replica::test

#endif // REPLICA_TEST_SIM_EXHAUSTIVE_CUTS_HPP
