// A whole pass, foreseen: the walk of a single pass (--once) over the devices of this node, with
// what it would do with each database and each peer, and why (send/foresee.hpp). Nothing is
// written. A pass that begins afterwards does just that, if nobody writes meanwhile.
//
// A service does less than a single pass: what it knows to be at rest it does not open. A pass also
// clears up (tmp, the trash, empty directories, old tombstones), and of containers looks after the
// links for container sync and the queues of the reconciler; that is no part of a plan.
#ifndef REPLICA_TOOL_PLAN_HPP
#define REPLICA_TOOL_PLAN_HPP

#include <replica/broker.hpp>
#include <replica/error.hpp>
#include <replica/ring.hpp>
#include <replica/send/decide.hpp>
#include <replica/send/foresee.hpp>
#include <replica/send/foresight.hpp>
#include <replica/settings.hpp>
#include <replica/stats.hpp>
#include <replica/storage/brakes.hpp>
#include <replica/storage/quarantine.hpp>
#include <replica/storage/storage.hpp>
#include <replica/tool/databases.hpp>
#include <replica/tool/info.hpp>
#include <replica/tool/text.hpp>
#include <replica/transport.hpp>
#include <replica/words/hash_path.hpp>
#include <replica/words/members.hpp>

#include <boost/hana/accessors.hpp>
#include <boost/hana/for_each.hpp>
#include <boost/hana/second.hpp>
#include <boost/json/object.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace replica::tool {

namespace detail {

/// Adds what another part of a pass counts.
inline void add(Stats& sum, const Stats& more) {
    boost::hana::for_each(boost::hana::accessors<Stats>(), [&](const auto& member) {
        boost::hana::second(member)(sum) += boost::hana::second(member)(more);
    });
}

/// The lines of a database: one for each peer, and one for the copy here unless it just stays.
template <std::derived_from<Info> I>
[[nodiscard]] std::vector<boost::json::object> lines_of(const Foresight<I>& found) {
    std::vector<boost::json::object> lines;
    const boost::json::object begin{{"database", found.place.path()}, {"name", found.info.name()}};
    for (const auto& seen : found.peers) {
        auto& line = lines.emplace_back(begin);
        line["peer"] = name_of(seen.peer);
        line["do"] = std::string(word_of(seen.deed));
        line["why"] = seen.said.empty() ? seen.why : seen.said + ": " + seen.why;
        if (seen.deed == Deed::rows || seen.deed == Deed::compare) {
            line["from_row"] = seen.above + 1;
            line["to_row"] = found.last_row();
        }
        if (seen.taken) {
            line["take_over"] = "newer times, metadata or policy";
        }
    }
    if (found.end != End::stays) {
        auto& line = lines.emplace_back(begin);
        line["do"] = std::string(word_of(found.end));
        line["why"] = found.why;
    }
    return lines;
}

} // namespace detail

/// Foresees a pass. `broker` and `transport` must outlive it; the broker should not migrate. Not
/// thread safe.
template <Broker B, RingVersion R, Transport T>
class Planner {
    using Kind = typename B::kind_type;

public:
    /// `local`: the ring's devices of this node.
    Planner(const Settings& settings, B& broker, R ring, T& transport, std::vector<Device> local,
            std::stop_token stop = {})
        : settings_(&settings), broker_(&broker), ring_(std::move(ring)),
          foreseer_(settings, broker, ring_, transport, stop), local_(std::move(local)),
          stop_(std::move(stop)), brakes_(settings.leave_share) {}
    Planner(const Planner&) = delete;
    Planner& operator=(const Planner&) = delete;

    /// Calls `line` with each object of the plan, and `beat` with the partitions that are done,
    /// those that there are, and the databases so far. Returns what a pass would count. What goes
    /// wrong with a device or a database is a line.
    template <std::invocable<const boost::json::object&> Line,
              std::invocable<std::size_t, std::size_t, std::int64_t> Beat>
    Stats run(Line line, Beat beat) {
        struct Part {
            const Device* device = nullptr;
            PartitionDirectory partition;
        };
        std::vector<Part> parts;
        for (const Device& device : local_) {
            for (auto& each : usable_partitions(device, line)) {
                parts.push_back({&device, std::move(each)});
            }
        }
        std::size_t done = 0;
        for (const Part& part : parts) {
            const auto use = [&](const std::string& path) {
                if (!stop_.stop_requested() && !brakes_.mostly_wrong_hashes(part.device->device)) {
                    look(path, *part.device, line);
                    beat(done, parts.size(), stats_.attempted);
                }
            };
            each_database(broker_->disk(), part.partition.path, use, [&](const Failure& failure) {
                ++stats_.errors;
                line(boost::json::object{{"do", "fail"}, {"why", failure.what()}});
            });
            beat(++done, parts.size(), stats_.attempted);
        }
        return stats_;
    }

private:
    [[nodiscard]] std::string root_of(const Device& device) const {
        return storage::device_path(settings_->devices, device.device);
    }

    template <class Line>
    [[nodiscard]] std::vector<PartitionDirectory> usable_partitions(const Device& device,
                                                                    Line& line) {
        std::vector<PartitionDirectory> found;
        std::string why;
        try {
            why = is_safe_name(device.device)
                      ? why_unusable(broker_->disk(), root_of(device), settings_->mount_check)
                      : "is not a valid drive name";
            if (why.empty()) {
                found = partitions_of(broker_->disk(), root_of(device), Kind::datadir,
                                      ring_.partition_count());
            }
        } catch (const Failure& failure) {
            why = failure.what();
        }
        if (!why.empty()) {
            ++stats_.failure;
            line(boost::json::object{{"device", root_of(device)}, {"do", "skip"}, {"why", why}});
        }
        if (settings_->handoffs_only) {
            std::erase_if(found, [&](const PartitionDirectory& each) {
                return decide::is_primary(ring_.primaries(each.number), device.id);
            });
        }
        return found;
    }

    template <class Line>
    void look(const std::string& path, const Device& device, Line& line) {
        brakes_.saw(device.device);
        try {
            auto found = foreseer_.look(path, device, [&] { return may_leave(device); });
            if (found.end == End::failed) {
                brakes_.wrong_hash(device.device);
            } else if (found.end == End::leaves || found.end == End::expires) {
                remove(found, device);
            }
            detail::add(stats_, found.stats);
            for (const auto& each : detail::lines_of(found)) {
                line(each);
            }
        } catch (const Failure& failure) {
            ++stats_.attempted;
            if (failure.error() != Error::missing && failure.error() != Error::moved) {
                line(broken(path, failure));
            }
        }
    }

    template <class Found>
    void remove(Found& found, const Device& device) {
        if (brakes_.frozen(device.device)) {
            --found.stats.remove;
            ++found.stats.kept;
            found.end = End::kept;
            found.why = "its device has databases with wrong hashes";
            return;
        }
        brakes_.left(device.device);
        ++left_[device.device];
    }

    [[nodiscard]] bool may_leave(const Device& device) {
        return brakes_.may_try(device.device) &&
               HourlyBrake::shows_room(*broker_, root_of(device), left_[device.device],
                                       brakes_.present(device.device), settings_->leave_share);
    }

    [[nodiscard]] boost::json::object broken(const std::string& path, const Failure& failure) {
        ++stats_.errors;
        ++stats_.failure;
        bool beyond_use = false;
        std::string why = failure.what();
        if (failure.code() == Condition::quarantine) {
            try {
                const auto status = broker_->disk().stat(path);
                beyond_use = storage::is_beyond_use(
                    *broker_, path, broker_->clock().monotonic() + to_duration(Seconds(25)),
                    status ? status->size : 0);
            } catch (const Failure& second) {
                why += std::string("; and cannot be checked: ") + second.what();
            }
        }
        stats_.quarantined += beyond_use ? 1 : 0;
        return {{"database", path}, {"do", beyond_use ? "quarantine" : "fail"}, {"why", why}};
    }

    const Settings* settings_;
    B* broker_;
    R ring_;
    Foreseer<B, R, T> foreseer_;
    std::vector<Device> local_;
    std::stop_token stop_;
    Brakes brakes_;
    std::map<std::string, std::int64_t> left_; ///< By device: what would have left by now.
    Stats stats_{};
};

} // namespace replica::tool

#endif
