#ifndef REPLICA_TEST_SIM_EXHAUSTIVE_FAILURES_HPP
#define REPLICA_TEST_SIM_EXHAUSTIVE_FAILURES_HPP

// One operation in which a call of a disk fails, each call in turn: that one alone, or it and all
// that follow, or from it on the device is full. Then the disk is well again and the same processes
// go on, with what they keep in memory. Passes of both nodes put everything right, and then it is
// durable. In one thread nobody asks while a call is under way: see scenario/faults.cpp.

#include "look.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>
#include <utility>
#include <vector>

namespace replica::test {

/// How a disk fails at a call.
enum class Ill {
    once,    ///< An I/O error.
    no_room, ///< One call finds the device full.
    full,    ///< All that need room, from this call on.
    dead     ///< An I/O error of this call and all later ones.
};

template <class Kind>
class Failures {
public:
    /// `all`: in each of the four ways, and with either node's pass first after it. Else a call
    /// fails alone, and the nodes take turns.
    Failures(Operation<Kind> operation, std::size_t node, bool all)
        : operation_(std::move(operation)), node_(node), all_(all) {
        World<Kind> world(operation_.setup);
        start_ = start_of(operation_, world);
    }

    void run() {
        World<Kind> well(operation_.setup, start_, 1);
        well.disk(node_).on_call([this](SimCall, const std::string&) { ++calls_; });
        operation_.act(well);
        well.disk(node_).on_call(nullptr);
        for (std::uint64_t call = 1; call <= calls_; ++call) {
            for (const Ill how : {Ill::once, Ill::no_room, Ill::full, Ill::dead}) {
                for (const std::size_t first : {0U, 1U}) {
                    // Nothing can be done for a file beyond use on a disk that is so, too.
                    const bool hopeless = how == Ill::dead && operation_.broken;
                    if (!hopeless && (all_ || (how == Ill::once && first == call % 2))) {
                        fail(call, how, first);
                    }
                }
            }
        }
    }

    [[nodiscard]] std::uint64_t calls() const { return calls_; }
    [[nodiscard]] std::uint64_t runs() const { return runs_; }
    [[nodiscard]] const std::vector<std::string>& complaints() const { return complaints_; }

private:
    void fail(std::uint64_t call, Ill how, std::size_t first) {
        ++runs_;
        World<Kind> world(operation_.setup, start_, 1);
        Look<Kind> look(world, operation_);
        const SimDisk disk = world.disk(node_);
        std::string where;
        std::uint64_t left = call;
        disk.on_call([&](SimCall which, const std::string& path) {
            if (--left == 0) {
                where = "call " + std::to_string(call) + " (" +
                        std::to_string(static_cast<int>(which)) + " of " + path + ") ";
                if (how == Ill::full) {
                    disk.mount(world.nodes.device_path(), 1);
                }
            }
        });
        if (how == Ill::dead) {
            disk.halt_at(call);
        } else if (how != Ill::full) {
            disk.fail_at(call, how == Ill::once ? Error::io : Error::no_space);
        }
        try {
            operation_.act(world);
            disk.on_call(nullptr);
            disk.clear_faults();
            disk.mount(world.nodes.device_path());
            world.nodes.clock().advance(Seconds(600)); // what is held back is over
            look.look();
            static_cast<void>(world.nodes.pass(first));
            look.look();
            if (world.nodes.settle() < 0) {
                look.complain("does not come to rest");
            }
            look.look_at_the_end(operation_.live);
        } catch (const std::exception& failure) {
            look.complain(std::string("thrown: ") + failure.what());
        }
        constexpr std::array names{"fails", "finds no room", "and then all find no room",
                                   "and all later ones fail"};
        for (const std::string& what : look.complaints()) {
            if (complaints_.size() < 20) {
                complaints_.push_back(where + names.at(static_cast<std::size_t>(how)) + ", node " +
                                      std::to_string(first) + " goes first: " + what);
            }
        }
    }

    Operation<Kind> operation_;
    std::size_t node_;
    bool all_;
    Moment start_;
    std::uint64_t calls_ = 0;
    std::uint64_t runs_ = 0;
    std::vector<std::string> complaints_;
};

} // namespace replica::test

#endif // REPLICA_TEST_SIM_EXHAUSTIVE_FAILURES_HPP
