#ifndef REPLICA_TEST_SIM_WITNESS_HPP
#define REPLICA_TEST_SIM_WITNESS_HPP

// What has happened at least once in the worlds of a run: each event of the shipped code, each
// answer, each fault. A simulator that never reaches a branch says nothing about the branch.

#include "fibers.hpp"
#include <replica/observer.hpp>

#include <boost/core/demangle.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <typeinfo>
#include <utility>

namespace replica::test {

/// How often each mark was reached, by name.
class Marks {
public:
    /// Prints each mark as it is reached.
    bool trace = false;

    void operator()(std::string_view name) {
        if (trace) {
            std::cerr << name << '\n';
        }
        const auto found = counts_.find(name);
        if (found != counts_.end()) {
            ++found->second;
        } else {
            counts_.emplace(name, 1);
        }
    }

    [[nodiscard]] const std::map<std::string, std::uint64_t, std::less<>>& counts() const {
        return counts_;
    }

private:
    std::map<std::string, std::uint64_t, std::less<>> counts_;
};

/// Who hears of databases that a program removes, or would remove.
struct Departures {
    std::function<void(const std::string& path, std::string_view why)> left, stayed;
};

/// Models Observer: a mark for each event of a program that lives. Outlived by the marks.
class Witness {
public:
    Witness(Marks& marks, std::shared_ptr<const Life> life, Departures departures = {})
        : marks_(&marks), life_(std::move(life)), departures_(std::move(departures)) {}

    template <class Event>
    void operator()(const Event& event) const {
        if (life_->ended) {
            return;
        }
        static const std::string name = [] {
            const std::string full = boost::core::demangle(typeid(Event).name());
            return full.substr(full.rfind(':') + 1);
        }();
        if (marks_->trace) {
            if constexpr (requires { std::string(event.path); }) {
                std::cerr << life_->name << ' ' << event.path << ": ";
            }
            if constexpr (requires { std::string(event.what); }) {
                std::cerr << event.what << ": ";
            }
        }
        if constexpr (std::same_as<Event, event::Removed>) {
            tell(departures_.left, event);
        } else if constexpr (std::same_as<Event, event::Kept>) {
            tell(departures_.stayed, event);
        }
        if constexpr (std::same_as<Event, event::DeviceProgress>) {
            (*marks_)(event.partitions > 0 ? name : "nothing was walked");
        } else if constexpr (std::same_as<Event, event::Served>) {
            (*marks_)(std::string(event.verb) + ' ' + std::to_string(event.status));
        } else if constexpr (std::same_as<Event, event::Stale>) {
            (*marks_)(name + (event.alone ? ", alone" : event.awaits ? ", awaits rows" : ""));
        } else if constexpr (requires { std::string_view(event.reason); }) {
            (*marks_)(name + ": " + without_names(event.reason));
        } else if constexpr (requires { event.merge; }) {
            (*marks_)(name + (event.merge ? " to merge" : "") + (event.snapshot ? ", a copy" : ""));
        } else if constexpr (requires { event.capped; }) {
            (*marks_)(name + (event.capped ? " capped" : ""));
        } else {
            (*marks_)(name);
        }
    }

private:
    template <class Hear, class Event>
    static void tell(const Hear& hear, const Event& event) {
        if (hear) {
            hear(event.path, event.reason);
        }
    }

    /// Reasons name files, times and counts; the words without those tell reasons apart.
    [[nodiscard]] static std::string without_names(std::string_view reason) {
        if (const std::size_t at = reason.rfind(": "); at != std::string_view::npos) {
            reason.remove_prefix(at + 2);
        }
        std::string words;
        for (std::size_t at = 0; at < reason.size();) {
            const std::size_t end = std::min(reason.find(' ', at), reason.size());
            const std::string_view word = reason.substr(at, end - at);
            at = std::min(end + 1, reason.size());
            if (word.find_first_of("0123456789/") == std::string_view::npos) {
                words.append(words.empty() ? "" : " ").append(word);
            }
        }
        return words;
    }

    Marks* marks_;
    std::shared_ptr<const Life> life_;
    Departures departures_;
};

static_assert(Observer<Witness>);

} // namespace replica::test

#endif // REPLICA_TEST_SIM_WITNESS_HPP
