#ifndef REPLICA_TEST_SIM_SHRINK_HPP
#define REPLICA_TEST_SIM_SHRINK_HPP

// Makes a failing world smaller: without one fault after another, with fewer machines, clients,
// databases and calls, as long as it still fails.

#include "config.hpp"

#include <boost/hana/accessors.hpp>
#include <boost/hana/for_each.hpp>

#include <concepts>
#include <cstdint>
#include <string_view>
#include <vector>

namespace replica::test {

/// `fails(config)` plays a world. Returns the smallest that was found to fail.
template <std::predicate<const Config&> Fails>
[[nodiscard]] Config shrink(Config smallest, Fails fails) {
    const auto attempt = [&](std::int64_t Config::*field, std::int64_t value) {
        Config smaller = smallest;
        smaller.*field = value;
        const bool still = smaller.*field != smallest.*field && fails(smaller);
        smallest = still ? smaller : smallest;
        return still;
    };
    constexpr std::int64_t Config::*faults[] = {
        &Config::late,         &Config::pending,  &Config::posts,    &Config::drops,
        &Config::to_handoffs,  &Config::lose,     &Config::delay,    &Config::repeat,
        &Config::cut,          &Config::mute,     &Config::kill,     &Config::power,
        &Config::unmount,      &Config::fill,     &Config::fail,     &Config::slow,
        &Config::wipe,         &Config::backup,   &Config::ring,     &Config::jump,
        &Config::isolate,      &Config::transfer, &Config::rest,     &Config::skew,
        &Config::rot,          &Config::shards,   &Config::stock,    &Config::feed,
        &Config::stock_sender, &Config::policies, &Config::ties,     &Config::overdue,
        &Config::misfiled,     &Config::journals, &Config::misnamed, &Config::miscounted,
        &Config::second,       &Config::reports,  &Config::leaves,   &Config::overstated};
    for (bool progress = true; progress;) {
        progress = false;
        for (const auto fault : faults) {
            progress = attempt(fault, 0) || progress;
        }
        for (const auto field : {&Config::clients, &Config::databases, &Config::devices}) {
            progress = attempt(field, 1) || progress;
        }
        progress = attempt(&Config::names, 5) || progress;
        progress = (smallest.nodes > 2 && smallest.nodes > smallest.replicas &&
                    attempt(&Config::nodes, smallest.nodes - 1)) ||
                   progress;
        progress = (smallest.replicas > 2 && attempt(&Config::replicas, 2)) || progress;
        progress =
            (smallest.steps > 500 && attempt(&Config::steps, smallest.steps / 2)) || progress;
    }
    return smallest;
}

} // namespace replica::test

#endif // REPLICA_TEST_SIM_SHRINK_HPP
